//! The UDP front end below the sockets: datagrams in, datagrams out (BEP 15, BEP 41).
//!
//! A [`Handler`] decodes the requests of a thread, calls [`opentracker_core::Worker`], and writes
//! the replies. It takes them in batches ([`Datagrams`]), from sockets, from an interface's rings
//! or from a test. Nothing is allocated per datagram. What the threads share is in
//! [`Connections`]: clients leave no state but for those that were sent an error lately, in a
//! table of fixed size.
//!
//! What this crate deliberately does not do: it has no socket and no clock, no rules (those are
//! the core's) and no randomness of its own (the key of the connection ids is a parameter).
//!
//! ```
//! use opentracker_core::{Rules, Tracker, Worker};
//! use opentracker_udp::{Connections, Handler};
//! # use std::{sync::Arc, time::{Duration, Instant}};
//!
//! let now = Instant::now();
//! let tracker = Arc::new(Tracker::new(Rules::default(), now, &mut rand::rng()));
//! let key = [7; 16]; // from the system's randomness, outside of examples
//! let connections = Arc::new(Connections::new(key, now, Duration::from_secs(240)));
//! let mut handler = Handler::new(Worker::new(tracker, 7, None), connections, 1232);
//!
//! let connect = b"\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00abcd";
//! let mut reply = [0; 1232];
//! let octets = handler.handle(connect, "192.0.2.1:6881".parse()?, now, &mut reply);
//! assert_eq!(octets, Some(16));
//! assert_eq!(reply[..8], *b"\x00\x00\x00\x00abcd");
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
#![deny(clippy::disallowed_methods)]

mod connection_id;
mod connections;
mod counters;
mod handler;

pub use connections::Connections;
pub use counters::Counter;
pub use handler::{Datagrams, Handler};
