use std::time::{Duration, Instant};

use opentracker_types::TrackerId;
use rand::Rng;
use rand::rngs::StdRng;

/// The least time between two fresh ids. Whoever provokes more of them is only counted.
pub const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// How long an id that was given up is still ours: packets in its name may be under way.
pub const FORMER_ID_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What this instance calls itself, and has called itself.
#[derive(Debug)]
pub(crate) struct Identity {
    present: TrackerId,
    /// Until when each is ours. Never more than one for each renewal interval of a lifetime.
    former: Vec<(TrackerId, Instant)>,
    renewed_at: Option<Instant>,
    rng: StdRng,
}

impl Identity {
    pub(crate) const fn new(present: TrackerId, rng: StdRng) -> Self {
        Self {
            present,
            former: Vec::new(),
            renewed_at: None,
            rng,
        }
    }

    pub(crate) const fn present(&self) -> TrackerId {
        self.present
    }

    /// Tells whether an id was ours until not long ago.
    pub(crate) fn is_former(&self, id: TrackerId, now: Instant) -> bool {
        self.former
            .iter()
            .any(|(former, until)| *former == id && now < *until)
    }

    /// Replaces the present id by a fresh one, and returns it; or returns `None` if that was done
    /// too recently. `is_taken` knows the ids of others.
    pub(crate) fn renew(
        &mut self,
        is_taken: impl Fn(TrackerId) -> bool,
        now: Instant,
    ) -> Option<TrackerId> {
        let may_renew = |at: Instant| now.saturating_duration_since(at) >= RENEWAL_INTERVAL;
        if !self.renewed_at.is_none_or(may_renew) {
            return None;
        }
        self.renewed_at = Some(now);
        self.former.retain(|(_, until)| now < *until);
        self.former.push((self.present(), now + FORMER_ID_LIFETIME));
        loop {
            let fresh = TrackerId::new(self.rng.next_u32().to_be_bytes());
            if !self.is_former(fresh, now) && !is_taken(fresh) {
                self.present = fresh;
                return Some(fresh);
            }
        }
    }
}
