#![doc = include_str!("../README.md")]
//!
//! # Parts
//!
//! [`udp`] and [`http`] have a `Config` each, something that is bound ([`udp::Sockets`],
//! [`http::Listeners`]) and a `Server` that runs. [`Listen`] is an address with what else belongs to
//! it. [`http::HandOver`] takes the connections that ask for something else than announces and scrapes.
//! [`unicast::Unicast`] carries the packets of live sync.

mod bind;
mod duration;
mod heartbeat;
pub mod http;
pub mod tls;
pub mod udp;
pub mod unicast;

pub use bind::Listen;
pub use heartbeat::Heartbeat;
pub use opentracker_datagrams::BindError;
