//! What is counted: each crate declares its own table, the tracker keeps the sums.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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

/// The counters of one crate, an enum that [`counters!`](crate::counters) declares.
pub trait CounterSet: Copy + 'static {
    /// The families, in the order of the enum.
    const FAMILIES: &'static [Family];
    /// Number of counters.
    const LEN: usize;

    /// Returns the counter's number, from 0, in the order of the enum.
    fn index(self) -> usize;
}

/// Declares an enum of counters by the metrics that they are series of.
///
/// Each family has a name, a unit, a sentence of help and the names of its labels; each counter
/// the values of the labels.
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
    (
        $(#[$meta:meta])*
        $vis:vis enum $set:ident {
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

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

/// Numbers of a cache line.
const LINE: usize = 8;

/// A cache line of counters, lest two threads write to one.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; LINE]);

/// The counters of one thread.
///
/// Only their owner adds, so adding is a plain load and store; anybody may read.
pub struct Counters<C> {
    lines: Arc<[Line]>,
    set: PhantomData<fn(C)>,
}

impl<C: CounterSet> Counters<C> {
    /// Adds one.
    pub fn count(&self, counter: C) {
        self.add(counter, 1);
    }

    /// Adds a number.
    pub fn add(&self, counter: C, number: u64) {
        let cell = cell(&self.lines, counter.index());
        cell.store(
            cell.load(Ordering::Relaxed).wrapping_add(number),
            Ordering::Relaxed,
        );
    }
}

impl<C> fmt::Debug for Counters<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counters").finish_non_exhaustive()
    }
}

fn cell(lines: &[Line], index: usize) -> &AtomicU64 {
    &lines[index / LINE].0[index % LINE]
}

/// The counters of all threads, summed on reading.
#[derive(Debug, Default)]
pub struct CounterRegistry(Mutex<Vec<Registered>>);

#[derive(Debug)]
struct Registered {
    set: TypeId,
    families: &'static [Family],
    lines: Arc<[Line]>,
}

impl CounterRegistry {
    /// Makes the counters of one more thread. They count on after the thread has ended.
    pub fn register<C: CounterSet>(&self) -> Counters<C> {
        let lines: Arc<[Line]> = (0..C::LEN.div_ceil(LINE))
            .map(|_| Line::default())
            .collect();
        let registered = Registered {
            set: TypeId::of::<C>(),
            families: C::FAMILIES,
            lines: Arc::clone(&lines),
        };
        self.lock().push(registered);
        Counters {
            lines,
            set: PhantomData,
        }
    }

    /// Returns the sum over all threads.
    pub fn sum<C: CounterSet>(&self, counter: C) -> u64 {
        let set = TypeId::of::<C>();
        let all = self.lock();
        let of_set = all.iter().filter(|registered| registered.set == set);
        of_set.fold(0, |sum, registered| {
            let cell = cell(&registered.lines, counter.index());
            sum.wrapping_add(cell.load(Ordering::Relaxed))
        })
    }

    /// Returns the sum of several counters.
    pub fn sum_of<C: CounterSet>(&self, counters: &[C]) -> u64 {
        counters.iter().map(|&counter| self.sum(counter)).sum()
    }

    /// Returns every family that somebody counts, with the sums of its series, those of one crate
    /// together.
    pub fn families(&self) -> Vec<(&'static Family, Vec<u64>)> {
        let all = self.lock();
        let mut sets: Vec<(TypeId, &'static [Family], Vec<u64>)> = Vec::new();
        for registered in &*all {
            let len = registered
                .families
                .iter()
                .map(|family| family.series.len())
                .sum();
            let known = sets.iter().position(|(set, ..)| *set == registered.set);
            let place = known.unwrap_or_else(|| {
                sets.push((registered.set, registered.families, vec![0; len]));
                sets.len() - 1
            });
            for (index, sum) in sets[place].2.iter_mut().enumerate() {
                *sum = sum.wrapping_add(cell(&registered.lines, index).load(Ordering::Relaxed));
            }
        }
        let sums = sets.into_iter().flat_map(|(_, families, sums)| {
            let mut sums = sums.into_iter();
            let with_sums = move |family: &'static Family| {
                (family, sums.by_ref().take(family.series.len()).collect())
            };
            families.iter().map(with_sums)
        });
        sums.collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            .map(|(family, sums)| (family.name, sums.as_slice()))
            .collect();
        assert_eq!(
            sums,
            [
                ("a_total", [3, 0].as_slice()),
                ("b_total", &[7]),
                ("c_total", &[1])
            ]
        );
        assert_eq!(families[0].0.unit, "things");
        assert_eq!(families[0].0.series[1], ["y", "small"]);
    }
}
