//! Section "HTTP" of the contract: clients behind proxies, and who may read what.
//!
//! | sentence | tests |
//! |---|---|
//! | through a trusted proxy, the right-most untrusted entry of the forwarding header | `the_right_most_untrusted_entry_is_the_client`, `a_header_that_repeats_is_one_list` |
//! | the header that `http.forwarded_header` names counts, and no other | `the_configured_header_counts_alone`, `forwarded_is_read_where_it_is_configured` |
//! | of a socket that is not trusted, nothing is believed | `headers_of_strangers_are_not_believed` |
//! | and a request with any forwarding header has no rights beyond a stranger's | `headers_of_strangers_take_their_rights_away` |
//! | what a client writes itself is not believed | `a_client_does_not_choose_its_address` |
//! | `external ip` only when no proxy was in the way | `no_external_ip_behind_a_proxy` |
//! | IPv4-mapped IPv6 addresses are IPv4 peers | `a_forwarded_mapped_address_is_an_ipv4_peer` |
//! | one from a trusted proxy without the header is refused where the address matters | `a_proxy_that_does_not_say_who_asks_is_refused` |
//! | counted and warned of | `a_silent_proxy_is_counted` |
//! | loopback means nothing on the public listeners | `an_unconfigured_proxy_on_the_same_host_gives_nothing_away`, `a_forged_header_through_a_trusted_proxy_gives_nothing_away` |
//! | `access.stats`: who may read `/stats` and the dashboard | `statistics_are_for_their_networks` |
//! | others than `access.stats` get a public page with the announce URLs | `statistics_are_for_their_networks` |
//! | `access.admin`: who may read `/metrics`; nobody by default | `metrics_are_for_their_networks` |
//! | the operator's own listener reads without a token | `the_operator_reads_at_his_own_listener` |
//! | it trusts no proxy: a forwarding header, a foreign `Host` or a foreign `Origin` is 403 | `what_is_not_meant_for_the_operator_s_listener_is_refused` |
//! | rights are the client's, not the proxy's | `a_proxy_does_not_lend_its_rights` |

use crate::datagram::{Announce, Client};
use crate::metrics::Metrics;
use crate::program::{NOTHING, Setup, Tracker};
use crate::request::{Connection, Response, announce, get, get_with, head, scrape};

const TORRENT: [u8; 20] = [0xab; 20];

/// Trusts this host and a network of proxies before it.
fn behind_proxies() -> Tracker {
    setup_behind_proxies().start()
}

fn setup_behind_proxies() -> Setup {
    let mut setup = Setup::new();
    setup.set(
        "http.trusted_proxies",
        ["127.0.0.1", "10.0.0.0/8", "fd00:1::/32"],
    );
    setup
}

/// Trusts the same, which write another header.
fn behind_proxies_with(header: &str) -> Tracker {
    let mut setup = setup_behind_proxies();
    setup.set("http.forwarded_header", header);
    setup.start()
}

fn announced(tracker: &Tracker, port: u16, fields: &[(&str, &str)]) -> Response {
    let target = announce(&TORRENT, port, "left=5&numwant=200");
    let response = get_with(tracker.http(), &target, fields);
    response.announced();
    response
}

/// The address that a client is filed with, as another one is told by UDP or, of addresses of the
/// other family, by HTTP.
fn filed(tracker: &Tracker, fields: &[(&str, &str)]) -> String {
    announced(tracker, 1000, fields);
    let mut found = Client::of(tracker.udp())
        .announce(&Announce::new(TORRENT, 2000))
        .peers;
    found.extend(announced(tracker, 2001, &[LOOKER]).announced().all());
    found.retain(|peer| peer.port() == 1000);
    found.sort();
    found.dedup();
    let goodbye = announce(&TORRENT, 1000, "event=stopped");
    get_with(tracker.http(), &goodbye, fields).announced();
    assert_eq!(found.len(), 1, "{fields:?}: {found:?}");
    found[0].ip().to_string()
}

/// One of a tracker's own site.
const LOOKER: (&str, &str) = ("X-Forwarded-For", "192.168.255.1");

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
fn forwarded_is_read_where_it_is_configured() {
    let tracker = behind_proxies_with("Forwarded");
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
        announced(&tracker, 1000, &[("Forwarded", value)]);
        let looker = [("Forwarded", "for=192.168.255.1")];
        let found = announced(&tracker, 2000, &looker).announced().all();
        let mut found = found.iter().filter(|peer| peer.port() == 1000);
        let filed = found.next().expect("it is filed").ip().to_string();
        assert_eq!((filed.as_str(), found.next()), (client, None), "{value}");
        let goodbye = announce(&TORRENT, 1000, "event=stopped");
        get_with(tracker.http(), &goodbye, &[("Forwarded", value)]).announced();
    }
}

#[test]
fn the_configured_header_counts_alone() {
    let right = ("X-Forwarded-For", "203.0.113.9");
    let tracker = behind_proxies();
    for other in [
        ("Forwarded", "for=198.51.100.1"),
        ("X-Real-IP", "198.51.100.1"),
        ("CF-Connecting-IP", "198.51.100.1"),
        ("Forwarded", "garbage"),
    ] {
        assert_eq!(filed(&tracker, &[other, right]), "203.0.113.9", "{other:?}");
        assert_eq!(filed(&tracker, &[right, other]), "203.0.113.9", "{other:?}");
        assert_silent(&tracker, &[other], "x-forwarded-for");
    }
    let tracker = behind_proxies_with("X-Real-IP");
    let fields = [("X-Real-IP", "198.51.100.1"), right];
    let announced = announced(&tracker, 1000, &fields);
    assert!(announced.announced().external_ip.is_none());
    assert_silent(&tracker, &[right], "x-real-ip");
}

/// Asserts that a trusted proxy that says nothing of use is refused what takes an address.
fn assert_silent(tracker: &Tracker, fields: &[(&str, &str)], header: &str) {
    let response = get_with(tracker.http(), &announce(&TORRENT, 1000, ""), fields);
    assert_eq!(response.status, 400, "{fields:?}: {response:?}");
    let reason = format!("the proxy does not say who asks: it has to set {header}");
    assert_eq!(response.failure_reason(), reason, "{fields:?}");
}

#[test]
fn headers_of_strangers_are_not_believed() {
    let mut elsewhere = Setup::new();
    elsewhere.set("http.trusted_proxies", ["10.0.0.0/8", "127.0.0.2"]);
    for tracker in [Setup::new().start(), elsewhere.start()] {
        for (field, value) in [
            ("X-Forwarded-For", "203.0.113.9"),
            ("Forwarded", "for=203.0.113.9"),
            ("X-Real-IP", "203.0.113.9"),
        ] {
            let reply = announced(&tracker, 1000, &[(field, value)]).announced();
            // Perhaps a proxy that nobody has configured, whose address is not the client's.
            assert!(reply.external_ip.is_none(), "{field}: {reply:?}");
        }
        let reply = get(tracker.http(), &announce(&TORRENT, 2000, "")).announced();
        assert_eq!(reply.all(), ["127.0.0.1:1000".parse().unwrap()].into());
        assert_eq!(reply.external_ip.unwrap().to_string(), "127.0.0.1");
    }
}

#[test]
fn headers_of_strangers_take_their_rights_away() {
    let mut setup = Setup::new();
    setup.set("access.stats", ["127.0.0.0/8"]);
    let tracker = setup.start();
    for target in ["/metrics", "/stats"] {
        assert_eq!(get(tracker.http(), target).status, 200, "{target}");
        for (field, value) in [
            ("X-Forwarded-For", "127.0.0.1"),
            ("Forwarded", "for=127.0.0.1"),
            ("X-Real-IP", ""),
            ("CF-Connecting-IP", "x"),
        ] {
            let response = get_with(tracker.http(), target, &[(field, value)]);
            assert_eq!(response.status, 403, "{target}: {field}");
        }
    }
    let full = get_with(tracker.http(), "/scrape", &[("X-Forwarded-For", "::1")]);
    full.refusal();
}

/// Sends what a reverse proxy on the same host sends, on one connection.
fn through_proxy(tracker: &Tracker, targets: &[&str], fields: &[(&str, &str)]) -> Vec<Response> {
    let mut connection = Connection::to(tracker.http());
    let ask = |target: &&str| {
        connection.send(head("GET", target, fields, &[]).as_bytes());
        connection.response()
    };
    targets.iter().map(ask).collect()
}

#[test]
fn an_unconfigured_proxy_on_the_same_host_gives_nothing_away() {
    // `proxy_pass http://127.0.0.1:6969;` and nothing else, on either side.
    let mut setup = Setup::new();
    setup.unset("access.admin");
    let tracker = setup.start();
    get(tracker.http(), &announce(&TORRENT, 1000, "")).announced();
    let targets = ["/metrics", "/scrape", "/stats?mode=cluster", "/stats"];
    for fields in [&[][..], &[("X-Forwarded-For", "127.0.0.1")]] {
        let [metrics, full_scrape, nodes, stats] = &through_proxy(&tracker, &targets, fields)[..]
        else {
            panic!("a response to each");
        };
        assert_eq!((metrics.status, nodes.status), (403, 403), "{fields:?}");
        full_scrape.refusal();
        assert_eq!(stats.status, 200, "which everybody may read");
    }
}

#[test]
fn a_forged_header_through_a_trusted_proxy_gives_nothing_away() {
    let mut setup = Setup::new();
    setup
        .set("http.trusted_proxies", ["127.0.0.0/8"])
        .set("access.admin", ["192.0.2.1"])
        .set("access.stats", ["192.0.2.1"]);
    let tracker = setup.start();
    let targets = ["/metrics", "/stats", "/scrape"];
    // As nginx passes it on with `$proxy_add_x_forwarded_for`: what the stranger wrote, and then
    // where he is.
    let forged = [("X-Forwarded-For", "192.0.2.1, 198.51.100.7")];
    // And where it sets nothing.
    for fields in [&forged[..], &[]] {
        let [metrics, stats, full_scrape] = &through_proxy(&tracker, &targets, fields)[..] else {
            panic!("a response to each");
        };
        assert_eq!((metrics.status, stats.status), (403, 403), "{fields:?}");
        full_scrape.refusal();
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
fn a_proxy_that_does_not_say_who_asks_is_refused() {
    let tracker = behind_proxies();
    assert_silent(&tracker, &[], "x-forwarded-for");
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
        "203.0.113.9, garbage",
    ] {
        assert_silent(&tracker, &[("X-Forwarded-For", value)], "x-forwarded-for");
    }
    let tracker = behind_proxies_with("forwarded");
    for value in [
        "",
        "for=unknown",
        "for=_hidden",
        "by=203.0.113.9",
        "for=\"[::1\"",
    ] {
        assert_silent(&tracker, &[("Forwarded", value)], "forwarded");
    }
    // Where the address does not matter it is served.
    assert_eq!(get(tracker.http(), &scrape(&[TORRENT])).status, 200);
    assert_eq!(get(tracker.http(), "/healthz").status, 200);
    assert_eq!(get(tracker.http(), "/stats").status, 200, "everybody's");
}

#[test]
fn a_silent_proxy_is_counted() {
    let tracker = behind_proxies();
    for _ in 0..3 {
        assert_silent(&tracker, &[], "x-forwarded-for");
    }
    announced(&tracker, 1000, &[("X-Forwarded-For", "203.0.113.9")]);
    let metrics = Metrics::of(tracker.operator());
    assert_eq!(metrics.http_errors(400, "forwarding"), 3);
    assert_eq!(metrics.http("announce"), 1);
}

#[test]
fn statistics_are_for_their_networks() {
    let mut nobody = Setup::new();
    nobody
        .set("access.admin", NOTHING)
        .set("access.stats", NOTHING);
    let mut elsewhere = Setup::new();
    elsewhere
        .set("access.admin", NOTHING)
        .set("access.stats", ["192.0.2.0/24", "127.0.0.2", "::1"]);
    for tracker in [nobody.start(), elsewhere.start()] {
        for target in ["/stats", "/stats?mode=everything", "/stats?mode=nonsense"] {
            assert_eq!(get(tracker.http(), target).status, 403, "{target}");
        }
        let page = get(tracker.http(), "/");
        assert_eq!(page.status, 200);
        assert!(page.text().contains("/announce"), "{page:?}");
        assert!(!page.text().contains("uPlot"), "no dashboard: {page:?}");
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
    let mut by_default = Setup::new();
    by_default.unset("access.admin");
    for tracker in [nobody.start(), elsewhere.start(), by_default.start()] {
        assert_eq!(get(tracker.http(), "/metrics").status, 403);
        get(tracker.http(), "/scrape").refusal();
        assert_eq!(get(tracker.http(), "/stats").status, 200, "another right");
    }
    let mut here = Setup::new();
    here.set("access.admin", ["127.0.0.1"]);
    let tracker = here.start();
    assert_eq!(get(tracker.http(), "/metrics").status, 200);
    assert!(
        get(tracker.http(), "/scrape")
            .bencode()
            .get("files")
            .is_some()
    );
}

#[test]
fn the_operator_reads_at_his_own_listener() {
    let mut setup = Setup::new();
    setup
        .set("access.admin", NOTHING)
        .set("access.stats", NOTHING);
    let tracker = setup.start();
    for target in ["/metrics", "/stats", "/stats?mode=cluster", "/", "/readyz"] {
        let fields = [("Host", "localhost")];
        assert_eq!(
            at_operator(&tracker, target, &fields).status,
            200,
            "{target}"
        );
    }
    // All torrents are for `access.admin`.
    at_operator(&tracker, "/scrape", &[("Host", "localhost")]).refusal();
}

/// Gets a target at the operator's listener, with these header fields alone.
fn at_operator(tracker: &Tracker, target: &str, fields: &[(&str, &str)]) -> Response {
    let mut request = format!("GET {target} HTTP/1.1\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut connection = Connection::to(tracker.operator());
    connection.send((request + "\r\n").as_bytes());
    connection.response()
}

#[test]
fn what_is_not_meant_for_the_operator_s_listener_is_refused() {
    let mut setup = Setup::new();
    setup
        .set("admin.hosts", ["ops.example"])
        .set("http.trusted_proxies", ["127.0.0.0/8"]);
    let tracker = setup.start();
    let address = tracker.operator().to_string();
    let here = format!("http://{address}");
    for fields in [
        &[("Host", "127.0.0.1")][..],
        &[("Host", "ops.example:1")],
        &[("Host", &address), ("Origin", &here)],
    ] {
        assert_eq!(
            at_operator(&tracker, "/metrics", fields).status,
            200,
            "{fields:?}"
        );
    }
    for fields in [
        &[("Host", "tracker.example")][..],
        &[("Host", &address), ("Origin", "http://tracker.example")],
        &[("Host", &address), ("Origin", "null")],
        &[("Host", &address), ("X-Forwarded-For", "127.0.0.1")],
        &[("Host", &address), ("Forwarded", "for=127.0.0.1")],
        &[("Host", &address), ("X-Real-IP", "127.0.0.1")],
    ] {
        for target in ["/metrics", "/stats", "/"] {
            let response = at_operator(&tracker, target, fields);
            assert_eq!(response.status, 403, "{target}: {fields:?}");
        }
    }
}

#[test]
fn a_proxy_does_not_lend_its_rights() {
    let mut setup = Setup::new();
    setup
        .set("http.trusted_proxies", ["127.0.0.1"])
        .set("access.admin", ["127.0.0.0/8", "203.0.113.9"])
        .set("access.stats", ["127.0.0.0/8", "203.0.113.9"]);
    let tracker = setup.start();
    for target in ["/metrics", "/stats"] {
        let status = |ip| get_with(tracker.http(), target, &[("X-Forwarded-For", ip)]).status;
        assert_eq!(status("198.51.100.1"), 403, "{target}");
        assert_eq!(status("203.0.113.9, 198.51.100.1"), 403, "{target}");
        assert_eq!(status("203.0.113.9"), 200, "{target}");
        // One that says nothing has no right of its own either.
        assert_eq!(get(tracker.http(), target).status, 403, "{target}");
    }
}
