#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]
#![deny(clippy::disallowed_methods)]

mod announce;
mod flags;
mod id;
mod peer;
mod prefix;
mod saved;
mod text;

pub use announce::{AnnounceRequest, Event, SwarmCounts};
pub use flags::{ParsePeerFlagsError, PeerFlags};
pub use id::{ConnectionId, InfoHash, PeerId, TrackerId, TransactionId};
pub use peer::{PeerAddr, Scope};
pub use prefix::Prefix;
pub use saved::{SavedPeer, SavedTorrent};
pub use text::{ParseHexError, ParsePeerIdError};
