//! The one door to the swarms: announce and scrape for every front end, what siblings in a cluster
//! told, the walk over all that is served, and the rules that hold on each of these paths.
//!
//! A [`Tracker`] holds what all threads share: the swarms, the [`Rules`], the counters. The rules
//! hang on one pointer and are replaced at once. A thread that serves clients owns a [`Worker`]:
//! its randomness, its counters, its cached rules and its end of the cluster. A front end parses a
//! request, calls [`Worker::announce`] with buffers that lie in its reply, and encodes the rest;
//! it decides nothing. [`Tracker::apply_peers`] and [`Tracker::apply_downloads`] are for live
//! sync, a [`Walk`] for everything that lists torrents, a [`Sweeper`] for what times out.
//!
//! What this crate deliberately does not do: no socket, no clock (`now` is a parameter), no file
//! (lists come as text), no packet format, and no counter of a protocol: each crate declares its
//! own with [`counters!`], and the tracker only keeps the sums.
//!
//! ```
//! use std::sync::Arc;
//! use opentracker_core::{PeerBuffers, Requester, Rules, Tracker, Worker};
//! use opentracker_types::{AnnounceRequest, Event, InfoHash};
//! # use std::{net::IpAddr, time::Instant};
//!
//! let (now, mut rng) = (Instant::now(), rand::rng());
//! let tracker = Tracker::new(Rules::default(), now, &mut rng); // open to every torrent
//! let mut worker = Worker::new(Arc::new(tracker), 7, None);
//!
//! let request = AnnounceRequest::new(InfoHash::new([1; 20]), 6881)
//!     .with_left(0)
//!     .with_event(Event::Started);
//! let requester = Requester::new(IpAddr::from([192, 0, 2, 1]));
//! let mut octets = [0; 300];
//! let mut peers = PeerBuffers::v4(&mut octets);
//! let reply = worker.announce(&request, &requester, now, &mut peers)?;
//! assert_eq!(reply.counts.seeders, 1);
//! # Ok::<(), opentracker_core::Refusal>(())
//! ```
#![deny(clippy::disallowed_methods)]

mod access;
mod apply;
mod counters;
mod request;
mod rules;
mod tracker;
mod walk;
mod worker;

pub use access::{AccessLists, HashList, Networks, Skipped};
pub use apply::{Applied, MAX_DOWNLOADS, ToldDownloads, ToldPeer};
pub use counters::{CounterRegistry, CounterSet, Counters, Family};
pub use opentracker_store::{
    Family as AddressFamily, Key, PeerBuffers, PerKind, Removed, Timing, TorrentSummary, Totals,
};
pub use request::{AnnounceReply, Reason, Refusal, Requester, Retry};
pub use rules::{Rules, Settings};
pub use tracker::{Sweeper, Tracker};
pub use walk::Walk;
pub use worker::{Cluster, Counter, Worker};
