//! The sockets of the tracker: what drives the front ends.
//!
//! [`udp`] has a thread for each socket, [`http`] a thread with a listener of each address and an
//! event loop of its own. All of them share their addresses (`SO_REUSEPORT`), and each owns its
//! [`opentracker_core::Worker`]; nothing on the path of a request is shared between threads.
//! Sockets are bound first, and served later: privileges are dropped in between.
//!
//! What this crate deliberately does not do: it knows no protocol (that is the front ends') and
//! no rule (those are the core's). HTTP requests that are neither announces nor scrapes leave it
//! with their connection ([`http::HandOver`]).
//!
//! ```
//! use opentracker_core::{Rules, Tracker, Worker};
//! use opentracker_net::udp;
//! use opentracker_udp::Connections;
//! # use std::{net::SocketAddr, sync::Arc, time::{Duration, Instant}};
//!
//! let address: SocketAddr = "127.0.0.1:0".parse()?;
//! let config = udp::Config { listen: vec![address.into()], workers: 1, max_payload: 1232 };
//! let sockets = udp::Sockets::bind(&config)?; // before privileges are dropped
//! let now = Instant::now();
//! let tracker = Arc::new(Tracker::new(Rules::default(), now, &mut rand::rng()));
//! let connections = Connections::new(rand::random(), now, Duration::from_secs(240));
//! let server = sockets.serve(&Arc::new(connections), || {
//!     Worker::new(Arc::clone(&tracker), rand::random(), None)
//! })?;
//! // … until it is time to stop:
//! server.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bind;
pub mod http;
pub mod udp;

pub use bind::Listen;
pub use opentracker_datagrams::BindError;
