//! Browsers of two nodes, with a real NATS server between.
//!
//! | sentence | tests |
//! |---|---|
//! | offers and answers cross nodes | `an_offer_reaches_the_other_node_and_its_answer_comes_back`, `pages_at_two_nodes_exchange_a_file` |
//! | what is forged, repeated or comes back is dropped and counted | `what_is_forged_repeated_or_comes_back_is_dropped` |
//! | a slow or absent NATS never slows an announce | `without_nats_announces_go_on` |

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use opentracker_lab::http;
use serde_json::{Value, json};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::program::{PATIENCE, Tracker, eventually};
use crate::{run, setup, trust, url};

const NATS: u16 = 4222;

/// Where what is for all goes.
const SUBJECT: &str = "opentracker.livesync.webtorrent";

const DROPPED: &str = "opentracker_webtorrent_node_messages_dropped_total";

/// A server with an address that nobody else has, so that no other program can have taken its port.
struct Nats {
    address: SocketAddr,
    process: Child,
}

impl Nats {
    fn start() -> Self {
        static SERVERS: AtomicU8 = AtomicU8::new(1);
        let [.., high, low] = std::process::id().to_be_bytes();
        let last = SERVERS.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::new(127, high | 128, low, last);
        let address = SocketAddr::from((address, NATS));
        let process = serve(address);
        Self { address, process }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn run(&mut self) {
        self.process = serve(self.address);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(address: SocketAddr) -> Child {
    let process = Command::new("nats-server")
        .args(["-a", &address.ip().to_string(), "-p", &NATS.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .expect("it takes Debian's package nats-server");
    eventually("NATS", || TcpStream::connect(address).is_ok());
    process
}

/// Two trackers of a cluster, which have connected.
fn nodes(nats: &Nats) -> [Tracker; 2] {
    let nodes = [0, 1].map(|_| {
        let mut setup = setup();
        let secret = setup.write("secret", &"0a".repeat(32));
        let servers = format!("[\"nats://{}\"]", nats.address);
        setup
            .set_toml("livesync.secret", &format!("{secret:?}"))
            .set_toml("livesync.nats.servers", &servers);
        setup.start()
    });
    for node in &nodes {
        wait_until_connected(node, 1);
    }
    nodes
}

/// Waits until it has connected for the browsers so many times.
fn wait_until_connected(node: &Tracker, times: usize) {
    node.wait_for("a connection for browsers", |lines| {
        let is_it = |line: &&String| line.contains("connected to NATS") && line.contains(SUBJECT);
        lines.iter().filter(is_it).count() >= times
    });
}

/// Adds up the samples of a metric that have this label.
fn metric(node: &Tracker, name: &str, label: &str) -> u64 {
    let mut client = http::Client::connect(node.operator());
    client.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let metrics = client.response().lossy();
    let samples = metrics.lines().filter(|line| line.starts_with(name));
    let samples = samples.filter(|line| line.contains(label));
    samples
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum()
}

struct Browser {
    socket: WebSocket<TcpStream>,
    name: u8,
}

impl Browser {
    fn to(node: &Tracker, name: u8) -> Self {
        const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: tracker.test\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let mut stream = TcpStream::connect(node.http()).unwrap();
        stream.write_all(HANDSHAKE).unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            response.push(octet[0]);
        }
        assert!(response.starts_with(b"HTTP/1.1 101 "));
        let socket = WebSocket::from_raw_socket(stream, Role::Client, None);
        Self { socket, name }
    }

    fn peer_id(&self) -> String {
        format!("-WW0208-{:012}", self.name)
    }

    fn send(&mut self, request: &Value) {
        self.socket
            .send(Message::text(request.to_string()))
            .unwrap();
    }

    /// The next message, if one comes in time.
    fn receive(&mut self, patience: Duration) -> Option<Value> {
        let stream = self.socket.get_mut();
        stream.set_read_timeout(Some(patience)).unwrap();
        match self.socket.read() {
            Ok(Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
            Ok(other) => panic!("{other:?}"),
            Err(tungstenite::Error::Io(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Announces with offers, and returns the reply.
    fn announce(&mut self, torrent: u32, offers: usize) -> Value {
        let offers: Vec<_> = (0..offers)
            .map(|offer| {
                json!({
                    "offer": { "type": "offer", "sdp": "v=0\r\n".repeat(200) },
                    "offer_id": format!("{torrent:010}{:05}{offer:05}", self.name),
                })
            })
            .collect();
        self.send(&json!({
            "action": "announce", "info_hash": hash(torrent), "peer_id": self.peer_id(),
            "event": "started", "left": 1, "numwant": offers.len(), "offers": offers,
        }));
        self.receive(PATIENCE).expect("a reply")
    }
}

fn hash(torrent: u32) -> String {
    format!("{torrent:020}")
}

/// Lets two browsers of two nodes announce a torrent that nobody has, and another one until an offer
/// reaches the first: what was said before both had subscribed is lost. Returns it with its torrent.
fn meet(first: &mut Browser, second: &mut Browser, torrents: u32) -> (u32, Value) {
    let deadline = Instant::now() + PATIENCE;
    for torrent in torrents.. {
        assert!(Instant::now() < deadline, "no offer has come");
        first.announce(torrent, 0);
        second.announce(torrent, 5);
        while let Some(message) = first.receive(Duration::from_millis(500)) {
            if message["offer"].is_object() && message["info_hash"] == hash(torrent) {
                return (torrent, message);
            }
        }
    }
    unreachable!("it is tried until it is too late")
}

#[test]
fn an_offer_reaches_the_other_node_and_its_answer_comes_back() {
    let nats = Nats::start();
    let [a, b] = nodes(&nats);
    let (mut first, mut second) = (Browser::to(&a, 1), Browser::to(&b, 2));
    let (torrent, offer) = meet(&mut first, &mut second, 0);
    assert_eq!(offer["peer_id"], second.peer_id());
    assert_eq!(offer["offer"]["sdp"], "v=0\r\n".repeat(200));
    first.send(&json!({
        "action": "announce", "info_hash": hash(torrent), "peer_id": first.peer_id(),
        "to_peer_id": offer["peer_id"], "offer_id": offer["offer_id"],
        "answer": { "type": "answer", "sdp": "yes" },
    }));
    let answer = loop {
        let message = second.receive(PATIENCE).expect("an answer");
        if message["answer"].is_object() {
            break message;
        }
    };
    assert_eq!(answer["answer"]["sdp"], "yes");
    assert_eq!(answer["offer_id"], offer["offer_id"]);
    assert_eq!(answer["peer_id"], first.peer_id());
    let crossed = "opentracker_webtorrent_node_relayed_total";
    eventually("the answer is counted", || {
        metric(&a, crossed, "kind=\"answer\",direction=\"out\"") == 1
            && metric(&b, crossed, "kind=\"answer\",direction=\"in\"") == 1
    });
}

#[test]
fn pages_at_two_nodes_exchange_a_file() {
    let nats = Nats::start();
    let nodes = nodes(&nats);
    let (mut first, mut second) = (Browser::to(&nodes[0], 1), Browser::to(&nodes[1], 2));
    meet(&mut first, &mut second, 0);
    meet(&mut second, &mut first, 1000);
    trust(&nodes[0].setup.path(""));
    let urls = nodes.each_ref().map(url);
    run(&nodes[0], "exchange.mjs", "TRACKER", &urls.join(" "));
}

/// A client of NATS that hears all that goes about browsers.
struct Spy {
    reader: BufReader<TcpStream>,
}

impl Spy {
    fn new(nats: &Nats) -> Self {
        let mut stream = TcpStream::connect(nats.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let hello = format!(
            "CONNECT {{\"verbose\":false}}\r\nSUB {SUBJECT} 1\r\nSUB {SUBJECT}.* 2\r\nPING\r\n"
        );
        stream.write_all(hello.as_bytes()).unwrap();
        let mut spy = Self {
            reader: BufReader::new(stream),
        };
        while spy.line() != "PONG" {}
        spy
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The subject and the octets of the next message.
    fn hear(&mut self) -> (String, Vec<u8>) {
        loop {
            let line = self.line();
            let Some(rest) = line.strip_prefix("MSG ") else {
                continue;
            };
            let words: Vec<_> = rest.split(' ').collect();
            let mut octets = vec![0; words[2].parse().unwrap()];
            self.reader.read_exact(&mut octets).unwrap();
            return (words[0].to_owned(), octets);
        }
    }

    fn say(&mut self, subject: &str, octets: &[u8]) {
        let head = format!("PUB {subject} {}\r\n", octets.len());
        let message = [head.as_bytes(), octets, b"\r\n"].concat();
        self.reader.get_mut().write_all(&message).unwrap();
    }
}

#[test]
fn what_is_forged_repeated_or_comes_back_is_dropped() {
    let nats = Nats::start();
    let [a, b] = nodes(&nats);
    let (mut first, mut second) = (Browser::to(&a, 1), Browser::to(&b, 2));
    meet(&mut first, &mut second, 0);
    let mut spy = Spy::new(&nats);
    second.announce(3000, 0);
    first.announce(3000, 1);
    // What b says, and the offer of a.
    let (_, octets) = loop {
        let heard = spy.hear();
        if heard.1.len() > 1000 {
            break heard;
        }
    };
    eventually("the offer", || {
        second.receive(PATIENCE).unwrap()["offer"].is_object()
    });
    let node_a: String = octets[..8]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let before = [&a, &b].map(|node| metric(node, DROPPED, "reason=\"seal\""));
    assert_eq!(before, [0, 0]);
    // Again, to b; back, to a; altered, to both; and what is no message.
    spy.say(SUBJECT, &octets);
    let mut altered = octets.clone();
    altered[40] ^= 1;
    spy.say(SUBJECT, &altered);
    spy.say(&format!("{SUBJECT}.{node_a}"), b"hello");
    for (node, reason, times) in [
        (&a, "own", 1),
        (&a, "seal", 2),
        (&b, "duplicate", 1),
        (&b, "seal", 1),
    ] {
        let label = format!("reason=\"{reason}\"");
        eventually(reason, || metric(node, DROPPED, &label) == times);
    }
    assert_eq!(second.receive(Duration::from_millis(1)), None);
}

#[test]
fn without_nats_announces_go_on() {
    let mut nats = Nats::start();
    let [a, b] = nodes(&nats);
    let (mut first, mut second) = (Browser::to(&a, 1), Browser::to(&b, 2));
    meet(&mut first, &mut second, 0);
    nats.kill();
    a.wait_for("both connections broken", |lines| {
        let is_it = |line: &&String| line.contains("connection to NATS is broken");
        lines.iter().filter(is_it).count() == 2
    });
    let mut neighbour = Browser::to(&a, 3);
    first.announce(5000, 0);
    for torrent in 5000..5100 {
        let reply = neighbour.announce(torrent, 5);
        assert_eq!(reply["action"], "announce");
    }
    eventually("an offer of a neighbour", || {
        let message = first.receive(PATIENCE).unwrap();
        message["offer"].is_object() && message["info_hash"] == hash(5000)
    });
    nats.run();
    for node in [&a, &b] {
        wait_until_connected(node, 2);
    }
    meet(&mut first, &mut second, 6000);
    eventually("what waited is counted", || {
        metric(&a, DROPPED, "reason=\"queue\"") > 0
    });
}
