//! Section "HTTP" of the contract: connections, heads, methods, limits.
//!
//! | sentence | tests |
//! |---|---|
//! | keep-alive as HTTP/1.1 says | `a_connection_is_kept`, `a_connection_closes_when_asked_to`, `connections_of_http_1_0_close_unless_asked_to_stay` |
//! | a connection stays after a refusal | `a_connection_is_kept_after_errors` |
//! | pipelining as HTTP/1.1 says | `requests_in_a_pipeline_are_answered_in_order`, `a_long_pipeline_is_answered_to_its_end` |
//! | a body is not taken for a request | `a_body_is_not_taken_for_a_request` |
//! | a response has its length, and is not longer | `a_response_has_its_length` |
//! | `HEAD` on the pages | `head_gets_the_head_of_get` |
//! | other methods are refused | `other_methods_are_refused` |
//! | absolute targets, as HTTP/1.1 says | `a_target_may_be_absolute` |
//! | unknown path 404 (bencoded for a client's `/…/announce`) | `an_unknown_path_is_404`, `a_wrong_announce_url_is_refused` |
//! | what clients are known to send is served: `//announce`, `/announce/`, `/announce.php`, `/?info_hash=…` | `what_clients_are_known_to_send_is_served` |
//! | octets ≥ 0x80 unescaped in the query | `octets_are_taken_unescaped` |
//! | two `Host` fields are refused (RFC 9112, 3.2) | `two_hosts_are_refused` |
//! | head over 8 KiB 431 | `a_head_over_8_kib_is_431`, `a_head_of_8_kib_is_taken` |
//! | too slow 408 | `a_slow_head_is_408` |
//! | a head arrives in any pieces | `a_head_may_come_octet_by_octet` |
//! | a client may close its half after the request | `a_half_closed_connection_is_answered` |
//! | `http.idle_timeout` | `an_idle_connection_is_closed`, `an_idle_connection_is_kept_until_then` |
//! | nothing that arrives breaks it | `garbage_is_400_or_closed` |
//! | errors are counted by kind | `errors_are_counted_by_kind` |

use std::io::Write;
use std::time::Instant;

use crate::metrics::Metrics;
use crate::program::{Setup, Tracker};
use crate::request::{Connection, announce, get, head, scrape};

const TORRENT: [u8; 20] = [0xab; 20];

fn tracker() -> Tracker {
    Setup::new().start()
}

#[test]
fn a_connection_is_kept() {
    let tracker = tracker();
    let mut connection = Connection::to(tracker.http());
    for port in 1000..1100 {
        let response = connection.get(&announce(&TORRENT, port, ""));
        assert_ne!(response.field("connection"), Some("close"));
        assert_eq!(response.announced().incomplete, u32::from(port) - 999);
    }
    assert_eq!(connection.get("/stats").status, 200);
    assert_eq!(connection.get(&scrape(&[TORRENT])).status, 200);
}

#[test]
fn a_connection_closes_when_asked_to() {
    let tracker = tracker();
    for line in [
        "Connection: close",
        "connection:CLOSE",
        "Connection: x, Close",
    ] {
        let mut connection = Connection::to(tracker.http());
        let target = announce(&TORRENT, 1000, "");
        connection.send(head("GET", &target, &[], &[line]).as_bytes());
        let response = connection.response();
        assert_eq!(response.status, 200);
        assert_eq!(response.field("connection"), Some("close"), "{line}");
        assert!(connection.is_at_end(), "{line}");
    }
}

#[test]
fn connections_of_http_1_0_close_unless_asked_to_stay() {
    let tracker = tracker();
    let target = announce(&TORRENT, 1000, "");
    let mut connection = Connection::to(tracker.http());
    connection.send(format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
    let response = connection.response();
    assert!(
        response.field("transfer-encoding").is_none(),
        "{response:?}"
    );
    response.announced();
    assert!(connection.is_at_end());

    let mut connection = Connection::to(tracker.http());
    for _ in 0..3 {
        let request = format!("GET {target} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        connection.send(request.as_bytes());
        let response = connection.response();
        let kept = response.field("connection").map(str::to_lowercase);
        assert_eq!(
            kept.as_deref(),
            Some("keep-alive"),
            "the client has to be told"
        );
        response.announced();
    }
}

#[test]
fn a_connection_is_kept_after_errors() {
    let tracker = tracker();
    let mut connection = Connection::to(tracker.http());
    for (target, status) in [
        ("/nowhere".to_owned(), 404),
        ("/announce?info_hash=abc".to_owned(), 400),
        ("/scrape".to_owned(), 200),
        (announce(&TORRENT, 0, ""), 400),
        (announce(&TORRENT, 1000, ""), 200),
    ] {
        assert_eq!(connection.get(&target).status, status, "{target}");
    }
}

#[test]
fn requests_in_a_pipeline_are_answered_in_order() {
    let tracker = tracker();
    let mut connection = Connection::to(tracker.http());
    let mut pipeline = String::new();
    for number in 0..50 {
        pipeline += &head("GET", &announce(&[number; 20], 1000, ""), &[], &[]);
        pipeline += &head("GET", &scrape(&[[number; 20]]), &[], &[]);
        pipeline += &head("GET", "/nowhere", &[], &[]);
    }
    connection.send(pipeline.as_bytes());
    for number in 0..50 {
        assert_eq!(connection.response().announced().incomplete, 1);
        let reply = connection.response().bencode();
        assert_eq!(reply.get("files").unwrap().keys(), [&[number; 20]]);
        assert_eq!(connection.response().status, 404);
    }
    // Requests behind one that closes are not looked at.
    let last = head("GET", "/stats", &[], &["Connection: close"]);
    let behind = head("GET", &announce(&TORRENT, 1000, ""), &[], &[]);
    connection.offer((last + &behind).as_bytes());
    assert_eq!(connection.response().status, 200);
    assert!(connection.is_at_end());
    let reply = get(tracker.http(), &scrape(&[TORRENT])).bencode();
    assert!(reply.get("files").unwrap().keys().is_empty());
}

#[test]
fn a_long_pipeline_is_answered_to_its_end() {
    const REQUESTS: u16 = 10_000;
    let tracker = tracker();
    for port in 1..200 {
        get(tracker.http(), &announce(&TORRENT, port, "numwant=0")).announced();
    }
    let mut connection = Connection::to(tracker.http());
    let mut sender = connection.sender();
    // Requests are sent by a thread of their own, or both sides might wait for each other.
    let sending = std::thread::spawn(move || {
        for port in 1000..1000 + REQUESTS {
            let target = announce(&TORRENT, port, "numwant=100");
            sender
                .write_all(head("GET", &target, &[], &[]).as_bytes())
                .unwrap();
        }
    });
    for number in 1..=u32::from(REQUESTS) {
        let reply = connection.response().announced();
        assert_eq!((reply.incomplete, reply.peers.len()), (199 + number, 100));
    }
    sending.join().unwrap();
}

#[test]
fn a_body_is_not_taken_for_a_request() {
    let tracker = tracker();
    let hidden = head("GET", &announce(&TORRENT, 1000, ""), &[], &[]);
    let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    for (method, field, body) in [
        ("GET", format!("Content-Length: {}", hidden.len()), &hidden),
        ("POST", format!("Content-Length: {}", hidden.len()), &hidden),
        ("GET", "Transfer-Encoding: chunked".to_owned(), &chunk),
        (
            "GET",
            format!("Content-Length: 0\r\nContent-Length: {}", hidden.len()),
            &hidden,
        ),
    ] {
        let mut connection = Connection::to(tracker.http());
        let request = head(method, "/nowhere", &[], &[&field]) + body;
        connection.offer(request.as_bytes());
        connection.half_close();
        let response = connection.response();
        assert!(response.status >= 400, "{response:?}");
        assert!(connection.is_at_end(), "one request, one response: {field}");
    }
    let reply = get(tracker.http(), &scrape(&[TORRENT])).bencode();
    assert!(
        reply.get("files").unwrap().keys().is_empty(),
        "nothing was announced"
    );
}

#[test]
fn a_response_has_its_length() {
    let tracker = tracker();
    for target in [
        announce(&TORRENT, 1000, "").as_str(),
        &scrape(&[TORRENT]),
        "/scrape",
        "/stats",
        "/stats?mode=everything",
        "/metrics",
        "/",
        "/nowhere",
        "/announce",
    ] {
        // `get` makes sure that nothing follows.
        let response = get(tracker.http(), target);
        assert!(
            !response.body.is_empty() || response.status >= 400,
            "{target}"
        );
        assert_eq!(response.version, "HTTP/1.1");
        assert!(
            response.field("content-type").is_some(),
            "{target}: {response:?}"
        );
    }
}

#[test]
fn head_gets_the_head_of_get() {
    let tracker = tracker();
    for target in ["/", "/stats", "/stats?mode=version"] {
        let mut connection = Connection::to(tracker.http());
        connection.send(head("HEAD", target, &[], &[]).as_bytes());
        let response = connection.response_head();
        assert_eq!(response.status, 200, "{target}");
        // No body is in the way of the next response.
        let whole = connection.get(target);
        assert_eq!(whole.status, 200);
        for field in ["content-type", "content-length"] {
            assert_eq!(response.field(field), whole.field(field), "{target}");
        }
    }
    let mut connection = Connection::to(tracker.http());
    connection.send(head("HEAD", "/nowhere", &[], &[]).as_bytes());
    assert_eq!(connection.response_head().status, 404);
    assert_eq!(connection.get("/stats").status, 200);
}

#[test]
fn other_methods_are_refused() {
    let tracker = tracker();
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "BREW",
    ] {
        for target in [&announce(&TORRENT, 1000, ""), "/stats", "/"] {
            let mut connection = Connection::to(tracker.http());
            connection.send(head(method, target, &[], &[]).as_bytes());
            let response = connection.response();
            assert!(
                [405, 501].contains(&response.status),
                "{method}: {response:?}"
            );
            if response.status == 405 {
                let allowed = response.field("allow").expect("405 says what is allowed");
                assert!(allowed.contains("GET"), "{response:?}");
            }
        }
    }
    let reply = get(tracker.http(), &scrape(&[TORRENT])).bencode();
    assert!(
        reply.get("files").unwrap().keys().is_empty(),
        "nothing was announced"
    );
}

#[test]
fn a_target_may_be_absolute() {
    let tracker = tracker();
    let target = announce(&TORRENT, 1000, "");
    for origin in [
        "http://tracker.test",
        "http://tracker.test:6969",
        "HTTP://[::1]:80",
    ] {
        let response = get(tracker.http(), &format!("{origin}{target}"));
        assert_eq!(response.announced().incomplete, 1, "{origin}");
        assert_eq!(get(tracker.http(), &format!("{origin}/stats")).status, 200);
        assert_eq!(
            get(tracker.http(), &format!("{origin}/nowhere")).status,
            404
        );
    }
}

#[test]
fn an_unknown_path_is_404() {
    let tracker = tracker();
    for target in [
        "/nowhere",
        "/announcex",
        "/announc",
        "/ANNOUNCE",
        "/x/announce",
        "/scrape/x",
        "/stats/x",
        "/favicon.ico",
        "/../etc/passwd",
        "/%61nnounce",
        "/.",
    ] {
        for query in ["", "?port=1000&left=5"] {
            let target = format!("{target}{query}");
            assert_eq!(get(tracker.http(), &target).status, 404, "{target}");
        }
    }
}

#[test]
fn a_wrong_announce_url_is_refused() {
    let tracker = tracker();
    let query = announce(&TORRENT, 1000, "");
    let (_, query) = query.split_once('?').unwrap();
    for path in [
        "/stats",
        "/metrics",
        "/nowhere",
        "/announcex",
        "/ANNOUNCE",
        "/%61nnounce",
        "/announce/key",
        "/key/announce",
        "/key/announce.php",
        "/a/b/announce/",
    ] {
        let response = get(tracker.http(), &format!("{path}?{query}"));
        assert_eq!(response.status, 404, "{path}");
        let reason = response.failure_reason();
        assert!(reason.contains("announce URL"), "{path}: {reason}");
    }
    assert_eq!(Metrics::of(tracker.http()).http_errors(404, "path"), 10);
    let none = get(tracker.http(), &scrape(&[TORRENT])).bencode();
    assert_eq!(none.get("files").unwrap().keys().len(), 0, "{none:?}");
}

#[test]
fn what_clients_are_known_to_send_is_served() {
    let tracker = tracker();
    let query = announce(&TORRENT, 1000, "");
    let (_, query) = query.split_once('?').unwrap();
    for path in [
        "/announce",
        "//announce",
        "///announce",
        "/announce/",
        "/announce.php",
        "//announce.php",
        "/",
        "//",
    ] {
        let reply = get(tracker.http(), &format!("{path}?{query}"));
        assert_eq!(reply.announced().incomplete, 1, "{path}");
    }
    let query = scrape(&[TORRENT]);
    let (_, query) = query.split_once('?').unwrap();
    for path in ["/scrape", "//scrape", "/scrape/", "/scrape.php"] {
        let reply = get(tracker.http(), &format!("{path}?{query}")).bencode();
        assert_eq!(reply.get("files").unwrap().keys().len(), 1, "{path}");
    }
}

#[test]
fn octets_are_taken_unescaped() {
    let tracker = tracker();
    for info_hash in [[0x80; 20], [0xff; 20], *b"\xc3\xa9\xe9\xfe-0123456789abcde"] {
        let mut request = b"GET /announce?port=1000&info_hash=".to_vec();
        request.extend(info_hash);
        request.extend(b"&peer_id=\xff\xfe HTTP/1.1\r\nHost: tracker.test\r\n\r\n");
        let mut connection = Connection::to(tracker.http());
        connection.send(&request);
        connection.response().announced();
        let escaped = get(tracker.http(), &announce(&info_hash, 1001, "")).announced();
        assert_eq!(escaped.incomplete, 2, "{info_hash:02x?}");
    }
}

#[test]
fn two_hosts_are_refused() {
    let tracker = tracker();
    for target in [&*announce(&TORRENT, 1000, ""), "/stats", "/", "/metrics"] {
        for host in ["Host: tracker.test", "host: other.test", "HOST:"] {
            // The first is always there.
            let mut connection = Connection::to(tracker.http());
            connection.offer(head("GET", target, &[], &[host]).as_bytes());
            assert_eq!(connection.response().status, 400, "{target}: {host}");
        }
    }
    let metrics = Metrics::of(tracker.http());
    assert_eq!(
        metrics.http_errors(400, "host") + metrics.page_errors(400, "host"),
        12
    );
}

/// A request whose head has so many octets.
fn request_of(octets: usize) -> String {
    let target = announce(&TORRENT, 1000, "");
    let short = head("GET", &target, &[("X-Long", "")], &["Connection: close"]);
    let filling = "x".repeat(octets - short.len());
    let long = head(
        "GET",
        &target,
        &[("X-Long", &filling)],
        &["Connection: close"],
    );
    assert_eq!(long.len(), octets);
    long
}

#[test]
fn a_head_of_8_kib_is_taken() {
    let tracker = tracker();
    for octets in [1024, 4096, 8000, 8191, 8192] {
        let mut connection = Connection::to(tracker.http());
        connection.send(request_of(octets).as_bytes());
        connection.response().announced();
    }
}

#[test]
fn a_head_over_8_kib_is_431() {
    let tracker = tracker();
    for octets in [8193, 8194, 10_000, 100_000, 1_000_000] {
        let mut connection = Connection::to(tracker.http());
        connection.offer(request_of(octets).as_bytes());
        assert_eq!(connection.response().status, 431, "{octets}");
        assert!(connection.is_at_end());
    }
    // In the target, and without an end.
    for start in [
        "GET /announce?x=",
        "GET / HTTP/1.1\r\nX-Long: ",
        "GET / HTTP/1.1\r\nX",
    ] {
        let mut connection = Connection::to(tracker.http());
        connection.offer((start.to_owned() + &"x".repeat(9000)).as_bytes());
        assert_eq!(connection.response().status, 431, "{start}");
    }
    // Many small fields are a large head as well.
    let mut connection = Connection::to(tracker.http());
    let fields = vec!["X: y"; 2000];
    connection.offer(head("GET", "/stats", &[], &fields).as_bytes());
    assert_eq!(connection.response().status, 431);
}

#[test]
fn a_slow_head_is_408() {
    let tracker = tracker();
    let mut connection = Connection::to(tracker.http());
    connection.send(b"GET /stats HTTP/1.1\r\nHost: tracker.test\r\n");
    let response = connection.response();
    assert_eq!(response.status, 408);
    assert!(connection.is_at_end());
    assert_eq!(
        get(tracker.http(), "/stats").status,
        200,
        "others are served"
    );
}

#[test]
fn a_head_may_come_octet_by_octet() {
    let tracker = tracker();
    let mut connection = Connection::to(tracker.http());
    for _ in 0..2 {
        for octet in head("GET", &announce(&TORRENT, 1000, ""), &[], &[]).into_bytes() {
            connection.send(&[octet]);
        }
        connection.response().announced();
    }
}

#[test]
fn a_half_closed_connection_is_answered() {
    let tracker = tracker();
    let mut connection = Connection::to(tracker.http());
    let request = head("GET", &announce(&TORRENT, 1000, ""), &[], &[]);
    connection.send(request.repeat(20).as_bytes());
    connection.half_close();
    for _ in 0..20 {
        connection.response().announced();
    }
    assert!(connection.is_at_end());
}

#[test]
fn an_idle_connection_is_closed() {
    let mut setup = Setup::new();
    setup.set("http.idle_timeout", "1s");
    let tracker = setup.start();
    // One that never says anything, and one that has been served.
    let mut silent = Connection::to(tracker.http());
    let mut served = Connection::to(tracker.http());
    let begin = Instant::now();
    assert_eq!(served.get("/stats").status, 200);
    assert!(served.is_at_end());
    assert!(
        begin.elapsed().as_millis() >= 900,
        "too early: {:?}",
        begin.elapsed()
    );
    assert!(silent.is_at_end());
}

#[test]
fn an_idle_connection_is_kept_until_then() {
    // The default is 30 s; a connection that has waited for one that times out at 1 s is there.
    let patient = tracker();
    let mut kept = Connection::to(patient.http());
    assert_eq!(kept.get("/stats").status, 200);
    let mut setup = Setup::new();
    setup.set("http.idle_timeout", "1s");
    let impatient = setup.start();
    assert!(Connection::to(impatient.http()).is_at_end());
    assert_eq!(kept.get("/stats").status, 200);
}

#[test]
fn garbage_is_400_or_closed() {
    let tracker = tracker();
    let tls = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    let handshake = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0";
    for garbage in [
        b"\r\n\r\n\r\n\r\n hello\r\n\r\n".as_slice(),
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /stats\r\n\r\n",
        b"GET /stats HTTP/9.9\r\n\r\n",
        b"GET /stats HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /st\0ats HTTP/1.1\r\n\r\n",
        b"GET /stats HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /stats HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET /stats HTTP/1.1\r\nX\0Y: z\r\n\r\n",
        b"GET /stats HTTP/1.1\r\nX Y: z\r\n\r\n",
        b"\xff\xfe\xfd\xfc\r\n\r\n",
        &[tls.as_slice(), &[0; 200], b"\r\n\r\n"].concat(),
        &[handshake.as_slice(), b"\r\n\r\n"].concat(),
        &[0; 8000],
    ] {
        let mut connection = Connection::to(tracker.http());
        connection.offer(garbage);
        connection.half_close();
        let answer = connection.rest();
        let is_refused = answer.is_empty() || answer.starts_with(b"HTTP/1.1 4");
        let is_refused = is_refused || answer.starts_with(b"HTTP/1.1 505");
        let (garbage, answer) = (garbage.escape_ascii(), answer.escape_ascii());
        assert!(is_refused, "{garbage}: {answer}");
        assert_eq!(
            get(tracker.http(), "/stats").status,
            200,
            "it serves as before"
        );
    }
}

#[test]
fn errors_are_counted_by_kind() {
    let tracker = tracker();
    let server = tracker.http();
    let offered = |octets: &[u8]| {
        let mut connection = Connection::to(server);
        connection.offer(octets);
        connection.response().status
    };
    assert_eq!(offered(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    assert_eq!(offered(b"GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n"), 404);
    assert_eq!(offered(b"POST /stats HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
    assert_eq!(offered(b"GET /stats HTTP/1.1\r\nno colon\r\n\r\n"), 400);
    assert_eq!(offered(b"GET /announce HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(offered(request_of(9000).as_bytes()), 431);
    let metrics = Metrics::of(server);
    // Announces and scrapes, with what is no request at all.
    for (status, kind, times) in [
        (400, "head", 1),
        (400, "info_hash", 1),
        (404, "path", 0),
        (405, "method", 0),
        (408, "head", 0),
        (431, "head", 1),
    ] {
        let counted = metrics.http_errors(status, kind);
        assert_eq!(counted, times, "{status} {kind}");
    }
    // Pages.
    for (status, kind, times) in [
        (400, "head", 0),
        (403, "network", 0),
        (404, "path", 2),
        (405, "method", 1),
        (431, "head", 0),
    ] {
        let counted = metrics.page_errors(status, kind);
        assert_eq!(counted, times, "{status} {kind}");
    }
    assert_eq!(metrics.get("opentracker_http_connections_total"), 7);
}
