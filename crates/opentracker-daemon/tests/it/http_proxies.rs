//! Section "HTTP" of the contract: clients behind proxies, and who may read what.
//!
//! | sentence | tests |
//! |---|---|
//! | through a trusted proxy, the right-most untrusted entry of the forwarding header | `the_right_most_untrusted_entry_is_the_client`, `a_header_that_repeats_is_one_list`, `forwarded_is_read_as_well` |
//! | of a socket that is not trusted, nothing is believed | `headers_of_strangers_are_not_believed` |
//! | what a client writes itself is not believed | `a_client_does_not_choose_its_address` |
//! | `external ip` only when no proxy was in the way | `no_external_ip_behind_a_proxy` |
//! | IPv4-mapped IPv6 addresses are IPv4 peers | `a_forwarded_mapped_address_is_an_ipv4_peer` |
//! | headers that say nothing leave the socket's address | `garbage_in_a_header_is_nobody_s_address` |
//! | `access.stats`: who may read `/stats` and the dashboard | `statistics_are_for_their_networks` |
//! | `access.admin`: who may read `/metrics` | `metrics_are_for_their_networks` |
//! | rights are the client's, not the proxy's | `a_proxy_does_not_lend_its_rights` |

use crate::program::{NOTHING, Setup, Tracker};
use crate::request::{Response, announce, get, get_with};

const TORRENT: [u8; 20] = [0xab; 20];

/// Trusts this host and a network of proxies before it.
fn behind_proxies() -> Tracker {
    let mut setup = Setup::new();
    setup.set(
        "http.trusted_proxies",
        ["127.0.0.1", "10.0.0.0/8", "fd00:1::/32"],
    );
    setup.start()
}

fn announced(tracker: &Tracker, port: u16, fields: &[(&str, &str)]) -> Response {
    let target = announce(&TORRENT, port, "left=5&numwant=200");
    let response = get_with(tracker.http(), &target, fields);
    response.announced();
    response
}

/// The address that a client is filed with, as a client next to it is told.
fn filed(tracker: &Tracker, fields: &[(&str, &str)]) -> String {
    announced(tracker, 1000, fields);
    // The requester has the scope of the client, or would not be told.
    let looks = [
        get(tracker.http(), &announce(&TORRENT, 2000, "numwant=200")),
        announced(tracker, 2000, &[("X-Forwarded-For", "192.168.255.1")]),
    ];
    let peers = looks.iter().flat_map(|look| look.announced().all());
    let mut found: Vec<_> = peers.filter(|peer| peer.port() == 1000).collect();
    found.dedup();
    let goodbye = announce(&TORRENT, 1000, "event=stopped");
    get_with(tracker.http(), &goodbye, fields).announced();
    assert_eq!(found.len(), 1, "{fields:?}: {found:?}");
    found[0].ip().to_string()
}

#[test]
fn the_right_most_untrusted_entry_is_the_client() {
    let tracker = behind_proxies();
    for (value, client) in [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("203.0.113.9,10.0.0.1,10.255.0.7", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("10.0.0.9, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("  203.0.113.9  ", "203.0.113.9"),
        ("2001:db8::9", "2001:db8::9"),
        ("2001:db8::9, fd00:1::1, 10.0.0.1", "2001:db8::9"),
        ("127.0.0.1, 2001:db8::9, 127.0.0.1", "2001:db8::9"),
    ] {
        assert_eq!(
            filed(&tracker, &[("X-Forwarded-For", value)]),
            client,
            "{value}"
        );
        assert_eq!(
            filed(&tracker, &[("x-forwarded-for", value)]),
            client,
            "{value}"
        );
    }
}

#[test]
fn a_header_that_repeats_is_one_list() {
    let tracker = behind_proxies();
    let name = "X-Forwarded-For";
    let fields = [
        (name, "198.51.100.1"),
        (name, "203.0.113.9"),
        (name, "10.0.0.1, 10.0.0.2"),
    ];
    assert_eq!(filed(&tracker, &fields), "203.0.113.9");
}

#[test]
fn forwarded_is_read_as_well() {
    let tracker = behind_proxies();
    for (value, client) in [
        ("for=203.0.113.9", "203.0.113.9"),
        ("For=203.0.113.9;proto=https;by=10.0.0.1", "203.0.113.9"),
        ("proto=http; for=\"203.0.113.9:4711\"", "203.0.113.9"),
        ("for=\"[2001:db8::9]\"", "2001:db8::9"),
        ("for=\"[2001:db8::9]:4711\"", "2001:db8::9"),
        (
            "for=198.51.100.1, for=203.0.113.9, for=10.0.0.1",
            "203.0.113.9",
        ),
        (
            "for=\"_a,b\", for=203.0.113.9;host=\"a,b;for=1.1.1.1\"",
            "203.0.113.9",
        ),
    ] {
        assert_eq!(filed(&tracker, &[("Forwarded", value)]), client, "{value}");
    }
}

#[test]
fn headers_of_strangers_are_not_believed() {
    let mut elsewhere = Setup::new();
    elsewhere.set("http.trusted_proxies", ["10.0.0.0/8", "127.0.0.2"]);
    for tracker in [Setup::new().start(), elsewhere.start()] {
        for field in ["X-Forwarded-For", "Forwarded"] {
            let value = if field == "Forwarded" {
                "for=203.0.113.9"
            } else {
                "203.0.113.9"
            };
            let reply = announced(&tracker, 1000, &[(field, value)]).announced();
            assert_eq!(reply.external_ip.unwrap().to_string(), "127.0.0.1");
        }
        let reply = get(tracker.http(), &announce(&TORRENT, 2000, "")).announced();
        assert_eq!(reply.all(), ["127.0.0.1:1000".parse().unwrap()].into());
    }
}

#[test]
fn a_client_does_not_choose_its_address() {
    let tracker = behind_proxies();
    // What the client wrote stands to the left of what its proxy appended.
    for forged in [
        "192.0.2.1",
        "127.0.0.1",
        "10.0.0.1",
        "::1",
        "unknown",
        "",
        "garbage,,;",
    ] {
        let value = format!("{forged}, 203.0.113.9");
        assert_eq!(
            filed(&tracker, &[("X-Forwarded-For", &value)]),
            "203.0.113.9",
            "{forged}"
        );
    }
}

#[test]
fn no_external_ip_behind_a_proxy() {
    let tracker = behind_proxies();
    let reply = announced(&tracker, 1000, &[("X-Forwarded-For", "203.0.113.9")]);
    assert!(reply.announced().external_ip.is_none(), "{reply:?}");
}

#[test]
fn a_forwarded_mapped_address_is_an_ipv4_peer() {
    let tracker = behind_proxies();
    let fields = [("X-Forwarded-For", "::ffff:203.0.113.9")];
    assert_eq!(filed(&tracker, &fields), "203.0.113.9");
    let fields = [("X-Forwarded-For", "203.0.113.9, ::ffff:10.0.0.1")];
    assert_eq!(filed(&tracker, &fields), "203.0.113.9");
}

#[test]
fn garbage_in_a_header_is_nobody_s_address() {
    let tracker = behind_proxies();
    for value in [
        "",
        ",",
        "unknown",
        "_hidden",
        "999.1.1.1",
        "1.2.3",
        "203.0.113.9.1",
        "[::1",
        "\u{e9}",
    ] {
        for field in ["X-Forwarded-For", "Forwarded"] {
            assert_eq!(
                filed(&tracker, &[(field, value)]),
                "127.0.0.1",
                "{field}: {value}"
            );
        }
    }
    // The proxy that wrote it is still a proxy.
    let fields = [("X-Forwarded-For", "203.0.113.9, garbage")];
    assert_ne!(filed(&tracker, &fields), "203.0.113.9");
}

#[test]
fn statistics_are_for_their_networks() {
    let mut nobody = Setup::new();
    nobody.set("access.stats", NOTHING);
    let mut elsewhere = Setup::new();
    elsewhere.set("access.stats", ["192.0.2.0/24", "127.0.0.2", "::1"]);
    for tracker in [nobody.start(), elsewhere.start()] {
        for target in [
            "/stats",
            "/stats?mode=everything",
            "/stats?mode=nonsense",
            "/",
        ] {
            assert_eq!(get(tracker.http(), target).status, 403, "{target}");
        }
        get(tracker.http(), &announce(&TORRENT, 1000, "")).announced();
    }
    let mut here = Setup::new();
    here.set("access.stats", ["127.0.0.1"]);
    let tracker = here.start();
    for target in ["/stats", "/stats?mode=everything", "/"] {
        assert_eq!(get(tracker.http(), target).status, 200, "{target}");
    }
}

#[test]
fn metrics_are_for_their_networks() {
    let mut nobody = Setup::new();
    nobody.set("access.admin", NOTHING);
    let mut elsewhere = Setup::new();
    elsewhere.set("access.admin", ["192.0.2.0/24"]);
    for tracker in [nobody.start(), elsewhere.start()] {
        assert_eq!(get(tracker.http(), "/metrics").status, 403);
        assert_eq!(get(tracker.http(), "/stats").status, 200, "another right");
    }
    let tracker = Setup::new().start();
    assert_eq!(
        get(tracker.http(), "/metrics").status,
        200,
        "loopback by default"
    );
}

#[test]
fn a_proxy_does_not_lend_its_rights() {
    let mut setup = Setup::new();
    setup
        .set("http.trusted_proxies", ["127.0.0.1"])
        .set("access.admin", ["127.0.0.0/8", "203.0.113.9"])
        .set("access.stats", ["127.0.0.0/8", "203.0.113.9"]);
    let tracker = setup.start();
    for target in ["/metrics", "/stats", "/"] {
        let status = |ip| get_with(tracker.http(), target, &[("X-Forwarded-For", ip)]).status;
        assert_eq!(status("198.51.100.1"), 403, "{target}");
        assert_eq!(status("203.0.113.9, 198.51.100.1"), 403, "{target}");
        assert_eq!(status("203.0.113.9"), 200, "{target}");
        assert_eq!(get(tracker.http(), target).status, 200, "{target}");
    }
}
