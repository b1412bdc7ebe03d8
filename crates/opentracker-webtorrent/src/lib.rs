#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod binary;
mod counters;
mod frame;
mod handshake;
mod message;
mod session;

pub use counters::Counter;
pub use frame::MAX_MESSAGE_OCTETS;
pub use handshake::handshake_response;
pub use session::{CloseCode, Context, Delivery, MAX_SWARMS, Session, Settings};
