//! A tracker with an HTTP server.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{AccessLists, CounterSet, Networks, Rules, Settings, Tracker, Worker};
use opentracker_http::Forwarding;
pub(crate) use opentracker_lab::http::{Client, Response};
use opentracker_net::Listen;
use opentracker_net::http::{Config, HandOver, HandedOver, Listeners, Server, Socket};
use opentracker_net::tls::Tls;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Builder;

/// A request that is answered, in a few octets.
pub(crate) const SCRAPE: &str =
    "GET /scrape?info_hash=zzzzzzzzzzzzzzzzzzzz HTTP/1.1\r\nHost: a\r\n\r\n";

/// The answer to it.
pub(crate) const SCRAPED: &str = "d5:filesde5:flagsd20:min_request_intervali900eee";

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) tracker: Arc<Tracker>,
    pub(crate) server: Server,
}

/// How a site differs from the usual one: one thread on 127.0.0.1.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) config: Config,
    pub(crate) forwarding: Forwarding,
    /// Connections begin with a PROXY header.
    pub(crate) proxy_protocol: bool,
    /// Clients speak TLS, with these certificates.
    pub(crate) tls: Option<Tls>,
}

impl Plan {
    /// A site behind a proxy on the same host.
    pub(crate) fn behind_proxy() -> Self {
        let mut plan = Self::default();
        plan.forwarding.trusted_proxies = networks(&["127.0.0.0/8"]);
        plan
    }

    pub(crate) fn config(&self) -> Config {
        let any = "127.0.0.1:0".parse().unwrap();
        let listen = match self.listen.as_slice() {
            [] => &[any],
            listen => listen,
        };
        Config {
            listen: listen
                .iter()
                .map(|address| {
                    Listen::new(*address)
                        .with_proxy_protocol(self.proxy_protocol)
                        .with_tls(self.tls.is_some())
                })
                .collect(),
            ..self.config.clone()
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        let settings = Settings {
            jitter: Duration::ZERO,
            ..Settings::default()
        };
        Rules::new(settings, AccessLists::default()).with_extension(self.forwarding.clone())
    }

    pub(crate) fn start(self) -> Site {
        self.start_after(|_address| ())
    }

    /// Lets something be done while the listeners are there and nobody accepts what comes to them.
    pub(crate) fn start_after(self, done: impl FnOnce(SocketAddr)) -> Site {
        let tracker = Arc::new(Tracker::new(self.rules(), Instant::now(), &mut rand::rng()));
        let listeners = Listeners::bind(&self.config()).unwrap();
        let address = listeners.local_addrs()[0];
        done(address);
        let worker = || Worker::new(Arc::clone(&tracker), rand::random(), None);
        let server = listeners
            .serve(&operator_plane(), self.tls.as_ref(), worker)
            .unwrap();
        Site {
            address,
            tracker,
            server,
        }
    }
}

/// Answers each connection that is handed over with what it got, from whom, and closes it.
pub(crate) fn operator_plane() -> HandOver {
    HandOver::new(
        |HandedOver {
             socket,
             source,
             octets,
             ..
         }| {
            let head = format!(
                "HTTP/1.1 203 Handed Over\r\nSource: {source:?}\r\nContent-Length: {}\r\n\r\n",
                octets.len()
            );
            let reply = [head.as_bytes(), &octets].concat();
            match socket {
                Socket::Tls(_) => say_by_tls(socket, &reply),
                socket => (&socket).write_all(&reply).unwrap(),
            }
        },
    )
}

/// Goes on with a connection of TLS on a thread of its own, as the operator plane does.
fn say_by_tls(socket: Socket, reply: &[u8]) {
    let reply = reply.to_vec();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut stream = socket.into_async().unwrap();
            stream.write_all(&reply).await.unwrap();
            stream.shutdown().await.unwrap();
        });
    });
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
