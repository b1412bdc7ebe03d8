//! The library from outside.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod config;
mod livesync;
mod tracker;
