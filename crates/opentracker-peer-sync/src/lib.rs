//! When a tracker tells its cluster of announces, and in which packets (docs/livesync.md, Peer
//! sync).
//!
//! An [`Accumulator`] gathers the announces that the cluster must hear of into packets, and hands
//! a packet out when it is full or when its first record has waited for the longest delay. It is
//! sans-IO: it has no socket and no clock. Its driver hands it announces and the time, sends what
//! [`poll_output`](Accumulator::poll_output) returns, and calls
//! [`handle_timeout`](Accumulator::handle_timeout) at the instant that
//! [`poll_timeout`](Accumulator::poll_timeout) names. Each thread that serves clients owns one,
//! so that telling the cluster never waits for a lock or for another thread.
//!
//! What it deliberately does not do: it does not decide *which* announces the cluster must hear
//! of. That takes the peer as it was before (is it new here, was it a leecher, when was it last
//! told), so the store returns the verdict with each announce, and its caller hands over those
//! that have to be told. It does not receive either: a record from live sync goes to the store
//! and is never told onward, so it never comes here.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use opentracker_livesync_wire::LiveRecord;
//! use opentracker_peer_sync::{Accumulator, Output, Settings, SharedId};
//! use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
//!
//! let mut now = Instant::now();
//! let id = SharedId::new(TrackerId::new([1, 2, 3, 4]));
//! let mut accumulator = Accumulator::new(id, Settings::default());
//! let peer = PeerAddr::new("198.51.100.23".parse()?, 6881);
//! let record = LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::SEEDING);
//! accumulator.handle_announce(&record, now);
//! assert!(accumulator.poll_output().is_none(), "the packet waits for more");
//!
//! now = accumulator.poll_timeout().expect("not for ever");
//! accumulator.handle_timeout(now);
//! while let Some(Output::Send(packet)) = accumulator.poll_output() {
//!     assert_eq!(packet.as_bytes().len(), 8 + 28); // socket.send(packet.as_bytes())
//! }
//! assert!(accumulator.poll_timeout().is_none(), "an idle tracker sends nothing");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::disallowed_methods)]

mod accumulator;
mod filling;
mod settings;
mod shared_id;

pub use accumulator::{Accumulator, Counters, MAX_READY, Output};
pub use settings::{Dialect, Settings};
pub use shared_id::SharedId;
