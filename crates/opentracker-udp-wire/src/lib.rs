#![doc = include_str!("../README.md")]
//!
//! # Packets
//!
//! There is one type per packet, each with its octet table, `decode` and `encode`. Integers are
//! big-endian on the wire and plain integers here.
//!
//! | packet | type | octets |
//! |---|---|---|
//! | connect request | [`ConnectRequest`] | 16 |
//! | connect reply | [`ConnectReply`] | 16 |
//! | announce request | [`AnnounceRequest`] | 98 and options (BEP 41) |
//! | announce reply | [`AnnounceReply`], [`AnnounceReplyBuilder`] | 20 and 6 or 18 a peer |
//! | scrape request | [`ScrapeRequest`] | 16 and 20 an info hash |
//! | scrape reply | [`ScrapeReply`], [`ScrapeReplyBuilder`] | 8 and 12 an entry |
//! | error reply | [`ErrorReply`] | 8 and a message |
//!
//! A packet may be longer than its fixed part: octets that have no meaning here are ignored, as
//! BEP 15 asks of both sides. [`Request`] and [`Reply`] decode any packet of one direction; a
//! [`DecodeError`] says what is wrong and at which octet.
//!
//! # Driving it as a tracker
//!
//! The hot path writes peers straight into the reply:
//!
//! ```
//! use opentracker_udp_wire::types::SwarmCounts;
//! use opentracker_udp_wire::{AnnounceReply, DecodeErrorKind, Request};
//!
//! # use opentracker_udp_wire::types::{AnnounceRequest, InfoHash};
//! # let mut packet = [0; 98];
//! # let announce = AnnounceRequest::new(InfoHash::new([1; 20]), 6881).with_left(0);
//! # opentracker_udp_wire::AnnounceRequest::new(7.into(), 9.into(), announce)
//! #     .encode(&mut packet)?;
//! # let mut buffer = [0; 1232];
//! match Request::decode(&packet) {
//!     Ok(Request::Announce(request)) => {
//!         assert!(request.announce.is_seeder());
//!         let mut reply = AnnounceReply::begin(&mut buffer)?;
//!         // The store copies its choice of peers here, in compact form.
//!         reply.peers_area()[..6].copy_from_slice(&[192, 0, 2, 7, 0x1a, 0xe1]);
//!         let counts = SwarmCounts { seeders: 1, leechers: 1, downloads: 0 };
//!         assert_eq!(reply.finish(request.transaction, 1800, counts, 6), 26);
//!     }
//!     Ok(_) => unreachable!("this packet is an announce"),
//!     // Count it by kind; an error packet is possible where the transaction is known.
//!     Err(error) => assert_ne!(error.kind(), DecodeErrorKind::BadMagic),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(clippy::disallowed_methods)]
#![cfg_attr(
    not(test),
    no_std,
    deny(clippy::indexing_slicing, clippy::as_conversions)
)]

mod announce_options;
mod announce_reply;
mod announce_request;
mod connect_reply;
mod connect_request;
mod error;
mod error_reply;
mod reply;
mod request;
mod scrape_reply;
mod scrape_request;
#[cfg(test)]
mod testing;
mod wire;

pub use opentracker_types as types;
pub use opentracker_types::{ConnectionId, TransactionId};

pub use announce_options::{AnnounceOption, AnnounceOptionIter, AnnounceOptions};
pub use announce_reply::{AnnounceReply, AnnounceReplyBuilder};
pub use announce_request::AnnounceRequest;
pub use connect_reply::ConnectReply;
pub use connect_request::ConnectRequest;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use error_reply::ErrorReply;
pub use reply::Reply;
pub use request::Request;
pub use scrape_reply::{ScrapeReply, ScrapeReplyBuilder};
pub use scrape_request::ScrapeRequest;
