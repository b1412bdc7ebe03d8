#![doc = include_str!("../README.md")]
//!
//! # Driving it
//!
//! [`Session::next_step`] says what the driver is to do with the socket: a [`Step`]. At
//! [`Step::HandOver`] the connection leaves with what was read of it, and so it does at [`Step::Upgrade`],
//! for which a response is still to be sent.
//!
//! # Bounds
//!
//! A head has at most 8 KiB and 64 fields (431), arrives in time (408) and has no body (400). A client
//! that does not read is not read from, and is cut off ([`Limits`]). Whose forwarding fields count is
//! [`Forwarding`]. A connection that has to begin with a PROXY header is [`Session::behind_proxy`].
#![deny(clippy::disallowed_methods)]

mod counters;
#[cfg(test)]
mod fixture;
mod forwarded;
mod handler;
mod head;
mod response;
mod session;
mod settings;
mod source;

pub use counters::Counter;
pub use forwarded::{Client, Via};
pub use handler::{Handler, Upgrade};
pub use session::{Context, Session, Step};
pub use settings::{CrossOrigin, ForwardedHeader, Forwarding, Limits, WebSockets};
pub use source::Source;
