use std::time::{Duration, Instant};

use opentracker_types::TrackerId;

use crate::Sibling;

/// How far the time of a seal may be from ours, in seconds. A packet is taken for a replay beyond it.
pub const MAX_CLOCK_DIFFERENCE_SECS: u32 = 300;

/// How far clocks may differ before somebody is told, in seconds: connection ids of one node are good
/// at another within that.
pub const CLOCK_WARNING_SECS: u32 = 30;

/// The least time between two warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// Who was warned of whose clock.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    warned_at: Option<Instant>,
}

impl Clocks {
    /// Looks at how far the clock of a sender is ahead of ours, beside what is known of all others,
    /// and says so where it is too far.
    pub(crate) fn compare<'a>(
        &mut self,
        sender: TrackerId,
        ahead_secs: i32,
        others: impl Iterator<Item = &'a Sibling>,
        now: Instant,
    ) {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < WARNING_INTERVAL;
        if !is_far(ahead_secs) || self.warned_at.is_some_and(is_recent) {
            return;
        }
        self.warned_at = Some(now);
        let others = others.filter(|other| other.id != sender);
        let ahead: Vec<_> = others
            .filter_map(|other| other.seal)
            .map(|seal| seal.clock_ahead_secs)
            .collect();
        let agree = |ahead: &&i32| is_far(**ahead) && (**ahead > 0) == (ahead_secs > 0);
        if !ahead.is_empty() && ahead.iter().filter(agree).count() * 2 > ahead.len() {
            tracing::warn!(
                seconds = -ahead_secs,
                "this host's clock is ahead of those of most other trackers of the cluster"
            );
        } else {
            tracing::warn!(%sender, seconds = ahead_secs, "the clock of a tracker of the cluster is ahead of ours");
        }
    }
}

/// Returns how far a time is ahead of another, both in unix seconds modulo 2³².
pub(crate) const fn ahead(theirs: u32, ours: u32) -> i32 {
    theirs.wrapping_sub(ours).cast_signed()
}

const fn is_far(ahead_secs: i32) -> bool {
    ahead_secs.unsigned_abs() > CLOCK_WARNING_SECS
}
