#![doc = include_str!("../README.md")]
//!
//! # Driving it
//!
//! Hand [`Instance::handle_packet`] the packets that came and the time, send what
//! [`Instance::poll_output`] returns, until it returns `None`, and call [`Instance::handle_timeout`]
//! at the instant that [`Instance::poll_timeout`] names. All tellers go by the same [`SharedId`].
#![deny(clippy::disallowed_methods)]

mod applying;
mod class;
mod counters;
mod identity;
mod instance;
mod roster;
mod settings;
mod teller;
mod telling;
mod view;

pub use class::Class;
pub use counters::Counter;
pub use identity::{FORMER_ID_LIFETIME, RENEWAL_INTERVAL};
pub use instance::{Instance, Output, Source};
pub use opentracker_peer_sync::{Dialect, SharedId};
pub use roster::{
    MAX_PACKETS_PER_SECOND, MAX_SIBLINGS_PER_SOURCE, MAX_SOURCES, SIBLING_LIFETIME, Sibling,
};
pub use settings::Settings;
pub use teller::{Teller, Transmit};
pub use view::View;
