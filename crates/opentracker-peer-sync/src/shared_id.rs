use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use opentracker_types::TrackerId;

/// What this instance calls itself in the cluster, shared by all its threads.
///
/// It may have to change while they run: when another instance turns out to have the same id.
/// Clones share one value, and reading it is a plain load.
#[derive(Debug, Clone)]
pub struct SharedId(Arc<AtomicU32>);

impl SharedId {
    /// Shares an id.
    pub fn new(id: TrackerId) -> Self {
        Self(Arc::new(AtomicU32::new(number(id))))
    }

    /// Returns the present id.
    pub fn get(&self) -> TrackerId {
        TrackerId::new(self.0.load(Ordering::Relaxed).to_be_bytes())
    }

    /// Replaces the id; every thread finishes its next packet in the new one.
    pub fn set(&self, id: TrackerId) {
        self.0.store(number(id), Ordering::Relaxed);
    }
}

fn number(id: TrackerId) -> u32 {
    u32::from_be_bytes(*id.as_bytes())
}
