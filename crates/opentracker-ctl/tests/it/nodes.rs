//! Which tracker is asked, with which token, and what is said if none answers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::fake::{Canned, Fake, socket};
use crate::{HASH, PROGRAM, said};

#[test]
fn several_trackers_are_told_and_each_result_is_said() {
    let request = "DELETE /api/v1/torrents/abababababababababababababababababababab";
    let done = Canned::json(request, &json!({ "torrents": 1, "peers": 2 }));
    let refuses = Canned::problem(request, "403 Forbidden", "the token is another one");
    let trackers = [
        Fake::tcp(vec![done.clone()]),
        Fake::tcp(vec![refuses]),
        Fake::tcp(vec![done]),
    ];
    let mut arguments = vec!["purge", HASH];
    for tracker in &trackers {
        arguments.extend(tracker.arguments.iter().map(String::as_str));
    }
    let run = crate::run(&arguments);
    let url = |place: usize| &trackers[place].arguments[1];
    let line = |place| format!("{}: pid 7: 1 torrent and 2 peers purged\n", url(place));
    assert_eq!(run.out, line(0) + &line(2));
    assert_eq!(run.code, Some(1));
    let expected = format!(
        "opentracker-ctl: {}: Not so: the token is another one\n",
        url(1)
    );
    assert_eq!(run.err, expected);
}

#[test]
fn one_tracker_that_is_gone_does_not_hold_up_the_next() {
    let request = "PUT /api/v1/drain";
    let tracker = Fake::tcp(vec![Canned::json(request, &json!({ "is_draining": true }))]);
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let run = tracker.run(&["drain", "--url", &format!("http://{gone}")]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.err.contains(&format!("nobody listens on {gone}")),
        "{run:?}"
    );
    assert!(run.out.contains("draining"), "{run:?}");
}

#[test]
fn what_only_reads_asks_one() {
    let run = crate::run(&[
        "status",
        "--url",
        "http://127.0.0.1:1",
        "--url",
        "http://127.0.0.1:2",
    ]);
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("one tracker at a time"), "{run:?}");
}

#[test]
fn the_token_goes_in_its_field() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let answer = json!({ "is_draining": true });
    let tracker = Fake::tcp(vec![Canned::json("PUT /api/v1/drain", &answer)]);
    let token = file.to_str().unwrap();
    assert_eq!(tracker.run(&["drain", "--token", token]).code, Some(0));
    let head = tracker.asked().remove(0).to_lowercase();
    assert!(
        head.contains("\r\nauthorization: bearer s3cret\r\n"),
        "{head}"
    );
    assert_eq!(tracker.run(&["drain"]).code, Some(0));
    assert!(!tracker.asked()[0].to_lowercase().contains("authorization"));

    std::fs::write(&file, "\n").unwrap();
    let run = tracker.run(&["drain", "--token", token]);
    assert!(run.err.contains("is empty: a token is expected"), "{run:?}");
    let run = tracker.run(&["drain", "--token", "/nowhere/token"]);
    assert!(run.err.contains("cannot read /nowhere/token"), "{run:?}");
}

#[test]
fn the_socket_is_that_of_the_runtime_directory() {
    let answer = json!({ "is_draining": true });
    let folder = socket("runtime");
    std::fs::create_dir_all(&folder).unwrap();
    let canned = vec![Canned::json("PUT /api/v1/drain", &answer)];
    let tracker = Fake::unix_at(folder.join("control.sock"), canned);
    let mut command = Command::new(PROGRAM);
    command.arg("drain").env(
        "RUNTIME_DIRECTORY",
        format!("{}:/elsewhere", folder.display()),
    );
    let run = said(command.output().unwrap());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(tracker.requests(), ["PUT /api/v1/drain"]);
    std::fs::remove_dir_all(&folder).unwrap();
    let run = crate::run(&["drain", "--socket", "/nowhere/control.sock"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.err
            .contains("there is no /nowhere/control.sock: is the tracker running"),
        "{run:?}"
    );
}

#[test]
fn a_socket_without_a_tracker_or_a_right_is_explained() {
    let path = socket("left.sock");
    std::fs::remove_file(&path).ok();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let shown = path.to_str().unwrap();
    let run = crate::run(&["reload", "--socket", shown]);
    assert!(
        run.err.contains("the tracker that made it has gone"),
        "{run:?}"
    );
    // Root may do everything.
    if !nix::unistd::geteuid().is_root() {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o000)).unwrap();
        let run = crate::run(&["reload", "--socket", shown]);
        assert!(run.err.contains("be root, or in the group"), "{run:?}");
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn problems_and_strangers_are_named() {
    let tracker = Fake::tcp(vec![
        Canned::problem(
            "GET /api/v1/status",
            "403 Forbidden",
            "ask over the operator's listener",
        ),
        Canned::other("GET /api/v1/cluster", "502 Bad Gateway", "<html>"),
        Canned::other("GET /api/v1/activity", "200 OK", "<html>"),
    ]);
    for (arguments, expected) in [
        (
            &["status"][..],
            "opentracker-ctl: Not so: ask over the operator's listener\n",
        ),
        (
            &["livesync", "status"],
            "says 502 Bad Gateway; is that the operator's listener",
        ),
        (&["config", "show"], "says 404 Not Found"),
    ] {
        let run = tracker.run(arguments);
        assert_eq!((run.code, &*run.out), (Some(1), ""), "{run:?}");
        assert!(run.err.contains(expected), "{run:?}");
    }
    for (url, expected) in [
        ("wss://127.0.0.1", "neither"),
        ("127.0.0.1:6970", "write a URL"),
    ] {
        let run = crate::run(&["status", "--url", url]);
        assert_eq!(run.code, Some(2));
        assert!(run.err.contains(expected), "{run:?}");
    }
    let run = crate::run(&["status", "--url", "http://127.0.0.1:1/stats"]);
    assert!(run.err.contains("without a path"), "{run:?}");
}

#[test]
fn who_is_heard_by_some_trackers_alone_is_named() {
    let view = |id: &str, heard: &[(&str, f64)]| {
        let node = |(id, secs): &(&str, f64)| {
            json!({
                "address": format!("{id}.example"), "tracker_id": id, "heard_secs_ago": secs,
                "lag_secs": null, "is_split": false, "carriers": ["group"], "key": null,
                "clock_ahead_secs": null, "torrents": null, "packets": 1, "applied": 1, "dropped": 0,
            })
        };
        let nodes: Vec<_> = heard.iter().map(node).collect();
        let view = json!({
            "tracker_id": id, "is_joined": true, "carriers": [], "keys": [], "nodes": nodes,
        });
        Fake::tcp(vec![Canned::json("GET /api/v1/cluster", &view)])
    };
    let compare = |trackers: &[&Fake], more: &[&str]| {
        let named = trackers.iter().flat_map(|tracker| &tracker.arguments);
        let named = named.map(String::as_str).chain(more.iter().copied());
        crate::run(
            &["livesync", "compare"]
                .into_iter()
                .chain(named)
                .collect::<Vec<_>>(),
        )
    };
    // `old` is gone, and remembered by one.
    let one = view("one", &[("two", 1.0), ("c", 70.0)]);
    let two = view("two", &[("one", 140.0), ("c", 149.0), ("old", 80.0)]);
    let whole = compare(&[&one, &two], &[]);
    assert_eq!((whole.code, &*whole.err), (Some(0), ""));
    assert_eq!(whole.out, "3 nodes: each is heard by all others asked\n");

    let three = view("three", &[("one", 3.0), ("two", 151.0)]);
    let [url_1, url_2, url_3] = [&one, &two, &three].map(|tracker| tracker.arguments[1].as_str());
    let split = compare(&[&one, &two, &three], &[]);
    let expected = format!(
        "c (c.example): heard by {url_1}, {url_2}; not by {url_3}\n\
         three: heard by nobody; not by {url_1}, {url_2}\n\
         two (two.example): heard by {url_1}; not by {url_3}\n"
    );
    assert_eq!((split.code, split.out), (Some(1), expected));

    let gone = ["--url", "http://127.0.0.1:1", "--json"];
    let gone = compare(&[&one, &two], &gone);
    assert_eq!(gone.code, Some(1));
    assert!(gone.err.contains("127.0.0.1:1"), "{gone:?}");
    let first: serde_json::Value = gone.out.lines().next().unwrap().parse().unwrap();
    assert_eq!(first["heard_by"], json!([url_1, url_2]));
    let alone = compare(&[&one], &[]);
    assert!(alone.err.contains("twice or more"), "{alone:?}");
}
