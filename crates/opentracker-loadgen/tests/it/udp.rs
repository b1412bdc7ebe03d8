use std::collections::HashSet;
use std::net::IpAddr;

use opentracker_types::{Event, InfoHash};
use opentracker_udp_wire::Request;

use crate::program::{Reflector, interrupted, report, run};
use crate::tracker::{Tracker, Verdict};

/// A short run in which nothing is lost however slow the machine is.
const SHORT: &str = "--warmup 50ms --duration 300ms --timeout 30s";

#[test]
fn a_closed_loop_counts_what_it_asks_for() {
    for batch in [1, 64] {
        let reflector = Reflector::start(&format!("udp --batch {batch}"));
        let (target, pid) = (reflector.address, reflector.id());
        let mix = "--announce 90 --connect 5 --scrape 5";
        let line = format!("udp {target} --pid {pid} {mix} {SHORT}");
        let report = report(&format!("closed-{batch}"), &line);
        for kind in ["announce", "connect", "scrape"] {
            assert!(report["answered"][kind].as_u64().unwrap() > 0, "{report}");
        }
        assert_eq!(report["lost"], 0, "{report}");
        assert_eq!(report["stray"], 0, "{report}");
        assert_eq!(report["peers_per_announce"], 21.0, "{report}");
        let at = |name: &str| report["latency_micros"][name].as_f64().unwrap();
        assert!(0.0 < at("min") && at("min") <= at("p50"), "{report}");
        assert!(
            at("p50") <= at("p99_9") && at("p99_9") <= at("max"),
            "{report}"
        );
        let resident = &report["server"]["resident_octets"];
        assert!(resident.as_u64().unwrap() > 0, "{report}");
        assert_eq!(report["settings"]["mix"]["connect"], 5, "{report}");
    }
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let reflector = Reflector::start("udp");
    let target = reflector.address;
    let line = format!("udp {target} --rate 2000 --threads 2 --sockets 2 {SHORT}");
    let report = report("open", &line);
    let sent = report["sent"]["announce"].as_f64().unwrap();
    // What was due in the warm-up, or before a thread began, may have left after it.
    let most = 2_000.0 * (0.05 + 0.3) + 2.0;
    assert!(sent > 0.0 && sent <= most, "{report}");
    assert_eq!(report["lost"], 0, "{report}");
}

#[derive(Default)]
struct Seen {
    info_hashes: HashSet<InfoHash>,
    sources: HashSet<IpAddr>,
    stopped: u64,
    announces: u64,
}

#[test]
fn requests_are_those_of_the_population() {
    let tracker = Tracker::start(Seen::default(), |seen, (source, request)| {
        match request {
            Request::Announce(request) => {
                seen.announces += 1;
                seen.info_hashes.insert(request.announce.info_hash);
                seen.sources.insert(source.ip());
                seen.stopped += u64::from(request.announce.event == Event::Stopped);
                assert_eq!(request.announce.num_want, Some(7));
            }
            Request::Scrape(request) => {
                assert_eq!(request.info_hashes().len(), 3);
                seen.info_hashes.extend(request.info_hashes());
            }
            Request::Connect(_) => {}
        }
        Verdict::Answer
    });
    let target = tracker.address;
    let population = "--torrents 40 --peers 500 --seed 5 --zipf 0.8";
    let mix = "--scrape 50 --scrape-hashes 3 --numwant 7 --stopped 0.5";
    let line = format!("udp {target} {population} {mix} --sources 20 --train 4 {SHORT}");
    report("population", &line);
    let seen = tracker.finish();

    let list = run("allow-list --torrents 40 --seed 5").stdout;
    let list = String::from_utf8(list).unwrap();
    let allowed: HashSet<InfoHash> = list.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(allowed.len(), 40);
    assert!(!seen.info_hashes.is_empty());
    assert!(seen.info_hashes.is_subset(&allowed));
    let sources = seen.sources;
    assert!((2..=20).contains(&sources.len()), "{sources:?}");
    assert!(sources.iter().all(IpAddr::is_loopback), "{sources:?}");
    assert!(seen.stopped > 0 && seen.stopped < seen.announces);
}

#[test]
fn a_fill_reaches_every_peer_in_spite_of_losses() {
    let tracker = Tracker::start((0, HashSet::new()), |(count, peers), (source, request)| {
        *count += 1;
        if *count % 7 == 0 {
            return Verdict::Ignore;
        }
        if let Request::Announce(request) = request {
            assert_eq!(request.announce.event, Event::Started);
            peers.insert((source.ip(), request.announce.port));
        }
        Verdict::Answer
    });
    let target = tracker.address;
    let population = "--torrents 30 --peers 2000 --sources 8";
    let line = format!("fill {target} {population} --threads 2 --timeout 200ms --window 64");
    let report = report("fill", &line);
    let (_, peers) = tracker.finish();
    assert_eq!(peers.len(), 2_000);
    assert_eq!(report["filled"]["peers"], 2_000);
    assert_eq!(report["filled"]["torrents"], 30);
    assert_eq!(report["answered"]["announce"], 2_000);
    assert!(report["lost"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn refusals_are_counted_by_their_text() {
    let tracker = Tracker::start(0, |count, (_, request)| {
        *count += 1;
        match request {
            Request::Announce(_) if *count % 2 == 0 => Verdict::Refuse("not today"),
            _ => Verdict::Answer,
        }
    });
    let report = report("refused", &format!("udp {} {SHORT}", tracker.address));
    tracker.finish();
    let refused = report["errors"]["not today"].as_u64().unwrap();
    assert!(refused > 0, "{report}");
    let answered = report["answered"]["announce"].as_u64().unwrap();
    assert!(answered > 0, "{report}");
    assert_eq!(report["lost"], 0, "{report}");
}

#[test]
fn an_interrupt_ends_a_run_with_its_report() {
    let reflector = Reflector::start("udp");
    let line = format!("udp {} --duration 1h --warmup 0s", reflector.address);
    let report = interrupted("interrupted", &line);
    assert!(
        report["measured_secs"].as_f64().unwrap() < 600.0,
        "{report}"
    );
    let answered = report["answered"]["announce"].as_u64().unwrap();
    assert!(answered > 0, "{report}");
}
