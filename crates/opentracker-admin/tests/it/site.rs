//! A tracker with an operator plane.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_admin::{Config, Handle, Identity, Listeners, PageRules, Plane};
use opentracker_core::{Cluster, CounterSet, Counters, Networks, Rules, Settings, Tracker, Worker};
use opentracker_http::{Forwarding, Source};
pub(crate) use opentracker_lab::http::{Client, Response};
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
    pub(crate) control: Option<UnixListener>,
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
            control: None,
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
        let listeners = Listeners {
            tcp: vec![own],
            control: self.control.into_iter().collect(),
        };
        let plane = Plane::start(self.config, worker, listeners).unwrap();

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
            handle.take(stream, Source::Socket(address.ip()), octets, ());
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
