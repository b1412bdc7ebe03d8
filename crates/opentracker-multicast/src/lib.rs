#![doc = include_str!("../README.md")]

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
