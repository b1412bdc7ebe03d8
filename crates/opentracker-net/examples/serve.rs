//! Serves an open tracker over HTTP: an example of driving the crate, and what the benchmarks
//! drive.
//!
//! `cargo run --release --example serve -- 127.0.0.1:6969 1`

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{AccessLists, Networks, Tracker};
use opentracker_http::{Config, Identity, Limits, Listeners, Settings};
use opentracker_types::TrackerId;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:6969".to_owned());
    let threads = arguments.next().unwrap_or("1".to_owned());
    let config = Config {
        listen: vec![address.parse()?],
        threads: threads.parse()?,
        limits: Limits::default(),
        identity: Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tracker_id: TrackerId::new(rand::random()),
        },
    };
    let listeners = Listeners::bind(&config)?;
    for address in listeners.local_addrs() {
        println!("serving http://{address}/");
    }
    let tracker = Arc::new(Tracker::new(
        opentracker_core::Settings::default(),
        AccessLists::default(),
        Duration::from_secs(240),
        Instant::now(),
        &mut rand::rng(),
    ));
    let everybody =
        || Networks::new(["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("a network")));
    let settings = Settings {
        stats_path: "stats".to_owned(),
        redirect_url: String::new(),
        trusted_proxies: Networks::default(),
        stats: everybody(),
        admin: everybody(),
    };
    let server = listeners.serve(settings, || tracker.worker(rand::random(), None))?;
    // Until a line or the end of the input.
    std::io::stdin().read_line(&mut String::new())?;
    server.shutdown(Duration::from_secs(5));
    Ok(())
}
