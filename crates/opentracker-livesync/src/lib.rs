#![doc = include_str!("../README.md")]
//!
//! # Driving it
//!
//! Hand [`Instance::handle_packet`] the packets that came and the time, send what
//! [`Instance::poll_output`] returns, until it returns `None`, and call [`Instance::handle_timeout`]
//! at the instant that [`Instance::poll_timeout`] names. What tellers hand over goes out by [`Instance::tell`].
#![deny(clippy::disallowed_methods)]

mod applying;
mod carrier;
mod class;
mod clocks;
mod counters;
mod identity;
mod instance;
mod members;
mod pace;
mod queue;
mod relay;
mod roster;
mod sealer;
mod settings;
mod sibling;
mod teller;
mod telling;
mod view;
mod window;

pub use carrier::{Carrier, Kind, Kinds, Status};
pub use class::Class;
pub use clocks::{CLOCK_WARNING_SECS, MAX_CLOCK_DIFFERENCE_SECS};
pub use counters::Counter;
pub use identity::{FORMER_ID_LIFETIME, RENEWAL_INTERVAL};
pub use instance::{Instance, Output, Source};
pub use members::MAX_MEMBERS;
pub use opentracker_livesync_wire::{Key, KeyName, Keys};
pub use opentracker_peer_sync::Dialect;
pub use pace::MAX_PACKETS_PER_SECOND;
pub use queue::Queue;
pub use roster::{MAX_SIBLINGS_PER_SOURCE, MAX_SOURCES, SIBLING_LIFETIME};
pub use settings::Settings;
pub use sibling::{Sibling, SiblingSeal};
pub use teller::{Teller, Transmit};
pub use view::View;
pub use window::WINDOW;
