//! HTTPS (docs/https.md).
//!
//! | sentence | tests |
//! |---|---|
//! | announces, scrapes, statistics and pages, on any listener with `tls = true` | `everything_is_served_over_tls` |
//! | each client gets the certificate of the name that it asks for | `a_folder_has_pairs_of_both_layouts` |
//! | what has changed is taken without a signal, connections go on | `a_new_certificate_is_taken_under_load` |
//! | what cannot be used is refused, and the old one stays | `a_bad_pair_keeps_the_old_one`, `a_reload_takes_a_new_certificate_and_says_what_is_wrong` |
//! | a start and `--check` say what is wrong | `no_start_without_a_certificate` |
//! | the end of a certificate is in metrics, API and log | `an_end_is_shown_everywhere` |
//! | a key that everybody may read is warned of | `a_key_that_everybody_may_read_is_warned_of` |

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use opentracker_lab::http::Client;
use opentracker_lab::tls::{self, EXPIRED, Pair, RENEWED, RSA, TRACKER};

use crate::program::{Setup, Tracker, eventually};

const ANNOUNCE: &str = "GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb\
                        &port=1&left=1&compact=1 HTTP/1.1\r\nHost: a\r\n\r\n";

/// A tracker with this pair in two files, and TLS on one listener of two.
pub(crate) fn with_pair(pair: Pair) -> Setup {
    let mut setup = Setup::new();
    write_pair(&setup, pair);
    let [certificate, key] = ["tls.pem", "tls.key"].map(|name| setup.path(name));
    setup
        .set("tls.certificate", certificate.to_str().unwrap())
        .set("tls.key", key.to_str().unwrap());
    listen(&mut setup);
    setup
}

fn write_pair(setup: &Setup, pair: Pair) {
    setup.write("tls.pem", pair.certificate);
    setup.write("tls.key", pair.key);
}

fn listen(setup: &mut Setup) {
    setup
        .set_toml(
            "http.listen",
            "[{ address = \"127.0.0.1:0\", tls = true }, \"127.0.0.1:0\"]",
        )
        .listeners(4);
}

/// Returns the certificate that a newcomer gets who asks for a name.
fn certificate_of(tracker: &Tracker, name: &str) -> Vec<u8> {
    let mut client = tls::connect(&tls::client_config(), name, tracker.addresses("https")[0]);
    client.send(ANNOUNCE);
    assert_eq!(client.response().status, 200);
    client.stream.conn.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn everything_is_served_over_tls() {
    let tracker = with_pair(TRACKER).start();
    let address = tracker.addresses("https")[0];
    let config = tls::client_config();
    for (path, said) in [
        (
            "/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=1&left=0",
            "d8:complete",
        ),
        ("/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa", "d5:files"),
        ("/stats?mode=peer", "opentracker"),
        ("/metrics", "opentracker_tls_handshakes_total"),
        ("/api/v1/status", "tracker.example"),
        ("/", "<!DOCTYPE html>"),
    ] {
        let mut client = tls::connect(&config, "tracker.example", address);
        client.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: tracker.example\r\n\r\n"
        ));
        let response = client.response();
        assert_eq!(response.status, 200, "{path}");
        assert!(
            response.lossy().contains(said),
            "{path}: {}",
            response.lossy()
        );
        // It goes on where it was handed over to.
        client.send(ANNOUNCE);
        assert_eq!(client.response().status, 200, "{path}");
    }
    let log = tracker.log().join("\n");
    assert!(
        log.contains(&format!("https://{address}/announce")),
        "{log}"
    );
    // Without statistics there is a page with the announce URL.
    let mut setup = with_pair(TRACKER);
    setup
        .set("access.stats", ["192.0.2.1"])
        .set("access.admin", ["192.0.2.1"]);
    let tracker = setup.start();
    let address = tracker.addresses("https")[0];
    let mut client = tls::connect(&config, "tracker.example", address);
    client.send("GET / HTTP/1.1\r\nHost: tracker.example\r\n\r\n");
    let page = client.response().lossy();
    assert!(page.contains("https://tracker.example/announce"), "{page}");
}

#[test]
fn a_folder_has_pairs_of_both_layouts() {
    let mut setup = Setup::new();
    let folder = setup.path("live");
    fs::create_dir_all(folder.join("rsa.example")).unwrap();
    setup.write("live/a.crt", TRACKER.certificate);
    setup.write("live/a.key", TRACKER.key);
    setup.write("live/a.issuer.crt", tls::AUTHORITY);
    setup.write("live/README", "");
    setup.write("live/rsa.example/fullchain.pem", RSA.certificate);
    setup.write("live/rsa.example/privkey.pem", RSA.key);
    setup.set("tls.certificate", folder.to_str().unwrap());
    listen(&mut setup);
    let tracker = setup.start();
    assert_eq!(certificate_of(&tracker, "rsa.example"), *RSA.der());
    assert_eq!(certificate_of(&tracker, "b.swarm.example"), *TRACKER.der());
    assert_eq!(certificate_of(&tracker, "127.0.0.1"), *TRACKER.der());
    // One that is bad stays as it was, and the others are taken.
    tracker
        .setup
        .write("live/rsa.example/privkey.pem", TRACKER.key);
    tracker.setup.write("live/a.crt", RENEWED.certificate);
    tracker.setup.write("live/a.key", RENEWED.key);
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("rsa.example/fullchain.pem"), "{said}");
    assert_eq!(certificate_of(&tracker, "rsa.example"), *RSA.der());
    assert_eq!(certificate_of(&tracker, "tracker.example"), *RENEWED.der());
}

#[test]
fn a_new_certificate_is_taken_under_load() {
    let tracker = with_pair(TRACKER).start();
    let address = tracker.addresses("https")[0];
    let is_over = Arc::new(AtomicBool::new(false));
    let announcers: Vec<_> = [true, false]
        .into_iter()
        .map(|keeps| {
            let is_over = Arc::clone(&is_over);
            let config = tls::client_config();
            thread::spawn(move || {
                let connect = || tls::connect(&config, "tracker.example", address);
                let mut client = connect();
                while !is_over.load(Ordering::Relaxed) {
                    client.send(ANNOUNCE);
                    assert_eq!(client.response().status, 200);
                    if !keeps {
                        client = connect();
                    }
                }
            })
        })
        .collect();
    assert_eq!(certificate_of(&tracker, "tracker.example"), *TRACKER.der());
    write_pair(&tracker.setup, RENEWED);
    eventually("the new certificate", || {
        certificate_of(&tracker, "tracker.example") == *RENEWED.der()
    });
    is_over.store(true, Ordering::Relaxed);
    for announcer in announcers {
        announcer.join().unwrap();
    }
}

#[test]
fn a_bad_pair_keeps_the_old_one() {
    let tracker = with_pair(TRACKER).start();
    for (pair, said) in [
        (
            Pair {
                key: RENEWED.key,
                ..TRACKER
            },
            "the private key is that of another certificate",
        ),
        (EXPIRED, "it has expired, unlike the one in force"),
        (
            Pair {
                certificate: "",
                ..TRACKER
            },
            "there is no certificate in it as PEM",
        ),
    ] {
        write_pair(&tracker.setup, pair);
        tracker.wait_for("what is wrong with the certificate", |log| {
            let is_it = |line: &String| {
                line.contains("ERROR the certificate stays as it was") && line.contains(said)
            };
            log.iter().any(is_it)
        });
        assert_eq!(certificate_of(&tracker, "tracker.example"), *TRACKER.der());
    }
}

#[test]
fn a_reload_takes_a_new_certificate_and_says_what_is_wrong() {
    let tracker = with_pair(TRACKER).start();
    write_pair(&tracker.setup, RENEWED);
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("that for tracker.example expires in"),
        "{said}"
    );
    assert_eq!(certificate_of(&tracker, "tracker.example"), *RENEWED.der());
    fs::remove_file(tracker.setup.path("tls.key")).unwrap();
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("its key") && said.contains("No such file"),
        "{said}"
    );
    assert_eq!(certificate_of(&tracker, "tracker.example"), *RENEWED.der());
}

#[test]
fn no_start_without_a_certificate() {
    let mut setup = with_pair(Pair {
        key: RENEWED.key,
        ..TRACKER
    });
    for argument in [None, Some("--check")] {
        if let Some(argument) = argument {
            setup.argument(argument);
        }
        let ended = setup.run();
        assert_ne!(ended.code, Some(0), "{ended:?}");
        let said = "the private key is that of another certificate";
        assert!(
            ended.stderr.contains("tls.certificate: cannot use"),
            "{ended:?}"
        );
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
    setup.unset("tls.certificate").unset("tls.key");
    let ended = setup.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("needs tls.certificate"), "{ended:?}");
}

#[test]
fn an_end_is_shown_everywhere() {
    let tracker = with_pair(EXPIRED).start();
    let log = tracker.log().join("\n");
    let said = "tls.pem: that for tracker.example has expired";
    assert!(log.contains("WARN") && log.contains(said), "{log}");
    let get = |path: &str| {
        let mut client = Client::connect(tracker.operator());
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        client.response().lossy()
    };
    let metrics = get("/metrics");
    let name = "opentracker_tls_certificate_expiry_timestamp_seconds{name=\"tracker.example\"} 17";
    assert!(metrics.contains(name), "{metrics}");
    let status = get("/api/v1/status");
    let certificate = "{\"name\":\"tracker.example\",\"expires_in_secs\":0}";
    assert!(status.contains(certificate), "{status}");
}

#[test]
fn a_key_that_everybody_may_read_is_warned_of() {
    let mut setup = with_pair(TRACKER);
    let key = setup.path("tls.key");
    let set_mode = |mode| fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
    let warned = format!("everybody may read the key {}", key.display());
    set_mode(0o644);
    let ended = setup.argument("--check").run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains(&warned), "{ended:?}");
    set_mode(0o640);
    let ended = setup.run();
    assert!(!ended.stderr.contains(&warned), "{ended:?}");
    // A change of its rights is one, and is seen without a signal.
    let setup = with_pair(TRACKER);
    let key = setup.path("tls.key");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let tracker = setup.start();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    tracker.wait_for("a warning", |log| {
        let is_it = |line: &String| line.contains("everybody may read the key");
        log.iter().any(is_it)
    });
}
