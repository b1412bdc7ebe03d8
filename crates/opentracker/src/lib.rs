#![doc = include_str!("../README.md")]
//!
//! # Parts
//!
//! [`config::Layers`] makes a [`Config`] of files, environment and flags, [`config::Values`] of what was
//! set in code; both report every fault at once. [`Tracker::core`] reaches the swarms and the rules of a
//! tracker that runs, without a network.

mod blocks;
mod browsers;
mod certificates;
mod check;
pub mod config;
mod control;
mod descriptors;
mod fifo;
mod folders;
mod gauges;
mod housekeeping;
mod listening;
mod lists;
pub mod livesync;
mod memory;
mod operator;
mod passed;
mod privileges;
mod proxies;
mod pulse;
mod refusals;
mod reload;
mod sandbox;
mod secret;
mod settings;
mod snapshot;
mod sparingly;
mod start;
mod statedump;
mod tracker;
mod unix_time;

pub use certificates::{CertificateFault, HttpsError};
pub use check::Fault;
pub use config::{Config, ConfigErrors};
pub use descriptors::{TooFewDescriptors, raise_descriptor_limit};
pub use fifo::{FifoAction, FifoError};
pub use folders::Folders;
pub use listening::Listener;
pub use lists::{ListChange, ListChanges, ListError, ListKey};
pub use opentracker_admin as admin;
pub use opentracker_api as api;
pub use opentracker_core as core;
pub use opentracker_http as http;
pub use opentracker_http_wire as http_wire;
pub use opentracker_livesync_wire as livesync_wire;
pub use opentracker_multicast as multicast;
pub use opentracker_net as net;
pub use opentracker_peer_sync as peer_sync;
pub use opentracker_scrape_sync as scrape_sync;
pub use opentracker_types as types;
pub use opentracker_udp as udp;
pub use opentracker_udp_wire as udp_wire;
pub use operator::TokenError;
pub use passed::{PassedError, PassedKind, PassedSocket};
pub use privileges::PrivilegeError;
pub use pulse::Pulse;
pub use reload::{ReloadStatus, Reloaded};
pub use secret::SecretError;
pub use snapshot::{
    SnapshotCounter, SnapshotError, SnapshotNowError, SnapshotStatus, SnapshotWritten,
};
pub use start::{Launch, StartError};
pub use statedump::{StatedumpError, StatedumpLoaded};
pub use tracker::{Prepared, Tracker};
