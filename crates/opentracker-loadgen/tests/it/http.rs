use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::program::{Reflector, report};

/// A short run in which nothing is lost however slow the machine is.
const SHORT: &str = "--warmup 0s --duration 300ms --timeout 30s";

#[track_caller]
fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// What answers in the place of a tracker.
const ENGINES: [&str; 2] = ["bare", "hyper"];

#[test]
fn connections_are_kept() {
    for (engine, depth) in [("bare", 1), ("bare", 5), ("hyper", 1), ("hyper", 5)] {
        let reflector = Reflector::start(&format!("http --engine {engine}"));
        let target = reflector.address;
        let line = format!("http {target} --connections 8 --pipeline {depth} {SHORT}");
        let report = report(&format!("kept-{engine}-{depth}"), &line);
        assert!(number(&report["answered"]["announce"]) > 8, "{report}");
        assert_eq!(report["lost"], 0, "{report}");
        assert_eq!(report["connections"]["opened"], 8, "{report}");
        assert_eq!(report["connections"]["broken"], 0, "{report}");
        assert_eq!(report["peers_per_announce"], 19.0, "{report}");
    }
}

#[test]
fn a_connection_per_request() {
    for engine in ENGINES {
        let reflector = Reflector::start(&format!("http --engine {engine}"));
        let target = reflector.address;
        let line = format!("http {target} --connections 8 --close --scrape 100 {SHORT}");
        let report = report(&format!("close-{engine}"), &line);
        let sent = ["announce", "scrape"].map(|kind| number(&report["sent"][kind]));
        assert!(number(&report["answered"]["announce"]) > 0, "{report}");
        assert!(number(&report["answered"]["scrape"]) > 0, "{report}");
        let opened = number(&report["connections"]["opened"]);
        assert_eq!(opened, sent.iter().sum::<u64>(), "{report}");
        assert_eq!(report["lost"], 0, "{report}");
    }
}

#[test]
fn a_rate_is_kept() {
    let reflector = Reflector::start("http");
    let target = reflector.address;
    let line = format!("http {target} --rate 500 --threads 2 --connections 3 {SHORT}");
    let report = report("http-rate", &line);
    let sent = report["sent"]["announce"].as_f64().unwrap();
    // What was due before a thread began leaves later.
    assert!(sent > 0.0 && sent <= 500.0 * 0.3 + 2.0, "{report}");
    assert!(number(&report["connections"]["opened"]) <= 6, "{report}");
    assert_eq!(report["lost"], 0, "{report}");
}

/// Answers one request of a connection, and then closes it without having said so.
fn answer_one(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        if stream.read(&mut octet)? == 0 {
            return Ok(());
        }
        head.extend(octet);
    }
    let body = if head.starts_with(b"GET /announce") {
        "d8:intervali1800e5:peers0:e"
    } else {
        "d14:failure reason4:what8:retry in2:30e"
    };
    let length = body.len();
    let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(response.as_bytes())
}

#[test]
fn what_a_closed_connection_did_not_take_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A connection that the other side gave up is no concern of this test.
            let _ = stream.and_then(answer_one);
        }
    });
    let line = format!("http {target} --connections 4 --scrape 20 {SHORT}");
    let report = report("closing", &line);
    assert!(number(&report["answered"]["announce"]) > 0, "{report}");
    assert!(number(&report["errors"]["what"]) > 0, "{report}");
    assert_eq!(report["lost"], 0, "{report}");
    assert_eq!(report["malformed"], 0, "{report}");
}

#[test]
fn requests_that_nobody_answers_are_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let (done, wait) = mpsc::channel();
    let server = std::thread::spawn(move || -> io::Result<()> {
        // The first only looks whether somebody listens; the second gets an answer, so that the
        // run is a good one; all others are left to wait.
        drop(listener.accept()?);
        let (mut answered, _) = listener.accept()?;
        answered.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nde")?;
        listener.set_nonblocking(true)?;
        let mut kept = vec![answered];
        while wait.recv_timeout(Duration::from_millis(5)).is_err() {
            kept.extend(listener.accept().map(|(stream, _)| stream));
        }
        Ok(())
    });
    let time = "--warmup 0s --duration 500ms --timeout 50ms";
    let report = report("silent", &format!("http {target} --connections 1 {time}"));
    done.send(()).unwrap();
    server.join().unwrap().unwrap();
    assert_eq!(report["answered"]["announce"], 1, "{report}");
    assert!(number(&report["lost"]) > 0, "{report}");
}
