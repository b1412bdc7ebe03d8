//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use opentracker_datagrams::MAX_BATCH;
use serde::{Serialize, Serializer};

use crate::below::MacAddress;

/// Makes load for BitTorrent trackers, and measures how they bear it.
///
/// Aim it at your own trackers alone: it refuses public addresses unless told otherwise.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Announces, scrapes and connects over UDP
    Udp(UdpArgs),
    /// Announces and scrapes over HTTP
    Http(HttpArgs),
    /// Announces with offers and answers over WebSocket, as browsers send them
    Ws(WsArgs),
    /// Packets of the cluster protocol, as a sibling sends them
    Livesync(LivesyncArgs),
    /// Announces each peer of the population once over UDP, then stops
    Fill(FillArgs),
    /// What no client sends: random datagrams, slow and silent connections
    Flood(FloodArgs),
    /// Answers without a tracker behind it: the floor that trackers are compared with
    Reflect(ReflectArgs),
    /// Writes the info hashes of the population, 40 digits a line
    AllowList(AllowListArgs),
}

/// The tracker that is asked, and who asks it.
#[derive(Debug, Args, Serialize)]
pub(crate) struct TrackerArgs {
    /// The tracker: address and port
    pub(crate) target: String,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) population: PopulationArgs,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
}

/// Announces, scrapes and connects over UDP.
#[derive(Debug, Args, Serialize)]
pub(crate) struct UdpArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) tracker: TrackerArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) mix: MixArgs,
    #[command(flatten)]
    pub(crate) datagrams: DatagramArgs,
}

/// Announces and scrapes over HTTP.
#[derive(Debug, Args, Serialize)]
pub(crate) struct HttpArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) tracker: TrackerArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) mix: MixArgs,
    /// Connections of each thread that are open at a time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub(crate) connections: u64,
    /// A connection for each request; else connections are kept as long as the tracker lets them
    #[arg(long)]
    pub(crate) close: bool,
    /// Over TLS, with any certificate; with --close a handshake for each request
    #[arg(long)]
    pub(crate) tls: bool,
    /// Sessions of TLS are resumed, where the tracker can
    #[arg(long, requires = "tls")]
    pub(crate) resume: bool,
    /// Requests that are sent on a connection ahead of their answers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) pipeline: u64,
    /// Path of announces
    #[arg(long, value_name = "PATH", default_value = "/announce")]
    pub(crate) announce_path: String,
    /// Path of scrapes
    #[arg(long, value_name = "PATH", default_value = "/scrape")]
    pub(crate) scrape_path: String,
    /// The Host header [default: the target]
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
}

/// Announces with offers and answers over WebSocket.
#[derive(Debug, Args, Serialize)]
pub(crate) struct WsArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) tracker: TrackerArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// Connections of each thread, each of which is a peer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub(crate) connections: u64,
    /// Each connection announces once and is then held
    #[arg(long)]
    pub(crate) hold: bool,
    /// Over TLS, with any certificate
    #[arg(long)]
    pub(crate) tls: bool,
    /// Offers of an announce
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) offers: u32,
    /// Octets of the description in an offer or answer
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(..=16_384))]
    pub(crate) description: u32,
    /// Path of the WebSocket
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub(crate) path: String,
}

/// Announces each peer of the population once.
#[derive(Debug, Args, Serialize)]
pub(crate) struct FillArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) tracker: TrackerArgs,
    /// Peers that each announce asks for [default: the tracker chooses]
    #[arg(long, value_name = "N")]
    pub(crate) numwant: Option<u32>,
    /// Give up after this
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    #[serde(serialize_with = "seconds", rename = "limit_secs")]
    pub(crate) limit: Duration,
    #[command(flatten)]
    pub(crate) datagrams: DatagramArgs,
}

/// Packets of the cluster protocol.
#[derive(Debug, Args, Serialize)]
pub(crate) struct LivesyncArgs {
    /// Where the packets go: a multicast group or the address of one tracker, and the port
    #[arg(default_value = "224.0.23.5:9696")]
    pub(crate) target: SocketAddr,
    /// The local address that packets leave from; chooses the interface of a group
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) interface: IpAddr,
    /// Hops that packets to a group may make
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) ttl: u8,
    /// Records a second, in packets that are as full as they get
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = at_least_one)]
    pub(crate) rate: u64,
    /// Records of a packet, at most 52 (36 for IPv6; 42 and 30 sealed) [default: as many]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) records: Option<u64>,
    /// The file of the cluster's secret, whose first key seals the packets
    #[arg(long, value_name = "FILE")]
    pub(crate) secret: Option<PathBuf>,
    /// The network of the peers' addresses; an IPv6 one makes IPv6 records
    #[arg(long, value_name = "NET", default_value = "10.0.0.0/8")]
    pub(crate) peer_net: IpNet,
    /// Share of records that say a peer has stopped
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) stopped: f64,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) population: PopulationArgs,
}

/// What no client sends.
#[derive(Debug, Args)]
pub(crate) struct FloodArgs {
    /// What to send
    pub(crate) flood: Flood,
    /// The tracker: address and port
    pub(crate) target: String,
    /// Connections that are open at a time
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub(crate) connections: u64,
    /// How long to flood
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// I run the tracker at this public address, or its operator knows
    #[arg(long)]
    pub(crate) allow_public_target: bool,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
}

/// A flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flood {
    /// Datagrams of random octets
    Datagrams,
    /// Connections that send a head that never ends, an octet a second
    SlowHeads,
    /// Connections that send nothing
    Silence,
}

/// Answers without a tracker.
#[derive(Debug, Args)]
pub(crate) struct ReflectArgs {
    /// What to answer
    pub(crate) protocol: Protocol,
    /// What answers HTTP
    #[arg(long, value_enum, default_value_t = Engine::Bare)]
    pub(crate) engine: Engine,
    /// The address to listen on; port 0 lets the system choose one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6969")]
    pub(crate) listen: SocketAddr,
    /// Octets of a UDP reply or of an HTTP body: those of an announce with 21 peers
    #[arg(long, value_name = "N", default_value_t = 146)]
    pub(crate) octets: usize,
    /// Datagrams of one system call, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = batch)]
    pub(crate) batch: usize,
    /// An interface to answer UDP on below the network stack (XDP), in place of a socket
    #[arg(long, value_name = "INTERFACE")]
    pub(crate) xdp: Option<String>,
    /// How long to answer
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Processor to run on
    #[arg(long, value_name = "N")]
    pub(crate) core: Option<usize>,
}

/// A protocol of trackers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// BEP 15
    Udp,
    /// BEP 3
    Http,
}

/// What answers HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// A loop over the sockets, which reads no further than it must: the floor
    Bare,
    /// The HTTP library hyper, on a runtime of one thread: what a server built with it has to pay
    Hyper,
}

/// Writes the info hashes of the population.
#[derive(Debug, Args)]
pub(crate) struct AllowListArgs {
    /// Number of torrents
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub(crate) torrents: u64,
    /// What the info hashes follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How long a run takes.
#[derive(Debug, Clone, Copy, Args, Serialize)]
#[command(next_help_heading = "Time")]
pub(crate) struct TimeArgs {
    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    #[serde(serialize_with = "seconds", rename = "duration_secs")]
    pub(crate) duration: Duration,
    /// How long to make load before measuring
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    #[serde(serialize_with = "seconds", rename = "warmup_secs")]
    pub(crate) warmup: Duration,
}

/// With what a run is made, and what is reported.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunArgs {
    /// Threads that make load
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) threads: u64,
    /// Processors of the threads, in turn
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub(crate) core: Vec<usize>,
    /// A local process, the tracker, whose processor time and memory are reported
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Also write the report to this file as JSON
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
    /// Show progress also if standard error is no terminal
    #[arg(long)]
    #[serde(skip)]
    pub(crate) progress: bool,
    /// Show no progress
    #[arg(long)]
    #[serde(skip)]
    pub(crate) quiet: bool,
    /// I run the tracker at this public address, or its operator knows
    #[arg(long)]
    pub(crate) allow_public_target: bool,
}

#[cfg(test)]
impl RunArgs {
    /// A run on one thread, for tests to change.
    pub(crate) fn for_tests() -> Self {
        Self {
            threads: 1,
            core: Vec::new(),
            pid: None,
            json: None,
            progress: false,
            quiet: true,
            allow_public_target: false,
        }
    }
}

/// How fast requests leave.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// Requests a second in all, whatever the tracker does; without it, each answer makes room for the
    /// next request
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) rate: Option<u64>,
    /// After this a request counts as lost
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    #[serde(serialize_with = "seconds", rename = "timeout_secs")]
    pub(crate) timeout: Duration,
    /// How long to let answers gather when there is nothing to do; 0s keeps a processor busy and
    /// makes latencies more exact and load dearer
    #[arg(long, value_name = "TIME", default_value = "50us", value_parser = duration)]
    #[serde(serialize_with = "seconds", rename = "pause_secs")]
    pub(crate) pause: Duration,
}

/// What is asked for.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Requests")]
pub(crate) struct MixArgs {
    /// Announces, in proportion to the other requests
    #[arg(long, value_name = "PARTS", default_value_t = 100)]
    pub(crate) announce: u32,
    /// Connects, beyond those that BEP 15 asks for once a minute and address (UDP alone)
    #[arg(long, value_name = "PARTS", default_value_t = 0)]
    pub(crate) connect: u32,
    /// Scrapes
    #[arg(long, value_name = "PARTS", default_value_t = 0)]
    pub(crate) scrape: u32,
    /// Info hashes of a scrape, 1 to 74
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=74))]
    pub(crate) scrape_hashes: u32,
    /// Peers that an announce asks for
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub(crate) numwant: u32,
    /// Share of announces that say `stopped`; the peer comes back with its next one
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) stopped: f64,
}

/// Whose announces they are.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Population")]
pub(crate) struct PopulationArgs {
    /// Number of torrents
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub(crate) torrents: u64,
    /// Number of peers, each of one torrent
    #[arg(long, value_name = "N", default_value_t = 3_000_000, value_parser = at_least_one)]
    pub(crate) peers: u64,
    /// Popularity of the torrents: the r-th has r⁻ˢ times the peers of the first [default: all alike]
    #[arg(long, value_name = "S", value_parser = exponent)]
    pub(crate) zipf: Option<f64>,
    /// Share of peers that have everything
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = share)]
    pub(crate) seeders: f64,
    /// What torrents, peers and the order of requests follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Where requests come from.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Sources")]
pub(crate) struct SourceArgs {
    /// Source addresses, if there is a network to take them from
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one)]
    pub(crate) sources: u64,
    /// The network of the source addresses, routed to this host [default: 127.0.0.0/8 if the target
    /// is in it, else the one address that the system chooses]
    #[arg(long, value_name = "NET")]
    pub(crate) source_net: Option<IpNet>,
}

/// How datagrams leave and come.
#[derive(Debug, Clone, Args, Serialize)]
#[command(next_help_heading = "Datagrams")]
pub(crate) struct DatagramArgs {
    /// Sockets of each thread, each with a port of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub(crate) sockets: u64,
    /// Requests of each socket that wait for their answers at a time, at most [default: 256, with
    /// a rate 16384]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) window: Option<u32>,
    /// Datagrams of one system call, 1 to 64; fewer make latencies more exact and load dearer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = batch)]
    pub(crate) batch: usize,
    /// Datagrams in turn that come from one source and go through the kernel as one train, which
    /// makes load much cheaper; the tracker's sockets receive them one by one. 1 = no trains, as for a
    /// tracker below the sockets (XDP)
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = batch)]
    pub(crate) train: usize,
    /// An interface to send and receive on below the network stack (XDP), in place of sockets, from
    /// addresses of --source-net
    #[arg(
        long,
        value_name = "INTERFACE",
        requires = "next_hop",
        requires = "source_net"
    )]
    pub(crate) xdp: Option<String>,
    /// With --xdp: the link-layer address of the tracker, or of the router on the way
    #[arg(long, value_name = "MAC", requires = "xdp")]
    pub(crate) next_hop: Option<MacAddress>,
}

/// Parses `10s`, `250ms`, `50us`, `5m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let units = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = &text[..text.len() - units.len()];
    let unit = match units {
        "us" => Duration::from_micros(1),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3_600),
        _ => return Err("a number and us, ms, s, m or h, like 10s".to_owned()),
    };
    let number: u32 = number.parse().map_err(|_| "no such number".to_owned())?;
    let duration = unit.saturating_mul(number);
    if duration > LONGEST {
        return Err("at most 24 hours".to_owned());
    }
    Ok(duration)
}

/// No run makes load for longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share is from 0 to 1".to_owned())
    }
}

fn exponent(text: &str) -> Result<f64, String> {
    let exponent: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if exponent > 0.0 && exponent <= 10.0 {
        Ok(exponent)
    } else {
        Err("an exponent above 0, at most 10".to_owned())
    }
}

fn at_least_one(text: &str) -> Result<u64, String> {
    match text.replace('_', "").parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) if number <= LARGEST => Ok(number),
        Ok(_) => Err(format!("at most {LARGEST}")),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

/// No count is larger than this, so that products of two of them stay within 64 bits.
const LARGEST: u64 = u32::MAX as u64;

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(batch) if (1..=MAX_BATCH).contains(&batch) => Ok(batch),
        _ => Err(format!("1 to {}", MAX_BATCH)),
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("50us"), Ok(Duration::from_micros(50)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3_600)));
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "10 s",
            "25h",
            "99999999999s",
            "1µs",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(share("0.25"), Ok(0.25));
        for text in ["-0.1", "1.1", "NaN", "x"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(exponent("0.9"), Ok(0.9));
        for text in ["0", "11", "NaN", "-1"] {
            assert!(exponent(text).is_err(), "{text}");
        }
        assert_eq!(at_least_one("1_000_000"), Ok(1_000_000));
        for text in ["0", "-1", "5000000000", ""] {
            assert!(at_least_one(text).is_err(), "{text}");
        }
        assert_eq!(batch("64"), Ok(64));
        assert!(batch("65").is_err() && batch("0").is_err());
    }
}
