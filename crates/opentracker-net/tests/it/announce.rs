//! `GET /announce`.

use opentracker_core::{AccessLists, Counter as Rule, HashList, Rules, Settings};
use opentracker_http::{Counter, ForwardedHeader};

use crate::site::{Plan, Response, Site};

const HASH: &str = "%00%ff%20aaaaaaaaaaaaaaaaa";

fn announce(site: &Site, parameters: &str) -> Response {
    site.get(&format!("/announce?info_hash={HASH}&{parameters}"))
}

/// Announces from an address behind a trusted proxy, and returns the body.
fn announce_from(site: &Site, source: &str, parameters: &str) -> Vec<u8> {
    let target = format!("/announce?info_hash={HASH}&{parameters}");
    let response = site.get_with(&target, &format!("X-Forwarded-For: {source}\r\n"));
    assert_eq!(response.status, 200);
    response.body
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|at| at == part)
}

#[test]
fn the_reply_is_exact() {
    let site = Site::start();
    let response = announce(&site, "port=6881&left=0&uploaded=1&downloaded=2&unknown=x");
    assert_eq!(response.status, 200);
    assert_eq!(response.field("Content-Type"), Some("text/plain"));
    assert_eq!(
        response.body,
        b"d8:completei1e10:downloadedi0e11:external ip4:\x7f\0\0\x0110:incompletei0e\
          8:intervali1800e12:min intervali900e5:peers0:e"
    );
    let response = announce(&site, "port=6882&left=18446744073709551615&event=started");
    assert_eq!(
        response.body,
        b"d8:completei1e10:downloadedi0e11:external ip4:\x7f\0\0\x0110:incompletei1e\
          8:intervali1800e12:min intervali900e5:peers6:\x7f\0\0\x01\x1a\xe1e"
    );
    assert_eq!(site.count(Counter::AnnounceV4), 2);
}

#[test]
fn malformed_queries_name_the_parameter() {
    let site = Site::start();
    let good = format!("info_hash={HASH}");
    for (query, parameter, counter) in [
        ("", "info_hash", Counter::BadInfoHash),
        ("port=1", "info_hash", Counter::BadInfoHash),
        ("info_hash=x&port=1", "info_hash", Counter::BadInfoHash),
        ("info_hash=%4&port=1", "info_hash", Counter::BadInfoHash),
        (&good, "port", Counter::BadPort),
        (&format!("{good}&port="), "port", Counter::BadPort),
        (&format!("{good}&port=0"), "port", Counter::BadPort),
        (&format!("{good}&port=65536"), "port", Counter::BadPort),
        (&format!("{good}&port=-1"), "port", Counter::BadPort),
    ] {
        let before = site.count(counter);
        let response = site.get(&format!("/announce?{query}"));
        assert_eq!(response.status, 400, "{query}");
        let text = response.text();
        assert!(text.starts_with("d14:failure reason"), "{text}");
        assert!(text.contains(&format!(":{parameter} ")), "{text}");
        assert_eq!(site.count(counter), before + 1);
        assert_eq!(response.field("Connection"), None, "it is kept");
    }
    assert_eq!(
        site.tracker.totals(std::time::Instant::now()).peers.total(),
        0
    );
}

#[test]
fn replies_that_are_not_compact() {
    let site = Plan::behind_proxy().start();
    announce_from(&site, "192.0.2.7", "port=6881");
    announce_from(&site, "2001:db8::7", "port=6882");
    let body = announce_from(&site, "192.0.2.8", "port=6883&compact=0");
    assert!(contains(
        &body,
        b"5:peersld2:ip9:192.0.2.74:porti6881eed2:ip11:2001:db8::74:porti6882eeee"
    ));
    let body = announce_from(&site, "192.0.2.8", "port=6883&compact=1&numwant=1");
    assert!(contains(&body, b"5:peers6:") || contains(&body, b"5:peers0:6:peers618:"));
}

#[test]
fn both_families_come_in_one_reply() {
    let site = Plan::behind_proxy().start();
    announce_from(&site, "192.0.2.7", "port=6881");
    announce_from(&site, "::ffff:192.0.2.8", "port=6881");
    announce_from(&site, "2001:db8::7", "port=6881");
    let v6_peer = b"6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x1a\xe1e";
    for source in ["192.0.2.9", "2001:db8::9"] {
        let body = announce_from(&site, source, "port=6881");
        assert!(contains(&body, b"5:peers12:\xc0\0\x02"), "{source}");
        assert!(body.ends_with(v6_peer), "{source}");
        announce_from(&site, source, "port=6881&event=stopped");
    }
    let totals = site.tracker.totals(std::time::Instant::now());
    assert_eq!((totals.peers.v4_leechers, totals.peers.v6_leechers), (2, 1));
}

#[test]
fn who_stops_gets_empty_lists_and_is_gone() {
    let site = Site::start();
    announce(&site, "port=1&left=0");
    announce(&site, "port=2");
    let text = announce(&site, "port=2&event=stopped");
    let text = String::from_utf8_lossy(&text.body).into_owned();
    assert!(text.contains("8:completei1e"), "{text}");
    assert!(text.contains("10:incompletei0e"), "{text}");
    assert!(text.ends_with("5:peers0:e"), "{text}");
    assert_eq!(
        site.tracker.totals(std::time::Instant::now()).peers.total(),
        1
    );
    assert_eq!(site.count(Rule::Stopped), 1);
}

#[test]
fn completed_counts_once_and_only_with_nothing_left() {
    let site = Site::start();
    for (parameters, downloaded) in [
        ("port=1&left=5&event=completed", 0),
        ("port=1&left=0&event=completed", 1),
        ("port=1&left=0&event=completed", 1),
        ("port=2&left=0&event=completed", 2),
        ("port=3&event=completed", 2),
        ("port=4&left=0&event=nonsense", 2),
        ("port=4&left=1&event=paused", 2),
    ] {
        let body = announce(&site, parameters).body;
        let expected = format!("10:downloadedi{downloaded}e");
        assert!(contains(&body, expected.as_bytes()), "{parameters}");
    }
}

#[test]
fn numwant_bounds_the_peers() {
    let site = Site::start();
    for port in 1000..1300 {
        announce(&site, &format!("port={port}&numwant=0"));
    }
    for (parameters, octets) in [
        ("port=1&numwant=0", 0),
        ("port=1&numwant=7", 42),
        ("port=1", 300),
        ("port=1&numwant=-1", 300),
        ("port=1&numwant=4000000000", 1200),
    ] {
        let body = announce(&site, parameters).body;
        let expected = format!("5:peers{octets}:");
        assert!(contains(&body, expected.as_bytes()), "{parameters}");
    }
}

#[test]
fn the_ip_parameter_is_ignored() {
    let site = Site::start();
    announce(&site, "port=1&ip=192.0.2.1");
    let body = announce(&site, "port=2").body;
    assert!(contains(&body, b"5:peers6:\x7f\0\0\x01\0\x01"));
}

#[test]
fn torrents_that_are_not_served_are_refused_the_denied_for_good() {
    let site = Site::start();
    let list = |text: &str| Some(HashList::read(text.as_bytes(), 0).unwrap().0);
    let serve_by = |lists| {
        site.tracker
            .set_rules(Rules::new(Settings::default(), lists));
    };
    serve_by(AccessLists {
        allow: list(""),
        ..AccessLists::default()
    });
    let response = announce(&site, "port=1");
    assert_eq!(response.status, 200);
    assert_eq!(
        response.text(),
        "d14:failure reason31:this torrent is not served here8:retry ini10ee"
    );
    serve_by(AccessLists {
        deny: list("00ff206161616161616161616161616161616161"),
        ..AccessLists::default()
    });
    assert_eq!(
        announce(&site, "port=1").text(),
        "d14:failure reason28:this torrent is blocked here8:retry in5:nevere"
    );
    assert_eq!(site.count(Rule::RefusedNotAllowed), 1);
    assert_eq!(site.count(Rule::RefusedDenied), 1);
    assert_eq!(site.count(Counter::AnnounceV4), 0);
}

#[test]
fn a_trusted_proxy_names_the_peer() {
    let site = Plan::behind_proxy().start();
    let body = announce_from(&site, "203.0.113.66, 192.0.2.7, 127.0.0.9", "port=6881");
    assert!(!contains(&body, b"external ip"), "a proxy is in the way");
    let body = announce_from(&site, "2001:db8::7", "port=6882");
    assert!(contains(&body, b"5:peers6:\xc0\0\x02\x07\x1a\xe1"));
    let body = announce_from(&site, "192.0.2.8", "port=6883");
    assert!(contains(&body, b"\x20\x01\x0d\xb8"));
}

#[test]
fn the_configured_field_counts_and_no_other() {
    let mut plan = Plan::behind_proxy();
    plan.forwarding.header = ForwardedHeader::new("Forwarded");
    let site = plan.start();
    let target = format!("/announce?info_hash={HASH}&port=6881");
    let fields = "Forwarded: for=203.0.113.66, for=\"192.0.2.7:4711\";proto=http\r\n\
                  X-Forwarded-For: 203.0.113.9\r\n";
    assert_eq!(site.get_with(&target, fields).status, 200);
    let fields = "Forwarded: for=192.0.2.8\r\n";
    let body = site.get_with(&target.replace("6881", "6882"), fields).body;
    assert!(contains(&body, b"5:peers6:\xc0\0\x02\x07\x1a\xe1"));
}

#[test]
fn an_unknown_proxy_is_not_believed() {
    let site = Site::start();
    announce_from(&site, "192.0.2.7", "port=6881");
    let body = announce(&site, "port=6882").body;
    assert!(contains(&body, b"5:peers6:\x7f\0\0\x01\x1a\xe1"));
    assert!(contains(&body, b"11:external ip4:\x7f\0\0\x01"));
}

#[test]
fn a_proxy_that_does_not_say_who_asks_is_told_so() {
    let site = Plan::behind_proxy().start();
    let target = format!("/announce?info_hash={HASH}&port=1");
    for fields in [
        "",
        "Forwarded: for=192.0.2.7\r\n",
        "X-Forwarded-For: unknown\r\n",
    ] {
        let response = site.get_with(&target, fields);
        assert_eq!(response.status, 400, "{fields}");
        assert!(response.text().contains("x-forwarded-for"));
    }
    assert_eq!(site.count(Counter::SilentProxy), 3);
    assert_eq!(site.tracker.totals(std::time::Instant::now()).torrents, 0);
}

#[test]
fn what_clients_are_known_to_send_is_served() {
    let site = Site::start();
    let query = format!("info_hash={HASH}&port=6881");
    for path in ["//announce", "/announce/", "/announce.php", "/", "///"] {
        let response = site.get(&format!("{path}?{query}"));
        assert!(contains(&response.body, b"8:interval"), "{path}");
    }
    for left in ["", "-1", "Infinity", "3.0"] {
        let response = announce(&site, &format!("port=6881&left={left}"));
        assert!(contains(&response.body, b"10:incompletei1e"), "left={left}");
    }
    let mut client = site.connect();
    let request =
        b"GET /announce?info_hash=\x81\xff\xfe\x80aaaaaaaaaaaaaaaa&port=1 HTTP/1.1\r\n\r\n";
    std::io::Write::write_all(&mut client.stream, request).unwrap();
    assert!(contains(&client.response().body, b"8:interval"));
}

#[test]
fn a_wrong_announce_url_is_refused_in_bencode() {
    let site = Site::start();
    let query = format!("info_hash={HASH}&port=6881");
    for path in ["/stats", "/x", "/key/announce"] {
        let response = site.get(&format!("{path}?{query}"));
        assert_eq!(response.status, 404, "{path}");
        assert!(response.text().starts_with("d14:failure reason"));
    }
    assert_eq!(site.count(Counter::NotFound), 3);
}

#[test]
fn addresses_that_cannot_be_a_peers_are_refused() {
    let site = Plan::behind_proxy().start();
    let body = announce_from(&site, "224.0.0.1", "port=1");
    assert_eq!(
        body,
        b"d14:failure reason31:this address cannot be a peer'se"
    );
    assert_eq!(site.count(Rule::RefusedAddress), 1);
}

#[test]
fn announces_take_no_head_method() {
    let site = Site::start();
    for path in ["/announce", "/scrape"] {
        let mut client = site.connect();
        client.send(&format!("HEAD {path}?info_hash=1 HTTP/1.1\r\n\r\n"));
        let response = client.response_to_head();
        assert_eq!(response.status, 405);
        assert_eq!(response.field("Allow"), Some("GET"));
        client.send("GET /announce HTTP/1.1\r\n\r\n");
        assert_eq!(client.response().status, 400, "there was no body");
    }
}
