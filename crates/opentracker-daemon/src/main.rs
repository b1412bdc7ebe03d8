//! The BitTorrent tracker program opentracker.
fn main() {}
