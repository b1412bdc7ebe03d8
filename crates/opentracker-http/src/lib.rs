//! The HTTP front end below the sockets: announces and scrapes, octets in, octets out.
//!
//! A [`Session`] is a connection without its socket: which octets are requests, what is still to
//! be sent, when time is up. A [`Handler`] answers the requests of all connections of a thread. A
//! connection that waits holds no buffer: requests are read, parsed, answered and sent in a
//! [`Context`] that the connections of a thread use in turn.
//!
//! | path | answer |
//! |---|---|
//! | `/announce` | peers, or why not (BEP 3, 7, 21, 23, 24, 31) |
//! | `/scrape` with info hashes | counts of up to 64 torrents (BEP 48) |
//! | everything else | [`Step::HandOver`]: the operator plane goes on with the connection |
//!
//! It speaks HTTP/1.0 and HTTP/1.1 with persistent connections and pipelining. What a client may
//! take is bounded: a head has at most 8 KiB and 64 fields (431), arrives in time (408) and has no
//! body (400); a client that does not read is not read from, and is cut off ([`Limits`]). The
//! client is the socket's other end, or what a trusted proxy says ([`Forwarding`]).
//!
//! What this crate deliberately does not do: it has no socket, no clock and no runtime, no rules
//! for announces (those are the core's), speaks no HTTP/2, and writes no access log.
//!
//! ```
//! use opentracker_core::{Rules, Tracker, Worker};
//! use opentracker_http::{Context, Handler, Limits, Session, Step};
//! # use std::{sync::Arc, time::Instant};
//!
//! let now = Instant::now();
//! let tracker = Arc::new(Tracker::new(Rules::default(), now, &mut rand::rng()));
//! let handler = Handler::new(Worker::new(tracker, 7, None));
//! let mut context = Context::new(handler, Limits::default());
//! let mut session = Session::new([192, 0, 2, 1].into(), &context.limits, now);
//!
//! let request = b"GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=6881 HTTP/1.1\r\n\r\n";
//! assert_eq!(session.next_step(), Step::Read);
//! context.input[..request.len()].copy_from_slice(request); // from a socket
//! session.serve(&mut context, request.len(), now);
//! assert!(context.output.starts_with(b"HTTP/1.1 200 OK\r\n")); // to the socket
//! assert_eq!(session.next_step(), Step::Read);
//! ```
#![deny(clippy::disallowed_methods)]

mod counters;
#[cfg(test)]
mod fixture;
mod forwarded;
mod handler;
mod head;
mod response;
mod session;
mod settings;

pub use counters::Counter;
pub use forwarded::{Client, Via};
pub use handler::Handler;
pub use session::{Context, Session, Step};
pub use settings::{ForwardedHeader, Forwarding, Limits};
