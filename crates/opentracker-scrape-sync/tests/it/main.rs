//! The machine against the rules of docs/livesync.md, Scrape sync: each rule by name, every
//! course of events in small clusters, random ones in a large cluster, and noise.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::time::Instant;

mod cluster;
mod model;
mod noise;
mod rules;

fn start() -> Instant {
    Instant::now()
}
