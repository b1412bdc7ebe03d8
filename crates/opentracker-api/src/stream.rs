use serde::{Deserialize, Serialize};

/// Something that happened to a torrent: a line of `GET /api/v1/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// What.
    pub event: EventKind,
    /// The torrent; empty where none is meant.
    pub info_hash: String,
    /// Seeders then.
    pub seeders: u32,
    /// Leechers then.
    pub leechers: u32,
    /// Events before this one that the reader has missed.
    pub missed: u64,
}

/// What happened to a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A swarm that had no seeder has one.
    FirstSeeder,
    /// A peer has completed its download.
    Completed,
    /// A torrent is forgotten: nobody announces it any more.
    Gone,
    /// It was blocked by hand.
    Blocked,
    /// It is not blocked any more.
    Unblocked,
}

/// A request and what became of it: a line of `GET /api/v1/trace`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Traced {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// `udp` or `http`.
    pub protocol: String,
    /// `announce`, `scrape`, or what else it was.
    pub request: String,
    /// Address of the client.
    pub client: String,
    /// Port that it announces; `null`: none.
    pub port: Option<u16>,
    /// The torrent; `null`: none, or several.
    pub info_hash: Option<String>,
    /// The printable beginning of its peer id; `null`: it sent none.
    pub peer_id: Option<String>,
    /// `started`, `completed`, `stopped`, `paused`; `null`: none.
    pub event: Option<String>,
    /// Octets that it lacks; `null`: it did not say.
    pub left: Option<u64>,
    /// Peers that it wants; `null`: it did not say.
    pub num_want: Option<u32>,
    /// `served`; `rejected` if it could not be understood; or the reason of a refusal, in a word.
    pub outcome: String,
    /// What became of it, in words.
    pub detail: String,
    /// Seeders that it was told of; `null`: of none.
    pub seeders: Option<u32>,
    /// Leechers that it was told of.
    pub leechers: Option<u32>,
    /// Peers that it was given.
    pub peers: Option<u32>,
    /// Seconds after which it shall come again.
    pub interval_secs: Option<u32>,
    /// Requests before this one that matched and were passed over.
    pub missed: u64,
}
