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
    /// The torrent was blocked by hand.
    Blocked,
    /// The torrent is not on the allow list.
    NotAllowed,
    /// The announced port is 0.
    Port,
    /// The source address cannot be a peer's.
    Address,
    /// The client is on the list of denied clients.
    Client,
    /// The source address is in a denied network.
    Network,
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
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Denied,
        Self::Blocked,
        Self::NotAllowed,
        Self::Port,
        Self::Address,
        Self::Client,
        Self::Network,
        Self::TrackerFull,
        Self::SwarmFull,
        Self::Rate,
        Self::Flood,
    ];

    /// Returns what the client is told; `None`: it gets no answer at all.
    pub const fn message(self) -> Option<&'static str> {
        Some(match self {
            Self::Denied | Self::Blocked => "this torrent is blocked here",
            Self::NotAllowed => "this torrent is not served here",
            Self::Port => "port 0 cannot be a peer's",
            Self::Address => "this address cannot be a peer's",
            Self::Client => "this client is not served here",
            Self::Network => return None,
            Self::TrackerFull => "this tracker is full at present",
            Self::SwarmFull => "this torrent has as many peers as are served",
            Self::Rate => "too many requests",
            Self::Flood => return None,
        })
    }

    /// Returns a word for it, and what it means to an operator.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Denied => ("denied", "the torrent is on the deny list"),
            Self::Blocked => ("blocked", "the torrent was blocked by hand"),
            Self::NotAllowed => ("not_allowed", "the torrent is not on the allow list"),
            Self::Port => ("port", "port 0 cannot be a peer's"),
            Self::Address => ("address", "the source address cannot be a peer's"),
            Self::Client => ("client", "the peer id is on the list of denied clients"),
            Self::Network => ("network", "the address is in a denied network"),
            Self::TrackerFull => ("full", "a limit leaves no room for a new torrent or peer"),
            Self::SwarmFull => (
                "swarm_full",
                "the torrent has limits.max_peers_per_torrent peers",
            ),
            Self::Rate => ("rate", "the prefix sends more than limits.rate"),
            Self::Flood => (
                "flood",
                "the prefix goes on after as many refusals: no answer",
            ),
        }
    }

    /// Returns a word for it.
    pub const fn word(self) -> &'static str {
        self.words().0
    }

    /// Returns what it means to an operator.
    pub const fn explain(self) -> &'static str {
        self.words().1
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
