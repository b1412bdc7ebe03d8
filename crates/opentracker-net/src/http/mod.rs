//! HTTP: threads with a listener of each address, and the connections that they accept.

mod accept;
mod connection;
mod connections;
mod counters;
mod server;
mod shared;
mod thread;

pub use counters::Counter;
pub use server::{Config, Listeners, Server};
pub use shared::{HandOver, HandedOver};
