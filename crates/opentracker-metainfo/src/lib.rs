#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod info_hashes;

pub use info_hashes::{InfoHashes, MetainfoError};
pub use opentracker_types as types;
