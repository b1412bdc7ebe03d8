#![doc = include_str!("../README.md")]
//!
//! # Messages
//!
//! | what | tracker | client |
//! |---|---|---|
//! | announce query | [`AnnounceQuery::decode`] | [`AnnounceQuery::encode`] |
//! | scrape query | [`ScrapeQuery::decode`] | [`ScrapeQuery::encode`] |
//! | announce reply | [`AnnounceReply::encode`] | [`AnnounceReply::decode`] |
//! | scrape reply | [`ScrapeReply::begin`] | [`ScrapeReply::decode`] |
//! | refusal | [`Failure::encode`] | part of an [`Answer`] |
//!
//! A query is the octets after the `?` of the request target, which may be any octets at all. A
//! [`QueryError`] names the parameter that is at fault, in words for the client; a
//! [`DecodeError`] says what is wrong with a reply, and at which octet. [`bencode`] is the reader
//! that the reply decoders stand on, for other uses too.
#![deny(clippy::disallowed_methods)]
#![cfg_attr(
    not(test),
    no_std,
    deny(clippy::indexing_slicing, clippy::as_conversions)
)]

extern crate alloc;

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

pub use opentracker_types as types;

pub use announce_query::AnnounceQuery;
pub use announce_reply::AnnounceReply;
pub use error::{DecodeError, DecodeErrorKind, QueryError, QueryErrorKind};
pub use failure::{Answer, Failure, RetryIn};
pub use peers::Peers;
pub use query::QueryPairs;
pub use scrape_query::ScrapeQuery;
pub use scrape_reply::{ScrapeReply, ScrapeReplyWriter};
