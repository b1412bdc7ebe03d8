//! The store from outside: against a plain model, and the statistics of its choices.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod model;
mod selection;
