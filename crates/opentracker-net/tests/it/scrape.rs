//! `GET /scrape`.

use opentracker_core::{AccessLists, HashList, Rules, Settings};
use opentracker_http::Counter;

use crate::site::Site;

fn enter(site: &Site, hash: char, port: u16, left: u64, event: &str) {
    let hash = hash.to_string().repeat(20);
    let target = format!("/announce?info_hash={hash}&port={port}&left={left}&event={event}");
    assert_eq!(site.get(&target).status, 200);
}

fn scrape(site: &Site, hashes: &str) -> String {
    let query: Vec<_> = hashes
        .chars()
        .map(|hash| format!("info_hash={}", hash.to_string().repeat(20)))
        .collect();
    let response = site.get(&format!("/scrape?{}", query.join("&")));
    assert_eq!(response.status, 200);
    assert_eq!(response.field("Content-Type"), Some("text/plain"));
    response.text().to_owned()
}

fn entry(hash: char, complete: u32, downloaded: u32, incomplete: u32) -> String {
    let hash = hash.to_string().repeat(20);
    format!(
        "20:{hash}d8:completei{complete}e10:downloadedi{downloaded}e10:incompletei{incomplete}ee"
    )
}

const FLAGS: &str = "5:flagsd20:min_request_intervali900eee";

#[test]
fn files_are_sorted_and_unknown_ones_left_out() {
    let site = Site::start();
    enter(&site, 'c', 1, 9, "started");
    enter(&site, 'a', 1, 0, "completed");
    enter(&site, 'a', 2, 0, "started");
    enter(&site, 'a', 3, 5, "started");
    let files = [entry('a', 2, 1, 1), entry('c', 0, 0, 1)].concat();
    assert_eq!(scrape(&site, "cba"), format!("d5:filesd{files}e{FLAGS}"));
    assert_eq!(scrape(&site, "cac"), format!("d5:filesd{files}e{FLAGS}"));
    assert_eq!(scrape(&site, "x"), format!("d5:filesde{FLAGS}"));
    assert_eq!(site.count(Counter::ScrapeV4), 3);
}

#[test]
fn of_many_hashes_the_first_64_count() {
    let site = Site::start();
    enter(&site, 'a', 1, 0, "");
    enter(&site, 'b', 1, 0, "");
    let hashes = |last_of_64: char| ["x".repeat(63), last_of_64.to_string(), "b".to_owned()];
    let both = [entry('a', 1, 0, 0), entry('b', 1, 0, 0)].concat();
    let only_a = format!("d5:filesd{}e{FLAGS}", entry('a', 1, 0, 0));
    assert_eq!(scrape(&site, &hashes('a').concat()), only_a);
    assert_eq!(
        scrape(&site, &hashes('a').concat()[1..]),
        format!("d5:filesd{both}e{FLAGS}")
    );
}

#[test]
fn malformed_hashes_are_answered_400() {
    let site = Site::start();
    for value in ["", "short", "%zz", "aaaaaaaaaaaaaaaaaaaaa"] {
        let response = site.get(&format!("/scrape?info_hash={value}"));
        assert_eq!(response.status, 400, "{value}");
        assert!(response.text().contains("info_hash"));
    }
    assert_eq!(site.count(Counter::BadInfoHash), 4);
}

#[test]
fn torrents_that_are_not_served_are_unknown() {
    let site = Site::start();
    enter(&site, 'a', 1, 0, "");
    let lists = AccessLists {
        allow: Some(HashList::default()),
        ..AccessLists::default()
    };
    site.tracker
        .set_rules(Rules::new(Settings::default(), lists));
    assert_eq!(scrape(&site, "a"), format!("d5:filesde{FLAGS}"));
}
