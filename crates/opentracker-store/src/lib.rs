#![doc = include_str!("../README.md")]
//!
//! # Driving it
//!
//! One [`Store`] serves all threads, and each thread has a [`Picker`]. [`Store::announce`] and
//! [`Store::scrape`] are for clients, [`Store::apply`] and [`Store::apply_downloads`] for what other
//! trackers of a cluster tell, and [`Store::retain`] is for torrents that are not served any more. A
//! [`SwarmWalk`] copies everything, and [`Store::restore`] takes it back. Every minute a [`Sweeper`] makes a round of [`Sweeper::step`]s, which
//! remove the peers and torrents that have timed out. Time is a [`Moment`].
#![deny(clippy::disallowed_methods)]

mod announce;
mod arithmetic;
mod batch;
mod blocks;
mod bucket;
mod candidates;
mod cell;
mod clock;
mod downloads;
mod index;
mod key;
mod kind;
mod large;
mod list;
mod mix;
mod picker;
mod prefetch;
mod requester;
mod ring;
mod saved;
mod store;
mod stripes;
mod swarm;
mod sweep;
mod table;
mod timed_out;
mod torrent;
mod usage;
mod web;

pub use announce::{Announce, Announced, Comparison, Heard, Presence, Told, WebAnnounce};
pub use clock::{Minute, Moment, Timing};
pub use key::Key;
pub use kind::{Family, PerKind};
pub use picker::{PeerBuffers, Picker};
pub use saved::{Restored, SavedSwarms, SwarmWalk};
pub use store::{Removed, Store, Totals};
pub use sweep::Sweeper;
pub use torrent::TorrentSummary;
pub use usage::{Full, Limits};
pub use web::{WebConnection, WebPeer};
