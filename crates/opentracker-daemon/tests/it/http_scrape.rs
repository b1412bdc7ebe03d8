//! Section "HTTP" of the contract: `GET /scrape`.
//!
//! | sentence | tests |
//! |---|---|
//! | `files` with the counts of each hash | `a_scrape_has_counts` |
//! | up to 64 | `hashes_64_are_answered` |
//! | more → the first 64 | `of_more_hashes_the_first_64_are_answered` |
//! | sorted by hash | `files_are_sorted_by_hash`, `a_hash_that_is_asked_for_twice_comes_once` |
//! | unknown hashes omitted | `unknown_hashes_are_omitted` |
//! | with no hash: a refusal | `a_scrape_without_a_hash_is_refused` |
//! | `flags.min_request_interval` included | `flags_say_the_least_interval` |
//! | a torrent that is not served is unknown | `a_blocked_torrent_is_unknown` |
//! | a malformed request is 400 and names the parameter | `a_malformed_hash_is_named` |

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::bencode::Bencode;
use crate::program::{NOTHING, Setup, Tracker};
use crate::request::{announce, get, scrape};

fn tracker() -> Tracker {
    Setup::new().start()
}

/// Announces a torrent with some leechers.
fn fill(server: SocketAddr, info_hash: &[u8; 20], leechers: u16) {
    for port in 1000..1000 + leechers {
        get(server, &announce(info_hash, port, "left=5")).announced();
    }
}

/// Scrapes and returns complete, downloaded and incomplete by info hash.
fn files(server: SocketAddr, target: &str) -> BTreeMap<Vec<u8>, [i128; 3]> {
    let response = get(server, target);
    assert_eq!(response.status, 200, "{response:?}");
    let reply = response.bencode();
    let Some(Bencode::Dictionary(files)) = reply.get("files") else {
        panic!("no files: {response:?}");
    };
    let counts = |file: &Bencode| {
        assert_eq!(
            file.keys(),
            [&b"complete"[..], b"downloaded", b"incomplete"]
        );
        ["complete", "downloaded", "incomplete"].map(|key| file.get(key).unwrap().integer())
    };
    files
        .iter()
        .map(|(info_hash, file)| (info_hash.clone(), counts(file)))
        .collect()
}

#[test]
fn a_scrape_has_counts() {
    let tracker = tracker();
    let server = tracker.http();
    let torrent = [0xab; 20];
    fill(server, &torrent, 3);
    get(server, &announce(&torrent, 1, "left=0&event=completed")).announced();
    get(server, &announce(&torrent, 2, "left=0")).announced();
    let expected = [(torrent.to_vec(), [2, 1, 3])].into();
    assert_eq!(files(server, &scrape(&[torrent])), expected);
    // Other parameters say nothing.
    let target = scrape(&[torrent]).replace('?', "?x=1&&compact=1&") + "&y";
    assert_eq!(files(server, &target), expected);
}

#[test]
fn hashes_64_are_answered() {
    let tracker = tracker();
    let server = tracker.http();
    let info_hashes: Vec<[u8; 20]> = (0..64).map(|number| [number * 4; 20]).collect();
    for (info_hash, leechers) in info_hashes.iter().zip(1..) {
        fill(server, info_hash, leechers % 5 + 1);
    }
    let files = files(server, &scrape(&info_hashes));
    assert_eq!(files.len(), 64);
    for (info_hash, leechers) in info_hashes.iter().zip(1..) {
        assert_eq!(files[&info_hash.to_vec()], [0, 0, leechers % 5 + 1]);
    }
}

#[test]
fn of_more_hashes_the_first_64_are_answered() {
    let tracker = tracker();
    let server = tracker.http();
    // They descend, so that the first ones are not those that come first in the reply.
    let info_hashes: Vec<[u8; 20]> = (0..100).rev().map(|number| [number; 20]).collect();
    for info_hash in &info_hashes {
        fill(server, info_hash, 1);
    }
    for number in [65, 100] {
        let files = files(server, &scrape(&info_hashes[..number]));
        let mut first: Vec<_> = info_hashes[..64].iter().map(|hash| hash.to_vec()).collect();
        first.reverse();
        assert_eq!(files.into_keys().collect::<Vec<_>>(), first, "{number}");
    }
}

#[test]
fn files_are_sorted_by_hash() {
    let tracker = tracker();
    let server = tracker.http();
    let info_hashes = [[0xff; 20], [0x00; 20], [0x7f; 20], [0x80; 20], [b'e'; 20]];
    for info_hash in &info_hashes {
        fill(server, info_hash, 1);
    }
    // The reader of the tests fails where keys do not ascend.
    assert_eq!(files(server, &scrape(&info_hashes)).len(), 5);
}

#[test]
fn a_hash_that_is_asked_for_twice_comes_once() {
    let tracker = tracker();
    let server = tracker.http();
    fill(server, &[1; 20], 1);
    fill(server, &[2; 20], 2);
    let files = files(server, &scrape(&[[2; 20], [1; 20], [2; 20], [1; 20]]));
    assert_eq!(
        files.into_values().collect::<Vec<_>>(),
        [[0, 0, 1], [0, 0, 2]]
    );
}

#[test]
fn unknown_hashes_are_omitted() {
    let tracker = tracker();
    let server = tracker.http();
    assert!(files(server, &scrape(&[[1; 20]])).is_empty());
    fill(server, &[2; 20], 1);
    let files = files(server, &scrape(&[[1; 20], [2; 20], [3; 20]]));
    assert_eq!(files.into_keys().collect::<Vec<_>>(), [[2; 20]]);
}

#[test]
fn a_scrape_without_a_hash_is_refused() {
    let mut setup = Setup::new();
    setup.set("access.admin", NOTHING);
    let tracker = setup.start();
    fill(tracker.http(), &[1; 20], 1);
    for target in ["/scrape", "/scrape?", "/scrape?x=1"] {
        let response = get(tracker.http(), target);
        let (reason, _) = response.refusal();
        assert!(!reason.is_empty());
        assert!(response.bencode().get("files").is_none(), "{response:?}");
    }
}

#[test]
fn flags_say_the_least_interval() {
    let tracker = tracker();
    for info_hashes in [vec![[1; 20]], vec![[1; 20]; 64]] {
        let reply = get(tracker.http(), &scrape(&info_hashes)).bencode();
        assert_eq!(reply.keys(), [&b"files"[..], b"flags"]);
        let interval = reply
            .get("flags")
            .unwrap()
            .get("min_request_interval")
            .unwrap();
        assert!(interval.integer() > 0);
    }
}

#[test]
fn a_blocked_torrent_is_unknown() {
    let (denied, other) = ([0xdd; 20], [0xee; 20]);
    let mut setup = Setup::new();
    setup.list("access.deny", &[]);
    let tracker = setup.start();
    fill(tracker.http(), &denied, 1);
    fill(tracker.http(), &other, 1);
    assert_eq!(files(tracker.http(), &scrape(&[denied, other])).len(), 2);
    tracker
        .setup
        .write("access.deny", &crate::program::list(&[denied]));
    tracker.hang_up();
    let files = files(tracker.http(), &scrape(&[denied, other]));
    assert_eq!(files.into_keys().collect::<Vec<_>>(), [other]);
}

#[test]
fn a_malformed_hash_is_named() {
    let tracker = tracker();
    for wrong in ["info_hash=", "info_hash=abc", "info_hash=%", "info_hash"] {
        let good = scrape(&[[1; 20]]);
        for target in [format!("/scrape?{wrong}"), format!("{good}&{wrong}")] {
            let response = get(tracker.http(), &target);
            assert_eq!(response.status, 400, "{target}");
            assert!(
                response.failure_reason().contains("info_hash"),
                "{response:?}"
            );
        }
    }
}
