//! The operator plane from outside: real sockets on loopback, connections handed over by a small
//! accept loop in place of the announce threads.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod access;
mod connections;
mod full_scrape;
mod metrics;
mod pages;
mod site;
