use std::time::Duration;

/// The times and bounds of a [`ScrapeSync`](crate::ScrapeSync).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// How long an instance runs before its first beacon.
    pub first_beacon_delay: Duration,
    /// Time between two beacons, and the unit of all waiting. At least a millisecond: less
    /// counts as one.
    pub beacon_interval: Duration,
    /// How far behind another instance makes us inquire.
    pub inquire_threshold: InquireThreshold,
    /// Time between two portions of a tell. At least a millisecond: less counts as one.
    pub tick: Duration,
    /// How many packets a portion of a tell has at least; 0 counts as 1.
    pub packets_per_tick: u32,
    /// How long a tell may take. One that has more packets than would be sent in this time has
    /// larger portions.
    pub longest_tell: Duration,
}

impl Default for Settings {
    /// Returns beacons every minute after half an hour, a threshold of 0.75, and tells of 10
    /// packets every 10 ms, or as many as end the tell within five minutes: 52 000 peers and 1.5 MB
    /// a second.
    fn default() -> Self {
        Self {
            first_beacon_delay: Duration::from_secs(30 * 60),
            beacon_interval: Duration::from_secs(60),
            inquire_threshold: InquireThreshold::default(),
            tick: Duration::from_millis(10),
            packets_per_tick: 10,
            longest_tell: Duration::from_secs(5 * 60),
        }
    }
}

impl Settings {
    /// Returns how many packets a portion has of a tell of so many.
    pub(crate) fn packets_per_portion(&self, packets: u64) -> u32 {
        let ticks = self.longest_tell.as_nanos() / self.tick.as_nanos();
        let needed = u128::from(packets).div_ceil(ticks.max(1));
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        needed.max(self.packets_per_tick)
    }

    /// Returns how long a beacon that is due may wait for tells of others to end. Whoever tells for
    /// ever shall not silence the cluster.
    pub(crate) fn longest_quiet(&self) -> Duration {
        self.longest_tell + self.beacon_interval
    }

    /// Returns the settings with the bounds that keep a machine from spinning.
    pub(crate) fn bounded(self) -> Self {
        const LEAST: Duration = Duration::from_millis(1);
        Self {
            beacon_interval: self.beacon_interval.max(LEAST),
            tick: self.tick.max(LEAST),
            packets_per_tick: self.packets_per_tick.max(1),
            ..self
        }
    }
}

/// The part of another instance's torrents that we have to serve so as not to inquire it: a
/// ratio between 0 and 1, kept to a millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InquireThreshold {
    millionths: u32,
}

impl InquireThreshold {
    /// Makes a threshold, or returns `None` for a ratio that is not between 0 (never inquire)
    /// and 1 (inquire whoever has more).
    pub fn new(ratio: f64) -> Option<Self> {
        if !(0.0..=1.0).contains(&ratio) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 1 000 000 after the check above"
        )]
        let millionths = (ratio * 1_000_000.0).round() as u32;
        Some(Self { millionths })
    }

    /// Tells whether an instance with `ours` torrents is so far behind one with `theirs` that it
    /// has to inquire. Nobody is behind an instance without torrents.
    pub fn is_behind(self, ours: u64, theirs: u64) -> bool {
        // 128 bits hold the product of any two of these numbers.
        u128::from(ours) * 1_000_000 < u128::from(theirs) * u128::from(self.millionths)
    }
}

impl Default for InquireThreshold {
    /// Returns three quarters.
    fn default() -> Self {
        Self {
            millionths: 750_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_ratio() {
        for ratio in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            assert_eq!(InquireThreshold::new(ratio), None, "{ratio}");
        }
        assert_eq!(
            InquireThreshold::new(0.75),
            Some(InquireThreshold::default())
        );
    }

    #[test]
    fn behind_is_strictly_less_than_the_ratio() {
        let threshold = InquireThreshold::default();
        assert!(threshold.is_behind(0, 1));
        assert!(threshold.is_behind(74, 100));
        assert!(!threshold.is_behind(75, 100));
        assert!(!threshold.is_behind(0, 0));
        assert!(threshold.is_behind(u64::MAX / 2, u64::MAX));
        assert!(!threshold.is_behind(u64::MAX, u64::MAX));
        let never = InquireThreshold::new(0.0).unwrap();
        assert!(!never.is_behind(0, u64::MAX));
    }
}
