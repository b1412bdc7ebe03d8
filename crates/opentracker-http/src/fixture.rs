//! What the unit tests share.

use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Networks, Rules, Tracker, Worker};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::handler::Handler;
use crate::settings::{ForwardedHeader, Forwarding};

/// Makes a handler of a new tracker, the same each time, that trusts proxies in 10/8.
pub(crate) fn handler(now: Instant) -> Handler {
    let rules = Rules::default().with_extension(Forwarding {
        trusted_proxies: Networks::new(["10.0.0.0/8".parse().unwrap()]),
        header: ForwardedHeader::default(),
    });
    let tracker = Tracker::new(rules, now, &mut StdRng::seed_from_u64(1));
    Handler::new(Worker::new(Arc::new(tracker), 1, None), &["http".into()])
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
        Just("/announce?info_hash=short&port=1".to_owned()),
        Just("/stats?info_hash=x".to_owned()),
        Just("http://tracker.example/nowhere/announce?info_hash=y".to_owned()),
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
