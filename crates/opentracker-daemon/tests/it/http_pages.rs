//! Section "HTTP" of the contract: the statistics, the metrics, the root.
//!
//! | sentence | tests |
//! |---|---|
//! | `mode=peer`, the default | `peers_and_seeders` |
//! | `mode=conn`, `udp4`, `tcp4` | `connections_and_their_success` |
//! | `mode=scrp` | `scrapes_over_tcp_and_udp` |
//! | `mode=torr` | `torrents` |
//! | `mode=completed` | `completed_downloads` |
//! | `mode=top10`, `top100` | `the_largest_torrents`, `no_more_torrents_than_asked_for` |
//! | `mode=herr` | `http_errors` |
//! | `mode=everything` (XML) | `everything_is_well_formed_xml`, `everything_has_the_elements_of_the_c_program` |
//! | `mode=version` | `the_version_is_the_program_s` |
//! | an unknown mode is an error | `an_unknown_mode_is_refused` |
//! | the bodies are text | `bodies_say_what_they_are` |
//! | `http.stats_path` | `the_statistics_are_where_they_are_put` |
//! | metrics | `metrics_are_well_formed_and_count` |
//! | `http.redirect_url`: where `GET /` goes, empty = the dashboard | `the_root_is_the_dashboard`, `the_root_redirects` |

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::datagram::{Announce, Client};
use crate::metrics::Metrics;
use crate::program::{Setup, Tracker};
use crate::request::{announce, get, scrape};

const TORRENT: [u8; 20] = [0xab; 20];

/// Two leechers and three seeders of one torrent, of which one has completed.
fn tracker() -> Tracker {
    let tracker = Setup::new().start();
    for (port, more) in [
        (1, "left=5"),
        (2, "left=5"),
        (3, "left=0"),
        (4, "left=0"),
        (5, "left=0&event=completed"),
    ] {
        get(tracker.http(), &announce(&TORRENT, port, more)).announced();
    }
    tracker
}

fn stats(tracker: &Tracker, mode: &str) -> String {
    let response = get(tracker.http(), &format!("/stats?mode={mode}"));
    assert_eq!(response.status, 200, "{mode}: {response:?}");
    response.text().to_owned()
}

/// Reads a body of four lines: two numbers, the time that the program runs, and a line of words
/// with numbers in it, which are returned as `#`.
fn mrtg(body: &str) -> (u64, u64, String) {
    let lines: Vec<_> = body.split('\n').collect();
    let [first, second, uptime, words] = lines[..] else {
        panic!("not four lines: {body:?}");
    };
    let (seconds, hours) = uptime.split_once(" seconds (").expect("seconds");
    let seconds: u64 = seconds.parse().unwrap();
    let hours: u64 = hours
        .strip_suffix(" hours)")
        .expect("hours")
        .parse()
        .unwrap();
    assert_eq!(hours, seconds / 3600);
    assert!(seconds < 600, "the program has just been started: {body}");
    (
        first.parse().unwrap(),
        second.parse().unwrap(),
        without_numbers(words),
    )
}

fn without_numbers(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == word.len() {
            word.to_owned()
        } else {
            format!("#{rest}")
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn peers_and_seeders() {
    let tracker = tracker();
    let body = "5\n3\nopentracker serving 1 torrents\nopentracker";
    assert_eq!(stats(&tracker, "peer"), body);
    assert_eq!(get(tracker.http(), "/stats").text(), body);
    let empty = Setup::new().start();
    let body = "0\n0\nopentracker serving 0 torrents\nopentracker";
    assert_eq!(stats(&empty, "peer"), body);
}

#[test]
fn torrents() {
    let tracker = tracker();
    get(tracker.http(), &announce(&[1; 20], 1, "")).announced();
    let body = "2\n0\nopentracker serving 2 torrents\nopentracker";
    assert_eq!(stats(&tracker, "torr"), body);
}

#[test]
fn connections_and_their_success() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    // Four datagrams: two connects, an announce, and garbage.
    client.announce(&Announce::new(TORRENT, 6));
    client.is_silent_to(b"garbage");
    let served = Metrics::of(tracker.http());
    assert_eq!((served.datagrams("in"), served.udp("connect")), (4, 2));
    let (all, success, words) = mrtg(&stats(&tracker, "udp4"));
    // The C program counts connects among the successes.
    assert_eq!((all, success), (4, 2 + 1));
    assert_eq!(words, "opentracker udp4 stats, # conns/s :: # success/s.");
    // Five announces, the metrics, the page before, and this one.
    let (all, success, words) = mrtg(&stats(&tracker, "tcp4"));
    assert_eq!((all, success), (5 + 1 + 1 + 1, 5));
    assert_eq!(words, "opentracker tcp4 stats, # conns/s :: # success/s.");
    let (all, success, words) = mrtg(&stats(&tracker, "conn"));
    assert_eq!((all, success), (4 + 9, 3 + 5));
    assert_eq!(words, "opentracker connections, # conns/s :: # success/s.");
}

#[test]
fn scrapes_over_tcp_and_udp() {
    let tracker = tracker();
    for _ in 0..3 {
        get(tracker.http(), &scrape(&[TORRENT]));
    }
    for _ in 0..2 {
        Client::of(tracker.udp()).scrape(&[TORRENT]);
    }
    let (tcp, udp, words) = mrtg(&stats(&tracker, "scrp"));
    assert_eq!((tcp, udp), (3, 2));
    assert_eq!(words, "opentracker scrape stats, # scrape/s (tcp and udp)");
}

#[test]
fn completed_downloads() {
    let tracker = tracker();
    let (completed, zero, words) = mrtg(&stats(&tracker, "completed"));
    assert_eq!((completed, zero), (1, 0));
    assert_eq!(words, "opentracker, # completed/h.");
}

#[test]
fn the_largest_torrents() {
    let tracker = Setup::new().start();
    // The first has most peers, the second most seeders.
    for (info_hash, leechers, seeders) in [([0xaa; 20], 9, 0), ([0xbc; 20], 1, 4), ([1; 20], 3, 1)]
    {
        for port in 0..leechers {
            get(tracker.http(), &announce(&info_hash, 1000 + port, "left=5")).announced();
        }
        for port in 0..seeders {
            get(tracker.http(), &announce(&info_hash, 2000 + port, "left=0")).announced();
        }
    }
    let [aa, bc, one] = ["AA", "BC", "01"].map(|octet| octet.repeat(20));
    for number in [10, 100] {
        let body = stats(&tracker, &format!("top{number}"));
        let by_peers =
            format!("Top {number} torrents by peers:\n\t9\t{aa}\n\t5\t{bc}\n\t4\t{one}\n");
        let by_seeds = format!("Top {number} torrents by seeds:\n\t4\t{bc}\n\t1\t{one}\n");
        let rest = body
            .strip_prefix(&by_peers)
            .unwrap_or_else(|| panic!("{body}"));
        let rest = rest
            .strip_prefix(&by_seeds)
            .unwrap_or_else(|| panic!("{body}"));
        // A torrent without seeders may be there, at the end.
        assert!(
            ["".to_owned(), format!("\t0\t{aa}\n")].contains(&rest.to_owned()),
            "{body}"
        );
    }
}

#[test]
fn no_more_torrents_than_asked_for() {
    let tracker = Setup::new().start();
    for number in 0..=120 {
        for port in 0..u16::from(number) % 4 + 1 {
            get(
                tracker.http(),
                &announce(&[number; 20], 1000 + port, "left=0"),
            )
            .announced();
        }
    }
    for (mode, number) in [("top10", 10), ("top100", 100)] {
        let body = stats(&tracker, mode);
        let entries: Vec<u32> = body
            .lines()
            .filter_map(|line| line.strip_prefix('\t')?.split('\t').next()?.parse().ok())
            .collect();
        assert_eq!(entries.len(), 2 * number, "{body}");
        for half in entries.chunks(number) {
            assert!(half.is_sorted_by(|one, next| one >= next), "{body}");
            // 30 of the torrents have 4 peers each, and so on down.
            let expected = (0..number).map(|index| 4 - u32::try_from(index / 30).unwrap());
            assert!(half.iter().copied().eq(expected), "{body}");
        }
    }
}

#[test]
fn http_errors() {
    let mut setup = Setup::new();
    setup.set("http.redirect_url", "http://example.org/");
    let tracker = setup.start();
    for _ in 0..3 {
        get(tracker.http(), "/nowhere");
    }
    get(tracker.http(), "/announce");
    get(tracker.http(), "/");
    get(tracker.http(), "/");
    let body = stats(&tracker, "herr");
    let lines: Vec<_> = body.lines().map(|line| line.split_at(8)).collect();
    assert_eq!(
        lines,
        [
            ("302 RED ", "2"),
            ("400 ... ", "0"),
            ("400 PAR ", "1"),
            ("400 COM ", "0"),
            ("403 IP  ", "0"),
            ("404 INV ", "3"),
            ("500 SRV ", "0"),
        ]
    );
}

/// Reads XML without namespaces, mixed content and such: texts by the path of their elements.
fn xml(text: &str) -> BTreeMap<String, String> {
    let rest = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a prolog");
    let mut path: Vec<String> = Vec::new();
    let mut texts = BTreeMap::new();
    let mut content = String::new();
    for part in rest.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        if let Some(name) = tag.strip_prefix('/') {
            texts
                .entry(path.join("/"))
                .or_insert(content.trim().to_owned());
            let open = path.pop().expect("an element that was opened");
            assert_eq!(open.split(' ').next(), Some(name), "{text}");
        } else if !tag.ends_with('/') {
            path.push(tag.to_owned());
        }
        content = text.to_owned();
        assert!(!text.contains('&'), "no entity is needed: {text}");
    }
    assert!(path.is_empty(), "{path:?} is not closed");
    texts
}

#[test]
fn everything_is_well_formed_xml() {
    let tracker = tracker();
    let everything = xml(&stats(&tracker, "everything"));
    assert!(
        everything.keys().all(|path| path.starts_with("stats")),
        "{everything:#?}"
    );
}

#[test]
fn everything_has_the_elements_of_the_c_program() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new([1; 20], 6));
    client.scrape(&[TORRENT]);
    get(tracker.http(), &scrape(&[TORRENT]));
    get(tracker.http(), "/nowhere");
    let body = stats(&tracker, "everything");
    let everything = xml(&body);
    let text = |path: &str| {
        let path = format!("stats/{path}");
        everything
            .get(&path)
            .unwrap_or_else(|| panic!("no {path} in\n{body}"))
            .as_str()
    };
    let number = |path: &str| -> u64 { text(path).parse().unwrap() };
    assert!(text("version").contains("opentracker"), "{body}");
    assert!(number("tracker_id") > 0);
    assert!(number("uptime") < 600);
    for (path, expected) in [
        ("torrents/count_mutex", 2),
        ("torrents/count_iterator", 2),
        ("peers/count", 6),
        ("seeds/count", 3),
        ("completed/count", 1),
        // Five announces, a scrape, an error and this page.
        ("connections/tcp/accept", 8),
        ("connections/tcp/announce", 5),
        ("connections/tcp/scrape", 1),
        ("connections/udp/overall", 4),
        ("connections/udp/connect", 2),
        ("connections/udp/announce", 1),
        ("connections/udp/scrape", 1),
        ("connections/udp/missmatch", 0),
        ("connections/livesync/count", 0),
        ("debug/http_error/count code=\"302 Redirect\"", 0),
        ("debug/http_error/count code=\"400 Parse Error\"", 0),
        ("debug/http_error/count code=\"400 Invalid Parameter\"", 0),
        (
            "debug/http_error/count code=\"400 Invalid Parameter (compact=0)\"",
            0,
        ),
        ("debug/http_error/count code=\"400 Not Modest\"", 0),
        ("debug/http_error/count code=\"402 Payment Required\"", 0),
        ("debug/http_error/count code=\"403 Access Denied\"", 0),
        ("debug/http_error/count code=\"404 Not found\"", 1),
        (
            "debug/http_error/count code=\"500 Internal Server Error\"",
            0,
        ),
        ("debug/mutex_stall/count", 0),
    ] {
        assert_eq!(number(path), expected, "{path} in\n{body}");
    }
}

#[test]
fn the_version_is_the_program_s() {
    let tracker = tracker();
    let body = stats(&tracker, "version");
    assert!(
        body.contains("opentracker") && body.contains(env!("CARGO_PKG_VERSION")),
        "{body}"
    );
}

#[test]
fn an_unknown_mode_is_refused() {
    let tracker = tracker();
    for mode in ["nonsense", "", "PEER", "peer%00", "top11"] {
        let status = get(tracker.http(), &format!("/stats?mode={mode}")).status;
        assert!((400..500).contains(&status), "{mode}: {status}");
    }
    // Other parameters say nothing.
    let body = get(tracker.http(), "/stats?x=1&mode=torr&y")
        .text()
        .to_owned();
    assert_eq!(body, stats(&tracker, "torr"));
}

#[test]
fn bodies_say_what_they_are() {
    let tracker = tracker();
    let kind = |target: &str| {
        let response = get(tracker.http(), target);
        response.field("content-type").unwrap().to_owned()
    };
    for mode in [
        "peer",
        "conn",
        "scrp",
        "udp4",
        "tcp4",
        "torr",
        "completed",
        "top10",
        "herr",
    ] {
        assert!(
            kind(&format!("/stats?mode={mode}")).starts_with("text/plain"),
            "{mode}"
        );
    }
    assert!(
        kind("/stats?mode=everything").contains("xml")
            || kind("/stats?mode=everything").starts_with("text/plain")
    );
    assert!(kind("/metrics").starts_with("text/plain"));
    assert!(kind("/").starts_with("text/html"));
    assert!(kind(&announce(&TORRENT, 1, "")).starts_with("text/plain"));
}

#[test]
fn the_statistics_are_where_they_are_put() {
    let mut setup = Setup::new();
    setup.set("http.stats_path", "numbers");
    let tracker = setup.start();
    assert_eq!(get(tracker.http(), "/numbers?mode=torr").status, 200);
    assert_eq!(get(tracker.http(), "/stats?mode=torr").status, 404);
}

#[test]
fn metrics_are_well_formed_and_count() {
    let tracker = tracker();
    // The reader of the tests fails at what is not well-formed.
    let before = Metrics::of(tracker.http());
    assert_eq!((before.http("announce"), before.http("scrape")), (5, 0));
    assert_eq!(before.get("opentracker_completed_total"), 1);
    assert_eq!(before.get("opentracker_torrents"), 1);
    let peers = |metrics: &Metrics, role: &str| {
        metrics.get(&format!(
            "opentracker_peers{{family=\"ipv4\",role=\"{role}\"}}"
        ))
    };
    assert_eq!(
        (peers(&before, "leecher"), peers(&before, "seeder")),
        (2, 3)
    );
    get(tracker.http(), &announce(&TORRENT, 1, "event=stopped")).announced();
    get(tracker.http(), &scrape(&[TORRENT]));
    // What takes time to find out may be a moment old.
    let after = Metrics::wait(tracker.http(), |metrics| peers(metrics, "leecher") == 1);
    assert_eq!((after.http("announce"), after.http("scrape")), (6, 1));
    assert_eq!(after.get("opentracker_stopped_total"), 1);
    assert_eq!(peers(&after, "seeder"), 3);
}

#[test]
fn the_root_is_the_dashboard() {
    let tracker = tracker();
    let response = get(tracker.http(), "/");
    assert_eq!(response.status, 200);
    let page = response.text();
    assert!(
        page.contains("<html") && page.contains("opentracker"),
        "{page}"
    );
    // It takes nothing from elsewhere.
    let mut elsewhere = String::new();
    for scheme in [
        "src=\"http",
        "href=\"http",
        "src=\"//",
        "url(http",
        "@import",
    ] {
        if page.contains(scheme) {
            writeln!(elsewhere, "{scheme}").unwrap();
        }
    }
    assert!(elsewhere.is_empty(), "{elsewhere}");
}

#[test]
fn the_root_redirects() {
    let mut setup = Setup::new();
    setup.set("http.redirect_url", "https://example.org/a?b=c&d");
    let tracker = setup.start();
    for target in ["/", "/?x=1"] {
        let response = get(tracker.http(), target);
        assert_eq!(response.status, 302, "{target}");
        assert_eq!(
            response.field("location"),
            Some("https://example.org/a?b=c&d")
        );
    }
}
