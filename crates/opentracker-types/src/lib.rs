//! The values a BitTorrent tracker speaks of.
//!
//! Info hashes, peer ids, peer addresses, events and counts: plain `Copy` types that every other
//! crate of the workspace shares, so that a front end, the store and a cluster sibling mean the
//! same thing by the same word. The wire crates produce and consume them, the store keeps them.
//!
//! What this crate deliberately does not do: it parses no packet, owns no socket, reads no clock
//! and allocates nothing. It has no dependency but `thiserror`, and `serde` behind the feature of
//! that name.
//!
//! ```
//! use opentracker_types::{InfoHash, PeerAddr, Scope};
//!
//! let hash: InfoHash = "0123456789abcdef0123456789abcdef01234567".parse()?;
//! assert_eq!(hash.to_string(), "0123456789abcdef0123456789abcdef01234567");
//!
//! // An IPv4-mapped IPv6 address is an IPv4 peer.
//! let peer = PeerAddr::new("::ffff:192.0.2.7".parse()?, 6881);
//! assert!(peer.is_ipv4());
//! assert_eq!(peer.scope(), Some(Scope::Global));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::disallowed_methods)]

mod announce;
mod hash;
mod peer;

pub use announce::{AnnounceRequest, Event, SwarmCounts};
pub use hash::{InfoHash, ParseInfoHashError, PeerId, TrackerId};
pub use peer::{PeerAddr, PeerFlags, Scope};
