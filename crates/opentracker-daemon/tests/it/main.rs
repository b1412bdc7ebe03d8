//! The contract of the program, tested from outside: the real binary, raw sockets, requests written
//! octet by octet, replies read by readers of the tests' own. Nothing of the project's codecs is
//! used, so that an error in them cannot hide itself.
//!
//! Each module of tests begins with a table from the sentences of the contract to its tests.
//! What needs root is in `tests/privileges`. What takes minutes is left to the unit tests below:
//! timeouts of peers and torrents to `opentracker-store`, the slots of connection ids to
//! `opentracker-core`.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod backend;
mod bencode;
mod clock;
mod datagram;
mod load;
mod metrics;
mod node;
mod operator;
mod program;
mod queries;
mod request;
mod snapshot_file;
mod tables;
#[cfg(target_arch = "x86_64")]
mod threads;

mod api;
mod api_steer;
mod api_watch;
mod cluster_ids;
mod config;
mod config_errors;
mod config_sources;
#[cfg(target_arch = "x86_64")]
mod faults;
mod floods;
mod http_announce;
mod http_connection;
mod http_limits;
mod http_lists;
mod http_pages;
mod http_proxies;
mod http_scrape;
mod https;
mod limits;
mod listeners;
mod lists;
mod lists_deny;
mod lists_torrents;
mod lists_watch;
mod logs;
mod monitoring;
mod peers;
mod process;
mod reload;
mod restart;
mod service_manager;
mod snapshot_kills;
mod snapshots;
mod start;
mod trends;
mod udp;
mod udp_hostile;
mod webtorrent;
