//! The pages of the tracker in a browser, through real flows: Debian's Chromium, driven by a script
//! (`flows.mjs`) with `playwright-core`, looked over by `axe-core`.
//!
//! It is run by `cargo xtask test`, which installs what it needs. With `UPDATE_DOCS=1` it writes the
//! pictures of the documentation anew.
//!
//! | sentence | tests |
//! |---|---|
//! | live charts, top torrents, client software mix | `numbers_move_under_load` |
//! | block, unblock, with the token | `a_torrent_is_blocked_with_the_token` |
//! | reload, snapshot now | `the_tracker_is_steered_with_the_token` |
//! | keyboard; drain | `the_keyboard_is_enough` |
//! | phone | `a_phone_shows_all_of_it` |
//! | light | `light_and_the_choice_of_a_theme` |
//! | dark; trends of 7 days kept with the snapshot | `dark_and_what_was_before_the_start` |
//! | a tracker that does not answer, or not to all | `trouble_is_said` |
//! | a page that nobody sees asks for nothing | `a_hidden_page_is_quiet` |
//! | cluster nodes with lag, for those who may see them | `the_nodes_of_a_cluster` |
//! | others get a public page with the announce URLs | `others_get_the_announce_urls` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../it/backend.rs"]
mod backend;
#[path = "../it/bencode.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod bencode;
#[path = "../it/datagram.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod datagram;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;
#[path = "../it/request.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod request;

mod load;

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use datagram::{Announce, Client};
use load::{Load, TORRENT};
use program::{NOTHING, Setup, Tracker};

const TOKEN: &str = "correct-horse-battery-staple";

/// How long a flow may take; one that draws pictures waits for something to draw.
const FLOW: Duration = Duration::from_secs(180);

/// One browser at a time: several would only wait for each other.
static BROWSER: Mutex<()> = Mutex::new(());

/// A tracker whose operator listens, with a token, a deny list and a week of trends.
fn setup() -> Setup {
    let mut setup = Setup::new();
    let token = setup.write("token", &format!("{TOKEN}\n"));
    let snapshot = setup.path("swarms");
    setup.write("swarms.trends", &trends());
    setup
        .set("admin.token", token.to_str().unwrap())
        .set("snapshot.path", snapshot.to_str().unwrap())
        .set_toml("webtorrent.enabled", "true")
        .list("access.deny", &[load::DENIED]);
    setup
}

/// A week, whose figures rise and fall with the hours.
fn trends() -> String {
    const VALUES: u64 = 7 * 288;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let end = since_1970.as_secs() / 300 - 1;
    let mut text = format!(
        "opentracker trends 1\ninterval 300\nseries udp_announces http_announces \
         webtorrent_announces refusals torrents seeders leechers memory_octets\nend {end}\nvalues {VALUES}\n"
    );
    for number in 1..=VALUES {
        let hour = (end - VALUES + number) as f64 / 12.0;
        let wave = 1.0 + 0.3 * (hour / 24.0 * std::f64::consts::TAU).sin();
        let of = |most: f64| (most * wave).round();
        let (udp, http, webtorrent, refused) = (of(95.0), of(24.0), of(11.0), of(9.0));
        let (torrents, seeders, leechers) = (of(400.0), of(5000.0), of(1700.0));
        let memory = of(180_000.0);
        writeln!(
            text,
            "{udp} {http} {webtorrent} {refused} {torrents} {seeders} {leechers} {memory}"
        )
        .unwrap();
    }
    text
}

/// Goes through a flow with a page of a tracker.
#[track_caller]
fn run(flow: &str, page: SocketAddr) {
    let _one = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/flows.mjs");
    let pictures = match std::env::var_os("UPDATE_DOCS") {
        Some(_) => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"),
        None => PathBuf::new(),
    };
    let mut node = Command::new("node")
        .arg(script)
        .arg(flow)
        .env("PAGE", format!("http://{page}/"))
        .env("TOKEN", TOKEN)
        .env("TORRENT", hex(&TORRENT))
        .env("PICTURES", pictures)
        .stdin(Stdio::null())
        .stdout(Stdio::inherit())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node is there");
    let mut stderr = node.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said)
    });
    let deadline = Instant::now() + FLOW;
    let status = loop {
        if let Some(status) = node.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > deadline {
            node.kill().unwrap();
            node.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = said.join().unwrap().unwrap();
    assert!(
        status.is_some_and(|status| status.success()),
        "{flow}: {status:?}\n{said}"
    );
}

/// Goes through a flow with the page of the operator while clients announce.
#[track_caller]
fn run_under_load(flow: &str) -> Tracker {
    let tracker = setup().start();
    let load = Load::start(&tracker);
    run(flow, tracker.operator());
    load.stop();
    tracker
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    })
}

#[test]
fn numbers_move_under_load() {
    run_under_load("figures");
}

#[test]
fn a_torrent_is_blocked_with_the_token() {
    let tracker = run_under_load("block");
    let client = Client::of(tracker.udp());
    let refused = client.try_announce(&Announce::new(TORRENT, 1));
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn the_tracker_is_steered_with_the_token() {
    let tracker = run_under_load("orders");
    assert!(fs::metadata(tracker.setup.path("swarms")).unwrap().len() > 0);
}

#[test]
fn the_keyboard_is_enough() {
    run_under_load("keyboard");
}

#[test]
fn a_phone_shows_all_of_it() {
    run_under_load("phone");
}

#[test]
fn light_and_the_choice_of_a_theme() {
    run_under_load("light");
}

#[test]
fn dark_and_what_was_before_the_start() {
    run_under_load("dark");
}

#[test]
fn trouble_is_said() {
    run_under_load("trouble");
}

#[test]
fn a_hidden_page_is_quiet() {
    run_under_load("hidden");
}

#[test]
fn the_nodes_of_a_cluster() {
    run_under_load("cluster");
}

#[test]
fn others_get_the_announce_urls() {
    let mut setup = Setup::new();
    setup
        .set("access.stats", NOTHING)
        .set("access.admin", NOTHING);
    let tracker = setup.start();
    run("public", tracker.http());
}
