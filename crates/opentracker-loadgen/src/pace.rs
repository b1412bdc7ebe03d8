//! When a request is due.

use std::time::{Duration, Instant};

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
#[derive(Debug, Clone)]
pub(crate) enum Pace {
    /// As soon as there is room for it: the tracker sets the pace.
    Closed,
    /// At a fixed rate, whatever the tracker does. A request that leaves late counts from when it
    /// was due, so that a pause of the tracker shows in every request that it delayed.
    Open {
        /// Picoseconds between two requests.
        gap: u64,
        /// When the first is due.
        start: u64,
        /// How many have left.
        left: u64,
    },
}

const PICOS_PER_SECOND: u64 = 1_000_000_000_000;
const PICOS_PER_NANO: u64 = 1_000;

impl Pace {
    /// Closed without a rate, else open at `rate` requests per second shared by `shares` equals,
    /// the first at `start` nanoseconds and a fraction, different for each `share`, of the gap.
    pub(crate) fn new(rate: Option<u64>, start: u64, share: u64, shares: u64) -> Self {
        let Some(rate) = rate else {
            return Self::Closed;
        };
        let gap_of_all = PICOS_PER_SECOND / rate.max(1);
        Self::Open {
            gap: (gap_of_all * shares).max(1),
            start: start + gap_of_all * share / PICOS_PER_NANO,
            left: 0,
        }
    }

    /// Open at `rate` items per second that leave in lots of so many, from `start` nanoseconds on.
    pub(crate) fn in_lots(rate: u64, lot: u64, start: u64) -> Self {
        Self::Open {
            gap: (PICOS_PER_SECOND * lot / rate.max(1)).max(1),
            start,
            left: 0,
        }
    }

    /// Takes the next request if it is due, and returns the time from which its latency counts.
    pub(crate) fn take(&mut self, now: u64) -> Option<u64> {
        let due = self.due(now);
        if due > now {
            return None;
        }
        if let Self::Open { left, .. } = self {
            *left += 1;
        }
        Some(due)
    }

    /// How long nothing is due.
    pub(crate) fn wait(&self, now: u64) -> Duration {
        Duration::from_nanos(self.due(now).saturating_sub(now))
    }

    fn due(&self, now: u64) -> u64 {
        match *self {
            Self::Closed => now,
            Self::Open { gap, start, left } => {
                let picos = u128::from(left) * u128::from(gap);
                let nanos = picos / u128::from(PICOS_PER_NANO);
                start.saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pace_is_always_due_now() {
        let mut pace = Pace::new(None, 100, 0, 1);
        assert_eq!(pace.take(5), Some(5));
        assert_eq!(pace.take(5), Some(5));
        assert_eq!(pace.wait(9), Duration::ZERO);
    }

    #[test]
    fn an_open_pace_is_due_at_its_rate_and_does_not_forget_what_is_late() {
        let mut pace = Pace::new(Some(1_000_000), 500, 0, 1);
        assert_eq!(pace.take(499), None);
        assert_eq!(pace.wait(499), Duration::from_nanos(1));
        assert_eq!(pace.take(500), Some(500));
        assert_eq!(pace.take(500), None);
        assert_eq!(pace.wait(500), Duration::from_micros(1));
        // After a pause, each one that was due in it counts from its own time.
        assert_eq!(pace.take(4_000), Some(1_500));
        assert_eq!(pace.take(4_000), Some(2_500));
        assert_eq!(pace.take(4_000), Some(3_500));
        assert_eq!(pace.take(4_000), None);
    }

    #[test]
    fn shares_make_up_the_rate_in_turn() {
        let mut paces = [0, 1, 2].map(|share| Pace::new(Some(3_000), 0, share, 3));
        let mut due: Vec<u64> = paces
            .iter_mut()
            .flat_map(|pace| std::iter::from_fn(|| pace.take(1_000_000_000)).take(1_000))
            .collect();
        due.sort_unstable();
        assert_eq!(due.len(), 3_000);
        assert!(
            due.windows(2)
                .all(|pair| (333_331..=333_335).contains(&(pair[1] - pair[0])))
        );
    }

    #[test]
    fn lots_make_up_the_rate() {
        let mut pace = Pace::in_lots(100, 50, 7);
        assert_eq!(pace.take(7), Some(7));
        assert_eq!(pace.take(7), None);
        assert_eq!(pace.wait(7), Duration::from_millis(500));
    }

    #[test]
    fn a_long_run_keeps_its_rate() {
        let gap = PICOS_PER_SECOND / 300_000;
        let pace = Pace::Open {
            gap,
            start: 0,
            left: 300_000 * 3_600,
        };
        let hour = Duration::from_secs(3_600);
        let drift = pace.wait(0).abs_diff(hour);
        assert!(drift < Duration::from_millis(1), "{drift:?}");
    }
}
