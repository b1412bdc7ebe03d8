//! Test hosts in network namespaces, with real BitTorrent clients.
//!
//! A [`Lab`] is a network of its own inside this machine: a bridge, and any number of [`Host`]s
//! plugged into it, each a network namespace with an IPv4 and an IPv6 address. A host runs
//! programs ([`Host::command`]) and closures of the test ([`Host::enter`]), among the programs
//! the tracker under test ([`Tracker`]) and four clients ([`Client`]) that seed or fetch a
//! [`Torrent`]. Cables can be pulled, the network parted, packets dropped ([`Host::unplug`],
//! [`Lab::partition`], [`Host::drop_incoming`]).
//!
//! What it deliberately does not do: it touches no interface, address or packet filter of the
//! machine itself, and its hosts cannot reach the world. It returns no errors: what goes wrong
//! while a network is set up fails the test, so it panics, with the command and its output. It
//! shares no codec with the tracker, so that no mistake can hide on both sides.
//!
//! # How to write another lab test
//!
//! Put it into `tests/it/` of this crate. Such tests need root, and the packages of
//! [`REQUIRED_PACKAGES`] on Debian 12; a missing one fails the test and is named. A plain
//! `cargo test` leaves them out, so ask for them:
//!
//! ```text
//! cargo build -p opentracker-daemon
//! cargo test -p opentracker-lab --test it -- --test-threads=8
//! ```
//!
//! Give each lab a name of its own. Wait for what you need with [`Lab::wait_until`] instead of
//! sleeping. To show that a packet does *not* arrive, do not wait for its absence: send it, wait
//! until it is counted as dropped, undo the obstacle, send another, and see that one come first.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use opentracker_lab::{Client, Family, Lab, Scheme, Torrent, Tracker};
//!
//! let lab = Lab::new("one-seeder-one-leecher");
//! let (tracker_host, alice, bob) = (lab.host("tracker"), lab.host("alice"), lab.host("bob"));
//!
//! let endpoint = Tracker::endpoint(&tracker_host, Scheme::Udp, Family::V4);
//! let torrent = Torrent::random(1, 3 << 20, &endpoint.announce_url());
//! let _tracker = Tracker::start(&tracker_host, &[torrent.info_hash()], &[endpoint]);
//!
//! let _seeder = Client::Transmission.seed(&alice, &torrent);
//! lab.wait_until(Duration::from_secs(20), "the tracker has the seeder", || {
//!     endpoint
//!         .scrape(&bob, torrent.info_hash())
//!         .is_ok_and(|counts| counts.seeders == 1)
//! });
//! Client::Aria2
//!     .fetch(&bob, &torrent)
//!     .wait_until_complete(Duration::from_secs(20));
//! ```
//!
//! Besides, [`manual`] holds the files of `docs/` that are made of what the programs declare, and
//! [`nats`] makes certificates and credentials for a NATS server; [`tls`] has certificates for the tracker.
//!
//! The logs of a lab lie in `lab/<name>/` of the target folder, one for each program that ran,
//! and the message of each failed wait shows their ends.

pub mod bencode;
pub mod http;
pub mod manual;
pub mod nats;
pub mod tls;

mod client;
mod endpoint;
mod filter;
mod host;
mod janitor;
mod lab;
mod namespace;
mod process;
mod requirements;
mod torrent;
mod tracker;
mod uninterrupted;
mod wait;

pub use client::{Client, Session};
pub use endpoint::{Endpoint, Scheme, compact_peers};
pub use host::{Family, Host};
pub use lab::Lab;
pub use nix::sys::signal::Signal;
pub use process::{HostCommand, Process};
pub use requirements::{REQUIRED_PACKAGES, missing_packages};
pub use torrent::Torrent;
pub use tracker::{Tracker, program_under_test};
pub use uninterrupted::uninterrupted;
