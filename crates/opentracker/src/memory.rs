//! Memory that goes back to the system after a flood, a purge or a busy evening.
#![expect(unsafe_code, reason = "the C library alone can give its memory back")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentracker_core::Tracker;

/// Less than this is not worth it: the C library takes some 0.3 ms to give a megabyte back, and
/// new torrents wait meanwhile.
const LEAST_OCTETS: u64 = 16 << 20;

/// Gives memory back when the swarms have become so much smaller that they would be three quarters
/// of what they were or less. So what is given back was not wanted for a while, and each octet of
/// it is looked at few times.
#[derive(Debug)]
pub(crate) struct Memory {
    core: Arc<Tracker>,
    /// The most that the swarms took since memory was given back.
    peak: AtomicU64,
}

impl Memory {
    pub(crate) fn new(core: Arc<Tracker>) -> Self {
        Self {
            core,
            peak: AtomicU64::new(0),
        }
    }

    /// Looks how large the swarms are. To be called before many of them go at once.
    pub(crate) fn note(&self) {
        self.peak
            .fetch_max(self.core.heap_octets(), Ordering::Relaxed);
    }

    /// Looks how large the swarms are, and gives back what they have left behind. To be called
    /// where many may have gone.
    pub(crate) fn settle(&self) {
        let octets = self.core.heap_octets();
        let peak = self.peak.fetch_max(octets, Ordering::Relaxed);
        if is_worth_it(peak, octets) {
            self.peak.store(octets, Ordering::Relaxed);
            give_back();
            tracing::debug!(octets, peak, "memory has gone back to the system");
        }
    }
}

fn is_worth_it(peak: u64, octets: u64) -> bool {
    peak.saturating_sub(octets) >= LEAST_OCTETS.max(peak / 4)
}

/// Other C libraries than glibc do so by themselves.
fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it may be called at any time by any thread, and touches free memory alone.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_little_or_a_small_part_is_kept() {
        const MEBI: u64 = 1 << 20;
        for (peak, octets, expected) in [
            (0, 0, false),
            (10 * MEBI, 0, false),
            (16 * MEBI, 0, true),
            (100 * MEBI, 80 * MEBI, false),
            (100 * MEBI, 75 * MEBI, true),
            (75 * MEBI, 100 * MEBI, false),
        ] {
            assert_eq!(is_worth_it(peak, octets), expected, "{peak} {octets}");
        }
    }
}
