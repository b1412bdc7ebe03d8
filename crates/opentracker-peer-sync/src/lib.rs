#![doc = include_str!("../README.md")]
//!
//! # Driving it
//!
//! [`Accumulator::handle_announce`] takes an announce. After it, and after
//! [`Accumulator::handle_timeout`], send what [`Accumulator::poll_output`] returns, until it returns
//! `None`. [`Accumulator::poll_timeout`] says when to call [`Accumulator::handle_timeout`] next.
#![deny(clippy::disallowed_methods)]

mod accumulator;
mod filling;
mod settings;

pub use accumulator::{Accumulator, Counters, MAX_READY, Output};
pub use settings::{Dialect, Settings};
