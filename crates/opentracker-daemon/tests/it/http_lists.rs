//! Section "HTTP" of the contract: what clients make a habit of, and the lists of all torrents.
//!
//! | sentence | tests |
//! |---|---|
//! | `renew`, `numwants`, `syncs` | `habits_of_clients` |
//! | `s24s`, `woodpeckers` | `networks_that_announce` |
//! | `tpbs` with `format=txt\|txtp\|bin\|ben\|url` | `a_torrent_in_each_format` |
//! | `statedump` writes the C program's dump, `-l` reads it | `a_dump_outlives_the_program` |
//! | full scrape, `mode=tpbs`, `statedump`, `woodpeckers` are for `access.admin` | `lists_are_for_admins_alone` |
//! | `gzip`/`zstd` by `Accept-Encoding` | `lists_come_as_the_client_wants_them` |

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker};
use crate::request::{Response, announce, get, get_with, scrape};

const TORRENT: [u8; 20] = *b"\x00\xffThe name/of=this~1";

fn stats(tracker: &Tracker, query: &str) -> Response {
    let response = get(tracker.http(), &format!("/stats?mode={query}"));
    assert_eq!(response.status, 200, "{query}: {response:?}");
    response
}

/// Lets a millisecond pass; the tracker looks at one announce in each for the habits of clients.
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

/// A torrent with two seeders and a leecher, and one completed download.
fn tracker() -> Tracker {
    let tracker = Setup::new().start();
    for (port, more) in [
        (1, "left=0&event=completed"),
        (2, "left=0&numwant=7"),
        (3, "left=5"),
    ] {
        get(tracker.http(), &announce(&TORRENT, port, more)).announced();
        pause();
    }
    tracker
}

#[test]
fn habits_of_clients() {
    let tracker = tracker();
    // Over UDP, of two known peers.
    let client = Client::of(tracker.udp());
    for (port, want) in [(2, -1), (3, 1000)] {
        client.announce(&Announce::new(TORRENT, port).want(want));
        pause();
    }
    let lines = |mode| {
        let text = stats(&tracker, mode).text().to_owned();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let renewals = lines("renew");
    assert_eq!(renewals.len(), 45);
    assert_eq!(renewals[0], "00 2");
    assert!(renewals[1..].iter().all(|line| line.ends_with(" 0")));
    let wanted = lines("numwants");
    assert_eq!(wanted.len(), 201);
    for (number, expected) in [(7, "007 => 1"), (50, "050 => 3"), (200, "200 => 1")] {
        assert_eq!(wanted[number], expected);
    }
    assert_eq!(lines("syncs")[..2], ["0", "0"]);
}

#[test]
fn networks_that_announce() {
    let tracker = tracker();
    let busy = stats(&tracker, "s24s");
    let lines: Vec<_> = busy.text().lines().collect();
    assert_eq!(lines[0], "Networks, limit /28:");
    assert!(lines[1].ends_with(": 127.0.0.0"), "{lines:?}");
    assert_eq!(lines[2..4], ["", "Networks, limit /24:"]);
    let early = stats(&tracker, "woodpeckers");
    assert_eq!(early.text(), "Networks, limit /28:\n\n");
}

#[test]
fn a_torrent_in_each_format() {
    let tracker = tracker();
    let hex = "00FF546865206E616D652F6F663D746869737E31";
    for (format, expected) in [
        ("txt", format!("{hex}:2:1\n").into_bytes()),
        ("txtp", format!("{hex}:2:1:1\n").into_bytes()),
        ("bin", [&TORRENT[..], &[0, 0, 0, 2, 0, 0, 0, 1]].concat()),
        (
            "ben",
            [
                b"d5:filesd20:",
                &TORRENT[..],
                b"d8:completei2e10:downloadedi1e10:incompletei1eeee",
            ]
            .concat(),
        ),
        ("url", b"%00%ffThe%20name/of=this~1:2:1\n".to_vec()),
    ] {
        let response = stats(&tracker, &format!("tpbs&format={format}"));
        assert_eq!(response.body, expected, "{format}: {response:?}");
    }
    let whole = stats(&tracker, "tpbs");
    assert_eq!(whole.body, stats(&tracker, "tpbs&format=ben").body);
    let unknown = get(tracker.http(), "/stats?mode=tpbs&format=xml");
    assert_eq!(unknown.status, 400);
}

fn minute() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since_1970.as_secs() / 60
}

#[test]
fn a_dump_outlives_the_program() {
    let before = minute();
    let first = tracker();
    let dump = stats(&first, "statedump").text().to_owned();
    let fields: Vec<_> = dump.trim_end().split(':').collect();
    assert_eq!(fields[0], "00FF546865206E616D652F6F663D746869737E31");
    // The clock of whole minutes and that of the tracker's age differ by less than one.
    let announced = fields[1].parse().unwrap();
    assert!(
        (before.saturating_sub(1)..=minute()).contains(&announced),
        "{dump}"
    );
    assert_eq!(fields[2..], ["1"]);

    let mut setup = Setup::new();
    let path = setup.write("dump", &dump);
    setup.argument("-l").argument(path);
    let second = setup.start();
    let scraped = get(second.http(), &scrape(&[TORRENT])).bencode();
    let counts = scraped.get("files").unwrap().get(TORRENT).unwrap().clone();
    assert_eq!(counts.get("downloaded").unwrap().integer(), 1);
    assert_eq!(counts.get("complete").unwrap().integer(), 0);
    let again = stats(&second, "statedump").text().to_owned();
    assert!(
        again.starts_with(fields[0]) && again.ends_with(":1\n"),
        "{again}"
    );
}

#[test]
fn lists_are_for_admins_alone() {
    let mut setup = Setup::new();
    setup.unset("access.admin");
    let tracker = setup.start();
    for mode in ["tpbs", "tpbs&format=txt", "statedump", "woodpeckers"] {
        let target = format!("/stats?mode={mode}");
        assert_eq!(get(tracker.http(), &target).status, 403, "{mode}");
        assert_eq!(get(tracker.operator(), &target).status, 403, "{mode}");
    }
    get(tracker.http(), "/scrape").refusal();
    // Where an admin sees networks of a few customers, others see what logs show.
    let busy = get(tracker.http(), "/stats?mode=s24s");
    assert_eq!(busy.text(), "Networks, limit /24:\n\n");
}

#[test]
fn lists_come_as_the_client_wants_them() {
    let tracker = tracker();
    for (accepted, coding) in [
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip", Some("gzip")),
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("zstd;q=0.5, gzip", Some("gzip")),
        ("*;q=0.1", Some("gzip")),
    ] {
        let target = "/stats?mode=tpbs&format=txt";
        let response = get_with(tracker.http(), target, &[("Accept-Encoding", accepted)]);
        assert_eq!(response.status, 200);
        assert_eq!(response.field("content-encoding"), coding, "{accepted}");
        assert_eq!(response.field("vary"), Some("Accept-Encoding"));
        let begins_with: &[u8] = match coding {
            None => b"00FF",
            Some("gzip") => b"\x1f\x8b",
            Some(_) => b"\x28\xb5\x2f\xfd",
        };
        assert!(
            response.body.starts_with(begins_with),
            "{accepted}: {response:?}"
        );
    }
    let refusing = [("Accept-Encoding", "identity;q=0, br")];
    let response = get_with(tracker.http(), "/stats?mode=tpbs", &refusing);
    assert_eq!(response.status, 406);
}
