use opentracker_livesync_wire::KeyName;
use opentracker_types::TrackerId;

use crate::{Kind, Sibling, Status};

/// The cluster as this instance sees it, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// What this instance calls itself.
    pub id: TrackerId,
    /// The carriers that there are, and how each does.
    pub carriers: Vec<(Kind, Status)>,
    /// Packets that were taken, by the key that they were sealed with.
    pub packets_by_key: Vec<(KeyName, u64)>,
    /// The others that were heard of not long ago, by id. Two that have one id are two.
    pub siblings: Vec<Sibling>,
}

impl View {
    /// Makes the view of an instance that has heard nobody yet.
    pub const fn new(id: TrackerId) -> Self {
        Self {
            id,
            carriers: Vec::new(),
            packets_by_key: Vec::new(),
            siblings: Vec::new(),
        }
    }

    /// Tells whether all carriers are up.
    pub fn is_joined(&self) -> bool {
        self.carriers.iter().all(|(_, status)| status.is_up)
    }
}
