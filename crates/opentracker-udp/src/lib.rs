#![doc = include_str!("../README.md")]
//!
//! # Batches
//!
//! A batch is one call, [`Handler::handle_batch`] with something that implements [`Datagrams`]. Each
//! request is decoded once; what has no valid connection id is dropped before anything is looked up. The
//! threads of a tracker share one [`Connections`], so that a client may reach any of them.
#![deny(clippy::disallowed_methods)]

mod connection_id;
mod connections;
mod counters;
mod handler;

pub use connection_id::ConnectionKeys;
pub use connections::Connections;
pub use counters::Counter;
pub use handler::{Datagrams, Handler};
