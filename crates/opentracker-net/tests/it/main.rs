//! The sockets from outside, on loopback.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod announce;
mod limits;
mod protocol;
mod proxies;
mod scrape;
mod shutdown;
mod site;
mod tls;
mod udp;
mod unicast;
