//! A BitTorrent tracker as a library: from a configuration to a running tracker.
//!
//! [`Config`] is everything that can be configured, read from files, the environment and flags by
//! [`config::Layers`] or set in code in [`config::Values`]. [`Tracker::start`] binds the listeners,
//! drops privileges, reads the access lists and starts the threads; [`Tracker::reload`] replaces
//! what can change at run time; [`Tracker::shutdown`] ends it. The parts are re-exported, for
//! programs that need only some of them.
//!
//! What this crate deliberately does not do: it sets up no logging (it emits `tracing` events),
//! handles no signals and parses no arguments; those are the program's.
//!
//! ```
//! use opentracker::{Tracker, config::Values};
//!
//! let mut values = Values::default();
//! values.udp.listen = vec!["127.0.0.1:0".parse()?];
//! values.http.listen = vec![];
//! let tracker = Tracker::start(values.validate()?)?;
//! assert_eq!(tracker.listeners()[0].protocol, "udp");
//! tracker.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
pub mod config;
mod fifo;
mod housekeeping;
mod lists;
pub mod livesync;
mod operator;
mod privileges;
mod reload;
mod settings;
mod start;
mod statedump;
mod tracker;

pub use check::Fault;
pub use config::{Config, ConfigErrors};
pub use fifo::{FifoAction, FifoError};
pub use lists::{ListChange, ListError};
pub use opentracker_admin as admin;
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
pub use privileges::PrivilegeError;
pub use reload::Reloaded;
pub use start::{Listener, StartError};
pub use statedump::{StatedumpError, StatedumpLoaded};
pub use tracker::Tracker;
