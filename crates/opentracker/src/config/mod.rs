//! The configuration: sections and keys with their defaults, where values come from, and what is
//! wrong with them.
//!
//! [`keys`](keys()) has one declaration a key, from which the rest follows. [`Layers`] collects
//! sources (files, environment, flags) and makes a [`Config`], which is valid as long as it
//! exists; so does [`Values::validate`] from values that were set in code.

mod c_style;
mod checked;
mod checks;
mod choice;
#[macro_use]
mod declare;
mod duration;
mod findings;
mod keys;
mod layers;
mod listener;
#[cfg(test)]
mod manual;
mod print;
mod quantity;
mod value;

pub use checked::Config;
pub use choice::{Dialect, LogAddresses, LogFormat, LogLevel, UdpBackend, XdpMode};
pub use findings::{ConfigErrors, Finding};
pub use keys::{
    Access, Admin, Announce, Applies, Http, Key, Limits, LiveSync, LiveSyncNats, LiveSyncUnicast,
    Log, Process, Tls, Udp, Values, WebTorrent, keys,
};
pub use layers::Layers;
pub use listener::{ListenAddress, Listener};
pub use print::{default_toml, document};
pub use quantity::{MemoryBound, RequestRate};
