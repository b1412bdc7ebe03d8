//! When a request is due.

use std::time::{Duration, Instant};

use crate::args::LoadArgs;

/// Nanoseconds since the start of a run, as cheap as a clock gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts at zero.
    pub(crate) fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    /// Nanoseconds since the start; enough for 584 years.
    pub(crate) fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }
}

/// The nanoseconds of a duration, saturating after 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Says when the next request may leave, and from when on its latency counts.
///
/// Without a rate it is as soon as there is room: the tracker sets the pace. With one it is at fixed
/// times whatever the tracker does; a request that leaves late counts from when it was due, so that
/// a pause of the tracker shows in every request that it delayed.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// Requests a second of all threads.
    rate: Option<u64>,
    /// Requests that leave together.
    lot: u64,
    /// The number of this thread, and of all.
    share: u64,
    shares: u64,
    /// How long to rest at most when there is nothing to do.
    pause: Duration,
    /// When the first request of all threads is due.
    start: u64,
    /// How many lots of this thread have left.
    left: u64,
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

impl Pace {
    /// The pace of one of so many threads, each of which makes an equal share of the load in turn.
    pub(crate) const fn new(load: &LoadArgs, share: u64, shares: u64) -> Self {
        Self {
            rate: load.rate,
            lot: 1,
            share,
            shares,
            pause: load.pause,
            start: 0,
            left: 0,
        }
    }

    /// A rate of items that leave in lots of so many.
    pub(crate) const fn in_lots(rate: u64, lot: u64) -> Self {
        Self {
            rate: Some(rate),
            lot,
            share: 0,
            shares: 1,
            pause: Duration::from_millis(10),
            start: 0,
            left: 0,
        }
    }

    /// Lets the first request be due at this time.
    pub(crate) const fn start(&mut self, at: u64) {
        self.start = at;
    }

    /// Takes the next request if it is due, and returns the time from which its latency counts.
    pub(crate) fn take(&mut self, now: u64) -> Option<u64> {
        let due = self.due(now);
        (due <= now).then(|| {
            self.left += 1;
            due
        })
    }

    /// How long to rest when there is nothing to do: until a request is due, or for a pause in which
    /// answers gather.
    ///
    /// Sleeping by the clock and not on the sockets, a thread lets the tracker send without the cost
    /// of waking it, and finds more than one answer when it wakes.
    pub(crate) fn rest(&self, now: u64) -> Duration {
        match self.due(now).saturating_sub(now) {
            // What is due has no room before an answer comes.
            0 => self.pause,
            wait => self.pause.min(Duration::from_nanos(wait)),
        }
    }

    fn due(&self, now: u64) -> u64 {
        let Some(rate) = self.rate else {
            return now;
        };
        let lots = u128::from(self.left) * u128::from(self.shares) + u128::from(self.share);
        let nanos = lots * u128::from(self.lot) * NANOS_PER_SECOND / u128::from(rate.max(1));
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        self.start.saturating_add(nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(rate: Option<u64>, share: u64, shares: u64) -> Pace {
        let load = LoadArgs {
            rate,
            timeout: Duration::from_secs(1),
            pause: Duration::from_micros(50),
        };
        Pace::new(&load, share, shares)
    }

    #[test]
    fn without_a_rate_it_is_always_due_now() {
        let mut pace = pace(None, 0, 1);
        pace.start(100);
        assert_eq!(pace.take(5), Some(5));
        assert_eq!(pace.take(5), Some(5));
        assert_eq!(pace.rest(9), Duration::from_micros(50));
    }

    #[test]
    fn a_rate_is_kept_and_what_is_late_is_not_forgotten() {
        let mut pace = pace(Some(1_000_000), 0, 1);
        pace.start(500);
        assert_eq!(pace.take(499), None);
        assert_eq!(pace.rest(499), Duration::from_nanos(1));
        assert_eq!(pace.take(500), Some(500));
        assert_eq!(pace.take(500), None);
        assert_eq!(pace.rest(500), Duration::from_micros(1));
        // After a pause, each one that was due in it counts from its own time.
        assert_eq!(pace.take(4_000), Some(1_500));
        assert_eq!(pace.take(4_000), Some(2_500));
        assert_eq!(pace.take(4_000), Some(3_500));
        assert_eq!(pace.take(4_000), None);
    }

    #[test]
    fn shares_make_up_the_rate_in_turn() {
        let mut due: Vec<u64> = (0..3)
            .map(|share| pace(Some(3_000), share, 3))
            .flat_map(|mut pace| std::iter::from_fn(move || pace.take(1_000_000_000)).take(1_000))
            .collect();
        due.sort_unstable();
        assert_eq!(due.len(), 3_000);
        assert!(
            due.windows(2)
                .all(|pair| (333_333..=333_334).contains(&(pair[1] - pair[0])))
        );
    }

    #[test]
    fn lots_make_up_the_rate() {
        let mut pace = Pace::in_lots(100, 50);
        pace.start(7);
        assert_eq!(pace.take(7), Some(7));
        assert_eq!(pace.take(7 + 499_999_999), None);
        assert_eq!(pace.take(7 + 500_000_000), Some(7 + 500_000_000));
    }

    #[test]
    fn a_long_run_keeps_its_rate() {
        let mut pace = pace(Some(300_000), 0, 1);
        pace.left = 300_000 * 3_600;
        let hour = 3_600 * 1_000_000_000;
        assert_eq!(pace.take(hour - 1), None);
        assert_eq!(pace.take(hour), Some(hour));
    }
}
