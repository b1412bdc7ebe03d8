//! How far a walk over the swarms goes at a time.

/// After so many torrents, or so many parts of the swarms, others get their turn, although there may be
/// nothing to show yet: the access lists may serve none of them.
const STEP_TORRENTS: usize = 2048;
pub(crate) const STEP_PARTS: usize = 64;

/// How far a walk has gone since others had their turn.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    torrents: usize,
    parts: usize,
}

impl Pace {
    /// Takes note of a part that had so many torrents, and tells whether it is the turn of others.
    pub(crate) fn is_far(&mut self, torrents: usize) -> bool {
        self.torrents += torrents;
        self.parts += 1;
        let is_far = self.torrents >= STEP_TORRENTS || self.parts >= STEP_PARTS;
        if is_far {
            *self = Self::default();
        }
        is_far
    }

    /// Takes note of a part that had so many torrents, and lets others have their turn.
    pub(crate) async fn note(&mut self, torrents: usize) {
        if self.is_far(torrents) {
            // Threads that answer announces, and others on this one.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    }
}
