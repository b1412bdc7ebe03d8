//! Commands that ask a tracker something, or have it do something.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::fake::{Canned, Fake};
use crate::{HASH, PROGRAM, said};

fn blocked(request: &'static str, note: &str) -> Canned {
    let answer = json!({
        "block": { "info_hash": HASH, "note": note, "time_ms": 0 },
        "purged": { "torrents": 1, "peers": 12 },
        "lasts": "until_restart",
    });
    Canned::json(request, &answer)
}

#[test]
fn a_status_is_told_in_words_and_handed_on_as_it_came() {
    let count = json!({ "ipv4": 2, "ipv6": 1 });
    let status = json!({
        "instance": { "pid": 7, "tracker_id": "00000102" }, "version": "0.1.0", "time_ms": 0,
        "uptime_secs": 61, "state": "serving",
        "listeners": [{ "protocol": "udp", "address": "0.0.0.0:6969", "proxy_protocol": false,
                        "is_passed": false }],
        "swarms": { "torrents": 5, "seeders": count, "leechers": count },
        "memory": { "swarms_octets": 1024, "resident_octets": null, "limit_octets": null },
        "lists": { "allow": null, "deny": 3, "deny_clients": null, "deny_networks": null,
                   "blocked": 0 },
        "snapshot": null, "reload": null, "of_a_later_version": true,
    });
    let tracker = Fake::unix("status", vec![Canned::json("GET /api/v1/status", &status)]);
    let run = tracker.run(&["status"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.out
            .starts_with("opentracker 0.1.0, pid 7, tracker 00000102: serving, up 1 min 1 s\n")
    );
    assert!(
        run.out.contains("seeders    3 (IPv4 2, IPv6 1)\n"),
        "{run:?}"
    );
    let run = tracker.run(&["--json", "status"]);
    assert_eq!(
        run.out,
        format!("{status}\n"),
        "all that came, also what is not known here"
    );
}

#[test]
fn the_cluster_is_a_table() {
    let cluster = json!({ "tracker_id": "00000102", "is_joined": true, "carriers": [], "keys": [], "nodes": [{
        "address": "192.0.2.1", "tracker_id": null, "heard_secs_ago": null, "lag_secs": null,
        "is_split": false, "carriers": ["group"], "key": null, "clock_ahead_secs": null,
        "torrents": null, "packets": 0, "applied": 0, "dropped": 0,
    }] });
    let tracker = Fake::unix(
        "cluster",
        vec![Canned::json("GET /api/v1/cluster", &cluster)],
    );
    let run = tracker.run(&["livesync", "status"]);
    assert!(
        run.out.starts_with("00000102, joined, 1 other\naddress "),
        "{run:?}"
    );
    assert!(run.out.contains("\n192.0.2.1  -   group  never"), "{run:?}");
}

#[test]
fn torrents_are_listed_page_by_page() {
    let page = |digit: &str, next: Option<&str>| {
        let torrent = json!({ "info_hash": digit.repeat(40), "seeders": 1, "leechers": 2,
                              "downloads": 3, "idle_minutes": 0 });
        json!({ "torrents": [torrent], "next": next })
    };
    let tracker = Fake::unix(
        "torrents",
        vec![
            Canned::json(
                "GET /api/v1/torrents?sort=none&limit=1000",
                &page("a", Some("x/y")),
            ),
            Canned::json(
                "GET /api/v1/torrents?sort=none&limit=1000&cursor=x%2Fy",
                &page("b", None),
            ),
            Canned::json(
                "GET /api/v1/torrents?sort=peers&limit=1",
                &page("c", Some("x")),
            ),
        ],
    );
    let run = tracker.run(&["torrents", "--all", "--sort", "none"]);
    let firsts: Vec<_> = run
        .out
        .lines()
        .filter_map(|line| line.chars().next())
        .collect();
    assert_eq!(firsts, ['i', 'a', 'b'], "{run:?}");
    let run = tracker.run(&["torrents", "--limit", "1", "--json"]);
    assert_eq!(run.out, format!("{}\n", page("c", Some("x"))));
}

#[test]
fn one_torrent_is_shown_with_its_peers() {
    let answer = json!({ "info_hash": HASH, "verdict": "blocked", "swarm": null, "peers": [] });
    let path = "GET /api/v1/torrents/abababababababababababababababababababab?peers=7";
    let tracker = Fake::unix("torrent", vec![Canned::json(path, &answer)]);
    let run = tracker.run(&["torrents", &HASH.to_uppercase(), "--peers", "7"]);
    assert_eq!(
        run.out,
        format!("{HASH}: blocked by hand\nnobody announces it\n")
    );
}

#[test]
fn torrents_are_blocked_from_arguments_and_lists() {
    let put = "PUT /api/v1/blocks/abababababababababababababababababababab";
    let tracker = Fake::unix(
        "block",
        vec![
            blocked(put, ""),
            blocked(
                "PUT /api/v1/blocks/abababababababababababababababababababab?note=a%20b",
                "a b",
            ),
        ],
    );
    let expected = format!(
        "pid 7: {HASH} blocked, 12 peers gone; until the next restart alone, since \
         `snapshot.path` is not set\n"
    );
    let run = tracker.run(&["block", HASH]);
    assert_eq!((run.code, &run.out), (Some(0), &expected), "{run:?}");
    let mut command = Command::new(PROGRAM);
    command.args(["block", "-"]).args(&tracker.arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let list = format!("# of today\n{HASH} a b\n{HASH}\n");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(list.as_bytes())
        .unwrap();
    let run = said(child.wait_with_output().unwrap());
    assert_eq!(run.out, expected.repeat(2));
    let requests = tracker.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[1].ends_with("?note=a%20b"), "{requests:?}");

    let run = tracker.run(&["block", HASH, "xyz"]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("`xyz` is no info hash"), "{run:?}");
    assert!(tracker.requests().is_empty(), "nothing is done by halves");
}

#[test]
fn blocks_end_and_are_listed() {
    let unblocked = json!({ "info_hash": HASH, "was_blocked": true, "verdict": "denied",
                            "lasts": "always" });
    let block = json!({ "info_hash": HASH, "note": "notice 7", "time_ms": 1000 });
    let tracker = Fake::unix(
        "unblock",
        vec![
            Canned::json(
                "DELETE /api/v1/blocks/abababababababababababababababababababab",
                &unblocked,
            ),
            Canned::json(
                "GET /api/v1/blocks?limit=1000",
                &json!({ "blocks": [block], "next": null }),
            ),
        ],
    );
    let run = tracker.run(&["unblock", HASH]);
    assert_eq!(
        run.out,
        format!("pid 7: {HASH} not blocked any more, but it is on the deny list\n")
    );
    let run = tracker.run(&["blocks"]);
    assert_eq!(run.out, format!("{HASH}  1970-01-01 00:00:01Z  notice 7\n"));
}

#[test]
fn changes_are_told_of() {
    let written = json!({ "path": "/var/lib/opentracker/snapshot", "octets": 2048, "torrents": 1,
                          "peers": 2 });
    let reloaded = json!({ "changed": [], "need_restart": ["udp.listen"], "lists": [],
                           "purged": { "torrents": 0, "peers": 0 }, "faults": [] });
    let purged = json!({ "torrents": 1, "peers": 2 });
    let tracker = Fake::unix(
        "changes",
        vec![
            Canned::json("POST /api/v1/snapshot", &written),
            Canned::json("POST /api/v1/reload", &reloaded),
            Canned::json("PUT /api/v1/drain", &json!({ "is_draining": true })),
            Canned::json("DELETE /api/v1/drain", &json!({ "is_draining": false })),
            Canned::json(
                "DELETE /api/v1/torrents/abababababababababababababababababababab",
                &purged,
            ),
        ],
    );
    for (arguments, expected) in [
        (
            &["snapshot", "now"][..],
            "/var/lib/opentracker/snapshot written: 2.0 KiB, 1 torrent and 2 peers",
        ),
        (&["reload"], "reloaded; after a restart: udp.listen"),
        (
            &["drain"],
            "draining: /readyz says 503, answers go on until `undrain` or a stop",
        ),
        (&["undrain"], "serving: /readyz says 200"),
        (&["purge", HASH], "1 torrent and 2 peers purged"),
    ] {
        let run = tracker.run(arguments);
        assert_eq!(
            (run.code, run.out),
            (Some(0), format!("pid 7: {expected}\n")),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_reload_that_did_not_take_everything_fails() {
    let fault = "the deny list stays as it was: /etc/opentracker/deny.txt: not found";
    let reloaded = json!({ "changed": ["announce.interval"], "need_restart": [], "lists": [],
                           "purged": { "torrents": 0, "peers": 0 }, "faults": [fault] });
    let tracker = Fake::unix(
        "faults",
        vec![Canned::json("POST /api/v1/reload", &reloaded)],
    );
    for (arguments, said) in [
        (&["reload"][..], format!("stays as it was: {fault}\n")),
        (&["--json", "reload"], fault.to_owned()),
    ] {
        let run = tracker.run(arguments);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.out.contains(&said), "{run:?}");
    }
}

#[test]
fn limited_prefixes_and_the_configuration_are_shown() {
    let limited = json!({ "prefixes": [{ "prefix": "192.0.2.1/32", "step": "refused",
                                         "full_in_secs": 9.6 }] });
    let config = json!({ "admin": { "token": "…" } });
    let tracker = Fake::unix(
        "limited",
        vec![
            Canned::json("GET /api/v1/limited?limit=50", &limited),
            Canned::json("GET /api/v1/config", &config),
        ],
    );
    let run = tracker.run(&["limited"]);
    assert!(
        run.out.ends_with("192.0.2.1/32           10 s  refused\n"),
        "{run:?}"
    );
    let run = tracker.run(&["config", "show", "--json"]);
    assert_eq!(run.out, format!("{config}\n"));
    let run = tracker.run(&["config", "show"]);
    assert!(run.out == "[admin]\ntoken = \"…\"\n", "{run:?}");
}
