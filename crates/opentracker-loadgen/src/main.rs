//! Load generator for BitTorrent trackers: UDP, HTTP and live sync.
fn main() {}
