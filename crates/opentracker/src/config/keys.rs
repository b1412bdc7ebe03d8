//! Every key of the configuration, declared once. Defaults, `--print-config`, `--help`, the tables
//! of docs/configuration.md, the names in the environment and in the C program's format, checks,
//! and what needs a restart follow from it.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use opentracker_nats::{Server, Subject};
use opentracker_net::unicast::Peer;

use super::checks;
use super::choice::{Dialect, LogAddresses, LogFormat, LogLevel, UdpBackend, XdpMode};
use super::listener::Listener;
use super::quantity::{MemoryBound, RequestRate};
use super::value::{Bounded, Input, Reason, Value, Wrong, within};

/// When a changed value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// At a reload.
    Reload,
    /// Not before a restart.
    Restart,
}

/// A key of the configuration: its declaration.
#[derive(Debug)]
pub struct Key {
    path: &'static str,
    pub(super) name: &'static str,
    pub(super) help: &'static [&'static str],
    pub(super) applies: Applies,
    pub(super) c_name: Option<&'static str>,
    pub(super) flag: Option<(char, &'static str)>,
    pub(super) wanted: &'static str,
    pub(super) is_list: bool,
    pub(super) is_text: bool,
    pub(super) choices: &'static [&'static str],
    hint: fn() -> String,
    /// The least and the most, as people write them.
    pub(super) bounds: fn() -> Option<[String; 2]>,
    check: fn(&Values) -> Result<(), Wrong>,
    read: fn(&mut Values, Input<'_>, bool) -> Result<(), Vec<Wrong>>,
    pub(super) get: fn(&Values) -> toml::Value,
    pub(super) copy: fn(&Values, &mut Values),
}

/// A section of the configuration.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) about: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// Returns the declarations of all keys, section by section.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

impl Key {
    /// Returns section and key: `announce.interval`.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// Returns the variable of the environment: `OPENTRACKER_ANNOUNCE__INTERVAL`.
    pub fn variable(&self) -> String {
        format!(
            "OPENTRACKER_{}",
            self.path.replace('.', "__").to_uppercase()
        )
    }

    /// Returns what the key means, in a few words that begin with a small letter.
    pub fn summary(&self) -> String {
        summary(self.help)
    }

    /// Returns the flag that sets the key, and what its argument is called: `('r', "URL")`.
    pub fn flag(&self) -> Option<(char, &'static str)> {
        self.flag
    }

    /// Returns when a changed value takes effect.
    pub fn applies(&self) -> Applies {
        self.applies
    }

    /// Sets the key to what somebody wrote, or adds that to a list; changes nothing if it is wrong.
    pub(super) fn set(
        &self,
        values: &mut Values,
        input: Input<'_>,
        add: bool,
    ) -> Result<(), Vec<Wrong>> {
        let mut changed = values.clone();
        (self.read)(&mut changed, input, add)?;
        (self.check)(&changed).map_err(|wrong| input.wrong(wrong.reason))?;
        *values = changed;
        Ok(())
    }

    /// Checks the value beyond its type, and says what is wrong.
    pub(super) fn check(&self, values: &Values) -> Result<(), String> {
        (self.check)(values).map_err(|wrong| self.explain(&wrong.reason))
    }

    /// Says what is wrong with a value, and what would be right.
    pub(super) fn explain(&self, reason: &Reason) -> String {
        let wanted = self.wanted;
        let bounds = (self.bounds)().map(|[least, most]| format!("from {least} to {most}"));
        let bounds = bounds.unwrap_or_default();
        match reason {
            Reason::Unreadable(shown) => match (self.hint)() {
                hint if hint.is_empty() => format!("{shown} is not {wanted}: write one {bounds}"),
                hint => format!("{shown} is not {wanted}: write {hint}"),
            },
            Reason::OutOfBounds(shown) => {
                format!("{shown} is out of bounds: write {wanted} {bounds}")
            }
            Reason::Other(message) => message.clone(),
        }
    }
}

/// The first sentence of a doc comment, as the end of another one.
pub(super) fn summary(doc: &[&str]) -> String {
    let lines: Vec<_> = doc
        .iter()
        .map(|line| line.trim())
        .take_while(|line| !line.is_empty())
        .collect();
    let sentence = lines.join(" ");
    let mut characters = sentence.trim_end_matches('.').chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn everywhere() -> Vec<Listener> {
    let wildcards = [
        SocketAddr::from(([0; 4], 6969)),
        SocketAddr::from(([0_u16; 8], 6969)),
    ];
    let by_default = |address: SocketAddr| Listener {
        by_default: true,
        ..address.into()
    };
    wildcards.map(by_default).into()
}

fn every_network() -> Vec<IpNet> {
    ["0.0.0.0/0", "::/0"]
        .map(|text| text.parse().expect("they are networks"))
        .into()
}

sections! {
    /// The UDP front end.
    udp: Udp {
        /// Addresses to serve; [] = off.
        ///
        /// An entry is an address or a table: see "Listeners".
        listen: Vec<Listener> = everywhere(), Restart, check checks::internet_listeners,
            c "listen.udp";

        /// Threads for each address; 0 = one per core.
        workers: u16 = 0, Restart, in 0..=1024, c "listen.udp.workers";

        /// Octets of a reply at most.
        ///
        /// Peers and scrape entries are cut to fit. The default passes every IPv6 path
        /// unfragmented.
        max_payload: u16 = 1232, Restart, in 512..=65507;

        /// A connection id is good for so long at least.
        ///
        /// BEP 15 says two minutes, but clients keep ids for longer.
        connection_id_lifetime: Duration = 4 * MINUTE, Restart, in MINUTE..=HOUR;

        /// What receives datagrams: sockets, or XDP on the interfaces of `[udp.xdp]`.
        ///
        /// With XDP the sockets are there as well, and answer what it leaves to them. docs/tuning.md says
        /// when it pays and what it needs.
        backend: UdpBackend = UdpBackend::Sockets, Restart;
    }

    /// UDP below the network stack of the kernel: docs/tuning.md, "XDP".
    xdp [in udp] UdpXdp {
        /// Interfaces that are served so.
        interfaces: Vec<String> = Vec::new(), Restart, check checks::interfaces;

        /// Queues of each interface, by number; [] = all.
        ///
        /// Each has a thread. What comes by another queue is left to the sockets.
        queues: Vec<u16> = Vec::new(), Restart;

        /// Where frames are taken: in the driver or above it, with a copy or without.
        ///
        /// `auto` is the best that the driver can, and warns where that is nothing.
        mode: XdpMode = XdpMode::Auto, Restart;
    }

    /// The HTTP front end.
    http: Http {
        /// Addresses to serve; [] = off.
        ///
        /// An entry is an address or a table: see "Listeners".
        listen: Vec<Listener> = everywhere(), Restart, c "listen.tcp";

        /// Path of the statistics, without its slash.
        stats_path: String = "stats".to_owned(), Reload, check checks::stats_path,
            c "access.stats_path";

        /// Where GET / is redirected to; empty = the dashboard.
        redirect_url: String = String::new(), Reload, check checks::redirect_url,
            c "tracker.redirect_url", flag 'r' "URL";

        /// Networks of proxies that are believed when they name a client.
        ///
        /// By the PROXY protocol, also over UDP, where a listener has `proxy_protocol`; and by the
        /// forwarding header, which is walked from right to left, up to the first address outside of
        /// these networks: that is who asks.
        trusted_proxies: Vec<IpNet> = Vec::new(), Reload, c "access.proxy";

        /// The one header that is believed from trusted proxies; "forwarded" = RFC 7239.
        ///
        /// A header of any other name is read like `X-Forwarded-For`: addresses with commas.
        forwarded_header: String = "x-forwarded-for".to_owned(), Reload, check checks::field_name;

        /// Origins whose pages may read statistics, scrapes and health, like `https://example.org`.
        cors_origins: Vec<String> = Vec::new(), Reload, check checks::origins;

        /// A connection may say nothing for so long.
        idle_timeout: Duration = 30 * SECOND, Restart, in SECOND..=HOUR;
    }

    /// What clients are told, and when they time out.
    announce: Announce {
        /// Clients are asked to announce again after it.
        interval: Duration = 30 * MINUTE, Reload, in MINUTE..=DAY;

        /// A reply's interval is uniform in interval ± jitter.
        ///
        /// So clients spread out. More than half of `interval` counts as that half.
        jitter: Duration = 3 * MINUTE, Reload, in Duration::ZERO..=DAY;

        /// Clients are asked not to announce again before it.
        ///
        /// The `min interval` of HTTP replies; more than `interval` − `jitter` counts as that.
        min_interval: Duration = 15 * MINUTE, Reload, in Duration::ZERO..=DAY;

        /// A peer that does not announce is gone then.
        ///
        /// Longer than `interval` + `jitter`, or peers vanish between two announces; a warning says
        /// so.
        peer_timeout: Duration = 45 * MINUTE, Reload, in MINUTE..=4 * HOUR;

        /// A torrent without peers is kept for so long.
        ///
        /// And with it the count of its downloads.
        torrent_timeout: Duration = DAY, Reload, in MINUTE..=30 * DAY;

        /// Peers for a client that does not say how many it wants.
        numwant_default: u32 = 50, Reload, in 0..=1000;

        /// Peers for any client at most.
        numwant_max: u32 = 200, Reload, in 1..=1000;
    }

    /// Who may do what.
    access: Access {
        /// File of the only info hashes that are served; empty = all.
        ///
        /// Or a folder of .torrent files.
        allow: PathBuf = PathBuf::new(), Reload, c "access.whitelist", flag 'w' "FILE";

        /// File of info hashes that are never served; empty = none.
        ///
        /// Or a folder of .torrent files. Whatever `allow` says.
        deny: PathBuf = PathBuf::new(), Reload, c "access.blacklist", flag 'b' "FILE";

        /// File of peer-id prefixes that are refused; empty = none.
        deny_clients: PathBuf = PathBuf::new(), Reload;

        /// File of networks that are not served at all; empty = none.
        deny_networks: PathBuf = PathBuf::new(), Reload;

        /// Networks that may read the statistics and the dashboard.
        stats: Vec<IpNet> = every_network(), Reload, c "access.stats";

        /// Networks that may read /metrics and scrape everything.
        ///
        /// Nobody by default. Behind a proxy on the same host every stranger comes from loopback,
        /// so loopback is nobody in particular.
        admin: Vec<IpNet> = Vec::new(), Reload, flag 'A' "NET";

        /// A FIFO: info hashes that are written to it join the list; empty = none.
        ///
        /// The list is that of `allow`, or else that of `deny`, until it is read again.
        fifo_add: PathBuf = PathBuf::new(), Restart, c "access.fifo_add";

        /// A FIFO: info hashes that are written to it leave the list; empty = none.
        fifo_delete: PathBuf = PathBuf::new(), Restart, c "access.fifo_delete";
    }

    /// The operator's own listener.
    admin: Admin {
        /// Addresses of the operator's own listener; [] = off.
        listen: Vec<SocketAddr> = vec![SocketAddr::from(([127, 0, 0, 1], 6970))], Restart;

        /// Unix socket for opentracker-ctl; empty = $RUNTIME_DIRECTORY/control.sock, if that is set.
        ///
        /// Whoever may write to it may do everything: its mode is 0660, and it belongs to the user and
        /// the group of the process.
        socket: PathBuf = PathBuf::new(), Restart;

        /// File with the token that changes over TCP need; empty = no changes over TCP.
        ///
        /// Its first line, of 16 characters at least, which a request sends in `Authorization: Bearer`.
        /// It holds on the operator's own listener, and on the public ones for `access.admin`.
        token: PathBuf = PathBuf::new(), Reload;

        /// Names that a browser may call it by, besides addresses and localhost.
        hosts: Vec<String> = Vec::new(), Reload, check checks::host_names;
    }

    /// The most that is kept and served; 0 = no limit.
    limits: Limits {
        /// Torrents at most.
        ///
        /// At this and the next three limits known peers go on being served; a new torrent or peer
        /// is refused, and told when to ask again.
        max_torrents: u32 = 0, Reload, in 0..=u32::MAX;

        /// Peers at most.
        max_peers: u32 = 0, Reload, in 0..=u32::MAX;

        /// Peers of one torrent at most.
        max_peers_per_torrent: u32 = 0, Reload, in 0..=u32::MAX;

        /// Memory that torrents and peers may take, like "2GiB"; empty = no limit.
        ///
        /// What the process has besides is not counted: some 10 MB, access lists, connections.
        memory: MemoryBound = MemoryBound::default(), Reload;

        /// Requests of one address that are served, like "5/s"; "off" = all.
        ///
        /// Of an IPv6 /56 together. Below half of `burst` the interval of replies is doubled; when
        /// it is used up requests are refused, and after as many refusals not answered. The table of
        /// addresses takes 26 MB.
        rate: RequestRate = RequestRate::default(), Reload;

        /// Requests that an address may send at once, and saves up.
        burst: u32 = 100, Reload, in 1..=1_000_000;

        /// Networks that are never limited.
        ///
        /// Neither by `rate` nor by `connections_per_prefix`.
        rate_exempt: Vec<IpNet> = Vec::new(), Reload;

        /// Open HTTP connections of one address at most.
        ///
        /// Of an IPv6 /56 together. Those of `http.trusted_proxies` are not counted.
        connections_per_prefix: u32 = 0, Reload, in 0..=1_000_000;
    }

    /// How trackers of a cluster inform each other: docs/cluster.md.
    livesync: LiveSync {
        /// Address of the interface that joins, and the port, like "192.168.0.1:9696"; empty = off.
        ///
        /// Not `0.0.0.0`: a host may have several interfaces, and one of them faces the cluster.
        listen: Option<SocketAddrV4> = None, Restart, check checks::cluster_interface,
            c "livesync.cluster.listen";

        /// The multicast group.
        ///
        /// The same on all nodes.
        group: Ipv4Addr = Ipv4Addr::new(224, 0, 23, 5), Restart,
            in Ipv4Addr::new(224, 0, 0, 0)..=Ipv4Addr::new(239, 255, 255, 255);

        /// Networks that a packet may cross.
        ttl: u8 = 1, Restart, in 1..=255;

        /// Networks that packets are taken from; empty = none.
        ///
        /// The other nodes: packets from elsewhere are dropped.
        nodes: Vec<IpNet> = Vec::new(), Reload, c "livesync.cluster.node_ip";

        /// File with the keys that all nodes share; empty = none.
        ///
        /// One key a line, of 64 hexadecimal digits or more, as `opentracker-ctl cluster keygen` makes
        /// it; the first one seals packets and makes connection ids, up to four are accepted. What the
        /// file says is taken when it changes; another path takes effect after a restart.
        secret: PathBuf = PathBuf::new(), Restart;

        /// Networks of nodes without the secret, whose packets are taken over the group.
        ///
        /// C nodes, and others until they have it: peers alone are taken from there.
        unsealed: Vec<IpNet> = Vec::new(), Reload;

        /// What comes by one carrier goes out on the others.
        ///
        /// For a node that joins islands, or C nodes on a network of theirs to the rest.
        relay: bool = false, Restart;

        /// Which packets are sent, for clusters with C nodes.
        ///
        /// docs/cluster.md says which.
        dialect: Dialect = Dialect::Full, Restart;

        /// An announce waits for its packet to fill.
        max_delay: Duration = 15 * SECOND, Restart, in Duration::ZERO..=HOUR;

        /// The tracker runs so long before its first beacon.
        ///
        /// And, while it knows no peers, asks any other.
        first_beacon_delay: Duration = 30 * MINUTE, Restart, in Duration::ZERO..=DAY;

        /// Time between two beacons.
        ///
        /// And the unit of waiting for download counts and peers.
        beacon_interval: Duration = MINUTE, Restart, in SECOND..=DAY;

        /// A node with a smaller share of another's torrents asks it.
        ///
        /// For its download counts and peers: 0 is only when it has just started, 1 is whoever has more.
        inquire_threshold: f64 = 0.75, Restart, in 0.0..=1.0;

        /// A known peer is told again after so long.
        ///
        /// When it was last told or heard of longer ago than this; shorter than
        /// `announce.interval`.
        renew_boundary: Duration = 10 * MINUTE, Reload, in MINUTE..=4 * HOUR;
    }

    /// Live sync over a list of addresses.
    unicast [in livesync] LiveSyncUnicast {
        /// Address and port that packets of the other nodes come to; empty = off.
        ///
        /// Ours leave from there. `[::]` is for IPv4 as well.
        listen: Option<SocketAddr> = None, Restart, check checks::unicast_listen;

        /// The other nodes, each an address or a name with a port.
        ///
        /// A name stands for all of its addresses, and is resolved every 30 s. Our own addresses are
        /// left out, so the list may be the same on all nodes.
        peers: Vec<Peer> = Vec::new(), Restart;
    }

    /// Live sync over a subject of NATS.
    nats [in livesync] LiveSyncNats {
        /// The NATS servers, of which one at a time is used; empty = off.
        servers: Vec<Server> = Vec::new(), Restart;

        /// File with the credentials of the user, as `nsc` writes it; empty = none.
        ///
        /// Read anew for each connection.
        credentials: PathBuf = PathBuf::new(), Restart;

        /// File with the authorities that certificates of servers come from; empty = the system's.
        ///
        /// In PEM, and read anew for each connection.
        ca: PathBuf = PathBuf::new(), Restart;

        /// The subject of the cluster.
        ///
        /// The same on all nodes. With `.webtorrent` behind it, it is for browsers.
        subject: Subject = Subject::default(), Restart;
    }

    /// Certificates of the HTTP listeners with `tls = true`: docs/https.md.
    tls: Tls {
        /// PEM file of the certificate with its chain, or a folder of pairs; empty = none.
        ///
        /// In a folder `NAME.crt` or `NAME.pem` goes with `NAME.key`, and `NAME/fullchain.pem` with
        /// `NAME/privkey.pem`. Each client gets the one for the name that it asks for, or the first. Files
        /// are read again when they change.
        certificate: PathBuf = PathBuf::new(), Restart;

        /// PEM file of its private key; empty = in the file of the certificate.
        key: PathBuf = PathBuf::new(), Restart;
    }

    /// Browsers, over WebSocket on the HTTP listeners.
    webtorrent: WebTorrent {
        /// Whether browsers are served.
        ///
        /// At any path, on each HTTP listener. When it is turned off, connections that are open stay.
        enabled: bool = false, Reload;

        /// Offers of an announce that are passed on to other browsers.
        ///
        /// Those beyond it are dropped. Clients send five or ten.
        max_offers: u32 = 10, Reload, in 1..=50;

        /// Origins whose pages are served, like `https://example.org`; empty = all.
        ///
        /// A client that is no browser can say any origin, or none, which is not served where some are
        /// listed.
        origins: Vec<String> = Vec::new(), Reload, check checks::origins;
    }

    /// How the swarms outlast a restart.
    snapshot: Snapshot {
        /// File that keeps the swarms across restarts; empty = off.
        ///
        /// Its folder is opened before `process.user` and `process.chroot` take effect, and the user
        /// must be able to write there. See "Snapshots".
        path: PathBuf = PathBuf::new(), Restart;

        /// Time between two snapshots.
        ///
        /// What has happened since the last one is lost when the process is killed.
        interval: Duration = 10 * MINUTE, Reload, in SECOND..=DAY;

        /// The last snapshot may take so long at a stop, while it moves on.
        stop_timeout: Duration = MINUTE, Reload, in SECOND..=HOUR;
    }

    /// What the process becomes once its sockets are open.
    process: Process {
        /// The user to become once the sockets are open.
        ///
        /// Needs root.
        user: String = String::new(), Restart, c "tracker.user", flag 'u' "USER";

        /// The folder to make the root once the sockets are open.
        ///
        /// Needs root; anybody else only enters it.
        chroot: PathBuf = PathBuf::new(), Restart, c "tracker.rootdir", flag 'd' "DIR";
    }

    /// What is logged.
    log: Log {
        /// The least level that is logged.
        ///
        /// Addresses of peers appear at `debug` and `trace` alone.
        level: LogLevel = LogLevel::Info, Reload;

        /// The form of a line.
        ///
        /// Lines for people, or an object a line for a collector.
        format: LogFormat = LogFormat::Text, Restart;

        /// How much of a client's address logs show.
        ///
        /// Short: the /24 or the IPv6 /48 that it is in. Addresses appear at `debug` and `trace` alone.
        addresses: LogAddresses = LogAddresses::Short, Reload;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_defaults_are_within_their_bounds() {
        let values = Values::default();
        for key in keys() {
            assert_eq!(key.check(&values), Ok(()), "{}", key.path());
        }
    }

    #[test]
    fn names_are_unique() {
        let count = keys().count();
        assert_eq!(keys().map(Key::path).collect::<BTreeSet<_>>().len(), count);
        assert_eq!(
            keys().map(Key::variable).collect::<BTreeSet<_>>().len(),
            count
        );
        let unique = |names: Vec<String>| {
            let count = names.len();
            assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), count);
        };
        unique(
            keys()
                .filter_map(|key| key.c_name)
                .map(str::to_owned)
                .collect(),
        );
        unique(
            keys()
                .filter_map(|key| key.flag)
                .map(|(flag, _)| flag.to_string())
                .collect(),
        );
    }

    #[test]
    fn every_key_has_a_sentence() {
        for key in keys() {
            assert!(key.help[0].trim().ends_with('.'), "{}", key.path());
            assert!(key.summary().len() > 10, "{}", key.path());
        }
    }

    #[test]
    fn what_is_wrong_changes_nothing() {
        let workers = keys().find(|key| key.path() == "udp.workers").unwrap();
        let mut values = Values::default();
        workers.set(&mut values, Input::Text("2"), false).unwrap();
        let before = values.clone();
        workers
            .set(&mut values, Input::Text("2000"), false)
            .unwrap_err();
        assert_eq!(values, before);
        assert_eq!(workers.variable(), "OPENTRACKER_UDP__WORKERS");
    }
}
