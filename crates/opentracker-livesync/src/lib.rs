//! One instance's side of a cluster of trackers that keep each other informed
//! (docs/livesync.md).
//!
//! An [`Instance`] is this run of the tracker as a member of the cluster. It is sans-IO: it has
//! no socket, no clock and no thread. Its driver hands it the packets that came and the time,
//! sends what [`poll_output`](Instance::poll_output) returns, and calls
//! [`handle_timeout`](Instance::handle_timeout) at the instant that
//! [`poll_timeout`](Instance::poll_timeout) names. It applies what *siblings* (the other
//! instances) tell to the tracker, speaks scrape sync, keeps the one roster of the siblings and
//! draws a fresh id when another turns out to have ours. A [`View`] shows all that to operators.
//!
//! What clients announce takes another way, for no announce waits for another thread: each worker
//! owns a [`Teller`], which gathers announces into packets and hands them to the network itself.
//! All of them go by the same [`SharedId`].
//!
//! What this crate deliberately does not do: it does not judge by address whose packets to take
//! (its driver drops those of strangers before), and it knows no way to send but by octets. The
//! rules of when to tell, beacon and inquire are those of the machines in `opentracker-peer-sync`
//! and `opentracker-scrape-sync`.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//!
//! use opentracker_core::{Rules, Tracker};
//! use opentracker_livesync::{Instance, Output, Settings, SharedId, Source};
//! use opentracker_types::TrackerId;
//! use rand::{Rng, SeedableRng, rngs::StdRng};
//!
//! let mut now = Instant::now();
//! let mut rng = StdRng::from_rng(&mut rand::rng());
//! let tracker = Arc::new(Tracker::new(Rules::default(), now, &mut rng));
//! let id = SharedId::new(TrackerId::new(rng.next_u32().to_be_bytes()));
//! let mut instance = Instance::new(tracker, id, &Settings::default(), rng, now);
//!
//! // A packet came in: a sibling with 300 torrents.
//! let beacon = b"\x0b\xad\xf0\x0d\0\0\0\x01\0\0\0\0\0\0\x01\x2c";
//! instance.handle_packet(beacon, Source::new("192.0.2.2:9696".parse()?), now);
//! assert_eq!(instance.view(true, now).siblings[0].claimed_torrents(), Some(300));
//!
//! // Nothing more comes in, so the next thing to happen is a timeout.
//! now = instance.poll_timeout().expect("it waits to inquire");
//! instance.handle_timeout(now);
//! while let Some(Output::Send(packet)) = instance.poll_output() {
//!     assert_eq!(packet.len(), 12); // an inquiry, to be sent to the group
//! }
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
#![deny(clippy::disallowed_methods)]

mod counters;
mod identity;
mod instance;
mod roster;
mod settings;
mod teller;
mod telling;
mod view;

pub use counters::Counter;
pub use identity::{FORMER_ID_LIFETIME, RENEWAL_INTERVAL};
pub use instance::{Instance, Output, Source};
pub use opentracker_peer_sync::{Dialect, SharedId};
pub use roster::{
    MAX_PACKETS_PER_SECOND, MAX_SIBLINGS_PER_SOURCE, MAX_SOURCES, SIBLING_LIFETIME, Sibling,
};
pub use settings::Settings;
pub use teller::{Teller, Transmit};
pub use view::View;
