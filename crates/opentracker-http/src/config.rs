use std::net::SocketAddr;
use std::time::Duration;

use opentracker_core::Networks;
use opentracker_types::TrackerId;

/// What the front end is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Addresses to serve; port 0 lets the system choose one.
    pub listen: Vec<SocketAddr>,
    /// Threads, each of which serves all addresses; at least one.
    pub threads: usize,
    /// What a client may take of the server.
    pub limits: Limits,
    /// What `version` and `tracker_id` in the statistics say.
    pub identity: Identity,
}

/// What a client may take of the server. What is not here is a constant: a request head has at
/// most 8 KiB and 64 header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a connection may say nothing before and between requests; it is closed then.
    pub idle_timeout: Duration,
    /// How long a request head may take from its first octet; it is answered 408 then.
    pub head_timeout: Duration,
    /// How long a client may take to accept replies of about 32 KiB; the connection is cut then.
    pub stall_timeout: Duration,
    /// Connections that one thread holds; one that comes on top is closed at once.
    pub max_connections: usize,
}

impl Default for Limits {
    /// 30 seconds idle, 10 seconds for a head, 30 seconds for replies, 16,384 connections a thread.
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
            max_connections: 16_384,
        }
    }
}

/// Who the tracker is, for the statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The version of the program, like `1.2.3`.
    pub version: String,
    /// The name in the cluster, drawn anew with each start.
    pub tracker_id: TrackerId,
}

/// What may change while the front end runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The path of the statistics, without its slash.
    pub stats_path: String,
    /// Where `GET /` is redirected to; empty: it is answered with the dashboard.
    pub redirect_url: String,
    /// Proxies whose `X-Forwarded-For` and `Forwarded` are believed.
    pub trusted_proxies: Networks,
    /// Who may read the statistics and the dashboard.
    pub stats: Networks,
    /// Who may read the metrics and scrape all torrents at once.
    pub admin: Networks,
}
