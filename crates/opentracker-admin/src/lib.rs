#![doc = include_str!("../README.md")]
//!
//! # Pages
//!
//! | path | answer | for |
//! |---|---|---|
//! | `/` | the dashboard, or a redirect | `stats` |
//! | `/` | the page with the announce URLs | everybody else |
//! | `/healthz`, `/readyz` | one word | everybody |
//! | `/stats?mode=…` | the C program's statistics | `stats` |
//! | `/stats?mode=woodpeckers`, `tpbs`, `statedump` | those that name networks or all torrents | `admin` |
//! | `/stats?mode=cluster` | the nodes of the cluster | the operator's listener, `admin` |
//! | `/metrics` | Prometheus, text format 0.0.4 | the operator's listener, `admin` |
//! | `/scrape` | the counts of all torrents, in pieces | `admin` |
//! | `/api/v1/…` | the admin API, whose `openapi.json` says what there is | as it says |
//!
//! `stats` and `admin` are networks ([`PageRules`]) and count on the public listeners; who has
//! `admin` has `stats`. On the operator's own listener everybody may read what the table says,
//! whatever his address, but no proxy is trusted: a request with a forwarding field, a foreign
//! `Host` or a foreign `Origin` is answered 403.
//!
//! # Bounds
//!
//! Connections, their heads, the time that they take and the full scrapes under way are bounded
//! ([`Limits`]). What is long is sent compressed to clients that accept it (zstd, gzip).
//!
//! On a connection that was handed over ([`Handle::take`]), hyper reads the requests: one whose target
//! has octets that are not UTF-8 is answered 400 there, while an announce thread serves it.

mod activity;
mod api;
mod body;
mod busy;
mod cluster;
mod coding;
mod connection;
mod control;
mod counters;
mod dashboard;
mod everything;
#[cfg(test)]
mod fixture;
mod gauge;
mod listing;
mod metrics;
mod mode;
mod pace;
mod plane;
mod process;
mod rights;
mod router;
mod settings;
mod snapshot;
mod sorted_walk;
mod stats;
mod stream;
mod thread;
mod token;
mod top;
mod trends;
mod welcome;

pub use api::verdict_of;
pub use cluster::{Cluster, ClusterCarrier, ClusterNode};
pub use control::{Control, ControlError, ControlSlot};
pub use counters::Counter;
pub use gauge::Gauge;
pub use plane::{Handle, Plane};
pub use settings::{ClusterView, Config, Identity, Limits, PageRules};
pub use thread::{Listeners, OverTls, Socket};
pub use token::{BadToken, MIN_TOKEN_OCTETS, Token};
pub use trends::{Trends, TrendsError};
