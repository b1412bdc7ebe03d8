//! The swarms of a BitTorrent tracker, in memory.
//!
//! A [`Store`] maps info hashes to swarms of IPv4 and IPv6 peers. It is shared by all threads of
//! the tracker; an announce takes one short lock that it shares with one torrent in 256. A torrent
//! with up to four IPv4 peers is one cache line and has no heap block of its own; a large swarm is
//! a hash table of 8-octet cells (20 for IPv6), so that finding a peer costs one or two cache
//! lines and handing peers out is copying.
//!
//! What this crate deliberately does not do: it reads no clock (every call takes the [`Moment`]),
//! draws no randomness of its own ([`Store::new`] and [`Picker::new`] take seeds), spawns no
//! thread, and has no rules: who may announce, and how often, is decided above.
//!
//! To drive it: one `Store` for all, one [`Picker`] per thread, a [`Key`] for each info hash of a
//! request, [`Store::announce`] and [`Store::scrape`] for clients, [`Store::apply`] and
//! [`Store::apply_downloads`] for siblings, [`Store::retain`] for torrents that are not served any
//! more, and every minute a round of [`Sweeper::step`]s.
//!
//! A torrent without peers is kept for its download count until the torrent timeout, if it is
//! *established*: peers of two prefixes (IPv4 /32, IPv6 /56) announced it, or its announces span
//! more than one interval ([`Timing::with_interval`]), or a sibling told of its count. Otherwise
//! it is forgotten with its last peer, so that one address cannot fill the memory.
//!
//! ```
//! use opentracker_store::{Announce, Minute, Moment, PeerBuffers, Picker, Presence, Store, Timing};
//! use opentracker_types::{InfoHash, PeerAddr};
//!
//! let store = Store::new([7; 32]); // from the system's randomness, outside of examples
//! let mut picker = Picker::new(7);
//! let moment = Moment::new(Minute::new(0), &Timing::default());
//! let presence = Presence::Here { seeding: false, completed: false };
//!
//! let key = store.key(&InfoHash::new([1; 20]));
//! let mut reply = [0; 60];
//! for last in 1..=3 {
//!     let peer = PeerAddr::new([192, 0, 2, last].into(), 6881);
//!     let mut peers = PeerBuffers::v4(&mut reply);
//!     let announce = Announce { key, peer, presence };
//!     let announced = store.announce(&announce, &moment, 50, &mut picker, &mut peers);
//!     assert_eq!(announced.counts.leechers, u32::from(last));
//!     assert_eq!(peers.v4_octets(), 6 * usize::from(last - 1)); // all but itself
//! }
//! ```
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
mod picker;
mod prefetch;
mod requester;
mod ring;
mod store;
mod stripes;
mod swarm;
mod sweep;
mod table;
mod timed_out;
mod torrent;

pub use announce::{Announce, Announced, Comparison, Presence};
pub use clock::{Minute, Moment, Timing};
pub use key::Key;
pub use kind::{Family, PerKind};
pub use picker::{PeerBuffers, Picker};
pub use store::{Removed, Store, Totals};
pub use sweep::Sweeper;
pub use torrent::TorrentSummary;
