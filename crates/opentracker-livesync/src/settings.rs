use opentracker_livesync_wire::MAX_SEALABLE_PACKET;
use opentracker_peer_sync as peer_sync;
use opentracker_scrape_sync as scrape_sync;

/// How an instance behaves in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Settings {
    /// How announces are told. Its dialect also says whether scrape sync is spoken.
    pub peer_sync: peer_sync::Settings,
    /// When to beacon, to inquire and to tell.
    pub scrape_sync: scrape_sync::Settings,
}

impl Settings {
    /// Makes settings.
    pub const fn new(peer_sync: peer_sync::Settings, scrape_sync: scrape_sync::Settings) -> Self {
        Self {
            peer_sync,
            scrape_sync,
        }
    }

    /// Leaves room for a seal in each packet, as [`Instance::seal`](crate::Instance::seal) needs it
    /// where there are keys.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.peer_sync.max_octets = MAX_SEALABLE_PACKET;
        self
    }
}
