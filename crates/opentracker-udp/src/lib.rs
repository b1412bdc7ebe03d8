//! The UDP front end: sockets, worker threads and batched system calls around a pure handler.
//!
//! [`Handler::handle`] is octets in, octets out: it decodes a request (BEP 15, BEP 41), calls
//! [`opentracker_core::Worker`], and writes the reply. [`Sockets`] and [`Server`] drive it: every
//! thread owns a socket that shares its address (`SO_REUSEPORT`), a handler and a batch of
//! buffers, takes up to 64 datagrams with one system call and answers them with another. Nothing
//! is allocated per datagram and no thread waits for another. A reply leaves from the address that
//! was asked, also behind a wildcard address.
//!
//! What this crate deliberately does not do: it has no rules (those are the core's) and no state
//! of clients (connection ids are MACs).
//!
//! ```
//! use opentracker_core::{AccessLists, Settings, Tracker};
//! use opentracker_udp::{Config, Sockets};
//! # use std::{sync::Arc, time::{Duration, Instant}};
//! # let mut rng = rand::rng();
//!
//! let config = Config {
//!     listen: vec!["127.0.0.1:0".parse()?],
//!     workers: 1,
//!     max_payload: 1232,
//! };
//! let sockets = Sockets::bind(&config)?; // before privileges are dropped
//! let tracker = Arc::new(Tracker::new(
//!     Settings::default(),
//!     AccessLists::default(),
//!     Duration::from_secs(240),
//!     Instant::now(),
//!     &mut rng,
//! ));
//! let server = sockets.serve(|| tracker.worker(7, None))?;
//! // … until it is time to stop:
//! server.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod handler;
mod server;
mod sys;

pub use handler::{Action, Handler};
pub use server::{BindError, Config, Server, Sockets};
