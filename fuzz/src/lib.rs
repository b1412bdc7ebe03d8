//! Fuzz targets of the tracker.
//!
//! A target is a function that takes any octets, and panics if something that must hold of them does
//! not. It has a program in `fuzz_targets/`, which `cargo xtask fuzz` gives to libFuzzer, and a corpus
//! in `corpus/`, which the tests of this crate replay without it. On a stable compiler the program runs
//! the files that it is given, so a finding is reproduced by `cargo run -p opentracker-fuzz --bin
//! TARGET -- FILE`.
//!
//! To add a target: a module here, its line in [`TARGETS`], a program, its entry in the manifest, and
//! some inputs that get far.
#![expect(clippy::unwrap_used, reason = "a panic is how a target fails")]

mod config;
mod forwarded;
mod http_query;
mod http_reply;
mod http_session;
mod input;
mod lists;
mod livesync;
mod livesync_seal;
mod livesync_wire;
mod metainfo;
mod peer_sync;
mod proxy_wire;
#[cfg(test)]
mod replay;
mod scrape_sync;
mod snapshot;
mod tls_stream;
mod udp_handler;
mod udp_model;
mod udp_wire;
mod websocket;
mod xdp_frame;

pub use config::config;
pub use forwarded::forwarded;
pub use http_query::http_query;
pub use http_reply::http_reply;
pub use http_session::http_session;
pub use lists::lists;
pub use livesync::livesync;
pub use livesync_seal::livesync_seal;
pub use livesync_wire::livesync_wire;
pub use metainfo::metainfo;
pub use peer_sync::peer_sync;
pub use proxy_wire::proxy_wire;
pub use scrape_sync::scrape_sync;
pub use snapshot::snapshot;
pub use tls_stream::tls_stream;
pub use udp_handler::udp_handler;
pub use udp_wire::udp_wire;
pub use websocket::websocket;
pub use xdp_frame::xdp_frame;

/// A target.
pub type Target = fn(&[u8]);

/// Every target with its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", config),
    ("forwarded", forwarded),
    ("http_query", http_query),
    ("http_reply", http_reply),
    ("http_session", http_session),
    ("lists", lists),
    ("livesync", livesync),
    ("livesync_seal", livesync_seal),
    ("livesync_wire", livesync_wire),
    ("metainfo", metainfo),
    ("peer_sync", peer_sync),
    ("proxy_wire", proxy_wire),
    ("scrape_sync", scrape_sync),
    ("snapshot", snapshot),
    ("tls_stream", tls_stream),
    ("udp_handler", udp_handler),
    ("udp_wire", udp_wire),
    ("websocket", websocket),
    ("xdp_frame", xdp_frame),
];

/// Makes the program of a target: libFuzzer's under `cargo fuzz`, else one that runs files.
#[macro_export]
macro_rules! program {
    ($target:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|octets: &[u8]| $crate::$target(octets));

        #[cfg(not(fuzzing))]
        fn main() -> std::io::Result<()> {
            for file in std::env::args_os().skip(1) {
                $crate::$target(&std::fs::read(file)?);
            }
            Ok(())
        }
    };
}
