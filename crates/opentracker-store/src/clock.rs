use std::time::Duration;

use crate::usage::Limits;

/// A point in time at the store's resolution: whole minutes, counted from long before the tracker
/// started, since it may be told of what was announced then.
///
/// The store reads no clock. Whoever drives it counts the minutes on a monotonic clock and hands
/// them in; 32 bits last for 8,000 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Minute(u32);

impl Minute {
    /// Minutes before the start that can be told apart, eight years.
    const BEFORE_START: u32 = 1 << 22;

    /// Makes the point that lies so many whole minutes after the first one.
    pub const fn new(minutes: u32) -> Self {
        Self(minutes)
    }

    /// Makes the point that lies `elapsed` after the start, rounding down; saturates.
    pub fn from_elapsed(elapsed: Duration) -> Self {
        let minutes = u32::try_from(elapsed.as_secs() / 60).unwrap_or(u32::MAX);
        Self(minutes.saturating_add(Self::BEFORE_START))
    }

    /// Returns the minutes since the first point.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the point so many minutes earlier, or the first one.
    pub const fn before(self, minutes: u32) -> Self {
        Self(self.0.saturating_sub(minutes))
    }

    /// Returns the minutes from `earlier` to this point, 0 if it is not earlier.
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How long things last in the store, in whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    peer_timeout: u8,
    torrent_timeout: u32,
    renew_boundary: u8,
    told_unit: u8,
    interval: u32,
}

impl Timing {
    /// The longest peer timeout: a peer's age is one octet, and the sweeper needs some slack.
    pub const MAX_PEER_TIMEOUT: Duration = Duration::from_secs(240 * 60);
    /// The longest renew boundary.
    pub const MAX_RENEW_BOUNDARY: Duration = Duration::from_secs(240 * 60);
    /// The longest announce interval.
    pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
    /// The announce interval if nothing else is said.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30 * 60);

    /// Makes the timing from durations, which are rounded up to whole minutes and cut to the
    /// bounds above.
    ///
    /// `peer_timeout`: a peer that has not announced for longer is gone. `torrent_timeout`: how
    /// long a torrent without peers is kept for its download count. `renew_boundary`: a known peer
    /// is told to the cluster again when it was last told or heard of longer ago than this.
    pub fn new(
        peer_timeout: Duration,
        torrent_timeout: Duration,
        renew_boundary: Duration,
    ) -> Self {
        let peer_timeout = whole_minutes(peer_timeout.min(Self::MAX_PEER_TIMEOUT));
        let renew_boundary = whole_minutes(renew_boundary.min(Self::MAX_RENEW_BOUNDARY));
        // A peer that is still known was last told at most this long ago, and six bits have to
        // tell that age from 0 without wrapping.
        let span = peer_timeout + renew_boundary + 2;
        let octet = |minutes: u64| u8::try_from(minutes).expect("both bounds are 240 minutes");
        Self {
            peer_timeout: octet(peer_timeout),
            torrent_timeout: u32::try_from(whole_minutes(torrent_timeout)).unwrap_or(u32::MAX),
            renew_boundary: octet(renew_boundary),
            told_unit: octet(span.div_ceil(u64::from(TOLD_MASK))),
            interval: minutes_of_interval(Self::DEFAULT_INTERVAL),
        }
    }

    /// Returns the minutes after which a peer that has not announced is gone.
    pub const fn peer_timeout_minutes(&self) -> u8 {
        self.peer_timeout
    }

    /// Sets the interval that clients are asked to keep between announces, rounded up to whole
    /// minutes and cut to [`Self::MAX_INTERVAL`].
    ///
    /// A torrent that peers of a single prefix announced, over no more than one interval, is
    /// forgotten with its last peer.
    #[must_use]
    pub fn with_interval(self, interval: Duration) -> Self {
        Self {
            interval: minutes_of_interval(interval),
            ..self
        }
    }
}

impl Default for Timing {
    /// 45 minutes, 24 hours, 10 minutes; an interval of 30 minutes.
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self::new(45 * MINUTE, 24 * 60 * MINUTE, 10 * MINUTE)
    }
}

/// The bits of a peer's flags octet that hold when it was last told to, or heard of from, the
/// cluster.
pub(crate) const TOLD_MASK: u8 = 0x3f;

/// The current minute as every call on a store takes it: prepared once, for a whole batch of
/// announces, from the [`Minute`], the [`Timing`] and the [`Limits`].
// Peers see the minute folded into an octet, and a coarser clock folded into six bits.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub(crate) now: Minute,
    pub(crate) age: u8,
    pub(crate) told: u8,
    told_unit: u8,
    renew_units: u8,
    peer_timeout: u8,
    pub(crate) torrent_timeout: u32,
    /// Minutes of the announce interval.
    pub(crate) interval: u32,
    /// `None`: no bounds.
    pub(crate) limits: Option<Limits>,
}

impl Moment {
    /// Makes the moment of a minute.
    pub fn new(now: Minute, timing: &Timing) -> Self {
        Self {
            now,
            age: low_octet(now.0),
            told: told_clock(now, timing.told_unit),
            told_unit: timing.told_unit,
            renew_units: timing.renew_boundary / timing.told_unit,
            peer_timeout: timing.peer_timeout,
            torrent_timeout: timing.torrent_timeout,
            interval: timing.interval,
            limits: None,
        }
    }

    /// Sets the most that the store shall hold.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self {
            limits: (limits != Limits::NONE).then_some(limits),
            ..self
        }
    }

    /// The moment at which a peer is restored that announced so many minutes ago. The cluster hears
    /// of it when it announces again.
    pub(crate) fn of_restored(&self, age_minutes: u8) -> Self {
        Self {
            now: self.now.before(age_minutes.into()),
            age: self.age.wrapping_sub(age_minutes),
            told: self.told.wrapping_sub(self.renew_units + 1) & TOLD_MASK,
            ..*self
        }
    }

    /// The moment so many minutes ago, at which a peer announced that the cluster tells of: it was
    /// heard then, so that its next announce is told as those to whom it announced would tell it.
    pub(crate) fn of_told(&self, age_minutes: u8) -> Self {
        let now = self.now.before(age_minutes.into());
        Self {
            now,
            age: self.age.wrapping_sub(age_minutes),
            told: told_clock(now, self.told_unit),
            ..*self
        }
    }

    /// The age of a peer that announced so many minutes ago, unless it has timed out.
    pub(crate) fn living_age(&self, minutes: u32) -> Option<u8> {
        u8::try_from(minutes)
            .ok()
            .filter(|&minutes| minutes <= self.peer_timeout)
    }

    /// Minutes since a peer with this age octet announced.
    pub(crate) fn minutes_since(&self, age: u8) -> u8 {
        self.age.wrapping_sub(age)
    }

    pub(crate) fn has_timed_out(&self, age: u8) -> bool {
        self.minutes_since(age) > self.peer_timeout
    }

    /// Tells whether a peer last told at `told` has to be told again.
    pub(crate) fn must_renew(&self, told: u8) -> bool {
        self.told.wrapping_sub(told) & TOLD_MASK > self.renew_units
    }
}

/// The coarser clock, folded into six bits.
fn told_clock(now: Minute, unit: u8) -> u8 {
    low_octet(now.0 / u32::from(unit)) & TOLD_MASK
}

fn minutes_of_interval(interval: Duration) -> u32 {
    let minutes = whole_minutes(interval.min(Timing::MAX_INTERVAL));
    u32::try_from(minutes).expect("the bound is a day")
}

fn whole_minutes(duration: Duration) -> u64 {
    duration.as_secs().div_ceil(60)
}

fn low_octet(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn renewal_is_exact_to_the_minute_with_the_default_timing() {
        let timing = Timing::default();
        for start in 0..300 {
            let told = Moment::new(Minute::new(start), &timing).told;
            // A peer that is still known was told within peer timeout + renew boundary.
            for later in 0..=56 {
                let moment = Moment::new(Minute::new(start + later), &timing);
                assert_eq!(moment.must_renew(told), later > 10, "{start} + {later}");
            }
        }
    }

    #[test]
    fn renewal_never_wraps_at_the_longest_timeouts() {
        let timing = Timing::new(240 * MINUTE, MINUTE, 240 * MINUTE);
        for start in 0..300 {
            let told = Moment::new(Minute::new(start), &timing).told;
            for later in 250..=480 {
                let moment = Moment::new(Minute::new(start + later), &timing);
                assert!(moment.must_renew(told), "{start} + {later}");
            }
        }
    }

    #[test]
    fn ages_wrap_without_confusion() {
        let timing = Timing::default();
        for start in [0, 200, 255, 256, 100_000] {
            let age = Moment::new(Minute::new(start), &timing).age;
            for later in 0..=255 {
                let moment = Moment::new(Minute::new(start + later), &timing);
                assert_eq!(moment.has_timed_out(age), later > 45, "{start} + {later}");
            }
        }
    }
}
