#![doc = include_str!("../README.md")]

mod bpf;
mod calls;
mod error;
mod instructions;
mod interface;
mod memory;
mod network;
mod packet;
mod program;
mod queue;
mod ring;
mod table;

pub use error::{OpenError, Step};
pub use interface::{Config, Interface, Mode};
pub use network::{Address, Link, Network};
pub use packet::{Packet, Route};
pub use queue::{Lost, Queue, Sent, Stop, Stopper, stop};

/// The most datagrams that [`Queue::receive`] takes at a time.
pub const MAX_BATCH: usize = 64;

/// The most octets of a reply or of a request that is made here.
pub const PAYLOAD_OCTETS: usize = 1982;
