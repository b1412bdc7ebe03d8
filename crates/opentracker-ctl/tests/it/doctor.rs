//! What limits this host, told with a tracker and without.

use std::net::UdpSocket;
use std::thread;

use opentracker_udp_wire::{ConnectReply, ConnectionId, Request};
use serde_json::{Value, json};

use crate::fake::{Canned, Fake};
use crate::run;

fn status(listeners: &Value) -> Value {
    let count = json!({ "ipv4": 0, "ipv6": 0 });
    json!({
        "instance": { "pid": 1, "tracker_id": "00000102" }, "version": "0.1.0", "time_ms": 0,
        "uptime_secs": 61, "state": "serving", "listeners": listeners,
        "swarms": { "torrents": 0, "seeders": count, "leechers": count },
        "memory": { "swarms_octets": 0, "resident_octets": null, "limit_octets": null },
        "lists": { "allow": null, "deny": null, "deny_clients": null, "deny_networks": null,
                   "blocked": 0 },
        "snapshot": null, "reload": null,
    })
}

/// Answers connects on a port of loopback.
fn udp_tracker() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            let (octets, client) = socket.recv_from(&mut buffer).unwrap();
            let transaction = Request::decode(&buffer[..octets]).unwrap().transaction();
            let connection = ConnectionId::from(7_u64);
            let mut reply = [0; ConnectReply::WIRE_LEN];
            ConnectReply {
                transaction,
                connection,
            }
            .encode(&mut reply)
            .unwrap();
            socket.send_to(&reply, client).unwrap();
        }
    });
    address
}

#[test]
fn each_listener_is_asked_and_each_finding_has_a_remedy() {
    let http = Fake::tcp(vec![Canned::other("GET /healthz", "200 OK", "live\n")]);
    let ill = Fake::tcp(vec![]);
    let listener = |protocol: &str, address: &str, proxy_protocol: bool| {
        json!({ "protocol": protocol, "address": address, "proxy_protocol": proxy_protocol,
                "is_passed": false })
    };
    let at = |fake: &Fake| fake.arguments[1].replace("http://", "");
    let udp = udp_tracker();
    let listeners = json!([
        listener("udp", &udp, false),
        listener("http", &at(&http), false),
        listener("http", &at(&ill), false),
        listener("http", "127.0.0.1:1", true),
        listener("control", "unix:/run/opentracker/control.sock", false),
    ]);
    let tracker = Fake::unix(
        "doctor",
        vec![Canned::json("GET /api/v1/status", &status(&listeners))],
    );
    let run = tracker.run(&["doctor"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let lines = [
        "ok       tracker: it serves, up 1 min 1 s".to_owned(),
        format!("ok       udp {udp}: answers in "),
        format!("ok       http {}: answers in ", at(&http)),
        format!("problem  http {}: /healthz says 404", at(&ill)),
        "note     http 127.0.0.1:1: it is for proxies".to_owned(),
        "note     process: process 1 cannot be seen here".to_owned(),
        "note     memory: limits.memory is off".to_owned(),
        "note     snapshot: snapshot.path is not set".to_owned(),
    ];
    for line in lines {
        assert!(run.out.contains(&line), "{line}: {}", run.out);
    }
    assert!(
        !run.out.contains("control"),
        "it has answered already: {}",
        run.out
    );

    let run = tracker.run(&["doctor", "--json"]);
    let object: Value = run.out.parse().unwrap();
    let findings = object["findings"].as_array().unwrap();
    let is_problem = |finding: &&Value| finding["level"] == "problem";
    assert!(
        findings
            .iter()
            .filter(is_problem)
            .all(|finding| finding["remedy"].is_string())
    );
}

#[test]
fn without_a_tracker_the_host_is_looked_at_all_the_same() {
    let run = run(&["doctor", "--socket", "/nowhere/control.sock"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.out
            .starts_with("problem  tracker: there is no /nowhere"),
        "{run:?}"
    );
    assert!(run.out.contains("connection tracking: "), "{run:?}");
}
