//! HTTP itself: connections, heads, limits.

use std::net::Shutdown;
use std::time::Duration;

use opentracker_core::Counter;
use opentracker_http::{Limits, Listeners};

use crate::site::{Client, Plan, Site};

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
    assert_eq!(site.count(Counter::HttpAccepted), 1);
    assert_eq!(site.count(Counter::HttpStats), 3);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let site = Site::start();
    let mut client = site.connect();
    let targets = ["stats?mode=version", "nowhere", "stats?mode=torr", "scrape"];
    let requests = targets.map(|target| format!("GET /{target} HTTP/1.1\r\n\r\n"));
    client.send(&requests.concat());
    let responses = targets.map(|_| client.response());
    let statuses = responses.each_ref().map(|response| response.status);
    assert_eq!(statuses, [200, 404, 200, 200]);
    assert_eq!(responses[0].text(), "opentracker 1.2.3\n");
    assert!(responses[2].text().starts_with("0\n0\n"));
    assert!(responses[3].text().starts_with("d5:filesde"));
}

#[test]
fn a_page_that_takes_its_time_keeps_its_place() {
    let site = Site::start();
    let mut client = site.connect();
    let request = |mode| format!("GET /stats?mode={mode} HTTP/1.1\r\n\r\n");
    client.send(&[request("top10"), request("version"), request("top100")].concat());
    assert!(client.response().text().starts_with("Top 10 torrents"));
    assert!(client.response().text().starts_with("opentracker 1.2.3"));
    assert!(client.response().text().starts_with("Top 100 torrents"));
    client.send("GET /stats?mode=top10 HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!(response.field("Connection"), Some("close"));
    client.expect_end();
}

#[test]
fn ten_thousand_pipelined_requests_are_answered_though_nobody_reads() {
    const REQUESTS: usize = 10_000;
    let site = Site::start();
    let mut client = site.connect();
    let mut sender = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        let requests = VERSION.repeat(REQUESTS);
        sender.write_all(requests.as_bytes()).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    // Until the responses fill what the system holds of them, and the server stops reading.
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let handled = site.count(Counter::HttpStats);
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
fn a_head_may_come_octet_by_octet() {
    let site = Site::start();
    let mut client = site.connect();
    for octet in VERSION.chars() {
        client.send(&octet.to_string());
    }
    assert_eq!(client.response().status, 200);
}

#[test]
fn versions_and_connection_fields() {
    let site = Site::start();
    for (version, field, connection) in [
        ("1.1", "", None),
        ("1.1", "Connection: Close\r\n", Some("close")),
        ("1.1", "Connection: keep-alive\r\n", None),
        ("1.0", "", Some("close")),
        ("1.0", "Connection: Keep-Alive\r\n", Some("keep-alive")),
    ] {
        let mut client = site.connect();
        client.send(&format!("GET /x HTTP/{version}\r\n{field}\r\n"));
        let response = client.response();
        assert_eq!(response.status, 404);
        assert_eq!(
            response.field("Connection"),
            connection,
            "{version} {field}"
        );
        if connection == Some("close") {
            client.expect_end();
        } else {
            client.send(VERSION);
            assert_eq!(client.response().status, 200);
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
fn slow_heads_are_answered_408() {
    let mut plan = Plan::default();
    plan.limits.head_timeout = Duration::from_millis(200);
    let site = plan.start();
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nHost:");
    let response = client.response();
    assert_eq!(response.status, 408);
    assert!(response.text().starts_with("d14:failure reason"));
    assert_eq!(response.field("Connection"), Some("close"));
    client.expect_end();
    assert_eq!(site.count(Counter::HttpTimeout), 1);
}

#[test]
fn idle_connections_are_closed() {
    let mut plan = Plan::default();
    plan.limits.idle_timeout = Duration::from_millis(200);
    let site = plan.start();
    let mut client = site.connect();
    client.send(VERSION);
    assert_eq!(client.response().status, 200);
    client.expect_end();
    assert_eq!(site.count(Counter::HttpTimeout), 0);
}

#[test]
fn clients_that_do_not_read_are_cut_off() {
    let mut plan = Plan::default();
    plan.limits.stall_timeout = Duration::from_millis(200);
    let site = plan.start();
    let mut client = site.connect();
    // The pages outgrow what the system holds of them; then the server stops reading and cuts.
    let request = "GET /stats?mode=everything HTTP/1.1\r\n\r\n".repeat(1000);
    let failed = (0..1000).any(|_| {
        use std::io::Write;
        client.stream.write_all(request.as_bytes()).is_err()
    });
    assert!(failed);
}

#[test]
fn large_heads_are_answered_431() {
    let site = Site::start();
    let large = [
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(8 * 1024)),
        format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000)),
        format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65)),
    ];
    for request in &large {
        let mut client = site.connect();
        client.send(request);
        let response = client.response();
        assert_eq!(response.status, 431);
        assert!(response.text().starts_with("d14:failure reason"));
        client.expect_end();
    }
    assert_eq!(site.count(Counter::HttpHeadTooLarge), 3);

    // The largest that is served.
    let frame = VERSION.len() + "X: \r\n".len();
    let mut client = site.connect();
    let padding = format!("\r\nX: {}\r\n\r\n", "x".repeat(8 * 1024 - frame));
    client.send(&VERSION.replace("\r\n\r\n", &padding));
    assert_eq!(client.response().status, 200);
}

#[test]
fn what_is_not_http_is_answered_400() {
    let site = Site::start();
    let requests = [
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "BitTorrent protocol\r\n\r\n",
        "GET / HTTP/3.0\r\n\r\n",
        "GET /\u{0} HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ];
    for request in requests {
        let mut client = site.connect();
        client.send(request);
        let response = client.response();
        assert_eq!(response.status, 400, "{request:?}");
        assert!(response.text().starts_with("d14:failure reason"));
        client.expect_end();
    }
    assert_eq!(site.count(Counter::HttpBadHead), 5);
}

#[test]
fn requests_with_bodies_are_answered_400() {
    let site = Site::start();
    for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let mut client = site.connect();
        client.send(&format!("GET /x HTTP/1.1\r\n{field}\r\n\r\nhello"));
        let response = client.response();
        assert_eq!(response.status, 400, "{field}");
        client.expect_end();
    }
    assert_eq!(site.count(Counter::HttpBadBody), 2);
    assert_eq!(site.get_with("/x", "Content-Length: 0\r\n").status, 404);
}

#[test]
fn other_methods_are_answered_405() {
    let site = Site::start();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
        let mut client = site.connect();
        client.send(&format!(
            "{method} /announce HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
        ));
        let response = client.response();
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.field("Allow"), Some("GET, HEAD"));
        client.expect_end();
    }
    assert_eq!(site.count(Counter::HttpBadMethod), 5);
}

#[test]
fn unknown_paths_are_answered_404() {
    let site = Site::start();
    for path in [
        "/x",
        "/announce/",
        "/Announce",
        "/statsx",
        "/stats/",
        "/favicon.ico",
        "*",
    ] {
        assert_eq!(site.get(path).status, 404, "{path}");
    }
    assert_eq!(site.count(Counter::HttpNotFound), 7);
}

#[test]
fn a_response_arrives_though_the_client_goes_on_sending() {
    let site = Site::start();
    let mut client = site.connect();
    client.send(&format!("POST / HTTP/1.1\r\n\r\n{}", "x".repeat(100_000)));
    assert_eq!(client.response().status, 405);
    client.expect_end();
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let plan = Plan {
        limits: Limits {
            max_connections: 2,
            ..Limits::default()
        },
        ..Plan::default()
    };
    let site = plan.start();
    let mut kept: Vec<Client> = (0..2).map(|_| site.connect()).collect();
    for client in &mut kept {
        client.send(VERSION);
        assert_eq!(client.response().status, 200);
    }
    let mut client = site.connect();
    client.send("G");
    site.wait(|site| site.count(Counter::HttpOverloaded) == 1);
    // It may be a reset, since the octet was not read.
    use std::io::Read;
    let read = client.stream.read(&mut [0; 100]);
    assert!(!read.is_ok_and(|octets| octets > 0));

    // There is room again once another has gone.
    drop(kept.pop());
    site.wait(|site| {
        use std::io::{Read, Write};
        let mut client = site.connect();
        let _ = client.stream.write_all(VERSION.as_bytes());
        client
            .stream
            .read(&mut [0; 100])
            .is_ok_and(|octets| octets > 0)
    });
    kept[0].send(VERSION);
    assert_eq!(kept[0].response().status, 200);
}

#[test]
fn every_thread_serves_every_address() {
    let plan = Plan {
        listen: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()],
        threads: 3,
        ..Plan::default()
    };
    let listeners = Listeners::bind(&plan.config()).unwrap();
    let addresses = listeners.local_addrs().to_vec();
    assert!(addresses[0].is_ipv4() && addresses[1].is_ipv6());
    let tracker = Site::start().tracker;
    let worker = || tracker.worker(1, None);
    let server = listeners.serve(plan.settings, worker).unwrap();
    // The system spreads them over the threads as it likes.
    for address in addresses.iter().cycle().take(60) {
        let mut client = Client::connect(*address);
        client.send(VERSION);
        assert_eq!(client.response().status, 200);
    }
    server.shutdown(Duration::ZERO);
}

#[test]
fn a_wildcard_of_ipv6_serves_ipv4_as_ipv4() {
    let plan = Plan {
        listen: vec!["[::]:0".parse().unwrap()],
        ..Plan::default()
    };
    let site = plan.start();
    let mut client = Client::connect(([127, 0, 0, 1], site.address.port()).into());
    let hash = "a".repeat(20);
    client.send(&format!(
        "GET /announce?info_hash={hash}&port=1 HTTP/1.1\r\n\r\n"
    ));
    let body = client.response().body;
    let address = b"11:external ip4:\x7f\0\0\x01";
    assert!(body.windows(address.len()).any(|at| at == address));
}

#[test]
fn both_wildcards_can_be_served_on_one_port() {
    let bind_both = || {
        let free = Listeners::bind(&Plan::default().config()).unwrap();
        let port = free.local_addrs()[0].port();
        drop(free);
        let plan = Plan {
            listen: vec![
                ([0, 0, 0, 0], port).into(),
                format!("[::]:{port}").parse().unwrap(),
            ],
            threads: 2,
            ..Plan::default()
        };
        let listeners = Listeners::bind(&plan.config()).ok()?;
        assert_eq!(listeners.local_addrs(), plan.listen);
        Some(())
    };
    // Somebody else may take the port in the meantime, but not each time.
    assert!((0..10).any(|_| bind_both().is_some()));
}

#[test]
fn an_address_is_not_shared_with_another_server() {
    let site = Site::start();
    let plan = Plan {
        listen: vec![site.address],
        ..Plan::default()
    };
    let error = Listeners::bind(&plan.config()).unwrap_err();
    assert_eq!(error.address, site.address);
    assert_eq!(error.cause.kind(), std::io::ErrorKind::AddrInUse);
    let message = format!("cannot listen on tcp {}", site.address);
    assert_eq!(error.to_string(), message);
}
