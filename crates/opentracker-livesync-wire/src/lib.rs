//! Codec of live sync, the multicast protocol with which trackers of a cluster keep each other
//! informed: SYNC_LIVE (both address families), BEACON, INQUIRE and SCRAPE_TELL.
//!
//! [`Packet::decode`] turns the payload of a datagram into one of a closed set of packets that
//! borrow from it; lists of records decode lazily, by iterators that cannot fail. The other way,
//! a [`Beacon`] and an [`Inquire`] encode to an array, and three writers ([`SyncLiveWriter`],
//! [`SyncLive6Writer`], [`ScrapeTellWriter`]) fill a packet record by record and say when it is
//! full. Nothing here allocates, and whatever octets come in, nothing panics.
//!
//! What this crate deliberately does not do: it opens no socket, keeps no time, and does not
//! judge a packet. Whose packets to believe, which to ignore and what to answer is the business
//! of its users (docs/livesync.md describes the whole protocol; this crate its tables). It is
//! `no_std` but for the value types, and of use to any tool that wants to read a cluster's
//! traffic. A packet dumper:
//!
//! ```
//! use opentracker_livesync_wire::{DecodeError, Packet};
//!
//! fn dump(datagram: &[u8]) -> Result<(), DecodeError> {
//!     let packet = Packet::decode(datagram)?;
//!     print!("{}: ", packet.sender());
//!     match packet {
//!         Packet::SyncLive(live) => live.records().for_each(|record| println!("{record:?}")),
//!         Packet::SyncLive6(live) => live.records().for_each(|record| println!("{record:?}")),
//!         Packet::Beacon(beacon) => println!("serves {} torrents", beacon.torrents),
//!         Packet::Inquire(inquire) => println!("asks {}", inquire.target),
//!         Packet::ScrapeTell(tell) => tell.records().for_each(|record| println!("{record:?}")),
//!     }
//!     Ok(())
//! }
//! # dump(b"\x0b\xad\xf0\x0d\0\0\0\x01\0\0\0\0\0\0\x01\x2c").unwrap();
//! # assert!(dump(b"GET / HTTP/1.1").is_err());
//! ```
//!
//! And what fills one:
//!
//! ```
//! use opentracker_livesync_wire::{LiveRecord, PushError, SyncLive, SyncLiveWriter};
//! use opentracker_types::{InfoHash, PeerAddr, PeerFlags, TrackerId};
//!
//! let mut writer = SyncLiveWriter::new(TrackerId::new(*b"\x0b\xad\xf0\x0d"));
//! let record = LiveRecord {
//!     info_hash: InfoHash::new([7; 20]),
//!     peer: PeerAddr::new("198.51.100.23".parse()?, 6881),
//!     flags: PeerFlags::SEEDING,
//! };
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
mod live;
mod octets;
mod packet;
mod packet_buf;
mod scrape_tell;
mod sync_live;
mod sync_live6;
mod writer;

pub use beacon::Beacon;
pub use error::{DecodeError, PushError};
pub use inquire::Inquire;
pub use live::LiveRecord;
pub use packet::{HEADER_LEN, MAX_PACKET, Packet};
pub use packet_buf::PacketBuf;
pub use scrape_tell::{ScrapeTell, ScrapeTellWriter, TellRecord};
pub use sync_live::{SyncLive, SyncLiveWriter};
pub use sync_live6::{SyncLive6, SyncLive6Writer};
