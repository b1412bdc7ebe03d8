use std::net::IpAddr;
use std::time::Duration;

use opentracker_types::SwarmCounts;

/// Who asks. A front end says what it knows of the client, and the rules decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Requester {
    /// The client's address: the source of its packets, or what a trusted proxy said. An
    /// IPv4-mapped IPv6 address is held as IPv4.
    pub ip: IpAddr,
    /// The address is that of a proxy which does not say who asks: nothing is held against it.
    pub is_proxy: bool,
}

impl Requester {
    /// Makes a requester of whom nothing is known but the address.
    pub const fn new(ip: IpAddr) -> Self {
        Self {
            ip: ip.to_canonical(),
            is_proxy: false,
        }
    }

    /// Makes a requester of whom only the proxy is known that it comes through.
    pub const fn behind_proxy(ip: IpAddr) -> Self {
        Self {
            is_proxy: true,
            ..Self::new(ip)
        }
    }
}

impl From<IpAddr> for Requester {
    fn from(ip: IpAddr) -> Self {
        Self::new(ip)
    }
}

/// The answer to an announce, but for the peers, which are in the caller's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceReply {
    /// The swarm's counts, the announcer included.
    pub counts: SwarmCounts,
    /// Seconds until the client shall announce again.
    pub interval_secs: u32,
    /// Seconds before which the client shall not announce again.
    pub min_interval_secs: u32,
}

/// A request that is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{}", self.reason.message().unwrap_or("not answered"))]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// When it makes sense to ask again.
    pub retry: Retry,
}

impl Refusal {
    pub(crate) const fn new(reason: Reason, retry: Retry) -> Self {
        Self { reason, retry }
    }
}

/// Why a request is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The torrent is on the deny list.
    Denied,
    /// The torrent is not on the allow list.
    NotAllowed,
    /// The announced port is 0.
    Port,
    /// The source address cannot be a peer's.
    Address,
    /// The tracker has no room for a further torrent or peer.
    TrackerFull,
    /// The torrent has as many peers as one may have.
    SwarmFull,
    /// The requester sends too many requests.
    Rate,
    /// It does so for so long that it gets no answer.
    Flood,
}

impl Reason {
    /// Returns what the client is told; `None`: it gets no answer at all.
    pub const fn message(self) -> Option<&'static str> {
        Some(match self {
            Self::Denied => "this torrent is blocked here",
            Self::NotAllowed => "this torrent is not served here",
            Self::Port => "port 0 cannot be a peer's",
            Self::Address => "this address cannot be a peer's",
            Self::TrackerFull => "this tracker is full at present",
            Self::SwarmFull => "this torrent has as many peers as are served",
            Self::Rate => "too many requests",
            Self::Flood => return None,
        })
    }
}

/// When a refused request may be repeated (BEP 31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Nothing is said: the request itself was wrong.
    Unsaid,
    /// The answer will be the same.
    Never,
    /// After so long.
    After(Duration),
}
