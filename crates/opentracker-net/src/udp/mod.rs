//! UDP: a group of sockets for each address, and a thread for each socket that takes up to 64
//! datagrams with one system call and answers them with another. [`xdp`] serves the same addresses below
//! the network stack.

mod proxied;
mod server;
pub mod xdp;

pub use server::{Config, Server, Sockets};
