//! What is counted: each crate declares its own table, the tracker keeps the sums.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};

use crate::cells::Cells;
use crate::histogram::{Histogram, HistogramFamily, HistogramSums, RegisteredHistogram};
use crate::sync::{Mutex, MutexGuard};

/// A metric: a name, and what it counts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Family {
    /// The name, in the form of Prometheus: `opentracker_udp_requests_total`.
    pub name: &'static str,
    /// What one counts as: `requests`, `octets`.
    pub unit: &'static str,
    /// What is counted, in one sentence.
    pub help: &'static str,
    /// The names of the labels; the same for each of the series.
    pub labels: &'static [&'static str],
    /// The values of the labels, for each counter of the family.
    pub series: &'static [&'static [&'static str]],
}

impl Family {
    /// Makes a family; [`counters!`](crate::counters) does.
    pub const fn new(
        name: &'static str,
        unit: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        series: &'static [&'static [&'static str]],
    ) -> Self {
        let mut number = 0;
        while number < series.len() {
            assert!(
                series[number].len() == labels.len(),
                "each of a family's series has a value for each label"
            );
            number += 1;
        }
        Self {
            name,
            unit,
            help,
            labels,
            series,
        }
    }
}

/// The label of the counters that each listener has for itself.
pub const LISTENER_LABEL: &str = "listener";

/// The counters of one crate, an enum that [`counters!`](crate::counters) declares.
pub trait CounterSet: Copy + 'static {
    /// The families, in the order of the enum.
    const FAMILIES: &'static [Family];
    /// Number of counters.
    const LEN: usize;
    /// Each listener counts for itself: every family has [`LISTENER_LABEL`] besides its own labels.
    const BY_LISTENER: bool = false;

    /// Returns the counter's number, from 0, in the order of the enum.
    fn index(self) -> usize;
}

/// Declares an enum of counters by the metrics that they are series of.
///
/// Each family has a name, a unit, a sentence of help and the names of its labels; each counter
/// the values of the labels. With `by listener` behind the name of the enum, each listener has
/// counters of its own.
///
/// ```
/// opentracker_core::counters! {
///     /// What a front end for WebSocket counts.
///     pub enum Counter {
///         "websocket_messages_total" messages "Messages, by direction." ["direction"] {
///             /// Messages received.
///             Received ["in"],
///             /// Messages sent.
///             Sent ["out"],
///         }
///         "websocket_connections_total" connections "Connections accepted." [] {
///             /// Connections accepted.
///             Accepted [],
///         }
///     }
/// }
///
/// let registry = opentracker_core::CounterRegistry::default();
/// let counters = registry.register::<Counter>();
/// counters.count(Counter::Received);
/// assert_eq!(registry.sum(Counter::Received), 1);
/// ```
#[macro_export]
macro_rules! counters {
    (@by) => { false };
    (@by listener) => { true };
    (
        $(#[$meta:meta])*
        $vis:vis enum $set:ident $(by $by:ident)? {
            $(
                $family:literal $unit:ident $help:literal [$($label:literal),*] {
                    $(
                        $(#[$counter_meta:meta])*
                        $counter:ident [$($value:literal),*],
                    )+
                }
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        $vis enum $set {
            $($($(#[$counter_meta])* $counter,)+)+
        }

        impl $crate::CounterSet for $set {
            const FAMILIES: &'static [$crate::Family] = &[
                $($crate::Family::new(
                    $family,
                    stringify!($unit),
                    $help,
                    &[$($label),*],
                    &[$(&[$($value),*]),+],
                ),)+
            ];
            const LEN: usize = [$($(Self::$counter,)+)+].len();
            const BY_LISTENER: bool = $crate::counters!(@by $($by)?);

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// The counters of one thread.
///
/// Only their owner adds, so adding is a plain load and store; anybody may read.
pub struct Counters<C> {
    cells: Arc<Cells>,
    set: PhantomData<fn(C)>,
}

impl<C: CounterSet> Counters<C> {
    /// Adds one.
    pub fn count(&self, counter: C) {
        self.add(counter, 1);
    }

    /// Adds a number.
    pub fn add(&self, counter: C, number: u64) {
        self.cells.add(counter.index(), number);
    }
}

impl<C> fmt::Debug for Counters<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counters").finish_non_exhaustive()
    }
}

/// The counters and histograms of all threads, summed on reading.
#[derive(Debug, Default)]
pub struct CounterRegistry {
    counters: Mutex<Vec<Registered>>,
    histograms: Mutex<Vec<RegisteredHistogram>>,
}

#[derive(Debug)]
struct Registered {
    set: TypeId,
    families: &'static [Family],
    listener: Option<Arc<str>>,
    cells: Arc<Cells>,
}

/// A family, and what its counters have come to, over all threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilySums {
    /// The family.
    pub family: &'static Family,
    /// For each listener, or for `None`, the sums in the order of the family's series.
    pub sums: Vec<(Option<Arc<str>>, Vec<u64>)>,
}

impl FamilySums {
    /// Returns the sum of one series, over all listeners; 0 if there is none of these labels.
    pub fn sum(&self, labels: &[&str]) -> u64 {
        let series = self.sums.iter().flat_map(|(_, sums)| {
            let series = self.family.series.iter().zip(sums);
            series.filter(|(values, _)| **values == labels)
        });
        series.map(|(_, sum)| sum).sum()
    }
}

impl CounterRegistry {
    /// Makes the counters of one more thread. They count on after the thread has ended.
    pub fn register<C: CounterSet>(&self) -> Counters<C> {
        const { assert!(!C::BY_LISTENER, "counted for a listener") };
        self.register_any(None)
    }

    /// Makes the counters of one more thread for one listener, as the label names it.
    pub fn register_for<C: CounterSet>(&self, listener: &Arc<str>) -> Counters<C> {
        const { assert!(C::BY_LISTENER, "not counted by listener") };
        self.register_any(Some(Arc::clone(listener)))
    }

    fn register_any<C: CounterSet>(&self, listener: Option<Arc<str>>) -> Counters<C> {
        let cells = Arc::new(Cells::new(C::LEN));
        lock(&self.counters).push(Registered {
            set: TypeId::of::<C>(),
            families: C::FAMILIES,
            listener,
            cells: Arc::clone(&cells),
        });
        Counters {
            cells,
            set: PhantomData,
        }
    }

    /// Makes the histogram of one more thread, of a family and the value of its label. It counts on
    /// after the thread has ended.
    pub fn register_histogram(
        &self,
        family: &'static HistogramFamily,
        value: &'static str,
    ) -> Histogram {
        let registered = RegisteredHistogram::new(family, value);
        let histogram = registered.histogram();
        lock(&self.histograms).push(registered);
        histogram
    }

    /// Returns the sum over all threads and listeners.
    pub fn sum<C: CounterSet>(&self, counter: C) -> u64 {
        let set = TypeId::of::<C>();
        let all = lock(&self.counters);
        let of_set = all.iter().filter(|registered| registered.set == set);
        of_set.fold(0, |sum, registered| {
            sum.wrapping_add(registered.cells.get(counter.index()))
        })
    }

    /// Returns the sum of several counters.
    pub fn sum_of<C: CounterSet>(&self, counters: &[C]) -> u64 {
        counters.iter().map(|&counter| self.sum(counter)).sum()
    }

    /// Returns every family that somebody counts, with the sums of its series, those of one crate
    /// together.
    pub fn families(&self) -> Vec<FamilySums> {
        let mut sets: Vec<(TypeId, Vec<FamilySums>)> = Vec::new();
        for registered in &*lock(&self.counters) {
            let known = sets.iter().position(|(set, _)| *set == registered.set);
            let place = known.unwrap_or_else(|| {
                let families = registered.families.iter();
                let none = families.map(|family| FamilySums {
                    family,
                    sums: Vec::new(),
                });
                sets.push((registered.set, none.collect()));
                sets.len() - 1
            });
            registered.add_to(&mut sets[place].1);
        }
        sets.into_iter()
            .flat_map(|(_, families)| families)
            .collect()
    }

    /// Returns every histogram that somebody keeps, summed over all threads.
    pub fn histograms(&self) -> Vec<HistogramSums> {
        let mut all: Vec<HistogramSums> = Vec::new();
        for registered in &*lock(&self.histograms) {
            registered.add_to(&mut all);
        }
        all
    }
}

impl Registered {
    fn add_to(&self, families: &mut [FamilySums]) {
        let mut index = 0;
        for FamilySums { family, sums } in families {
            let known = sums
                .iter()
                .position(|(listener, _)| *listener == self.listener);
            let place = known.unwrap_or_else(|| {
                sums.push((self.listener.clone(), vec![0; family.series.len()]));
                sums.len() - 1
            });
            for sum in &mut sums[place].1 {
                *sum = sum.wrapping_add(self.cells.get(index));
                index += 1;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::counters! {
        enum Test {
            "a_total" things "As." ["kind", "size"] {
                A ["x", "small"],
                B ["y", "small"],
            }
            "b_total" octets "Bs." [] {
                C [],
            }
        }
    }

    crate::counters! {
        enum Other {
            "c_total" things "Cs." [] {
                D [],
            }
        }
    }

    crate::counters! {
        enum ByListener by listener {
            "d_total" things "Ds." ["kind"] {
                E ["e"],
                F ["f"],
            }
        }
    }

    #[test]
    fn sums_over_threads() {
        let registry = CounterRegistry::default();
        let (one, two) = (registry.register(), registry.register());
        one.count(Test::B);
        two.add(Test::B, 5);
        drop(two);
        assert_eq!(registry.sum(Test::B), 6);
        assert_eq!(registry.sum(Test::A), 0);
        assert_eq!(registry.sum(Other::D), 0);
        assert_eq!(registry.sum_of(&[Test::A, Test::B, Test::C]), 6);
    }

    #[test]
    fn families_come_with_the_sums_of_their_series() {
        let registry = CounterRegistry::default();
        let (one, other, two) = (
            registry.register(),
            registry.register(),
            registry.register(),
        );
        one.count(Test::A);
        other.count(Other::D);
        two.add(Test::A, 2);
        two.add(Test::C, 7);
        let families = registry.families();
        let sums: Vec<_> = families
            .iter()
            .map(|family| (family.family.name, family.sums.as_slice()))
            .collect();
        assert_eq!(
            sums,
            [
                ("a_total", [(None, vec![3, 0])].as_slice()),
                ("b_total", &[(None, vec![7])]),
                ("c_total", &[(None, vec![1])])
            ]
        );
        assert_eq!(families[0].family.unit, "things");
        assert_eq!(families[0].family.series[1], ["y", "small"]);
        assert_eq!(families[0].sum(&["x", "small"]), 3);
        assert_eq!(families[0].sum(&["x", "large"]), 0);
    }

    #[test]
    fn each_listener_counts_for_itself() {
        let registry = CounterRegistry::default();
        let (one, two) = ("udp://192.0.2.1:1".into(), "udp://192.0.2.2:1".into());
        registry.register_for(&one).count(ByListener::F);
        registry.register_for(&two).add(ByListener::E, 2);
        registry.register_for(&one).add(ByListener::F, 4);
        let families = registry.families();
        assert_eq!(
            families[0].sums,
            [(Some(one), vec![0, 5]), (Some(two), vec![2, 0])]
        );
        assert_eq!(families[0].sum(&["e"]), 2);
        assert_eq!(registry.sum(ByListener::F), 5);
    }
}
