#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod across;
mod binary;
mod counters;
mod frame;
mod handshake;
mod message;
mod nodes;
mod session;

pub use counters::Counter;
pub use frame::MAX_MESSAGE_OCTETS;
pub use handshake::handshake_response;
pub use nodes::{
    MAX_KNOWN, MAX_NODE_MESSAGE_OCTETS, MAX_OFFERS_TO_ALL, MAX_SEEKS_PER_SECOND, NodeId,
    NodeMessage, Nodes,
};
pub use session::{CloseCode, Context, Delivery, MAX_SWARMS, Session, Settings};
