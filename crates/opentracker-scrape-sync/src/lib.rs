//! When a tracker beacons, whom it inquires and when it tells, so that one that has just started
//! learns the download counts of an established one (docs/livesync.md, Scrape sync).
//!
//! A [`ScrapeSync`] is sans-IO: it has no socket, no clock, no torrents and no list of the other
//! instances. Its driver hands it the beacons, inquiries and tells that came from the cluster, how
//! each of the others stands ([`Standing`]), the number of its own torrents and the time; it does
//! what [`poll_output`](ScrapeSync::poll_output) returns, and calls
//! [`handle_timeout`](ScrapeSync::handle_timeout) at the instant that
//! [`poll_timeout`](ScrapeSync::poll_timeout) names. It is deterministic: the same calls give the
//! same outputs.
//!
//! What it deliberately does not do: it neither walks the torrents nor encodes what is told of
//! them. It says how many packets may go now, and the driver fills them. It does not look at
//! source addresses either: whose packets count, and which are our own, is decided before they
//! come here. And it is not for clusters with C nodes, which scrape sync hangs or misleads.
//!
//! How to drive it:
//!
//! ```
//! use std::time::Instant;
//!
//! use opentracker_livesync_wire::Beacon;
//! use opentracker_scrape_sync::{Output, ScrapeSync, Settings, Standing};
//! use opentracker_types::TrackerId;
//!
//! let (ours, theirs) = (TrackerId::new([1; 4]), TrackerId::new([2; 4]));
//! let mut now = Instant::now();
//! let mut machine = ScrapeSync::new(ours, Settings::default(), now);
//! let mut standing = Standing::default(); // in the driver's list, under their id
//!
//! // A packet came in.
//! machine.handle_torrents(0);
//! machine.handle_beacon(&Beacon { sender: theirs, torrents: 300 }, &mut standing, now);
//!
//! // Nothing more comes in, so the next thing to happen is a timeout.
//! now = machine.poll_timeout().expect("it waits to inquire");
//! machine.handle_timeout([(theirs, &mut standing)].into_iter(), now);
//! while let Some(output) = machine.poll_output() {
//!     match output {
//!         Output::Inquire(inquire) => assert_eq!(inquire.target, theirs), // send it
//!         Output::Beacon(beacon) => drop(beacon.encode()),                // send it
//!         Output::StartTell => {} // begin a walk over all torrents
//!         Output::TellNext { packets } => {
//!             // Send so many more packets of it. At the walk's end:
//!             # let _ = packets;
//!             machine.handle_tell_end(now);
//!         }
//!         Output::TellBack(info_hashes) => drop(info_hashes), // look these up, send what we know
//!     }
//! }
//! assert!(machine.poll_timeout() > Some(now));
//! ```
#![deny(clippy::disallowed_methods)]

mod machine;
mod settings;
mod standing;
mod telling;

pub use machine::{Inquiry, MAX_INQUIRIES, Output, ScrapeSync};
pub use settings::{InquireThreshold, Settings};
pub use standing::{Claim, Standing};
pub use telling::MAX_TELL_BACK;
