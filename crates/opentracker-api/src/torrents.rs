use serde::{Deserialize, Serialize};

/// Torrents in some order: `GET /api/v1/torrents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TorrentPage {
    /// At most as many as were asked for.
    pub torrents: Vec<Torrent>,
    /// The `cursor` of the next page; `null`: this is the last.
    pub next: Option<String>,
}

/// The order of torrents, with ties in that of info hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// In the order of the store: the quickest, and the one to see all of many.
    None,
    /// By info hash.
    InfoHash,
    /// The most peers first.
    Peers,
    /// The most seeders first.
    Seeders,
    /// The most leechers first.
    Leechers,
    /// The most downloads first.
    Downloads,
}

/// A torrent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Torrent {
    /// 40 hexadecimal digits.
    pub info_hash: String,
    /// Peers that have everything.
    pub seeders: u32,
    /// Peers that do not.
    pub leechers: u32,
    /// Completed downloads.
    pub downloads: u64,
    /// Minutes since the last announce.
    pub idle_minutes: u32,
}

/// A torrent in full: `GET /api/v1/torrents/{info_hash}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TorrentDetail {
    /// 40 hexadecimal digits.
    pub info_hash: String,
    /// Whether it is served.
    pub verdict: Verdict,
    /// Its counts; `null`: there is no such swarm.
    pub swarm: Option<Torrent>,
    /// Some of its peers, as many as were asked for.
    pub peers: Vec<Peer>,
}

/// Whether a torrent is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Served,
    /// It was blocked by hand.
    Blocked,
    /// It is on the deny list.
    Denied,
    /// It is not on the allow list.
    NotAllowed,
}

/// A peer of a torrent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Peer {
    /// Address and port.
    pub address: String,
    /// It has everything.
    pub is_seeder: bool,
}

/// The largest torrents: `GET /api/v1/top`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Top {
    /// By peers.
    pub by_peers: Vec<Torrent>,
    /// By seeders.
    pub by_seeders: Vec<Torrent>,
}

/// Prefixes that send more than `limits.rate`: `GET /api/v1/limited`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitedPage {
    /// Those that are furthest over it first.
    pub prefixes: Vec<LimitedPrefix>,
}

/// A prefix that sends too much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LimitedPrefix {
    /// An IPv4 /32 or an IPv6 /56.
    pub prefix: String,
    /// What its requests get at present.
    pub step: Step,
    /// Seconds until it has a full bucket again, if it sends nothing.
    pub full_in_secs: f64,
}

/// What becomes of the requests of a prefix that sends too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// They are served, with twice the interval.
    Slowed,
    /// They are refused.
    Refused,
    /// They are not answered.
    Silent,
}
