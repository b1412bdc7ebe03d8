//! Batched datagrams, bind rules and socket options: what a UDP server, a load generator and a
//! multicast member need of Linux and std does not offer.
//!
//! - [`Batch`] is the server's side: up to 64 datagrams with one system call (`recvmmsg`), and the
//!   replies to them with another (`sendmmsg`). A reply leaves from the address that was asked
//!   (`IP_PKTINFO`), also behind a wildcard address.
//! - [`SendBatch`] and [`ReceiveBatch`] are the client's side: datagrams from many source addresses
//!   of one socket, in *trains* that the kernel takes apart at the end (`UDP_SEGMENT`).
//! - [`bind_udp`] and [`bind_tcp`] open a group of sockets that share an address (`SO_REUSEPORT`),
//!   and refuse an address that another process has. [`bind_multicast`] opens the socket of a
//!   member of a multicast group.
//! - Six functions set socket options that neither std nor socket2 has: buffers beyond the limit,
//!   packet information, deferred accepts.
//!
//! Buffers are allocated once: a batch lives as long as the thread that drives it.
//!
//! What this crate deliberately does not do: it knows no protocol, starts no thread and needs no
//! runtime, and it takes sockets of std, which its caller may register with any poller. It is
//! written for Linux alone. All unsafe code of those who use it is here, in two files: the two
//! batched calls, and one `setsockopt`.
//!
//! ```
//! use std::net::UdpSocket;
//! use opentracker_datagrams::{Batch, Listen, bind_udp};
//!
//! let listen = Listen { address: "127.0.0.1:0".parse()?, v6_only: false, sockets: 1 };
//! let server = bind_udp(listen)?.remove(0);
//! let client = UdpSocket::bind("127.0.0.1:0")?;
//! client.send_to(b"ping", server.local_addr()?)?;
//!
//! let mut batch = Batch::new(64, 1232);
//! batch.receive(&server)?;
//! for index in 0..batch.len() {
//!     let Some((request, _source)) = batch.request(index) else { continue };
//!     let octets = request.len();
//!     batch.reply(index)[..octets].copy_from_slice(b"pong");
//!     batch.queue(index, octets);
//! }
//! assert_eq!(batch.send(&server).sent, 1);
//!
//! let mut reply = [0; 4];
//! client.recv(&mut reply)?;
//! assert_eq!(&reply, b"pong");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod bind;
mod calls;
mod meta;
mod options;
mod receive;
mod send;

pub use batch::Batch;
pub use bind::{
    BindError, Listen, Step, TcpOptions, Transport, bind_multicast, bind_tcp, bind_udp, is_v6_only,
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
/// 1,496.
pub const DATAGRAM_OCTETS: usize = 2048;
