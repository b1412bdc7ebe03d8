use opentracker_types::TrackerId;

use crate::Sibling;

/// The cluster as this instance sees it, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// What this instance calls itself.
    pub id: TrackerId,
    /// Whether it is joined to the group, as far as is known.
    pub is_joined: bool,
    /// The others that were heard of not long ago, by id. Two that have one id are two.
    pub siblings: Vec<Sibling>,
}

impl View {
    /// Makes the view of an instance that has heard nobody yet.
    pub const fn new(id: TrackerId, is_joined: bool) -> Self {
        Self {
            id,
            is_joined,
            siblings: Vec::new(),
        }
    }
}
