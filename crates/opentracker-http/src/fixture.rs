//! What the unit tests share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use opentracker_core::{AccessLists, Networks, Tracker};
use opentracker_types::TrackerId;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::config::{Identity, Settings};
use crate::full_scrape::Places;
use crate::handler::Handler;

/// Makes a handler of a new tracker, the same each time, that trusts proxies in 10/8, shows the
/// statistics to everybody, and the rest to 10/8.
pub(crate) fn handler(now: Instant) -> Handler {
    let tracker = Tracker::new(
        opentracker_core::Settings::default(),
        AccessLists::default(),
        Duration::from_secs(240),
        now,
        &mut StdRng::seed_from_u64(1),
    );
    let networks =
        |networks: &[&str]| Networks::new(networks.iter().map(|network| network.parse().unwrap()));
    let settings = Settings {
        stats_path: "stats".to_owned(),
        redirect_url: String::new(),
        trusted_proxies: networks(&["10.0.0.0/8"]),
        stats: networks(&["0.0.0.0/0", "::/0"]),
        admin: networks(&["10.0.0.0/8"]),
    };
    let identity = Identity {
        version: "1.2.3".to_owned(),
        tracker_id: TrackerId::new([7; 4]),
    };
    Handler::new(
        Arc::new(tracker).worker(1, None),
        Arc::new(ArcSwap::from_pointee(settings)),
        Arc::new(identity),
        Places::default(),
    )
}

/// Makes requests whose responses depend on nothing but what was asked before.
pub(crate) fn request() -> impl Strategy<Value = Vec<u8>> {
    let target = prop_oneof![
        (0..4_u8, 1..9_u16, 0..2_u8, 0..2_u8).prop_map(|(torrent, port, left, compact)| {
            let hash = format!("%0{torrent}").repeat(20);
            format!("/announce?info_hash={hash}&port={port}&left={left}&compact={compact}")
        }),
        (0..4_u8)
            .prop_map(|torrent| format!("/scrape?info_hash={}", format!("%0{torrent}").repeat(20))),
        Just("/scrape".to_owned()),
        Just("/announce?info_hash=short&port=1".to_owned()),
        Just("/stats?mode=version".to_owned()),
        Just("/stats?mode=nope".to_owned()),
        Just("http://tracker.example/nowhere?x=y".to_owned()),
    ];
    let method = prop::sample::select(vec!["GET", "GET", "GET", "HEAD"]);
    let fields = prop::sample::select(vec![
        "",
        "Host: tracker.example\r\nUser-Agent: test\r\n",
        "Connection: keep-alive\r\nAccept-Encoding: gzip\r\n",
        "Content-Length: 0\r\n",
    ]);
    (method, target, fields).prop_map(|(method, target, fields)| {
        format!("{method} {target} HTTP/1.1\r\n{fields}\r\n").into_bytes()
    })
}
