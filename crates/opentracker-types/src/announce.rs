use crate::{InfoHash, PeerId};

/// What an announce reports besides its numbers (BEP 3, BEP 15, BEP 21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Event {
    /// A regular re-announce, or an event that this program does not know.
    #[default]
    None,
    /// The client has just started.
    Started,
    /// The client has just finished the download.
    Completed,
    /// The client goes away.
    Stopped,
    /// The client is a partial seed: incomplete, but it downloads nothing (BEP 21).
    Paused,
}

/// An announce as a client words it, whichever front end it came through.
///
/// The peer's IP address is not part of it: that is the source of the packet or connection, and
/// a front end hands it over separately.
///
/// ```
/// use opentracker_types::{AnnounceRequest, Event, InfoHash};
///
/// let request = AnnounceRequest::new(InfoHash::new([7; 20]), 6881)
///     .with_left(0)
///     .with_event(Event::Started);
/// assert!(request.is_seeder());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceRequest {
    /// The torrent.
    pub info_hash: InfoHash,
    /// What the client calls itself; absent in HTTP announces that leave it out.
    pub peer_id: Option<PeerId>,
    /// The TCP or uTP port on which the peer accepts connections. A wire crate may hand over 0;
    /// the tracker's rules refuse it.
    pub port: u16,
    /// Octets that the client still has to download; `None` where the request does not say,
    /// which counts as a leecher.
    pub left: Option<u64>,
    /// The event.
    pub event: Event,
    /// How many peers the client asks for; `None` lets the tracker choose.
    pub num_want: Option<u32>,
}

impl AnnounceRequest {
    /// Makes a request that says no more than what it must: a leecher without a peer id, no
    /// event, as many peers as the tracker chooses.
    #[inline]
    pub const fn new(info_hash: InfoHash, port: u16) -> Self {
        Self {
            info_hash,
            peer_id: None,
            port,
            left: None,
            event: Event::None,
            num_want: None,
        }
    }

    /// Says what the client calls itself.
    #[inline]
    #[must_use]
    pub const fn with_peer_id(mut self, peer_id: PeerId) -> Self {
        self.peer_id = Some(peer_id);
        self
    }

    /// Says how many octets the client still has to download.
    #[inline]
    #[must_use]
    pub const fn with_left(mut self, left: u64) -> Self {
        self.left = Some(left);
        self
    }

    /// Says the event.
    #[inline]
    #[must_use]
    pub const fn with_event(mut self, event: Event) -> Self {
        self.event = event;
        self
    }

    /// Says how many peers the client asks for.
    #[inline]
    #[must_use]
    pub const fn with_num_want(mut self, num_want: u32) -> Self {
        self.num_want = Some(num_want);
        self
    }

    /// Tells whether the announcing peer is a seeder: it says that nothing is left.
    pub fn is_seeder(&self) -> bool {
        self.left == Some(0)
    }
}

/// The counts of one swarm, as announce and scrape replies carry them (BEP 15, BEP 48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SwarmCounts {
    /// Peers that have everything.
    pub seeders: u32,
    /// Peers that have not.
    pub leechers: u32,
    /// Downloads that were reported as completed, once per peer; saturates.
    pub downloads: u64,
}
