#![doc = include_str!("../README.md")]

mod batch;
mod bind;
mod calls;
mod meta;
mod options;
mod receive;
mod send;

pub use batch::Batch;
pub use bind::{
    BindError, BindStep, Listen, TcpOptions, Transport, adopt_tcp, adopt_udp, bind_multicast,
    bind_tcp, bind_udp, is_v6_only,
};
pub use options::{
    defer_accept, enable_packet_info, postpone_port, set_receive_buffer, set_send_buffer, shut_down,
};
pub use receive::ReceiveBatch;
pub use send::{SendBatch, Sent};

/// The most datagrams of one system call.
pub const MAX_BATCH: usize = 64;

/// The most octets of a datagram; the rest of a longer one that arrives is cut off.
///
/// The longest request that means anything to a tracker, a scrape of 74 info hashes (BEP 15), has
/// 1,496. It is an odd number of cache lines, 31: buffers whose distance is a power of two would take
/// each other's place in the first cache.
pub const DATAGRAM_OCTETS: usize = 1984;
