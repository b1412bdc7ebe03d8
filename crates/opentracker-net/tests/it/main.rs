//! The front end from outside: real sockets on loopback against a started server.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod announce;
mod full_scrape;
mod pages;
mod protocol;
mod scrape;
mod shutdown;
mod site;
