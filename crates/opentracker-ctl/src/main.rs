//! Operator's tools for opentracker.
fn main() {}
