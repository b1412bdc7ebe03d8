#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod block;
mod input;
mod reader;
mod swarms;
mod writer;

pub use block::{MAX_CONTENT, VERSION};
pub use reader::{OpenError, Reader, Report};
pub use swarms::{SwarmPart, Swarms};
pub use writer::{Totals, Writer};
