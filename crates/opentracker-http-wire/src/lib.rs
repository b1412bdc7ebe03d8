//! Codec of the BitTorrent HTTP tracker protocol, both directions: query string to request and
//! back, reply to bencode and back (BEP 3, 7, 21, 23, 24, 31, 48).
//!
//! | what | tracker | client |
//! |---|---|---|
//! | announce query | [`AnnounceQuery::decode`] | [`AnnounceQuery::encode`] |
//! | scrape query | [`ScrapeQuery::decode`] | [`ScrapeQuery::encode`] |
//! | announce reply | [`AnnounceReply::encode`] | [`AnnounceReply::decode`] |
//! | scrape reply | [`ScrapeReply::begin`] | [`ScrapeReply::decode`] |
//! | refusal | [`Failure::encode`] | part of an [`Answer`] |
//!
//! A query is the octets after the `?` of the request target, which may be any octets at all.
//! Encoders append to the caller's `Vec<u8>`; where it is used again, nothing is allocated once
//! it has grown to its working size. Decoding allocates nothing and borrows from its input.
//! Nothing here panics, whatever the octets are. [`bencode`] is the reader that the reply
//! decoders stand on, for other uses too.
//!
//! What this crate deliberately does not do: it knows no HTTP head, status or header, owns no
//! socket, does not decide who may announce what, and writes no peer id, since a tracker tells
//! peers by address and port alone.
//!
//! # Driving it as a tracker
//!
//! ```
//! use opentracker_http_wire::{AnnounceQuery, AnnounceReply, Failure, Peers};
//! use opentracker_types::SwarmCounts;
//!
//! let mut body = Vec::new();
//! match AnnounceQuery::decode(b"info_hash=aaaaaaaaaaaaaaaaaaa%00&port=6881&left=0") {
//!     Ok(query) => {
//!         assert!(query.announce.is_seeder());
//!         let compact = [192, 0, 2, 7, 0x1a, 0xe1];
//!         let reply = AnnounceReply {
//!             counts: SwarmCounts { seeders: 1, leechers: 1, downloads: 0 },
//!             interval_secs: 1800,
//!             min_interval_secs: Some(900),
//!             external_ip: None,
//!             peers: Peers::of_query(&query, &compact, None),
//!             warning: None,
//!         };
//!         reply.encode(&mut body);
//!     }
//!     Err(error) => Failure::new(error.message()).encode(&mut body),
//! }
//! assert_eq!(
//!     body,
//!     b"d8:completei1e10:downloadedi0e10:incompletei1e8:intervali1800e\
//!       12:min intervali900e5:peers6:\xc0\x00\x02\x07\x1a\xe1e"
//! );
//! ```
//!
//! # Driving it as a client
//!
//! ```
//! use opentracker_http_wire::{AnnounceReply, Answer, ScrapeQuery};
//! use opentracker_types::InfoHash;
//!
//! let mut target = b"/scrape?".to_vec();
//! ScrapeQuery::new([InfoHash::new(*b"abcdefghijklmnopqrs/")]).encode(&mut target);
//! assert_eq!(target, b"/scrape?info_hash=abcdefghijklmnopqrs%2F");
//!
//! match AnnounceReply::decode(b"d14:failure reason8:not here8:retry in5:nevere")? {
//!     Answer::Reply(reply) => println!("{} peers", reply.peers.iter().count()),
//!     Answer::Failure(failure) => assert_eq!(failure.reason, b"not here"),
//! }
//! # Ok::<(), opentracker_http_wire::DecodeError>(())
//! ```
#![deny(clippy::disallowed_methods)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::as_conversions))]

pub mod bencode;

mod announce_query;
mod announce_reply;
mod error;
mod failure;
mod peers;
mod percent;
mod query;
mod read;
mod scrape_query;
mod scrape_reply;
mod write;

pub use announce_query::AnnounceQuery;
pub use announce_reply::AnnounceReply;
pub use error::{DecodeError, QueryError};
pub use failure::{Answer, Failure, RetryIn};
pub use peers::Peers;
pub use query::QueryPairs;
pub use scrape_query::ScrapeQuery;
pub use scrape_reply::{ScrapeReply, ScrapeReplyWriter};
