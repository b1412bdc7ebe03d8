//! Codec of the BitTorrent UDP tracker protocol (BEP 15, BEP 41), both directions.
//!
//! A tracker decodes a [`Request`] and writes a reply; a client or a load generator encodes
//! requests and decodes a [`Reply`]. There is one type per packet, each with its octet table,
//! `decode` and `encode`. Integers are big-endian on the wire and plain integers here.
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
//! Nothing here allocates, and nothing panics whatever the octets are. Decoding borrows from the
//! packet, encoding writes into the caller's buffer and returns how many octets it wrote. A packet
//! may be longer than its fixed part: octets that have no meaning here are ignored, as BEP 15 asks
//! of both sides.
//!
//! What this crate deliberately does not do: it owns no socket, makes and checks no connection id,
//! and refuses nothing that is well-formed (a port of 0, say). Those are the tracker's rules.
//!
//! # Driving it as a tracker
//!
//! The hot path writes peers straight into the reply:
//!
//! ```
//! use opentracker_types::SwarmCounts;
//! use opentracker_udp_wire::{AnnounceReply, DecodeErrorKind, Request};
//!
//! # use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerId};
//! # let mut packet = [0; 98];
//! # opentracker_udp_wire::AnnounceRequest {
//! #     connection: 7.into(),
//! #     transaction: 9.into(),
//! #     announce: AnnounceRequest {
//! #         info_hash: InfoHash::new([1; 20]),
//! #         peer_id: Some(PeerId::new([2; 20])),
//! #         port: 6881,
//! #         left: Some(0),
//! #         event: Event::Started,
//! #         num_want: None,
//! #     },
//! #     downloaded: 0,
//! #     uploaded: 0,
//! #     ip: [0; 4],
//! #     key: 0,
//! #     options: Default::default(),
//! # }
//! # .encode(&mut packet)?;
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
//!
//! # Driving it as a client
//!
//! ```
//! use opentracker_udp_wire::{ConnectRequest, Reply};
//!
//! let mut packet = [0; ConnectRequest::WIRE_LEN];
//! let octets = ConnectRequest { transaction: 0x2a.into() }.encode(&mut packet)?;
//! assert_eq!(octets, packet.len());
//!
//! # let received = [0, 0, 0, 0, 0, 0, 0, 0x2a, 1, 2, 3, 4, 5, 6, 7, 8];
//! match Reply::decode(&received)? {
//!     Reply::Connect(reply) => assert_eq!(reply.transaction, 0x2a.into()),
//!     other => panic!("not what was asked for: {other:?}"),
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
mod id;
mod reply;
mod request;
mod scrape_reply;
mod scrape_request;
#[cfg(test)]
mod testing;
mod wire;

pub use announce_options::{AnnounceOption, AnnounceOptionIter, AnnounceOptions};
pub use announce_reply::{AnnounceReply, AnnounceReplyBuilder};
pub use announce_request::AnnounceRequest;
pub use connect_reply::ConnectReply;
pub use connect_request::ConnectRequest;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use error_reply::ErrorReply;
pub use id::{ConnectionId, TransactionId};
pub use reply::Reply;
pub use request::Request;
pub use scrape_reply::{ScrapeReply, ScrapeReplyBuilder};
pub use scrape_request::ScrapeRequest;
