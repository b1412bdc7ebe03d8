//! What the admin API of the running program changes.
//!
//! | sentence | tests |
//! |---|---|
//! | a block holds at once, over reloads and restarts | `a_block_outlasts_reloads_and_restarts` |
//! | without a snapshot the reply says that it lasts until the restart | `a_block_without_a_snapshot_says_how_long_it_lasts` |
//! | a block list that cannot be read stops the start | `a_block_list_that_cannot_be_read_is_said` |
//! | a reload says what it has changed, and what it could not read | `a_reload_says_what_it_did` |
//! | a snapshot is written on demand | `a_snapshot_on_demand` |
//! | drain: readiness fails, answers go on, HTTP answers close their connections, until undrain | `a_drain_sends_clients_elsewhere_until_it_ends` |

use std::fs;

use serde_json::{Value, json};

use crate::datagram::{Announce, Client};
use crate::operator::{Api, hex, setup};
use crate::request::{Connection, announce, get, head};

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

#[test]
fn a_block_outlasts_reloads_and_restarts() {
    let mut setup = setup();
    let snapshot = setup.path("swarms");
    setup.set("snapshot.path", snapshot.to_str().unwrap());
    let mut tracker = setup.start();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1001));
    let api = Api::control(&tracker);
    let target = format!("blocks/{}", hex(TORRENT));
    let blocked = api.ask("PUT", &format!("{target}?note=notice+7")).json();
    assert_eq!(blocked["purged"], json!({"torrents": 1, "peers": 1}));
    assert_eq!(
        (&blocked["lasts"], &blocked["block"]["note"]),
        (&json!("always"), &json!("notice 7"))
    );
    let refused = || Client::of(tracker.udp()).try_announce(&Announce::new(TORRENT, 1001));
    assert_eq!(refused().unwrap_err(), "this torrent is blocked here");
    assert_eq!(api.get("status")["lists"]["blocked"], 1);
    assert_eq!(
        api.get(&format!("torrents/{}", hex(TORRENT)))["verdict"],
        "blocked"
    );
    tracker.hang_up();
    assert!(refused().is_err(), "a reload knows other lists alone");
    tracker.stop("TERM");

    let again = std::mem::replace(&mut tracker.setup, crate::operator::setup());
    drop(tracker);
    let tracker = again.start();
    tracker.wait_for("how many are blocked", |log| {
        let said = "info hashes that were blocked by hand: 1";
        log.iter().any(|line| line.ends_with(said))
    });
    let client = Client::of(tracker.udp());
    assert!(client.try_announce(&Announce::new(TORRENT, 1001)).is_err());
    let api = Api::control(&tracker);
    assert_eq!(api.get("blocks")["blocks"][0]["note"], "notice 7");
    let unblocked = api.ask("DELETE", &target).json();
    assert_eq!(
        (&unblocked["was_blocked"], &unblocked["verdict"]),
        (&json!(true), &json!("served"))
    );
    client.announce(&Announce::new(TORRENT, 1001));
    assert_eq!(api.ask("DELETE", &target).json()["was_blocked"], false);
}

#[test]
fn a_block_without_a_snapshot_says_how_long_it_lasts() {
    let tracker = setup().start();
    let api = Api::control(&tracker);
    for info_hash in [TORRENT, OTHER] {
        let blocked = api.ask("PUT", &format!("blocks/{}", hex(info_hash))).json();
        assert_eq!(blocked["lasts"], "until_restart");
    }
    let page = api.get("blocks?limit=1");
    assert_eq!(page["blocks"][0]["info_hash"], hex(TORRENT));
    let next = page["next"].as_str().unwrap();
    let page = api.get(&format!("blocks?limit=1&cursor={next}"));
    assert_eq!(page["blocks"][0]["info_hash"], hex(OTHER));
    assert_eq!(page["next"], Value::Null);
}

#[test]
fn a_block_list_that_cannot_be_read_is_said() {
    let mut setup = setup();
    let snapshot = setup.path("swarms");
    setup.set("snapshot.path", snapshot.to_str().unwrap());
    fs::create_dir(setup.path("swarms.blocked")).unwrap();
    let ended = setup.run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("swarms.blocked"), "{ended:?}");
}

#[test]
fn a_reload_says_what_it_did() {
    let mut setup = setup();
    setup.list("access.deny", &[TORRENT]);
    let mut tracker = setup.start();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(OTHER, 1001));
    tracker.setup.list("access.deny", &[TORRENT, OTHER]);
    tracker
        .setup
        .set("announce.interval", "20m")
        .set("udp.workers", 3);
    tracker.setup.write_config();
    let api = Api::control(&tracker);
    assert!(api.get("status")["reload"].is_null(), "there was none yet");
    let reloaded = api.ask("POST", "reload").json();
    assert_eq!(reloaded["changed"], json!(["announce.interval"]));
    assert_eq!(reloaded["need_restart"], json!(["udp.workers"]));
    assert_eq!(
        reloaded["lists"],
        json!([{"key": "access.deny", "before": 1, "after": 2}])
    );
    assert_eq!(reloaded["purged"], json!({"torrents": 1, "peers": 1}));
    assert_eq!(reloaded["faults"], json!([]));
    assert_eq!(api.get("status")["reload"]["succeeded"], true);
    fs::remove_file(tracker.setup.path("access.deny")).unwrap();
    tracker.setup.set("announce.interval", "never");
    tracker.setup.write_config();
    let reloaded = api.ask("POST", "reload").json();
    let faults = reloaded["faults"].as_array().unwrap();
    let faults: Vec<_> = faults.iter().map(|fault| fault.as_str().unwrap()).collect();
    assert!(
        faults
            .iter()
            .any(|fault| fault.starts_with("the configuration stays in force: "))
    );
    assert!(
        faults
            .iter()
            .any(|fault| fault.starts_with("the deny list stays as it was: "))
    );
    assert_eq!(api.get("status")["reload"]["succeeded"], false);
}

#[test]
fn a_snapshot_on_demand() {
    let mut setup = setup();
    let snapshot = setup.path("swarms");
    setup.set("snapshot.path", snapshot.to_str().unwrap());
    let tracker = setup.start();
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1001));
    let api = Api::control(&tracker);
    assert_eq!(api.get("status")["snapshot"]["age_secs"], Value::Null);
    let written = api.ask("POST", "snapshot").json();
    assert_eq!(
        (&written["torrents"], &written["peers"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(written["octets"], fs::metadata(snapshot).unwrap().len());
    assert!(api.get("status")["snapshot"]["age_secs"].is_u64());
}

#[test]
fn a_drain_sends_clients_elsewhere_until_it_ends() {
    let tracker = setup().start();
    let api = Api::control(&tracker);
    let http = tracker.http();
    let mut connection = Connection::to(http);
    let target = announce(&TORRENT, 1001, "");
    connection.send(head("GET", &target, &[], &[]).as_bytes());
    assert_eq!(connection.response().field("connection"), None);
    assert_eq!(api.ask("PUT", "drain").json(), json!({"is_draining": true}));
    let ready = get(http, "/readyz");
    assert_eq!((ready.status, ready.text()), (503, "draining\n"));
    assert_eq!(get(http, "/healthz").status, 200);
    assert_eq!(api.get("status")["state"], "draining");
    connection.send(head("GET", &target, &[], &[]).as_bytes());
    let last = connection.response();
    assert_eq!(last.field("connection"), Some("close"));
    last.announced();
    assert!(connection.is_at_end());
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1002));
    assert_eq!(api.get("drain"), json!({"is_draining": true}));
    api.ask("DELETE", "drain").json();
    assert_eq!(get(http, "/readyz").text(), "ready\n");
}
