//! How long things take: each thread counts durations by size, and the registry sums them up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cells::Cells;

/// A metric that counts durations by size, apart for each value of a label.
#[derive(Debug, PartialEq, Eq)]
pub struct HistogramFamily {
    /// The name, in the form of Prometheus: `opentracker_request_duration_seconds`.
    pub name: &'static str,
    /// What takes so long, in one sentence.
    pub help: &'static str,
    /// The name of the label.
    pub label: &'static str,
}

/// Upper bounds of the buckets, in nanoseconds: 1, 2 and 5 of each power of ten from a microsecond to
/// a second. What takes longer is in a bucket of its own.
const BOUNDS_NANOS: [u64; 19] = {
    let mut bounds = [0; 19];
    let mut power = 1000;
    let mut number = 0;
    while number < bounds.len() {
        bounds[number] = power * [1, 2, 5][number % 3];
        if number % 3 == 2 {
            power *= 10;
        }
        number += 1;
    }
    bounds
};

/// Where the sum of all durations stands, in nanoseconds, behind the buckets.
const SUM: usize = BOUNDS_NANOS.len() + 1;

/// The histogram of one thread.
///
/// Only its owner adds; anybody may read.
pub struct Histogram(Arc<Cells>);

impl Histogram {
    /// Adds things that took so long, each of them.
    pub fn observe(&self, took: Duration, number: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NANOS.partition_point(|&bound| bound < nanos);
        self.0.add(bucket, number);
        self.0.add(SUM, nanos.wrapping_mul(number));
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Histogram").finish_non_exhaustive()
    }
}

/// A histogram that a thread keeps, as the registry has it.
#[derive(Debug)]
pub(crate) struct RegisteredHistogram {
    family: &'static HistogramFamily,
    value: &'static str,
    cells: Arc<Cells>,
}

impl RegisteredHistogram {
    pub(crate) fn new(family: &'static HistogramFamily, value: &'static str) -> Self {
        Self {
            family,
            value,
            cells: Arc::new(Cells::new(SUM + 1)),
        }
    }

    pub(crate) fn histogram(&self) -> Histogram {
        Histogram(Arc::clone(&self.cells))
    }

    pub(crate) fn add_to(&self, all: &mut Vec<HistogramSums>) {
        let is_it = |sums: &HistogramSums| (sums.family, sums.value) == (self.family, self.value);
        let place = all.iter().position(is_it).unwrap_or_else(|| {
            all.push(HistogramSums {
                family: self.family,
                value: self.value,
                buckets: [0; SUM],
                nanos: 0,
            });
            all.len() - 1
        });
        let sums = &mut all[place];
        for (index, sum) in sums.buckets.iter_mut().enumerate() {
            *sum = sum.wrapping_add(self.cells.get(index));
        }
        sums.nanos = sums.nanos.wrapping_add(self.cells.get(SUM));
    }
}

/// A histogram, summed over all threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramSums {
    /// The family.
    pub family: &'static HistogramFamily,
    /// The value of its label.
    pub value: &'static str,
    /// In each bucket; the last one is for what took longer than all bounds.
    buckets: [u64; SUM],
    nanos: u64,
}

impl HistogramSums {
    /// Number of all things.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How long they took together, in seconds.
    pub fn sum_secs(&self) -> f64 {
        secs(self.nanos)
    }

    /// Returns the upper bounds in seconds, ascending, each with the number of things that took no
    /// longer.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = BOUNDS_NANOS.iter().zip(&self.buckets);
        bounds.scan(0, |sum, (&bound, &number)| {
            *sum += number;
            Some((secs(bound), *sum))
        })
    }
}

fn secs(nanos: u64) -> f64 {
    // The quotient of two whole numbers is the nearest to it that there is: 0.000005, not
    // 0.0000049999999999999996.
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CounterRegistry;

    static FAMILY: HistogramFamily = HistogramFamily {
        name: "test_seconds",
        help: "Tests.",
        label: "kind",
    };

    #[test]
    fn bounds_are_round_and_reach_from_a_microsecond_to_a_second() {
        let bounds: Vec<_> = BOUNDS_NANOS
            .iter()
            .map(|&nanos| secs(nanos).to_string())
            .collect();
        assert_eq!(bounds[..4], ["0.000001", "0.000002", "0.000005", "0.00001"]);
        assert_eq!(bounds[15..], ["0.1", "0.2", "0.5", "1"]);
    }

    #[test]
    fn durations_are_in_the_bucket_whose_bound_they_do_not_pass() {
        let registry = CounterRegistry::default();
        let (one, two) = (
            registry.register_histogram(&FAMILY, "a"),
            registry.register_histogram(&FAMILY, "a"),
        );
        registry.register_histogram(&FAMILY, "b");
        one.observe(Duration::from_micros(1), 3);
        two.observe(Duration::from_nanos(1001), 1);
        two.observe(Duration::from_secs(1), 1);
        two.observe(Duration::from_secs(2), 1);
        one.observe(Duration::ZERO, 1);
        let all = registry.histograms();
        assert_eq!(
            all.iter().map(|sums| sums.value).collect::<Vec<_>>(),
            ["a", "b"]
        );
        let buckets: Vec<_> = all[0].buckets().collect();
        assert_eq!(buckets[..3], [(1e-6, 4), (2e-6, 5), (5e-6, 5)]);
        assert_eq!(buckets[18], (1.0, 6));
        assert_eq!(all[0].count(), 7);
        assert!((all[0].sum_secs() - 3.000_004_001).abs() < 1e-12);
        assert_eq!(all[1].count(), 0);
    }
}
