//! The operator plane of a tracker: everything that is asked over HTTP but announces and scrapes
//! of named torrents, on a thread of its own.
//!
//! Announce threads hand a connection over at its first request of another kind, with the octets
//! read so far ([`Handle::take`]). The connection stays here; an announce that follows on it is
//! answered too, so that one port serves both. A [`Plane`] also accepts on the operator's own
//! listeners.
//!
//! | path | answer | for |
//! |---|---|---|
//! | `/` | the dashboard, or a redirect | `stats` |
//! | `/` | the page with the announce URLs | everybody else |
//! | `/healthz`, `/readyz` | one word | everybody |
//! | `/stats?mode=…` | the C program's statistics | `stats` |
//! | `/stats?mode=cluster` | the nodes of the cluster | the operator's listener, `admin` |
//! | `/metrics` | Prometheus, text format 0.0.4 | the operator's listener, `admin` |
//! | `/scrape` | the counts of all torrents, in pieces | `admin` |
//!
//! `stats` and `admin` are networks ([`PageRules`]) and count on the public listeners; who has
//! `admin` has `stats`. On the operator's own listener everybody may read what the table says,
//! whatever his address, but no proxy is trusted: a request with a forwarding field, a foreign
//! `Host` or a foreign `Origin` is answered 403.
//!
//! Connections, their heads, the time that they take and the full scrapes under way are bounded
//! ([`Limits`]); requests with a body are refused. What is long goes compressed (gzip) to who
//! accepts it.
//!
//! What this crate deliberately does not do: it changes nothing, binds no socket, and knows
//! neither configuration files nor the protocol of the cluster ([`ClusterView`] is a function of
//! the composing crate). On a connection that was handed over, hyper reads the requests: one whose
//! target has octets that are not UTF-8 is answered 400 there, while an announce thread serves it.
//!
//! ```
//! use opentracker_admin::{Config, Identity, PageRules, Plane};
//! use opentracker_core::{Rules, Tracker, Worker};
//! use opentracker_types::TrackerId;
//! # use std::io::{Read, Write};
//! # use std::net::{TcpListener, TcpStream};
//! # use std::{sync::Arc, time::{Duration, Instant}};
//!
//! let rules = Rules::default().with_extension(PageRules::default());
//! let tracker = Arc::new(Tracker::new(rules, Instant::now(), &mut rand::rng()));
//! let identity = Identity {
//!     version: "1.0".to_owned(),
//!     tracker_id: TrackerId::new(rand::random()),
//! };
//! let own = TcpListener::bind("127.0.0.1:0")?;
//! let address = own.local_addr()?;
//! let worker = Worker::new(tracker, rand::random(), None);
//! let plane = Plane::start(Config::new(identity), worker, vec![own])?;
//!
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
//! let mut response = String::new();
//! client.read_to_string(&mut response)?;
//! assert!(response.ends_with("\r\n\r\nready\n"));
//!
//! // In an announce thread, for each connection that asks for something else:
//! //     handle.take(stream, address, octets);
//! let handle = plane.handle();
//! // … until it is time to stop:
//! plane.shutdown(Duration::from_secs(5));
//! # Ok::<(), std::io::Error>(())
//! ```

mod body;
mod cluster;
mod connection;
mod counters;
mod dashboard;
mod everything;
#[cfg(test)]
mod fixture;
mod full_scrape;
mod gzip;
mod metrics;
mod plane;
mod process;
mod rights;
mod router;
mod settings;
mod snapshot;
mod stats;
mod stream;
mod thread;
mod top;
mod welcome;

pub use cluster::{Cluster, ClusterNode};
pub use counters::Counter;
pub use plane::{Handle, Plane};
pub use settings::{ClusterView, Config, Identity, Limits, PageRules};
