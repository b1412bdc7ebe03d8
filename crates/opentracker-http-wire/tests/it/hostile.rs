//! Nothing that arrives on a socket panics.

use opentracker_http_wire::{
    AnnounceQuery, AnnounceReply, Answer, ScrapeQuery, ScrapeReply, bencode,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::arbitrary;

fn exhaust_query(query: &[u8]) {
    match AnnounceQuery::decode(query) {
        Ok(query) => assert_ne!(query.announce.port, 0),
        Err(error) => assert!(error.offset() <= query.len()),
    }
    if let Ok(query) = ScrapeQuery::decode(query) {
        assert!(query.info_hashes().len() <= ScrapeQuery::MAX_INFO_HASHES);
        assert!(query.info_hashes().is_sorted_by(|a, b| a < b));
    }
}

fn exhaust_reply(body: &[u8]) {
    if let Err(error) = bencode::decode(body) {
        assert!(error.offset() <= body.len());
    }
    match AnnounceReply::decode(body) {
        Ok(Answer::Reply(reply)) => assert!(reply.peers.iter().count() <= body.len()),
        Ok(Answer::Failure(failure)) => assert!(failure.reason.len() <= body.len()),
        Err(error) => assert!(error.offset() <= body.len()),
    }
    match ScrapeReply::decode(body) {
        Ok(Answer::Reply(reply)) => assert!(reply.entries().count() <= body.len()),
        Ok(Answer::Failure(failure)) => assert!(failure.reason.len() <= body.len()),
        Err(error) => assert!(error.offset() <= body.len()),
    }
}

proptest! {
    #[test]
    fn any_octets(octets in vec(any::<u8>(), 0..600)) {
        exhaust_query(&octets);
        exhaust_reply(&octets);
    }

    #[test]
    fn plausible_queries(query in arbitrary::plausible_query()) {
        exhaust_query(&query);
    }

    #[test]
    fn plausible_replies(body in arbitrary::plausible_bencode()) {
        exhaust_reply(&body);
    }
}

/// Long inputs that nest, promise much, or repeat.
#[test]
fn large_inputs() {
    for piece in [
        "d",
        "l",
        "i",
        "0",
        "9",
        "d0:",
        "l0:",
        "9999999999999999999:",
        "i9",
        "&",
        "=",
        "%",
        "info_hash=",
        "info_hash=%",
        "info_hash=aaaaaaaaaaaaaaaaaaaa&",
        "port=6881&",
    ] {
        let octets = piece.repeat(100_000 / piece.len());
        exhaust_query(octets.as_bytes());
        exhaust_reply(octets.as_bytes());
    }
}
