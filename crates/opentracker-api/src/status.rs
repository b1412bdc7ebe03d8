use serde::{Deserialize, Serialize};

/// The header field of every reply that names the process that answers: `pid=7; tracker_id=00000102`.
pub const INSTANCE_HEADER: &str = "opentracker-instance";

/// What a tracker is, and how it is: `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Status {
    /// Which process answers.
    pub instance: Instance,
    /// Version of the program.
    pub version: String,
    /// When this was, in milliseconds since 1970.
    pub time_ms: u64,
    /// Seconds since the start.
    pub uptime_secs: u64,
    /// Whether it serves.
    pub state: State,
    /// Addresses that are served.
    pub listeners: Vec<ListenerStatus>,
    /// Interfaces that are served below the network stack.
    #[serde(default)]
    pub xdp: Vec<XdpStatus>,
    /// The certificates of HTTPS.
    #[serde(default)]
    pub certificates: Vec<CertificateStatus>,
    /// What it keeps.
    pub swarms: Swarms,
    /// What that takes.
    pub memory: Memory,
    /// Entries of the access lists.
    pub lists: Lists,
    /// The file in which swarms outlast a restart; `null`: there is none.
    pub snapshot: Option<SnapshotStatus>,
    /// The latest reload, or the start if there was none; `null`: nobody knows.
    pub reload: Option<ReloadStatus>,
}

/// Which process answers. The header field [`INSTANCE_HEADER`] of every reply names it, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Instance {
    /// Process id.
    pub pid: u32,
    /// What the tracker calls itself in its cluster: 8 hexadecimal digits, drawn anew at each start.
    pub tracker_id: String,
}

/// Whether a tracker serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It serves.
    Serving,
    /// It serves, and wants no more clients: `/readyz` says so.
    Draining,
}

/// An address that is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListenerStatus {
    /// `udp`, `http`, `https`, `admin`, or `control` for the control socket.
    pub protocol: String,
    /// Address and port, or `unix:` and a path.
    pub address: String,
    /// It is for proxies, which name the client by the PROXY protocol.
    pub proxy_protocol: bool,
    /// It was passed by the service manager.
    pub is_passed: bool,
}

/// An interface that is served below the network stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct XdpStatus {
    /// Its name.
    pub interface: String,
    /// Queues that are served.
    pub queues: u32,
    /// `native`: in the driver, each frame copied; `zero-copy`: in the driver; `generic`: above it.
    pub mode: String,
}

/// A certificate of HTTPS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateStatus {
    /// The first host name that it is for.
    pub name: String,
    /// Seconds until it expires; 0: it has.
    pub expires_in_secs: u64,
}

/// What a tracker keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Swarms {
    /// Torrents, those without peers included.
    pub torrents: u64,
    /// Peers that have everything.
    pub seeders: PeerCounts,
    /// Peers that do not.
    pub leechers: PeerCounts,
}

/// Peers by family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeerCounts {
    /// IPv4.
    pub ipv4: u64,
    /// IPv6.
    pub ipv6: u64,
    /// WebTorrent peers, which have no address.
    #[serde(default)]
    pub webtorrent: u64,
}

impl PeerCounts {
    /// Returns their sum.
    pub const fn total(&self) -> u64 {
        self.ipv4 + self.ipv6 + self.webtorrent
    }
}

/// Memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Memory {
    /// Octets that torrents and peers take, which `limits.memory` bounds.
    pub swarms_octets: u64,
    /// Octets of the process; `null`: the system does not say.
    pub resident_octets: Option<u64>,
    /// `limits.memory`; `null`: no limit.
    pub limit_octets: Option<u64>,
}

/// Entries of the access lists; `null`: there is no such list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lists {
    /// Info hashes that alone are served.
    pub allow: Option<u64>,
    /// Info hashes that are never served.
    pub deny: Option<u64>,
    /// Peer-id prefixes that are refused.
    pub deny_clients: Option<u64>,
    /// Networks that are not served.
    pub deny_networks: Option<u64>,
    /// Info hashes that were blocked by hand.
    pub blocked: u64,
}

/// The file in which swarms outlast a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotStatus {
    /// Seconds since the latest one was written; `null`: none was yet.
    pub age_secs: Option<u64>,
    /// Its size.
    pub octets: Option<u64>,
    /// Attempts that failed since the start.
    pub failures: u64,
}

/// A reload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReloadStatus {
    /// Seconds since.
    pub age_secs: u64,
    /// Everything was taken over.
    pub succeeded: bool,
}
