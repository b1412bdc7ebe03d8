//! What became of requests and of torrents, for those who look.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use opentracker_types::{AnnounceRequest, Event, InfoHash, SwarmCounts};

use crate::request::{AnnounceReply, Refusal};

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traced {
    /// When it was handled.
    pub at: Instant,
    /// The front end that it came through: `udp`, `http`.
    pub front_end: &'static str,
    /// Who asked.
    pub client: IpAddr,
    /// What was asked.
    pub request: TracedRequest,
    /// What became of it.
    pub outcome: Outcome,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TracedRequest {
    /// An announce.
    Announce(AnnounceRequest),
    /// A scrape.
    Scrape {
        /// The torrent; `None` if it was not exactly one.
        info_hash: Option<InfoHash>,
    },
    /// What could not be understood, by the name of what it seemed to be.
    Other(&'static str),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// An announce was served.
    Announced {
        /// The reply.
        reply: AnnounceReply,
        /// Peers that the client was given.
        peers: usize,
    },
    /// A scrape was served; the counts are those of its torrent, if it was one that is there.
    Scraped(Option<SwarmCounts>),
    /// The rules refused it.
    Refused(Refusal),
    /// The front end did not understand or accept it; why, in a few words.
    Rejected(String),
}

impl Traced {
    /// Makes it.
    pub fn new(
        front_end: &'static str,
        client: IpAddr,
        request: TracedRequest,
        outcome: Outcome,
        at: Instant,
    ) -> Self {
        Self {
            at,
            front_end,
            client,
            request,
            outcome,
        }
    }
}

impl TracedRequest {
    /// Returns the torrent that it is about, if it is one.
    pub fn info_hash(&self) -> Option<InfoHash> {
        match self {
            Self::Announce(announce) => Some(announce.info_hash),
            Self::Scrape { info_hash } => *info_hash,
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for TracedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Announce(announce) => {
                write!(f, "announce {}", announce.info_hash)?;
                let event = match announce.event {
                    Event::None => "",
                    Event::Started => " started",
                    Event::Completed => " completed",
                    Event::Stopped => " stopped",
                    Event::Paused => " paused",
                };
                f.write_str(event)?;
                match announce.left {
                    Some(left) => write!(f, " left={left}"),
                    None => Ok(()),
                }
            }
            Self::Scrape {
                info_hash: Some(info_hash),
            } => write!(f, "scrape {info_hash}"),
            Self::Scrape { info_hash: None } => f.write_str("scrape"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |f: &mut fmt::Formatter<'_>, counts: &SwarmCounts| {
            let (seeders, leechers) = (counts.seeders, counts.leechers);
            write!(f, "{seeders} seeders, {leechers} leechers")
        };
        match self {
            Self::Announced { reply, peers } => {
                f.write_str("served: ")?;
                counts(f, &reply.counts)?;
                let interval = reply.interval_secs;
                write!(f, ", {peers} peers given, again in {interval} s")
            }
            Self::Scraped(Some(found)) => {
                f.write_str("served: ")?;
                counts(f, found)
            }
            Self::Scraped(None) => f.write_str("served"),
            Self::Refused(refusal) => write!(f, "refused: {}", refusal.reason.explain()),
            Self::Rejected(why) => write!(f, "rejected: {why}"),
        }
    }
}

/// Something that happened to a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwarmEvent {
    /// When.
    pub at: Instant,
    /// What.
    pub kind: SwarmEventKind,
    /// The torrent.
    pub info_hash: InfoHash,
    /// The swarm's counts then.
    pub counts: SwarmCounts,
}

/// What happened to a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SwarmEventKind {
    /// A swarm that had no seeder has one.
    FirstSeeder,
    /// A peer has completed its download.
    Completed,
    /// The torrent is forgotten.
    Gone,
    /// It is blocked by hand.
    Blocked,
    /// It is not blocked by hand any more.
    Unblocked,
}

impl SwarmEvent {
    /// Makes an event of a torrent without peers.
    pub fn new(kind: SwarmEventKind, info_hash: InfoHash, at: Instant) -> Self {
        Self {
            at,
            kind,
            info_hash,
            counts: SwarmCounts::default(),
        }
    }
}
