//! The program from outside: against its own reflectors, and against small trackers that look at
//! what it sends.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod program;
mod tracker;

mod flood;
mod http;
mod livesync;
mod refusals;
mod udp;
mod ws;
