//! The library from outside.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod config;
mod machine;
mod network;
mod node;
mod simulation;
mod tracker;
mod world;
