use serde::{Deserialize, Serialize};

use crate::torrents::Verdict;

/// Torrents that were blocked by hand: `GET /api/v1/blocks`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlockPage {
    /// In the order of their info hashes.
    pub blocks: Vec<Block>,
    /// The `cursor` of the next page; `null`: this is the last.
    pub next: Option<String>,
}

/// A torrent that was blocked by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Block {
    /// 40 hexadecimal digits.
    pub info_hash: String,
    /// Why, as somebody wrote.
    pub note: String,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
}

/// What a block did: `PUT /api/v1/blocks/{info_hash}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Blocked {
    /// The block.
    pub block: Block,
    /// What is gone with it.
    pub purged: Purged,
    /// For how long.
    pub lasts: Lasts,
}

/// What an end of a block did: `DELETE /api/v1/blocks/{info_hash}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unblocked {
    /// 40 hexadecimal digits.
    pub info_hash: String,
    /// It was blocked.
    pub was_blocked: bool,
    /// What the other lists say of it.
    pub verdict: Verdict,
    /// For how long.
    pub lasts: Lasts,
}

/// How long a change of the blocks lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lasts {
    /// Until it is undone.
    Always,
    /// Until the next restart: there is no `snapshot.path`, beside which the blocks are kept.
    UntilRestart,
}

/// What is gone: the reply to `DELETE /api/v1/torrents/{info_hash}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Purged {
    /// Torrents.
    pub torrents: u64,
    /// Peers.
    pub peers: u64,
}

/// What a reload did: `POST /api/v1/reload`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub changed: Vec<String>,
    /// Keys whose new value takes effect after a restart.
    pub need_restart: Vec<String>,
    /// Access lists that are not what they were.
    pub lists: Vec<ListChange>,
    /// What is gone because of it.
    pub purged: Purged,
    /// What could not be read and stays as it was.
    pub faults: Vec<String>,
}

/// An access list that is not what it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListChange {
    /// The key of the configuration that names it.
    pub key: String,
    /// Entries that it had; `null`: there was none.
    pub before: Option<u64>,
    /// Entries that it has; `null`: there is none.
    pub after: Option<u64>,
}

/// A snapshot that was written: `POST /api/v1/snapshot`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotWritten {
    /// Its file.
    pub path: String,
    /// Its size.
    pub octets: u64,
    /// Torrents in it.
    pub torrents: u64,
    /// Peers in it.
    pub peers: u64,
}

/// Whether clients are to go elsewhere: `PUT` and `DELETE /api/v1/drain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Drain {
    /// They are: `/readyz` answers 503, and HTTP connections are closed after each response.
    pub is_draining: bool,
}
