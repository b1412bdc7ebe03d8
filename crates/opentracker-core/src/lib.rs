#![doc = include_str!("../README.md")]
//!
//! # What is called by whom
//!
//! | who | what |
//! |---|---|
//! | a front end | [`Worker::announce`], [`Worker::scrape`]; for batches [`Worker::prefetch_announces`]; for browsers [`Worker::announce_web`] |
//! | live sync | [`Tracker::apply_peers`], [`Tracker::apply_downloads`]; it hears of announces as a [`Cluster`] |
//! | whoever lists torrents | [`Walk::next_part`] |
//! | a snapshot | [`SwarmWalk::step`], [`Tracker::restore`] |
//! | a timer | [`Sweeper`], [`Worker::handle_timeout`] |
//! | who looks on | [`Tracker::subscribe_to_events`], [`Tracker::subscribe_to_requests`] |
//! | a reload | [`Tracker::set_rules`], [`Tracker::purge`], [`Tracker::purge_networks`] |
//!
//! All [`Rules`] are replaced at once: a request sees all of the old ones or all of the new.
#![deny(clippy::disallowed_methods)]

mod access;
mod apply;
mod busy_networks;
mod cells;
mod clients;
mod counters;
mod habits;
mod histogram;
#[cfg(all(test, shuttle))]
mod interleavings;
mod logged_address;
mod rate;
mod refusals;
mod request;
mod rules;
mod sampler;
mod saved;
mod sync;
mod topic;
mod trace;
mod tracker;
mod walk;
mod worker;

pub use access::{AccessLists, ClientList, HashList, Networks, Skipped, Verdict};
pub use apply::{Applied, MAX_DOWNLOADS, ToldDownloads, ToldPeer};
pub use busy_networks::BusyNetworks;
pub use clients::Client;
pub use counters::{CounterRegistry, CounterSet, Counters, Family, FamilySums, LISTENER_LABEL};
pub use habits::Habit;
pub use histogram::{Histogram, HistogramFamily, HistogramSums};
pub use logged_address::LoggedAddress;
pub use opentracker_store::{
    Family as AddressFamily, Key, Limits, PeerBuffers, PerKind, Removed, Timing, TorrentSummary,
    Totals, WebConnection, WebPeer,
};
pub use rate::{Limited, MAX_PREFIXES, Rate, Step};
pub use refusals::RefusedAnnounce;
pub use request::{AnnounceReply, Reason, Refusal, Requester, Retry};
pub use rules::{Rules, Settings};
pub use saved::{Restored, SwarmWalk};
pub use topic::{MAX_UNREAD, Subscription};
pub use trace::{Outcome, SwarmEvent, SwarmEventKind, Traced, TracedRequest};
pub use tracker::{Sweeper, Tracker};
pub use walk::Walk;
pub use worker::{Cluster, Counter, Worker};
