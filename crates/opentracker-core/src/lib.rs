//! The rules of the tracker: one `announce` and one `scrape` that every front end calls.
//!
//! A [`Tracker`] holds what all threads share: the swarms, the access lists, the settings, the
//! issuer of UDP connection ids. A thread that serves clients owns a [`Worker`]: its randomness,
//! its counters, its cached settings and its end of the cluster. A front end parses a request,
//! calls [`Worker::announce`] with buffers that lie in its reply, and encodes the rest; it decides
//! nothing.
//!
//! What this crate deliberately does not do: no socket, no clock (`now` is a parameter), no file
//! (lists come as text), no packet format.
//!
//! ```
//! use std::sync::Arc;
//! use opentracker_core::{AccessLists, Settings, Tracker};
//! use opentracker_store::PeerBuffers;
//! use opentracker_types::{AnnounceRequest, Event, InfoHash};
//! # use std::time::{Duration, Instant};
//!
//! let (now, mut rng) = (Instant::now(), rand::rng());
//! let lists = AccessLists::default(); // open to every torrent
//! let lifetime = Duration::from_secs(240);
//! let tracker = Tracker::new(Settings::default(), lists, lifetime, now, &mut rng);
//! let mut worker = Arc::new(tracker).worker(7, None);
//!
//! let request = AnnounceRequest::new(InfoHash::new([1; 20]), 6881)
//!     .with_left(0)
//!     .with_event(Event::Started);
//! let mut octets = [0; 300];
//! let mut peers = PeerBuffers::v4(&mut octets);
//! let reply = worker.announce(&request, [192, 0, 2, 1].into(), now, &mut peers)?;
//! assert_eq!(reply.counts.seeders, 1);
//! # Ok::<(), opentracker_core::Refusal>(())
//! ```
#![deny(clippy::disallowed_methods)]

mod access;
mod cluster;
mod connection_id;
mod counters;
mod tracker;
mod worker;

pub use access::{AccessLists, HashList, Networks, ParseListError};
pub use cluster::{ClusterNode, ClusterView};
pub use connection_id::{ConnectionIds, Slot};
pub use counters::{Counter, CounterRegistry, Counters};
pub use opentracker_store::{PeerBuffers, Totals};
pub use tracker::{Settings, Tracker};
pub use worker::{AnnounceReply, Cluster, Refusal, Worker};
