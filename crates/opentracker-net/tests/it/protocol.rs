//! HTTP itself: connections, heads, limits.

use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use opentracker_core::Worker;
use opentracker_http::Counter;
use opentracker_net::http::{self, Listeners};

use crate::site::{Client, Plan, SCRAPE, SCRAPED, Site, operator_plane};

#[test]
fn a_connection_is_kept() {
    let site = Site::start();
    let mut client = site.connect();
    for _ in 0..3 {
        client.send(SCRAPE);
        let response = client.response();
        assert_eq!(response.status, 200);
        assert_eq!(response.text(), SCRAPED);
        assert_eq!(response.field("Connection"), None);
    }
    assert_eq!(site.count(http::Counter::Accepted), 1);
    assert_eq!(site.count(Counter::ScrapeV4), 3);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let site = Site::start();
    let mut client = site.connect();
    let hash = "a".repeat(20);
    let targets = [
        format!("announce?info_hash={hash}&port=1"),
        "x/announce?info_hash=y".to_owned(),
        format!("scrape?info_hash={hash}"),
    ];
    let requests = targets.map(|target| format!("GET /{target} HTTP/1.1\r\n\r\n"));
    client.send(&requests.concat());
    let responses = requests.map(|_| client.response());
    let statuses = responses.each_ref().map(|response| response.status);
    assert_eq!(statuses, [200, 404, 200]);
    assert!(responses[0].text().starts_with("d8:complete"));
    assert!(responses[2].text().starts_with("d5:filesd20:aaa"));
}

#[test]
fn what_is_neither_announce_nor_scrape_is_handed_over_with_all_that_follows() {
    let site = Site::start();
    for target in ["/", "/stats?mode=peer", "/scrape", "/nowhere", "/metrics"] {
        let mut client = site.connect();
        let requests = format!("GET {target} HTTP/1.1\r\n\r\nGET /next");
        client.send(&format!("{SCRAPE}{requests}"));
        assert_eq!(client.response().text(), SCRAPED, "{target}");
        let handed_over = client.response();
        assert_eq!((handed_over.status, handed_over.text()), (203, &*requests));
        client.expect_end();
        // The first request of a connection, which never meets the runtime.
        assert_eq!(site.get(target).status, 203);
    }
    assert_eq!(site.count(http::Counter::HandedOver), 10);
    let mut client = site.connect();
    client.send("POST /api HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
    assert!(client.response().text().ends_with("\r\n\r\nabc"));
}

#[test]
fn ten_thousand_pipelined_requests_are_answered_though_nobody_reads() {
    const REQUESTS: usize = 10_000;
    let site = Site::start();
    let mut client = site.connect();
    let mut sender = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        let requests = SCRAPE.repeat(REQUESTS);
        sender.write_all(requests.as_bytes()).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    // Until the responses fill what the system holds of them, and the server stops reading.
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let handled = site.count(Counter::ScrapeV4);
        if handled == before && handled > 0 {
            break;
        }
        before = handled;
    }
    for _ in 0..REQUESTS {
        assert_eq!(client.response().text(), SCRAPED);
    }
    client.expect_end();
    sender.join().unwrap();
}

#[test]
fn a_head_may_come_octet_by_octet() {
    let site = Site::start();
    let mut client = site.connect();
    for octet in SCRAPE.chars() {
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
        client.send(&format!(
            "GET /x/announce?info_hash HTTP/{version}\r\n{field}\r\n"
        ));
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
            client.send(SCRAPE);
            assert_eq!(client.response().status, 200);
        }
    }
}

#[test]
fn a_client_may_close_its_side_after_the_request() {
    let site = Site::start();
    let mut client = site.connect();
    client.send(&SCRAPE.repeat(2));
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.response().status, 200);
    assert_eq!(client.response().status, 200);
    client.expect_end();
}

#[test]
fn absolute_targets() {
    let site = Site::start();
    let response = site.get("http://tracker.example:6969/scrape?info_hash=zzzzzzzzzzzzzzzzzzzz");
    assert_eq!(response.text(), SCRAPED);
}

#[test]
fn slow_heads_are_answered_408() {
    let mut plan = Plan::default();
    plan.config.limits.head_timeout = Duration::from_millis(200);
    let site = plan.start();
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\nHost:");
    let response = client.response();
    assert_eq!(response.status, 408);
    assert!(response.text().starts_with("d14:failure reason"));
    assert_eq!(response.field("Connection"), Some("close"));
    client.expect_end();
    assert_eq!(site.count(Counter::Timeout), 1);
}

#[test]
fn idle_connections_are_closed() {
    let mut plan = Plan::default();
    plan.config.limits.idle_timeout = Duration::from_millis(200);
    let site = plan.start();
    let mut client = site.connect();
    client.send(SCRAPE);
    assert_eq!(client.response().status, 200);
    client.expect_end();
    assert_eq!(site.count(Counter::Timeout), 0);
}

#[test]
fn clients_that_do_not_read_are_cut_off() {
    let mut plan = Plan::default();
    plan.config.limits.stall_timeout = Duration::from_millis(200);
    let site = plan.start();
    let mut client = site.connect();
    // The replies outgrow what the system holds of them; then the server stops reading and cuts.
    let request = SCRAPE.repeat(1000);
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
    assert_eq!(site.count(Counter::HeadTooLarge), 3);

    // The largest that is served.
    let frame = SCRAPE.len() + "X: \r\n".len();
    let mut client = site.connect();
    let padding = format!("\r\nX: {}\r\n\r\n", "x".repeat(8 * 1024 - frame));
    client.send(&SCRAPE.replace("\r\n\r\n", &padding));
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
    assert_eq!(site.count(Counter::BadHead), 5);
}

#[test]
fn requests_with_bodies_are_answered_400() {
    let site = Site::start();
    for field in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
        let mut client = site.connect();
        client.send(&format!("GET /announce HTTP/1.1\r\n{field}\r\n\r\nhello"));
        let response = client.response();
        assert_eq!(response.status, 400, "{field}");
        client.expect_end();
    }
    assert_eq!(site.count(Counter::BadBody), 2);
    let target = "/scrape?info_hash=zzzzzzzzzzzzzzzzzzzz";
    assert_eq!(site.get_with(target, "Content-Length: 0\r\n").status, 200);
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
        assert_eq!(response.field("Allow"), Some("GET"));
        client.expect_end();
    }
    assert_eq!(site.count(Counter::BadMethod), 5);
}

#[test]
fn two_hosts_are_answered_400() {
    let site = Site::start();
    for target in ["/announce", "/stats"] {
        let response = site.get_with(target, "Host: b\r\n");
        assert_eq!(response.status, 400, "{target}");
        assert!(response.text().contains("Host"));
    }
    assert_eq!(site.count(Counter::BadHost), 2);
}

#[test]
fn a_response_arrives_though_the_client_goes_on_sending() {
    let site = Site::start();
    let mut client = site.connect();
    client.send(&format!(
        "POST /announce HTTP/1.1\r\n\r\n{}",
        "x".repeat(100_000)
    ));
    assert_eq!(client.response().status, 405);
    client.expect_end();
}

#[test]
fn every_thread_serves_every_address() {
    let mut plan = Plan {
        listen: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()],
        ..Plan::default()
    };
    plan.config.threads = 3;
    let listeners = Listeners::bind(&plan.config()).unwrap();
    let addresses = listeners.local_addrs().to_vec();
    assert!(addresses[0].is_ipv4() && addresses[1].is_ipv6());
    let tracker = Site::start().tracker;
    let worker = || Worker::new(Arc::clone(&tracker), 1, None);
    let server = listeners.serve(&operator_plane(), None, worker).unwrap();
    // The system spreads them over the threads as it likes.
    for address in addresses.iter().cycle().take(60) {
        let mut client = Client::connect(*address);
        client.send(SCRAPE);
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
        let mut plan = Plan {
            listen: vec![
                ([0, 0, 0, 0], port).into(),
                format!("[::]:{port}").parse().unwrap(),
            ],
            ..Plan::default()
        };
        plan.config.threads = 2;
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
    let said = format!("cannot listen on tcp {}", site.address);
    assert_eq!(error.to_string(), said);
    assert!(error.is_in_use());
}
