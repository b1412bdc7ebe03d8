use serde::{Deserialize, Serialize};

use crate::status::{Memory, Swarms};

/// What a tracker has done since its start, and what it keeps: `GET /api/v1/activity`. Rates are the
/// differences of two of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Activity {
    /// When this was, in milliseconds since 1970.
    pub time_ms: u64,
    /// Seconds since the start.
    pub uptime_secs: u64,
    /// Requests that were answered with what they asked for, by protocol and kind.
    pub requests: Vec<RequestCount>,
    /// What became of announces and scrapes, by kind: `served`, or why not.
    pub replies: Vec<ReplyCount>,
    /// How long requests took to be answered, by protocol.
    pub latency: Vec<Latency>,
    /// Downloads that were completed.
    pub downloads: u64,
    /// What is kept.
    pub swarms: Swarms,
    /// What that takes.
    pub memory: Memory,
}

/// Requests of a kind that were answered with what they asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RequestCount {
    /// `udp` or `http`.
    pub protocol: String,
    /// `announce`, `scrape`, `connect`.
    pub kind: String,
    /// Number since the start.
    pub total: u64,
}

/// Replies of a kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplyCount {
    /// `served`, or the reason of a refusal or an error.
    pub kind: String,
    /// Number since the start.
    pub total: u64,
}

/// How long requests took to be answered, once they were read. Those that were read together took as
/// long as all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Latency {
    /// `udp` or `http`.
    pub protocol: String,
    /// Requests.
    pub count: u64,
    /// Seconds of all of them.
    pub sum_secs: f64,
    /// Upper bounds in seconds, ascending, each with the number of requests that took no longer.
    pub buckets: Vec<(f64, u64)>,
}

/// Software of clients: `GET /api/v1/clients`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Clients {
    /// By the beginning of the peer id, the most frequent first.
    pub clients: Vec<ClientCount>,
}

/// Announces of one software.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientCount {
    /// Its name, or `other`.
    pub name: String,
    /// Announces since the start, an estimate from a sample.
    pub announces: u64,
}

/// What was, for up to seven days: `GET /api/v1/trends`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Trends {
    /// Seconds between two values.
    pub interval_secs: u64,
    /// When the last value was taken, in milliseconds since 1970.
    pub end_ms: u64,
    /// The series, all of one length.
    pub series: Vec<Series>,
}

/// One figure over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Series {
    /// `udp_announces`, `http_announces`, `webtorrent_announces` and `refusals` a second; `torrents`, `seeders`, `leechers`;
    /// `memory_octets`.
    pub name: String,
    /// Values, the oldest first; `null`: nobody looked.
    pub values: Vec<Option<f64>>,
}
