use std::net::IpAddr;

use opentracker_types::{PeerAddr, PeerFlags, SwarmCounts};

use crate::key::Key;
use crate::usage::Full;
use crate::web::WebPeer;

/// What a peer reports, as far as the store cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The peer is there.
    Here {
        /// It has everything.
        seeding: bool,
        /// It says that it has just completed the download; counts only if `seeding`.
        completed: bool,
    },
    /// The peer goes away.
    Gone,
}

impl From<PeerFlags> for Presence {
    /// Reads the flags of a live-sync record: `STOPPED` wins over everything, and `COMPLETED`
    /// counts only together with `SEEDING`.
    fn from(flags: PeerFlags) -> Self {
        if flags.contains(PeerFlags::STOPPED) {
            return Self::Gone;
        }
        Self::Here {
            seeding: flags.contains(PeerFlags::SEEDING),
            completed: flags.contains(PeerFlags::SEEDING.with(PeerFlags::COMPLETED)),
        }
    }
}

/// One peer's announce, from a client or from a sibling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub key: Key,
    /// The peer. It must have a scope ([`PeerAddr::scope`]).
    pub peer: PeerAddr,
    /// What it reports.
    pub presence: Presence,
}

/// The announce of a WebTorrent peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebAnnounce {
    /// The torrent.
    pub key: Key,
    /// The peer.
    pub peer: WebPeer,
    /// The address that its connection comes from.
    pub ip: IpAddr,
    /// What it reports.
    pub presence: Presence,
}

/// What became of an announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The swarm's counts, the announcer included.
    pub counts: SwarmCounts,
    /// Whether the peer was a seeder before; `None` if it was not known.
    pub was_seeding: Option<bool>,
    /// The torrent was not known before.
    pub new_torrent: bool,
    /// The torrent is forgotten: its last peer has left, and it was not worth more.
    pub torrent_gone: bool,
    /// The peer completed the download for the first time.
    pub has_completed: bool,
    /// The cluster must hear of this: the peer is new, comes back after the renew boundary, has
    /// completed for the first time, changed between leeching and seeding, or has stopped.
    pub tell: bool,
    /// Whole minutes since the peer's announce before; `None` if it was not known, or goes away.
    pub renewed_after: Option<u8>,
    /// The bound that kept the peer out; nothing has changed then.
    pub refused: Option<Full>,
}

impl Announced {
    /// A bound kept the peer out.
    pub(crate) fn refused(full: Full) -> Self {
        Self {
            refused: Some(full),
            ..Self::gone()
        }
    }

    /// A peer has gone that was not known, of a torrent that is not known either.
    pub(crate) const fn gone() -> Self {
        Self {
            counts: SwarmCounts {
                seeders: 0,
                leechers: 0,
                downloads: 0,
            },
            was_seeding: None,
            new_torrent: false,
            torrent_gone: false,
            has_completed: false,
            tell: false,
            renewed_after: None,
            refused: None,
        }
    }
}

/// A peer that a sibling told of, and how long ago it announced there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The torrent.
    pub key: Key,
    /// The peer. It must have a scope ([`PeerAddr::scope`]).
    pub peer: PeerAddr,
    /// It has everything.
    pub seeding: bool,
    /// Minutes since it announced.
    pub age_minutes: u8,
}

/// What became of a peer that a sibling told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The peer was not known, or announced here longer ago, and is entered as it was told.
    Applied,
    /// The peer is known of an announce as late, so nothing has changed.
    Known,
    /// The peer has timed out, so nothing has changed.
    TimedOut,
    /// A bound kept the peer out, so nothing has changed.
    Refused(Full),
}

/// How a download count from a sibling (SCRAPE_TELL) compares with ours, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The torrent was not known and has been created.
    Created,
    /// Our download count was smaller and has been raised.
    Raised,
    /// Both are equal.
    Equal,
    /// Our download count is larger: the sibling could learn from us.
    OursIsLarger,
    /// The torrent was not known, and a bound kept it out.
    Refused(Full),
}
