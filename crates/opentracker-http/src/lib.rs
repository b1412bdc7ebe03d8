//! The HTTP front end: `/announce`, `/scrape`, the statistics, the metrics and the dashboard.
//!
//! Each thread of a [`Server`] has its own event loop, its own listener for every address
//! (`SO_REUSEPORT`) and its own [`opentracker_core::Worker`]; nothing on the path of a request is
//! shared between threads. A connection that waits holds no buffer: requests are read, parsed,
//! answered and sent in buffers that the connections of a thread take in turn, and a request that
//! comes with its connection is answered in the same breath.
//!
//! | path | answer | for |
//! |---|---|---|
//! | `/announce` | peers, or why not (BEP 3, 7, 21, 23, 24, 31) | everybody |
//! | `/scrape` | counts of up to 64 torrents (BEP 48) | everybody |
//! | `/scrape` without an info hash | counts of all torrents, in no order | [`Settings::admin`] |
//! | `/` | a redirect, or the dashboard | everybody, or [`Settings::stats`] |
//! | `/stats`, or [`Settings::stats_path`] | statistics in the formats of the C program | [`Settings::stats`] |
//! | `/metrics` | metrics in the text format of Prometheus | [`Settings::admin`] |
//!
//! It speaks HTTP/1.0 and HTTP/1.1 with persistent connections and pipelining. What a client may
//! take is bounded: a head has at most 8 KiB and 64 fields (431), arrives in time (408) and has no
//! body (400); a client that does not read is not read from, and is cut off ([`Limits`]). The
//! client is the socket's other end, or what a trusted proxy says
//! ([`Settings::trusted_proxies`]).
//!
//! A full scrape is made while it is sent: it holds a piece of some 32 KiB and what one part of the
//! store has, takes no further step before the client has taken the piece, and lets others have
//! their turn after each step. Of four at a time the fifth is refused.
//!
//! What this crate deliberately does not do: it has no rules for announces (those are the
//! core's), speaks no TLS and no HTTP/2 (a proxy does), and writes no access log.
//!
//! ```
//! use std::io::{Read, Write};
//! use opentracker_core::{AccessLists, Networks, Tracker};
//! use opentracker_http::{Config, Identity, Limits, Listeners, Settings};
//! # use std::{net::TcpStream, sync::Arc, time::{Duration, Instant}};
//! # use opentracker_types::TrackerId;
//!
//! let config = Config {
//!     listen: vec!["127.0.0.1:0".parse()?],
//!     threads: 1,
//!     limits: Limits::default(),
//!     identity: Identity { version: "1.2.3".to_owned(), tracker_id: TrackerId::new([7; 4]) },
//! };
//! let listeners = Listeners::bind(&config)?; // before privileges are dropped
//! let address = listeners.local_addrs()[0];
//! let tracker = Arc::new(Tracker::new(
//!     opentracker_core::Settings::default(),
//!     AccessLists::default(),
//!     Duration::from_secs(240),
//!     Instant::now(),
//!     &mut rand::rng(),
//! ));
//! let settings = Settings {
//!     stats_path: "stats".to_owned(),
//!     redirect_url: String::new(),
//!     trusted_proxies: Networks::default(),
//!     stats: Networks::new(["127.0.0.0/8".parse()?]),
//!     admin: Networks::default(),
//! };
//! let server = listeners.serve(settings, || tracker.worker(7, None))?;
//!
//! let mut client = TcpStream::connect(address)?;
//! client.write_all(b"GET /stats?mode=version HTTP/1.0\r\n\r\n")?;
//! let mut response = String::new();
//! client.read_to_string(&mut response)?;
//! assert!(response.ends_with("\r\n\r\nopentracker 1.2.3\n"));
//!
//! // … until it is time to stop:
//! server.shutdown(Duration::from_secs(5));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod connection;
mod dashboard;
#[cfg(test)]
mod fixture;
mod forwarded;
mod full_scrape;
mod handler;
mod head;
mod metrics;
mod response;
mod server;
mod session;
mod stats;
mod sys;
mod thread;
mod top;

pub use config::{Config, Identity, Limits, Settings};
pub use server::{BindError, Listeners, Server};
