#![doc = include_str!("../README.md")]
//!
//! # Driving it
//!
//! After each [`ScrapeSync`] method named `handle_…`, do what [`ScrapeSync::poll_output`] returns, until
//! it returns `None`. [`ScrapeSync::poll_timeout`] says when to call [`ScrapeSync::handle_timeout`] next.
#![deny(clippy::disallowed_methods)]

mod machine;
mod settings;
mod standing;
mod telling;

pub use machine::{Inquiry, MAX_INQUIRIES, MAX_NEEDS_ENDED, Output, ScrapeSync};
pub use settings::{InquireThreshold, Settings};
pub use standing::{Claim, Standing};
pub use telling::MAX_TELL_BACK;
