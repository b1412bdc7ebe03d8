//! Tests in network namespaces. They need root, and the packages that
//! `opentracker_lab::REQUIRED_PACKAGES` lists; a missing one fails them.
//!
//! - `network`: the lab itself: hosts, cables, partitions, drops.
//! - `cleanup`: nothing of a lab outlasts its test.
//! - `cluster`: trackers under test keep each other informed.
//! - `documentation`: the commands of the documentation.
//! - `https`: clients with other libraries of TLS than the tracker's.
//! - `islands`: trackers of several networks are one cluster, over NATS and unicast.
//! - `links`: the network under a tracker goes and comes back.
//! - `newcomers`: a tracker that has just started learns the peers of another.
//! - `proxies`: the tracker under test behind nginx and haproxy.
//! - `swarms`: the tracker under test brings real clients together.

mod cleanup;
mod cluster;
mod documentation;
mod https;
mod islands;
mod links;
mod network;
mod newcomers;
mod proxies;
mod swarms;
