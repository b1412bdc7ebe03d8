//! A BitTorrent tracker as a library.
pub mod config;
pub use config::{Config, ConfigError};
