use std::time::Duration;

use opentracker_livesync_wire::MAX_PACKET;

/// How an [`Accumulator`](crate::Accumulator) tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Which packets carry which peers.
    pub dialect: Dialect,
    /// How long a record waits at most for its packet to fill. Zero sends at the next
    /// [`handle_timeout`](crate::Accumulator::handle_timeout).
    pub max_delay: Duration,
    /// The most octets of a packet, the header among them: fewer than an unsealed one may have where
    /// a seal follows.
    pub max_octets: usize,
}

impl Default for Settings {
    /// Returns the dialect of clusters of this program, a delay of 15 seconds, and packets without a
    /// seal.
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            max_delay: Duration::from_secs(15),
            max_octets: MAX_PACKET,
        }
    }
}

/// What is sent so that the other trackers of a cluster understand it; whatever they send is
/// always understood (docs/livesync.md, Dialects).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// For clusters of this program: IPv4 peers as SYNC_LIVE, IPv6 peers as SYNC_LIVE6.
    #[default]
    Full,
    /// For C nodes up to 2014: IPv4 peers as SYNC_LIVE, IPv6 peers not at all.
    CV4,
    /// For dual-stack C nodes from 2024 on: all peers as SYNC_LIVE6, IPv4 ones as
    /// `::ffff:a.b.c.d`.
    CDual,
}

impl Dialect {
    /// Tells whether scrape sync is spoken: towards C nodes it is not, because it hangs some and
    /// misleads others.
    pub const fn has_scrape_sync(self) -> bool {
        matches!(self, Self::Full)
    }
}
