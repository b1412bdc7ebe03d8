//! The tracker behind real proxies, nginx and haproxy, on its own host and on another: whoever comes
//! through them is the peer and has his own rights, whatever he writes, and not those of the proxy.
//!
//! The proxies are configured by the blocks of `docs/proxies.md`, in which
//! nothing but the addresses is replaced. The trap is set everywhere: the addresses of the proxies are
//! those of administrators.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use opentracker_lab::bencode::Value;
use opentracker_lab::http::{Client as Http, Response};
use opentracker_lab::{
    Client, Endpoint, Family, Host, Lab, Process, Scheme, Torrent, Tracker, compact_peers,
    uninterrupted,
};
use opentracker_types::InfoHash;

const DOCUMENTATION: &str = include_str!("../../../../docs/proxies.md");

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the proxies listen.
const PORT: u16 = 80;

/// Where the documentation's tracker is.
const TRACKER: &str = "127.0.0.1:6969";

/// How a proxy reaches the tracker and names its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// In a header of HTTP.
    Header,
    /// The same, through a Unix socket.
    UnixSocket,
    /// In a PROXY header of version 1 or 2.
    V1,
    V2,
    /// The same, through a Unix socket.
    UnixSocketV2,
}

impl Way {
    fn has_proxy_header(self) -> bool {
        matches!(self, Self::V1 | Self::V2 | Self::UnixSocketV2)
    }

    fn is_unix(self) -> bool {
        matches!(self, Self::UnixSocket | Self::UnixSocketV2)
    }
}

#[test]
fn nginx_on_the_tracker_s_host() {
    let site = Site::new("proxies-nginx-here", Place::Here);
    for way in [Way::Header, Way::UnixSocket, Way::V1] {
        site.try_out(Site::nginx, way);
    }
}

#[test]
fn nginx_on_another_host() {
    let site = Site::new("proxies-nginx-there", Place::There);
    for way in [Way::Header, Way::V1] {
        site.try_out(Site::nginx, way);
    }
}

#[test]
fn haproxy_on_the_tracker_s_host() {
    let site = Site::new("proxies-haproxy-here", Place::Here);
    for way in [
        Way::Header,
        Way::UnixSocket,
        Way::V1,
        Way::V2,
        Way::UnixSocketV2,
    ] {
        site.try_out(Site::haproxy, way);
    }
}

#[test]
fn haproxy_on_another_host() {
    let site = Site::new("proxies-haproxy-there", Place::There);
    for way in [Way::Header, Way::V1, Way::V2] {
        site.try_out(Site::haproxy, way);
    }
}

/// Clients that come through a proxy and directly find each other.
#[test]
fn real_clients_meet_through_a_proxy() {
    let site = Site::new("proxies-swarm", Place::There);
    let _tracker = site.tracker(Way::V2);
    let _proxy = site.haproxy(Way::V2);
    let proxied = Endpoint::new(
        Scheme::Http,
        SocketAddr::new(site.proxy.ipv4().into(), PORT),
    );
    let direct = Tracker::endpoint(&site.tracker, Scheme::Udp, Family::V4);
    let torrent = Torrent::random(1, 1 << 20, &proxied.announce_url());
    let _seeder = Client::Aria2.seed(&site.alice, &torrent);
    site.lab
        .wait_until(PATIENCE, "the tracker has the seeder", || {
            direct
                .scrape(&site.bob, torrent.info_hash())
                .is_ok_and(|counts| counts.seeders == 1)
        });
    let looked = announce(&site.bob, direct.address(), torrent.info_hash(), 7000);
    let ips: Vec<IpAddr> = looked.iter().map(SocketAddr::ip).collect();
    assert_eq!(ips, [IpAddr::from(site.alice.ipv4())]);
    Client::Aria2
        .fetch(&site.carol, &torrent)
        .wait_until_complete(PATIENCE);
}

/// Where the proxy runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    There,
}

/// A tracker's host, that of a proxy, which may be the same, and clients.
struct Site {
    lab: Lab,
    tracker: Host,
    proxy: Host,
    alice: Host,
    bob: Host,
    carol: Host,
}

impl Site {
    fn new(name: &str, place: Place) -> Self {
        let lab = Lab::new(name);
        let tracker = lab.host("tracker");
        let proxy = match place {
            Place::Here => tracker.clone(),
            Place::There => lab.host("proxy"),
        };
        Self {
            tracker,
            proxy,
            alice: lab.host("alice"),
            bob: lab.host("bob"),
            carol: lab.host("carol"),
            lab,
        }
    }

    fn try_out(&self, proxy: fn(&Self, Way) -> Process, way: Way) {
        let mut tracker = self.tracker(way);
        let mut proxy = proxy(self, way);
        for family in [Family::V4, Family::V6] {
            self.the_client_is_the_peer(way, family);
            self.nobody_becomes_an_admin(way, family);
        }
        assert!(proxy.is_running() && tracker.process().is_running());
        let log = tracker.process().log();
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Starts the tracker, for which the addresses of the proxy are those of administrators.
    fn tracker(&self, way: Way) -> Tracker {
        let proxy_protocol = way.has_proxy_header();
        let address = if way.is_unix() {
            format!("unix:{}", self.unix_socket())
        } else {
            "[::]:6969".to_owned()
        };
        let (v4, v6) = (self.proxy.ipv4(), self.proxy.ipv6());
        let proxies = format!("[\"127.0.0.1\", \"::1\", \"{v4}\", \"{v6}\"]");
        let text = format!(
            "[udp]\nlisten = [\"0.0.0.0:6969\", \"[::]:6969\"]\n\
             [http]\nlisten = {{ address = \"{address}\", proxy_protocol = {proxy_protocol} }}\n\
             trusted_proxies = {proxies}\n\
             [access]\nadmin = {proxies}\n\
             [admin]\nhosts = [\"tracker.lab\"]\n"
        );
        let path = self.tracker.folder().join("opentracker.toml");
        fs::write(&path, text).expect("the host's folder is there");
        let path = path.to_str().expect("the folder's name is text");
        let mut tracker = Tracker::spawn(&self.tracker, &[], &["--config", path]);
        let direct = Tracker::endpoint(&self.tracker, Scheme::Udp, Family::V4);
        tracker.wait_until_answering(&[direct]);
        tracker
    }

    fn unix_socket(&self) -> String {
        let path = self.tracker.folder().join("http.sock");
        path.to_str().expect("the folder's name is text").to_owned()
    }

    /// A block of the documentation, with this tracker's address in it.
    fn documented(&self, language: &str, distinction: &str, way: Way) -> String {
        let fence = format!("```{language}\n");
        let mut blocks = DOCUMENTATION.split(&fence).skip(1);
        let block = blocks.find_map(|rest| {
            let block = rest.split_once("```")?.0;
            block.contains(distinction).then_some(block)
        });
        let block = block.expect("the documentation shows it");
        assert!(block.contains(TRACKER), "{block}");
        let address = match (way.is_unix(), language) {
            (true, "nginx") => format!("unix:{}", self.unix_socket()),
            (true, _) => format!("unix@{}", self.unix_socket()),
            (false, _) if self.proxy.ipv4() == self.tracker.ipv4() => TRACKER.to_owned(),
            (false, _) => format!("{}:6969", self.tracker.ipv4()),
        };
        block.replace(TRACKER, &address)
    }

    fn nginx(&self, way: Way) -> Process {
        let folder = self.proxy.folder().join("nginx");
        fs::create_dir_all(&folder).expect("the host's folder is there");
        let servers = if way.has_proxy_header() {
            self.documented("nginx", "proxy_protocol on", way)
        } else {
            let servers = self.documented("nginx", "X-Forwarded-For", way);
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {kind};\n"));
            format!(
                "http {{\naccess_log off;\n{}{servers}}}\n",
                temporary.concat()
            )
        };
        let text = format!(
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
             user root;\nworker_processes 1;\npid nginx.pid;\nerror_log stderr;\n\
             events {{ worker_connections 100; }}\n{servers}"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, text).expect("the host's folder is there");
        let nginx = self.proxy.command("nginx").arg("-p").arg(&folder);
        let nginx = nginx.arg("-c").arg(&file).args(["-g", "daemon off;"]);
        self.started(nginx.spawn())
    }

    fn haproxy(&self, way: Way) -> Process {
        let mut servers = match way.has_proxy_header() {
            true => self.documented("haproxy", "send-proxy-v2", way),
            false => self.documented("haproxy", "option forwardfor", way),
        };
        if way == Way::V1 {
            servers = servers.replace("send-proxy-v2", "send-proxy");
        }
        let text = format!(
            "global\n    maxconn 100\n\
             defaults\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
             {servers}"
        );
        let file = self.proxy.folder().join("haproxy.cfg");
        fs::write(&file, text).expect("the host's folder is there");
        let haproxy = self.proxy.command("haproxy").arg("-db").arg("-f");
        let haproxy = self.started(haproxy.arg(&file).spawn());
        self.await_health_check(&haproxy);
        haproxy
    }

    /// Waits until a proxy has looked after the tracker's health, and found it well.
    fn await_health_check(&self, proxy: &Process) {
        let series = "opentracker_pages_total{page=\"health\"} ";
        let operator = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 6970);
        let checks = || {
            let metrics = get(&self.tracker, operator, "/metrics", "");
            let line = metrics
                .text()
                .lines()
                .find_map(|line| line.strip_prefix(series));
            let checks: Option<u64> = line.and_then(|checks| checks.parse().ok());
            checks.expect("the tracker counts them")
        };
        let before = checks();
        self.lab
            .wait_until(PATIENCE, "the proxy checks it", || checks() > before);
        let log = proxy.log();
        assert!(!log.contains(" is DOWN"), "{log}");
    }

    /// Waits until a proxy has reached the tracker.
    fn started(&self, mut proxy: Process) -> Process {
        let address = self.address(Family::V4);
        self.lab.wait_until(PATIENCE, "the proxy listens", || {
            assert!(proxy.is_running(), "{}", proxy.log());
            self.bob.enter(|| TcpStream::connect(address).is_ok())
        });
        assert_eq!(get(&self.bob, address, "/healthz", "").status, 200);
        proxy
    }

    fn address(&self, family: Family) -> SocketAddr {
        SocketAddr::new(self.proxy.address(family), PORT)
    }

    fn the_client_is_the_peer(&self, way: Way, family: Family) {
        let proxy = self.address(family);
        let direct = Tracker::endpoint(&self.tracker, Scheme::Udp, family).address();
        let me = self.alice.address(family);
        let mut expected = Vec::new();
        let torrent = InfoHash::new(match family {
            Family::V4 => [4; 20],
            Family::V6 => [6; 20],
        });
        let query: String = torrent
            .as_bytes()
            .iter()
            .map(|octet| format!("%{octet:02x}"))
            .collect();
        for (port, field) in (1001..).zip([
            "",
            "X-Forwarded-For: 203.0.113.66\r\n",
            "X-Forwarded-For: 127.0.0.1\r\n",
            "Forwarded: for=203.0.113.66\r\n",
            "X-Real-IP: 203.0.113.66\r\n",
        ]) {
            let target = format!("/announce?info_hash={query}&port={port}&left=1");
            let reply = get(&self.alice, proxy, &target, field);
            assert_eq!(reply.status, 200, "{way:?} {field:?}: {}", reply.lossy());
            let reply = Value::decode(&reply.body).expect("it is bencoded");
            assert!(reply.get("peers").is_some(), "{way:?} {field:?}: {reply:?}");
            assert!(reply.get("external ip").is_none(), "a proxy was in the way");
            expected.push(SocketAddr::new(me, port));
        }
        let mut peers = announce(&self.bob, direct, torrent, 7000);
        peers.sort();
        assert_eq!(peers, expected, "{way:?}");
    }

    /// Strangers read nothing that is the proxy's to read.
    fn nobody_becomes_an_admin(&self, way: Way, family: Family) {
        let admin = match family {
            Family::V4 => "127.0.0.1".to_owned(),
            Family::V6 => self.proxy.ipv6().to_string(),
        };
        for field in [
            String::new(),
            format!("X-Forwarded-For: {admin}\r\n"),
            format!("X-Forwarded-For: {admin}\r\nX-Forwarded-For: {admin}\r\n"),
            format!("Forwarded: for={admin}\r\n"),
            format!("X-Real-IP: {admin}\r\n"),
        ] {
            let ask = |target| get(&self.alice, self.address(family), target, &field);
            assert_eq!(ask("/metrics").status, 403, "{way:?} {field:?}");
            assert_eq!(ask("/stats?mode=cluster").status, 403, "{way:?} {field:?}");
            let full = ask("/scrape");
            let full = Value::decode(&full.body).expect("it is bencoded");
            assert!(full.get("failure reason").is_some(), "{way:?} {field:?}");
        }
    }
}

/// Gets a target from a host, on a connection of its own.
fn get(from: &Host, server: SocketAddr, target: &str, field: &str) -> Response {
    from.enter(|| {
        let mut client = Http::connect(server);
        client.send(&format!(
            "GET {target} HTTP/1.1\r\nHost: tracker.lab\r\n{field}Connection: close\r\n\r\n"
        ));
        client.response()
    })
}

/// Announces a leecher over UDP (BEP 15), past all proxies, and returns the peers.
fn announce(from: &Host, tracker: SocketAddr, torrent: InfoHash, port: u16) -> Vec<SocketAddr> {
    let ask = |socket: &UdpSocket, request: &[u8]| {
        let mut reply = vec![0; 2000];
        socket.send(request)?;
        let octets = uninterrupted(|| socket.recv(&mut reply))?;
        reply.truncate(octets);
        std::io::Result::Ok(reply)
    };
    let reply = from.enter(|| {
        let socket = UdpSocket::bind((from.address(family(tracker)), 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(tracker)?;
        let connected = ask(&socket, b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0conn")?;
        let request = [
            &connected[8..],
            b"\0\0\0\x01anno",
            torrent.as_bytes(),
            b"-OL0000-behind-proxy",
            &[0; 8],
            &1_u64.to_be_bytes(),
            &[0; 20],
            &(-1_i32).to_be_bytes(),
            &port.to_be_bytes(),
        ];
        ask(&socket, &request.concat())
    });
    let reply = reply.expect("a tracker that runs answers");
    assert_eq!(reply[..8], *b"\0\0\0\x01anno", "the reply to an announce");
    let peers = &reply[20..];
    match tracker {
        SocketAddr::V4(_) => compact_peers::<4, 6>(peers),
        SocketAddr::V6(_) => compact_peers::<16, 18>(peers),
    }
}

fn family(address: SocketAddr) -> Family {
    match address {
        SocketAddr::V4(_) => Family::V4,
        SocketAddr::V6(_) => Family::V6,
    }
}
