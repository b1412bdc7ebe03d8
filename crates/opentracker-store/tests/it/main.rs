//! The store from outside: against a plain model, the lives of its torrents, and the
//! statistics of its choices.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod lifetime;
mod model;
mod operations;
mod saved;
mod selection;
mod web;
