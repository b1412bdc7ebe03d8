use opentracker_livesync_wire::MAX_SEALABLE_PACKET;
use opentracker_peer_sync as peer_sync;
use opentracker_scrape_sync as scrape_sync;

use crate::{Kind, Kinds};

/// How an instance behaves in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// How announces are told. Its dialect also says whether scrape sync is spoken.
    pub peer_sync: peer_sync::Settings,
    /// When to beacon, to inquire and to tell.
    pub scrape_sync: scrape_sync::Settings,
    /// The carriers that there are.
    pub carriers: Kinds,
    /// Whether what comes by one carrier goes out on the others. That needs keys.
    pub relays: bool,
}

impl Default for Settings {
    /// Returns the settings of an instance on a multicast group.
    fn default() -> Self {
        Self::new(
            peer_sync::Settings::default(),
            scrape_sync::Settings::default(),
        )
    }
}

impl Settings {
    /// Makes settings of an instance on a multicast group.
    pub const fn new(peer_sync: peer_sync::Settings, scrape_sync: scrape_sync::Settings) -> Self {
        Self {
            peer_sync,
            scrape_sync,
            carriers: Kinds::NONE.with(Kind::Group),
            relays: false,
        }
    }

    /// Sets the carriers that there are.
    #[must_use]
    pub const fn with_carriers(mut self, carriers: Kinds) -> Self {
        self.carriers = carriers;
        self
    }

    /// Lets what comes by one carrier go out on the others.
    #[must_use]
    pub const fn relaying(mut self) -> Self {
        self.relays = true;
        self
    }

    /// Leaves room for a seal in each packet, as an instance with keys needs it.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.peer_sync.max_octets = MAX_SEALABLE_PACKET;
        self
    }
}
