#![doc = include_str!("../README.md")]
//!
//! # Headers
//!
//! There is one type per header, each with its octet table, `decode` and `encode`.
//!
//! | header | type | octets | before |
//! |---|---|---|---|
//! | PROXY protocol 1 | [`HeaderV1`] | a line of up to 107 | a connection |
//! | PROXY protocol 2 | [`HeaderV2`] | 16 and more, up to 4096 here | a connection, or each datagram |
//! | Simple Proxy Protocol | [`SimpleHeader`] | 38 | each datagram, and each reply |
//!
//! A [`DecodeError`] says what is wrong and at which octet. No header begins as another one does.
#![deny(clippy::disallowed_methods)]
#![cfg_attr(
    not(test),
    no_std,
    deny(clippy::indexing_slicing, clippy::as_conversions)
)]

mod ends;
mod error;
mod header;
mod simple;
mod v1;
mod v2;

pub use ends::Ends;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use header::Header;
pub use simple::SimpleHeader;
pub use v1::HeaderV1;
pub use v2::{HeaderV2, Transport};
