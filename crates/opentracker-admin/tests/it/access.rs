//! Who may what, on either kind of listener.

use std::io::Read;
use std::os::unix::net::UnixStream;

use opentracker_admin::Counter;
use opentracker_http::Source;

use crate::site::{Client, PATIENCE, Plan, Site, networks};

/// What a request gets.
fn got(status: u16, text: &str) -> &'static str {
    match status {
        403 => "no",
        400 => "unknown",
        200 if text.contains("failure reason") => "refused",
        200 if text.contains("<h1>BitTorrent tracker</h1>") => "welcome",
        200 => "yes",
        other => panic!("{other}: {text}"),
    }
}

const TARGETS: [&str; 15] = [
    "/healthz",
    "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=1",
    "/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa",
    "/",
    "/stats",
    "/stats?mode=top10",
    "/stats?mode=cluster",
    "/metrics",
    "/scrape",
    "/stats?mode=s24s",
    "/stats?mode=woodpeckers",
    "/stats?mode=tpbs",
    "/stats?mode=tpbs&format=txt",
    "/stats?mode=statedump",
    "/stats?mode=renew",
];

const NOBODY: [&str; 15] = [
    "yes", "yes", "yes", "welcome", "no", "no", "no", "no", "refused", "no", "no", "no", "no",
    "no", "no",
];
const STATS: [&str; 15] = [
    "yes", "yes", "yes", "yes", "yes", "yes", "no", "no", "refused", "yes", "no", "no", "no", "no",
    "yes",
];
const OPERATOR: [&str; 15] = [
    "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "refused", "yes", "no", "no", "no",
    "no", "yes",
];
const ADMIN: [&str; 15] = [
    "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes", "yes",
    "yes", "yes",
];

#[test]
fn the_rights_are_those_of_the_client() {
    let mut plan = Plan::behind_proxy();
    plan.page_rules.stats = networks(&["192.0.2.0/24"]);
    plan.page_rules.admin = networks(&["192.0.2.1/32", "203.0.113.0/24"]);
    let site = plan.start();
    for (client, expected) in [
        ("192.0.2.1", ADMIN),
        ("203.0.113.7", ADMIN),
        ("192.0.2.2", STATS),
        ("198.51.100.1", NOBODY),
        ("192.0.2.1, 198.51.100.1", NOBODY),
        ("2001:db8::1", NOBODY),
    ] {
        let field = format!("X-Forwarded-For: {client}\r\n");
        let answers = TARGETS.map(|target| {
            let response = site.get_with(target, &field);
            got(response.status, &response.lossy())
        });
        assert_eq!(answers, expected, "{client}");
        let unknown = site.get_with("/stats?mode=nope", &field);
        let has_stats = expected != NOBODY;
        assert_eq!(unknown.status, if has_stats { 400 } else { 403 });
    }
    // The proxy itself is in none of the networks.
    assert_eq!(site.get("/stats").status, 403);
    assert_eq!(site.count(Counter::Forbidden), 3 * 11 + 6 + 1);
    assert_eq!(site.count(Counter::FullScrapeForbidden), 4);
}

#[test]
fn by_default_everybody_has_the_statistics_and_nobody_more() {
    let plan = Plan {
        page_rules: opentracker_admin::PageRules::default(),
        ..Plan::default()
    };
    let site = plan.start();
    let answers = |fields| {
        TARGETS.map(|target| {
            let response = site.get_with(target, fields);
            got(response.status, &response.lossy())
        })
    };
    assert_eq!(answers(""), STATS);
    // A proxy that nobody configured: loopback means nothing.
    assert_eq!(answers("X-Forwarded-For: 127.0.0.1\r\n"), STATS);
}

#[test]
fn where_a_request_through_an_unknown_proxy_comes_from_gives_no_right() {
    let site = Site::start();
    assert_eq!(site.get("/metrics").status, 200, "loopback has the right");
    for field in [
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
        "X-Real-IP: 127.0.0.1",
    ] {
        let fields = format!("{field}\r\n");
        assert_eq!(site.get_with("/metrics", &fields).status, 403, "{field}");
    }
}

#[test]
fn the_operators_own_listener() {
    let mut plan = Plan::behind_proxy();
    plan.page_rules.stats = networks(&[]);
    plan.page_rules.admin = networks(&[]);
    plan.page_rules.redirect_url = "https://tracker.example/".to_owned();
    plan.page_rules.hosts = vec!["ops.example".to_owned()];
    let site = plan.start();
    let hosts = [
        "",
        "Host: 127.0.0.1:6970\r\n",
        "Host: ops.example\r\n",
        "Host: localhost\r\nOrigin: http://localhost\r\n",
    ];
    for fields in hosts {
        let answers = TARGETS.map(|target| {
            let response = site.get_own(target, fields);
            got(response.status, &response.lossy())
        });
        assert_eq!(answers, OPERATOR, "{fields}");
    }
    let foreign = [
        "Host: evil.example\r\n",
        "Host: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n",
        "Host: localhost\r\nForwarded: for=127.0.0.1\r\n",
        "Host: localhost\r\nOrigin: http://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
    ];
    for fields in foreign {
        for target in TARGETS {
            assert_eq!(
                site.get_own(target, fields).status,
                403,
                "{target} {fields}"
            );
        }
    }
    assert_eq!(site.count(Counter::Foreign), 5 * 15);
    assert_eq!(site.count(Counter::OperatorConnection), 9 * 15);
    // A dashboard is what the operator's root is, wherever the public one leads.
    assert!(site.get_own("/", "").text().contains("id=\"operate\""));
    assert_eq!(site.get("/").status, 302);
}

#[test]
fn strangers_get_the_announce_urls() {
    let mut plan = Plan::behind_proxy();
    plan.page_rules.stats = networks(&[]);
    plan.config.udp_port = Some(6969);
    let site = plan.start();
    let mut client = Client::connect(site.address);
    client.send(
        "GET / HTTP/1.1\r\nHost: tracker.example:8080\r\n\
         X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n",
    );
    let response = client.response();
    assert_eq!(response.status, 200);
    let policy = response.field("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"));
    let text = response.text();
    assert!(text.contains("https://tracker.example:8080/announce"));
    assert!(text.contains("udp://tracker.example:6969/announce"));

    client.send("GET / HTTP/1.1\r\nHost: <script>\r\n\r\n");
    let response = client.response();
    assert!(!response.text().contains("<script>"), "{}", response.text());
    assert_eq!(site.count(Counter::Welcome), 2);
}

#[test]
fn the_rights_are_not_those_of_a_proxy_before_the_first_request() {
    let mut plan = Plan::behind_proxy();
    plan.page_rules.stats = networks(&["127.0.0.0/8", "192.0.2.0/24"]);
    plan.page_rules.admin = networks(&["127.0.0.0/8", "192.0.2.1/32"]);
    let site = plan.start();
    let proxy = Source::Socket([127, 0, 0, 1].into());
    let named = |ip: [u8; 4]| Source::Named(ip.into());
    // The site's fields would make an operator of anybody who is believed.
    let field = "X-Forwarded-For: 192.0.2.1\r\n";
    for (source, field, stats, metrics) in [
        (named([192, 0, 2, 1]), "", 200, 200),
        (named([192, 0, 2, 2]), "", 200, 403),
        (named([198, 51, 100, 1]), "", 403, 403),
        (named([198, 51, 100, 1]), field, 403, 403),
        // One that names a client is believed once more if it is a trusted proxy itself.
        (named([127, 0, 0, 1]), field, 200, 200),
        (named([127, 0, 0, 1]), "", 403, 403),
        (proxy, "", 403, 403),
        (Source::Local, "", 403, 403),
        (Source::Local, field, 200, 200),
    ] {
        for (target, expected) in [("/stats", stats), ("/metrics", metrics)] {
            let status = ask_from(&site, source, target, field);
            assert_eq!(status, expected, "{source:?} {field:?} {target}");
        }
    }
}

/// Hands a connection over that comes from somebody, and returns the status of the response.
fn ask_from(site: &Site, source: Source, target: &str, field: &str) -> u16 {
    let (mut client, server) = UnixStream::pair().unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {target} HTTP/1.0\r\n{field}\r\n");
    site.plane.handle().take(server, source, request.into(), ());
    let mut response = Vec::new();
    client.read_to_end(&mut response).unwrap();
    let status = str::from_utf8(&response[9..12]).unwrap();
    status.parse().unwrap()
}
