//! The configuration: sections and keys with their defaults, where they come from, and what is
//! wrong with them.

mod c_style;
mod load;
mod value;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use load::ConfigError;
pub use value::{NetworkError, parse_network};

/// Everything that can be configured; see docs/configuration.md for the meaning of each key.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The UDP front end.
    pub udp: Udp,
    /// The HTTP front end.
    pub http: Http,
    /// What clients are told and when they time out.
    pub announce: Announce,
    /// Who may do what.
    pub access: Access,
    /// The cluster.
    pub livesync: LiveSync,
    /// What the process becomes once its sockets are open.
    pub process: Process,
    /// What is logged.
    pub log: Log,
}

/// Section `[udp]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Udp {
    /// Addresses to serve; none switches UDP off.
    #[serde(with = "value::addresses")]
    pub listen: Vec<SocketAddr>,
    /// Threads for each address; 0 is one per core.
    #[serde(deserialize_with = "value::number::<_, _, 0, 1024>")]
    pub workers: u16,
    /// The most octets of a reply.
    #[serde(deserialize_with = "value::number::<_, _, 512, 65507>")]
    pub max_payload: u16,
    /// How long a connection id is good for at least.
    #[serde(with = "value::duration")]
    pub connection_id_lifetime: Duration,
}

/// Section `[http]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Addresses to serve; none switches HTTP off.
    #[serde(with = "value::addresses")]
    pub listen: Vec<SocketAddr>,
    /// Path of the statistics, without its slash.
    pub stats_path: String,
    /// Where `GET /` is redirected to; empty is the dashboard.
    pub redirect_url: String,
    /// Networks whose forwarding headers are believed.
    #[serde(with = "value::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long a connection may say nothing.
    #[serde(with = "value::duration")]
    pub idle_timeout: Duration,
}

/// Section `[announce]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Announce {
    /// When clients are asked to announce again.
    #[serde(with = "value::duration")]
    pub interval: Duration,
    /// How far a reply's interval may lie from `interval`.
    #[serde(with = "value::duration")]
    pub jitter: Duration,
    /// Before when clients are asked not to announce again.
    #[serde(with = "value::duration")]
    pub min_interval: Duration,
    /// When a peer that does not announce is gone.
    #[serde(with = "value::duration")]
    pub peer_timeout: Duration,
    /// How long a torrent without peers is kept.
    #[serde(with = "value::duration")]
    pub torrent_timeout: Duration,
    /// Peers for a client that does not say how many it wants.
    #[serde(deserialize_with = "value::number::<_, _, 0, 1000>")]
    pub numwant_default: u32,
    /// Peers for any client at most.
    #[serde(deserialize_with = "value::number::<_, _, 1, 1000>")]
    pub numwant_max: u32,
}

/// Section `[access]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// File of the only info hashes that are served; empty: all are.
    pub allow: PathBuf,
    /// File of info hashes that are never served; empty: none.
    pub deny: PathBuf,
    /// Who may read the statistics.
    #[serde(with = "value::networks")]
    pub stats: Vec<IpNet>,
    /// Who may read the metrics and scrape everything.
    #[serde(with = "value::networks")]
    pub admin: Vec<IpNet>,
}

/// Section `[livesync]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveSync {
    /// Address of the interface that joins the group, and the port; empty switches live sync off.
    #[serde(with = "value::optional_address")]
    pub listen: Option<SocketAddrV4>,
    /// The multicast group.
    #[serde(deserialize_with = "value::group")]
    pub group: Ipv4Addr,
    /// How many networks a packet may cross.
    #[serde(deserialize_with = "value::number::<_, _, 1, 255>")]
    pub ttl: u8,
    /// Networks that packets are taken from; empty: none.
    #[serde(with = "value::networks")]
    pub nodes: Vec<IpNet>,
    /// Which packets are sent.
    pub dialect: Dialect,
    /// How long an announce waits for its packet to fill.
    #[serde(with = "value::duration")]
    pub max_delay: Duration,
    /// How long the tracker runs before its first beacon.
    #[serde(with = "value::duration")]
    pub first_beacon_delay: Duration,
    /// Time between two beacons, and the unit of waiting of scrape sync.
    #[serde(with = "value::duration")]
    pub beacon_interval: Duration,
    /// The share of another's torrents below which it is inquired.
    pub inquire_threshold: f64,
    /// A known peer is told again when it was last told or heard of longer ago than this.
    #[serde(with = "value::duration")]
    pub renew_boundary: Duration,
}

/// Which packets are sent to the cluster; everything is always understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// For clusters of this program.
    #[default]
    Full,
    /// For C nodes up to 2014: IPv4 peers only, no scrape sync.
    CV4,
    /// For dual-stack C nodes from 2024 on: no scrape sync.
    CDual,
}

/// Section `[process]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// The user to become; empty: no change.
    pub user: String,
    /// The folder to make the root; empty: no change.
    pub chroot: PathBuf,
}

/// Section `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least level that is logged.
    pub level: LogLevel,
    /// The form of a line.
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What keeps the tracker from working.
    Error,
    /// What is worth waking someone.
    Warn,
    /// What an operator reads.
    #[default]
    Info,
    /// Peers and torrents.
    Debug,
    /// Datagrams.
    Trace,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line, for collectors.
    Json,
}

/// Every key with its default and a comment, as `--print-config` prints it.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn everywhere() -> Vec<SocketAddr> {
    vec![
        SocketAddr::from(([0; 4], 6969)),
        SocketAddr::from(([0_u16; 8], 6969)),
    ]
}

fn networks(texts: [&str; 2]) -> Vec<IpNet> {
    let parsed = texts.map(|text| text.parse().expect("the defaults are networks"));
    parsed.into()
}

impl Default for Udp {
    fn default() -> Self {
        Self {
            listen: everywhere(),
            workers: 0,
            max_payload: 1232,
            connection_id_lifetime: 4 * MINUTE,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: everywhere(),
            stats_path: "stats".to_owned(),
            redirect_url: String::new(),
            trusted_proxies: Vec::new(),
            idle_timeout: MINUTE / 2,
        }
    }
}

impl Default for Announce {
    fn default() -> Self {
        Self {
            interval: 30 * MINUTE,
            jitter: 3 * MINUTE,
            min_interval: 15 * MINUTE,
            peer_timeout: 45 * MINUTE,
            torrent_timeout: DAY,
            numwant_default: 50,
            numwant_max: 200,
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            allow: PathBuf::new(),
            deny: PathBuf::new(),
            stats: networks(["0.0.0.0/0", "::/0"]),
            admin: networks(["127.0.0.0/8", "::1/128"]),
        }
    }
}

impl Default for LiveSync {
    fn default() -> Self {
        Self {
            listen: None,
            group: Ipv4Addr::new(224, 0, 23, 5),
            ttl: 1,
            nodes: Vec::new(),
            dialect: Dialect::default(),
            max_delay: MINUTE / 4,
            first_beacon_delay: 30 * MINUTE,
            beacon_interval: MINUTE,
            inquire_threshold: 0.75,
            renew_boundary: 10 * MINUTE,
        }
    }
}

/// A value that parses but cannot be.
#[derive(Debug, PartialEq, Eq)]
struct Invalid {
    section: &'static str,
    key: &'static str,
    message: String,
}

impl Config {
    /// Checks what the types cannot.
    fn validate(&self) -> Result<(), Invalid> {
        let Self {
            udp,
            http,
            announce,
            livesync,
            ..
        } = self;
        lasts(
            "udp",
            "connection_id_lifetime",
            udp.connection_id_lifetime,
            MINUTE,
            HOUR,
        )?;
        lasts("http", "idle_timeout", http.idle_timeout, MINUTE / 60, HOUR)?;
        let is_segment = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet);
        let reserved = ["", "announce", "scrape", "metrics"];
        if !http.stats_path.bytes().all(is_segment) || reserved.contains(&&*http.stats_path) {
            return Err(Invalid {
                section: "http",
                key: "stats_path",
                message: format!(
                    "{:?} cannot be the path of the statistics: write letters, digits, `-`, `_`, \
                     `.` or `~`, and not `announce`, `scrape` or `metrics`",
                    http.stats_path
                ),
            });
        }
        if http
            .redirect_url
            .bytes()
            .any(|octet| octet <= b' ' || octet == 0x7f)
        {
            return Err(Invalid {
                section: "http",
                key: "redirect_url",
                message: format!("{:?} is not a URL: it has spaces", http.redirect_url),
            });
        }
        lasts("announce", "interval", announce.interval, MINUTE, DAY)?;
        lasts("announce", "jitter", announce.jitter, Duration::ZERO, DAY)?;
        lasts(
            "announce",
            "min_interval",
            announce.min_interval,
            Duration::ZERO,
            DAY,
        )?;
        lasts(
            "announce",
            "peer_timeout",
            announce.peer_timeout,
            MINUTE,
            4 * HOUR,
        )?;
        lasts(
            "announce",
            "torrent_timeout",
            announce.torrent_timeout,
            MINUTE,
            30 * DAY,
        )?;
        livesync.validate()
    }
}

impl LiveSync {
    fn validate(&self) -> Result<(), Invalid> {
        let invalid = |key, message| Invalid {
            section: "livesync",
            key,
            message,
        };
        if self.listen.is_some_and(|address| address.port() == 0) {
            let message = "the port cannot be 0: write that of the cluster, like 9696";
            return Err(invalid("listen", message.to_owned()));
        }
        if !(0.0..=1.0).contains(&self.inquire_threshold) {
            let message = format!(
                "{} is out of bounds: write a number from 0 (never inquire) to 1 (inquire \
                 whoever has more)",
                self.inquire_threshold
            );
            return Err(invalid("inquire_threshold", message));
        }
        let second = MINUTE / 60;
        lasts(
            "livesync",
            "max_delay",
            self.max_delay,
            Duration::ZERO,
            HOUR,
        )?;
        lasts(
            "livesync",
            "first_beacon_delay",
            self.first_beacon_delay,
            Duration::ZERO,
            DAY,
        )?;
        lasts(
            "livesync",
            "beacon_interval",
            self.beacon_interval,
            second,
            DAY,
        )?;
        lasts(
            "livesync",
            "renew_boundary",
            self.renew_boundary,
            MINUTE,
            4 * HOUR,
        )
    }
}

fn lasts(
    section: &'static str,
    key: &'static str,
    duration: Duration,
    least: Duration,
    most: Duration,
) -> Result<(), Invalid> {
    if duration >= least && duration <= most {
        return Ok(());
    }
    let [duration, least, most] = [duration, least, most].map(value::format_duration);
    Err(Invalid {
        section,
        key,
        message: format!(
            "{duration:?} is out of bounds: write a duration from {least:?} to {most:?}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_defaults_are_the_defaults() {
        let printed = Config::from_toml(DEFAULT_TOML, "default.toml".as_ref()).unwrap();
        assert_eq!(printed, Config::default());
    }

    #[test]
    fn every_key_is_printed_with_a_comment() {
        let printed: toml::Table = DEFAULT_TOML.parse().unwrap();
        let all = toml::Table::try_from(Config::default()).unwrap();
        for (section, keys) in &all {
            for key in keys.as_table().unwrap().keys() {
                assert!(printed[section].get(key).is_some(), "{section}.{key}");
                let line = DEFAULT_TOML
                    .lines()
                    .find(|line| line.starts_with(&format!("{key} =")))
                    .unwrap();
                assert!(line.contains('#'), "{section}.{key} has no comment");
            }
        }
    }
}
