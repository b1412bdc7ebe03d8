//! A tracker with an operator plane, and a client that knows nothing of our codecs.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_admin::{Config, Handle, Identity, PageRules, Plane};
use opentracker_core::{Cluster, CounterSet, Counters, Networks, Rules, Settings, Tracker, Worker};
use opentracker_http::Forwarding;
use opentracker_types::TrackerId;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

opentracker_core::counters! {
    /// Counts what the announce threads would count, under the same name.
    pub(crate) enum Net {
        "opentracker_http_connections_total" connections "HTTP connections accepted." [] {
            Accepted [],
        }
    }
}

/// A running plane behind an accept loop.
pub(crate) struct Site {
    /// Of the public listener.
    pub(crate) address: SocketAddr,
    /// Of the operator's own listener.
    pub(crate) operator: SocketAddr,
    pub(crate) tracker: Arc<Tracker>,
    pub(crate) plane: Plane,
}

/// How a site differs from the usual one.
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) page_rules: PageRules,
    pub(crate) forwarding: Forwarding,
    pub(crate) cluster: Option<Box<dyn Cluster>>,
}

impl Default for Plan {
    /// Everybody may read the statistics, and loopback everything.
    fn default() -> Self {
        Self {
            config: Config::new(Identity {
                version: "1.2.3".to_owned(),
                tracker_id: TrackerId::new([0, 0, 1, 2]),
            }),
            page_rules: PageRules {
                admin: networks(&["127.0.0.0/8", "::1/128"]),
                ..PageRules::default()
            },
            forwarding: Forwarding::default(),
            cluster: None,
        }
    }
}

impl Plan {
    /// A site behind a proxy on the same host.
    pub(crate) fn behind_proxy() -> Self {
        let mut plan = Self::default();
        plan.forwarding.trusted_proxies = networks(&["127.0.0.0/8"]);
        plan
    }

    pub(crate) fn rules(&self) -> Rules {
        let settings = Settings {
            jitter: Duration::ZERO,
            ..Settings::default()
        };
        Rules::new(settings, opentracker_core::AccessLists::default())
            .with_extension(self.page_rules.clone())
            .with_extension(self.forwarding.clone())
    }

    pub(crate) fn start(self) -> Site {
        let tracker = Arc::new(Tracker::new(self.rules(), Instant::now(), &mut rand::rng()));
        let own = TcpListener::bind("127.0.0.1:0").unwrap();
        let operator = own.local_addr().unwrap();
        let worker = Worker::new(Arc::clone(&tracker), rand::random(), self.cluster);
        let plane = Plane::start(self.config, worker, vec![own]).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (handle, counters) = (plane.handle(), tracker.counters().register());
        std::thread::spawn(move || accept(&listener, &handle, &counters));
        Site {
            address,
            operator,
            tracker,
            plane,
        }
    }
}

/// Hands each connection over once a head is there.
fn accept(listener: &TcpListener, handle: &Handle, counters: &Counters<Net>) {
    for stream in listener.incoming() {
        counters.count(Net::Accepted);
        let (mut stream, handle) = (stream.unwrap(), handle.clone());
        std::thread::spawn(move || {
            let (mut octets, mut part) = (Vec::new(), [0; 4096]);
            while !octets.windows(4).any(|at| at == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(0) | Err(_) => return,
                    Ok(read) => octets.extend_from_slice(&part[..read]),
                }
            }
            let address = stream.peer_addr().unwrap();
            stream.set_nonblocking(true).unwrap();
            stream.set_nodelay(true).unwrap();
            handle.take(stream, address, octets);
        });
    }
}

pub(crate) fn networks(networks: &[&str]) -> Networks {
    Networks::new(networks.iter().map(|network| network.parse().unwrap()))
}

impl Site {
    pub(crate) fn start() -> Self {
        Plan::default().start()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Asks for one target on a connection of its own.
    pub(crate) fn get(&self, target: &str) -> Response {
        self.get_with(target, "")
    }

    /// The same with further header fields, each with its line end.
    pub(crate) fn get_with(&self, target: &str, fields: &str) -> Response {
        let mut client = self.connect();
        client.send(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        client.response()
    }

    /// Asks the operator's own listener.
    pub(crate) fn get_own(&self, target: &str, fields: &str) -> Response {
        let mut client = Client::connect(self.operator);
        client.send(&format!("GET {target} HTTP/1.1\r\n{fields}\r\n"));
        client.response()
    }

    pub(crate) fn count(&self, counter: impl CounterSet) -> u64 {
        self.tracker.counters().sum(counter)
    }

    /// Waits until a condition holds.
    pub(crate) fn wait(&self, condition: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < PATIENCE, "it does not happen");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Status line and header fields.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    /// The body with what is no text replaced.
    pub(crate) fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads a response to a `GET`.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = self.response_to_head();
        if response.field("Transfer-Encoding") == Some("chunked") {
            response.body = self.chunks();
            return response;
        }
        let length: usize = response.field("Content-Length").unwrap().parse().unwrap();
        while self.received.len() < length {
            assert!(self.read_some(), "the body is cut off: {}", response.head);
        }
        response.body = self.received.drain(..length).collect();
        response
    }

    /// Reads a body in chunks.
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                let end = self.received.windows(2).position(|at| at == b"\r\n");
                if let Some(end) = end {
                    break end;
                }
                assert!(self.read_some(), "the body is cut off");
            };
            let length = str::from_utf8(&self.received[..end]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            let (start, end) = (end + 2, end + 2 + length);
            while self.received.len() < end + 2 {
                assert!(self.read_some(), "a chunk is cut off");
            }
            assert_eq!(&self.received[end..end + 2], b"\r\n");
            body.extend_from_slice(&self.received[start..end]);
            self.received.drain(..end + 2);
            if length == 0 {
                return body;
            }
        }
    }

    /// Reads everything until the server closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read_some() {}
        std::mem::take(&mut self.received)
    }

    /// Reads a response to a `HEAD`.
    pub(crate) fn response_to_head(&mut self) -> Response {
        let end = loop {
            let end = self.received.windows(4).position(|at| at == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            let so_far = String::from_utf8_lossy(&self.received).into_owned();
            assert!(self.read_some(), "the head is cut off: {so_far:?}");
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let (version, status) = head.split_at("HTTP/1.x ".len());
        assert!(["HTTP/1.0 ", "HTTP/1.1 "].contains(&version), "{head}");
        let status = status[..3].parse();
        Response {
            status: status.unwrap(),
            head,
            body: Vec::new(),
        }
    }

    /// Checks that the server says nothing more and closes.
    pub(crate) fn expect_end(&mut self) {
        let is_open = self.read_some();
        let rest = String::from_utf8_lossy(&self.received);
        assert!(!is_open && rest.is_empty(), "more comes: {rest:?}");
    }

    /// Returns whether there was something.
    fn read_some(&mut self) -> bool {
        let mut octets = [0; 4096];
        let read = self.stream.read(&mut octets).unwrap();
        self.received.extend_from_slice(&octets[..read]);
        read > 0
    }
}
