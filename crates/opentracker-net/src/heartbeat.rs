//! How others see that a thread is not stuck.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Counts the turns of a thread that serves. It takes one several times a second, whether there is
/// something to do or not.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Arc<AtomicU32>);

impl Heartbeat {
    /// Returns how many turns there were; the count begins anew after 2³² of them.
    pub fn turns(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes note of one. Only the thread itself does.
    pub(crate) fn beat(&self) {
        // No other thread writes it, so it needs no locked instruction.
        self.0
            .store(self.turns().wrapping_add(1), Ordering::Relaxed);
    }
}
