#![doc = include_str!("../README.md")]
//!
//! # Writing packets
//!
//! A [`Beacon`] and an [`Inquire`] encode to an array. Three writers ([`SyncLiveWriter`],
//! [`SyncLive6Writer`], [`ScrapeTellWriter`]) fill a packet record by record and say when it is
//! full; [`LiveWriter`] is whichever of the first two was chosen at run time.
//!
//! ```
//! use opentracker_livesync_wire::types::{InfoHash, PeerFlags, TrackerId};
//! use opentracker_livesync_wire::{LiveRecord, PushError, SyncLive, SyncLiveWriter};
//!
//! let mut writer = SyncLiveWriter::new(TrackerId::new(*b"\x0b\xad\xf0\x0d"));
//! let peer = "198.51.100.23:6881".parse()?;
//! let record = LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::SEEDING);
//! for _ in 0..SyncLive::MAX_RECORDS {
//!     writer.push(&record)?;
//! }
//! assert_eq!(writer.push(&record), Err(PushError::Full));
//! let packet = writer.take();
//! assert_eq!(packet.as_bytes().len(), 8 + 52 * 28);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![deny(clippy::disallowed_methods)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

#[cfg(test)]
extern crate std;

mod beacon;
mod error;
mod inquire;
mod key;
mod keys;
mod live;
mod live_writer;
mod octets;
mod packet;
mod packet_buf;
mod scrape_tell;
mod seal;
mod sync_live;
mod sync_live6;
mod writer;

pub use opentracker_types as types;

pub use beacon::Beacon;
pub use error::{DecodeError, DecodeErrorKind, PushError};
pub use inquire::Inquire;
pub use key::{Key, KeyName, TAG_LEN};
pub use keys::{Keys, KeysError};
pub use live::{LiveRecord, PeerAge, PeerAgeError};
pub use live_writer::LiveWriter;
pub use packet::{HEADER_LEN, MAX_PACKET, Packet};
pub use packet_buf::PacketBuf;
pub use scrape_tell::{ScrapeTell, ScrapeTellWriter, TellRecord};
pub use seal::{MAX_SEALABLE_PACKET, MAX_SEALED_PACKET, SEAL_LEN, SealedPacket, Stamp};
pub use sync_live::{SyncLive, SyncLiveWriter};
pub use sync_live6::{SyncLive6, SyncLive6Writer};
