//! Tests in network namespaces. They need root, and the packages that
//! `opentracker_lab::REQUIRED_PACKAGES` lists; a missing one fails them.
//!
//! - `network`: the lab itself: hosts, cables, partitions, drops.
//! - `cleanup`: nothing of a lab outlasts its test.
//! - `swarms`: the tracker under test brings real clients together.

mod cleanup;
mod network;
mod swarms;
