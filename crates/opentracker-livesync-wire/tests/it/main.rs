//! The codec against captured packets, against itself, and against noise.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod c_nodes;
mod golden;
mod roundtrip;
mod rules;
