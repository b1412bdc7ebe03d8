//! Datagrams to and from an IPv4 multicast group, over one interface, through all that happens
//! to interfaces.
//!
//! A [`Group`] joins on the interface that has a given address. It takes only datagrams that
//! were sent to the group, only from that interface, and only from networks that are listed. It
//! looks after its membership: an interface that goes down and comes back, loses its address and
//! regains it, or is removed and made anew is joined again, and the log says so. Several programs
//! on one host may be in one group, and each gets its copy.
//!
//! What this crate deliberately does not do: it knows no packet format, sends nothing on its own
//! and keeps nothing that it received. It speaks IPv4 multicast alone: what it carries
//! (docs/livesync.md) fills an Ethernet frame to the last record behind an IPv4 header, and would
//! not fit behind the longer one of IPv6. The peers within may be of either family.
//!
//! ```no_run
//! use opentracker_multicast::{Group, GroupConfig};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = GroupConfig::new("224.0.23.5:9696".parse()?, "192.168.0.1".parse()?);
//! config.sources = vec!["192.168.0.4/32".parse()?];
//! let mut group = Group::join(config)?;
//! group.send(b"good morning").await?;
//!
//! let mut buffer = [0; 2048];
//! loop {
//!     let (octets, source) = group.recv(&mut buffer).await?;
//!     println!("{source} says {:?}", &buffer[..octets]);
//!     // Take what else is there without going to sleep, but not for ever.
//!     for _ in 0..64 {
//!         let Some((octets, source)) = group.try_recv(&mut buffer)? else {
//!             break;
//!         };
//!         println!("{source} says {:?}", &buffer[..octets]);
//!     }
//! }
//! # }
//! ```

mod config;
mod counters;
mod error;
mod group;
mod interface;
mod membership;

pub use config::GroupConfig;
pub use counters::Counters;
pub use error::JoinError;
pub use group::{Group, MAX_STRANGERS_PER_CALL, Sender};
