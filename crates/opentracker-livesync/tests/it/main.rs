//! An instance by itself, and clusters of many on a simulated network.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod figures;
mod instance;
mod layout;
mod machine;
mod network;
mod relay;
mod seal;
mod simulation;
mod told;
mod traffic;
mod world;
