//! Connections: what was read before comes first, what follows is served whatever it is, and all
//! of it within limits.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use opentracker_admin::Counter;
use opentracker_core::Cluster;
use opentracker_http::{Counter as Http, Source};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

use crate::site::{Client, PATIENCE, Plan, Site};

const VERSION: &str = "GET /stats?mode=version HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_connection_is_kept() {
    let site = Site::start();
    let mut client = site.connect();
    for _ in 0..3 {
        client.send(VERSION);
        let response = client.response();
        assert_eq!(response.status, 200);
        assert_eq!(response.text(), "opentracker 1.2.3\n");
        assert_eq!(response.field("Connection"), None);
    }
    assert_eq!(site.count(Counter::PublicConnection), 1);
    assert_eq!(site.count(Counter::Stats), 3);
}

#[test]
fn announces_and_pages_share_a_connection() {
    let site = Site::start();
    let mut client = site.connect();
    let announce = |left| {
        let hash = "a".repeat(20);
        format!("GET /announce?info_hash={hash}&port=6881&left={left} HTTP/1.1\r\n\r\n")
    };
    let targets = [
        "stats?mode=version",
        "announce?info_hash=short&port=1",
        "nowhere",
        "scrape?info_hash=aaaaaaaaaaaaaaaaaaaa",
        "?info_hash=aaaaaaaaaaaaaaaaaaaa&port=7",
        "stats?info_hash=aaaaaaaaaaaaaaaaaaaa",
        "stats?mode=torr",
    ];
    let requests = targets.map(|target| format!("GET /{target} HTTP/1.1\r\n\r\n"));
    client.send(&[announce(0), requests.concat(), announce(1)].concat());
    assert!(client.response().lossy().starts_with("d8:completei1e"));
    let responses = targets.map(|_| client.response());
    let statuses = responses.each_ref().map(|response| response.status);
    assert_eq!(statuses, [200, 400, 404, 200, 200, 404, 200]);
    assert_eq!(responses[0].text(), "opentracker 1.2.3\n");
    assert!(responses[3].lossy().contains("8:completei1e"));
    assert!(responses[4].lossy().contains("5:peers6:"), "both ports");
    assert!(responses[5].text().starts_with("d14:failure reason"));
    assert!(client.response().lossy().contains("10:incompletei2e"));
    assert_eq!(site.count(Http::AnnounceV4), 3);
    assert_eq!(site.count(Http::ScrapeV4), 1);
    assert_eq!(site.count(Http::BadInfoHash), 1);
}

#[test]
fn pages_that_take_their_time_keep_their_place() {
    let site = Site::start();
    let mut client = site.connect();
    let request = |mode| format!("GET /stats?mode={mode} HTTP/1.1\r\n\r\n");
    client.send(&[request("top10"), request("version"), request("top100")].concat());
    assert!(client.response().text().starts_with("Top 10 torrents"));
    assert!(client.response().text().starts_with("opentracker 1.2.3"));
    assert!(client.response().text().starts_with("Top 100 torrents"));
    client.send("GET /stats?mode=top10 HTTP/1.0\r\n\r\n");
    assert!(client.response().text().starts_with("Top 10 torrents"));
    client.expect_end();
}

#[test]
fn ten_thousand_pipelined_requests_are_answered_though_nobody_reads() {
    const REQUESTS: usize = 10_000;
    let site = Site::start();
    let mut client = site.connect();
    let mut sender = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let requests = VERSION.repeat(REQUESTS);
        sender.write_all(requests.as_bytes()).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    // Until the responses fill what the system holds of them, and the server stops reading.
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let handled = site.count(Counter::Stats);
        if handled == before && handled > 0 {
            break;
        }
        before = handled;
    }
    for _ in 0..REQUESTS {
        assert_eq!(client.response().text(), "opentracker 1.2.3\n");
    }
    client.expect_end();
    sender.join().unwrap();
}

#[test]
fn heads_may_come_octet_by_octet() {
    let site = Site::start();
    for mut client in [site.connect(), Client::connect(site.operator)] {
        for octet in VERSION.replace("Host: a", "Host: [::1]").repeat(2).chars() {
            client.send(&octet.to_string());
        }
        assert_eq!(client.response().status, 200);
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn versions_and_connection_fields() {
    let site = Site::start();
    for (version, field, is_kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: Close\r\n", false),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
    ] {
        let mut client = site.connect();
        client.send(&format!("GET /x HTTP/{version}\r\n{field}\r\n"));
        assert_eq!(client.response().status, 404);
        if is_kept {
            client.send(VERSION);
            assert_eq!(client.response().status, 200);
        } else {
            client.expect_end();
        }
    }
}

#[test]
fn a_client_may_close_its_side_after_the_request() {
    let site = Site::start();
    let mut client = site.connect();
    client.send(&VERSION.repeat(2));
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.response().status, 200);
    assert_eq!(client.response().status, 200);
    client.expect_end();
}

#[test]
fn absolute_targets() {
    let site = Site::start();
    let response = site.get("http://tracker.example:6969/stats?mode=version");
    assert_eq!(response.text(), "opentracker 1.2.3\n");
}

#[test]
fn slow_heads_are_answered_408_and_idle_connections_are_closed() {
    let mut plan = Plan::default();
    plan.config.limits.idle_timeout = Duration::from_millis(200);
    let site = plan.start();
    for address in [site.address, site.operator] {
        let mut client = Client::connect(address);
        let version = VERSION.replace("Host: a", "Host: [::1]");
        client.send(&[&version, "GET / HTTP/1.1\r\nHost:"].concat());
        assert_eq!(client.response().status, 200);
        assert_eq!(client.response().status, 408);
        client.expect_end();
    }
    assert_eq!(site.count(Counter::Timeout), 2);
    let mut silent = Client::connect(site.operator);
    silent.expect_end();
    let mut idle = site.connect();
    idle.send(VERSION);
    assert_eq!(idle.response().status, 200);
    idle.expect_end();
    assert_eq!(site.count(Counter::Timeout), 2);
}

#[test]
fn clients_that_do_not_read_are_cut_off() {
    let mut plan = Plan::default();
    plan.config.limits.stall_timeout = Duration::from_millis(200);
    let site = plan.start();
    let mut client = site.connect();
    // The pages outgrow what the system holds of them; then the server stops reading and cuts.
    let request = "GET /stats?mode=everything HTTP/1.1\r\n\r\n".repeat(1000);
    let failed = (0..1000).any(|_| client.stream.write_all(request.as_bytes()).is_err());
    assert!(failed);
    site.wait(|site| site.count(Counter::Stalled) == 1);
}

#[test]
fn heads_that_are_too_large_or_no_heads() {
    let site = Site::start();
    let large = [
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(9 * 1024)),
        format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000)),
        format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65)),
    ];
    let wrong = [
        "BitTorrent protocol\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n",
        "GET /\u{0} HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ];
    let large = large.iter().map(|request| (431, request.as_str()));
    for (status, request) in large.chain(wrong.map(|request| (400, request))) {
        let mut client = site.connect();
        client.send(VERSION);
        assert_eq!(client.response().status, 200);
        client.send(request);
        let response = client.response();
        assert_eq!(response.status, status, "{request:?}");
        client.expect_end();
    }
    // They are counted once the connection has ended.
    site.wait(|site| site.count(Counter::HeadTooLarge) == 3);
    site.wait(|site| site.count(Counter::BadHead) == 4);
}

#[test]
fn two_host_fields_are_answered_400() {
    let site = Site::start();
    let mut client = site.connect();
    client.send(VERSION);
    assert_eq!(client.response().status, 200);
    client.send(&VERSION.replace("Host: a", "Host: a\r\nHost: a"));
    let response = client.response();
    assert_eq!(response.status, 400);
    assert!(response.text().contains("Host"));
    assert_eq!(site.count(Counter::BadHost), 1);
}

#[test]
fn requests_with_bodies_are_answered_400() {
    let site = Site::start();
    for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let mut client = site.connect();
        client.send(&format!("GET /x HTTP/1.1\r\n{field}\r\n\r\n5\r\nhello\r\n"));
        let response = client.response();
        assert_eq!(response.status, 400, "{field}");
        assert_eq!(response.field("Connection"), Some("close"));
        client.expect_end();
    }
    assert_eq!(site.count(Counter::BadBody), 2);
    assert_eq!(site.get_with("/x", "Content-Length: 0\r\n").status, 404);
}

#[test]
fn other_methods_are_answered_405() {
    let site = Site::start();
    for (method, path, allowed) in [
        ("POST", "/stats", "GET, HEAD"),
        ("PUT", "/", "GET, HEAD"),
        ("DELETE", "/x", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
        ("get", "/stats", "GET, HEAD"),
        ("POST", "/announce", "GET"),
        ("HEAD", "/announce", "GET"),
    ] {
        let mut client = site.connect();
        client.send(&format!("{method} {path} HTTP/1.1\r\n\r\n"));
        let response = client.response_to_head();
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.field("Allow"), Some(allowed));
    }
    assert_eq!(site.count(Counter::BadMethod), 7);
}

#[test]
fn unknown_paths_are_answered_404() {
    let site = Site::start();
    for path in ["/x", "/Announce", "/statsx", "/stats/", "/favicon.ico", "*"] {
        let response = site.get(path);
        assert_eq!(
            (response.status, response.text()),
            (404, "not found\n"),
            "{path}"
        );
    }
    assert_eq!(site.count(Counter::NotFound), 6);
}

#[test]
fn a_response_arrives_though_the_client_goes_on_sending() {
    let site = Site::start();
    let mut client = site.connect();
    let body = "x".repeat(100_000);
    client.send(&format!(
        "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n{body}"
    ));
    assert_eq!(client.response().status, 405);
    client.expect_end();
}

#[test]
fn idle_connections_do_not_take_all_places() {
    let mut plan = Plan::default();
    plan.config.limits.max_public = 4;
    plan.config.limits.max_operator = 1;
    let site = plan.start();
    let mut clients: Vec<Client> = (0..2).map(|_| site.connect()).collect();
    for client in &mut clients {
        client.send(VERSION);
        assert_eq!(client.response().status, 200);
    }
    // The places that are left are for one response each.
    for _ in 0..10 {
        let mut client = site.connect();
        client.send(VERSION);
        let response = client.response();
        assert_eq!(response.status, 200);
        assert_eq!(response.field("Connection"), Some("close"));
        client.expect_end();
    }
    // Those of the operator are counted apart.
    let mut operator = Client::connect(site.operator);
    operator.send("GET /readyz HTTP/1.1\r\n\r\n");
    assert_eq!(operator.response().status, 200);
}

#[test]
fn connections_beyond_the_limit_are_answered_503() {
    let mut plan = Plan::default();
    plan.config.limits.max_operator = 1;
    let site = plan.start();
    // It holds its place as long as its head is not complete.
    let mut first = Client::connect(site.operator);
    first.send("GET /readyz HTTP/1.1\r\n");
    site.wait(|site| site.count(Counter::OperatorConnection) == 1);
    assert_eq!(Client::connect(site.operator).response().status, 503);
    assert_eq!(site.count(Counter::Overloaded), 1);
    first.send("\r\n");
    assert_eq!(first.response().status, 200);
    first.expect_end();
    site.wait(|site| {
        let mut client = Client::connect(site.operator);
        let sent = client.stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n");
        let mut start = [0; 12];
        sent.is_ok() && client.stream.read_exact(&mut start).is_ok() && &start[9..] == b"200"
    });
}

#[test]
fn what_was_read_before_comes_first_however_much_it_is() {
    const REQUESTS: usize = 1000;
    let site = Site::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(listener.local_addr().unwrap());
    let (stream, address) = listener.accept().unwrap();
    let octets = VERSION.repeat(REQUESTS).into_bytes();
    client.send("GET /stats?mode=torr HTTP/1.1\r\n\r\n");
    let source = Source::Socket(address.ip());
    site.plane.handle().take(stream, source, octets, ());
    for _ in 0..REQUESTS {
        assert_eq!(client.response().text(), "opentracker 1.2.3\n");
    }
    assert!(client.response().text().starts_with("0\n0\n"));
}

/// Passes on what the cluster is told.
#[derive(Debug)]
struct Told(Sender<Option<PeerAddr>>);

impl Cluster for Told {
    fn tell(&mut self, _: &InfoHash, peer: PeerAddr, _: PeerFlags, _: Instant) {
        self.0.send(Some(peer)).unwrap();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn flush(&mut self, _: Instant) {
        self.0.send(None).unwrap();
    }
}

#[test]
fn the_cluster_hears_of_announces() {
    let (sender, told) = channel();
    let plan = Plan {
        cluster: Some(Box::new(Told(sender))),
        ..Plan::behind_proxy()
    };
    let site = plan.start();
    let hash = "a".repeat(20);
    let mut client = site.connect();
    // Of peers on loopback it hears nothing.
    client.send(&format!(
        "GET /announce?info_hash={hash}&port=6881 HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    ));
    assert_eq!(client.response().status, 200);
    site.plane.shutdown(PATIENCE);
    let peer = PeerAddr::new([192, 0, 2, 1].into(), 6881);
    assert_eq!(told.iter().collect::<Vec<_>>(), [Some(peer), None]);
}

#[test]
fn handing_over_never_waits() {
    let site = Site::start();
    let handle = site.plane.handle();
    site.plane.shutdown(Duration::ZERO);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let (stream, address) = listener.accept().unwrap();
    let source = Source::Socket(address.ip());
    handle.take(stream, source, VERSION.as_bytes().to_vec(), ());
    assert_eq!(client.read(&mut [0; 10]).unwrap(), 0, "it was closed");
    assert_eq!(site.tracker.counters().sum(Counter::QueueFull), 1);
}

#[test]
fn a_shutdown_closes_idle_connections() {
    let site = Site::start();
    let mut clients = [site.connect(), Client::connect(site.operator)];
    for client in &mut clients {
        client.send(&VERSION.replace("Host: a", "Host: [::1]"));
        assert_eq!(client.response().status, 200);
    }
    site.plane.shutdown(PATIENCE);
    for client in &mut clients {
        client.expect_end();
    }
    assert_eq!(site.tracker.counters().sum(Counter::CutOff), 0);
    assert!(TcpStream::connect(site.operator).is_err(), "nobody listens");
}

#[test]
fn dropped_it_stops() {
    let site = Site::start();
    let mut client = Client::connect(site.operator);
    client.send("GET /readyz HTTP/1.1\r\n\r\n");
    assert_eq!(client.response().status, 200);
    drop(site.plane);
    client.expect_end();
}
