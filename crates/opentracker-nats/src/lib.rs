#![doc = include_str!("../README.md")]

mod config;
mod connection;
mod link;
mod nats;
mod server;
mod shared;

pub use config::{NatsConfig, StartError, Subject, SubjectError};
pub use link::Link;
pub use nats::Nats;
pub use server::{Server, ServerError};
pub use shared::{MAX_INCOMING, MAX_WAITING};
