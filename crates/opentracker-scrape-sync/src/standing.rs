use std::time::Instant;

/// What scrape sync knows of another instance. Whoever keeps a list of the others keeps one of
/// these for each, and hands it in; the machine has no list of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Standing {
    /// What its last beacon said.
    pub claim: Option<Claim>,
    /// How many times in a row it was given up because its tell was not heard.
    pub given_up: u32,
    /// How many needs to inquire its tells have ended since we were last behind of nobody.
    pub needs_ended: u8,
}

/// What a beacon claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// How many torrents the instance serves.
    pub torrents: u64,
    /// When the beacon came.
    pub at: Instant,
}
