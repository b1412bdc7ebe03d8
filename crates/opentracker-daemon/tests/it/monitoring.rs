//! What watches a tracker: the metrics that it serves, and the rules and the dashboard of
//! `deploy/monitoring` that query them. `tests/monitoring` loads them into a real Prometheus.
//!
//! | sentence | tests |
//! |---|---|
//! | one HELP and TYPE a family, base units, `process_*`, build info, start, reload, snapshots, lists, memory by part, latency | `the_documentation_names_every_metric` |
//! | each query names a metric that exists | `each_query_names_a_metric_that_exists` |
//! | per-listener and per-family labels | `requests_are_counted_by_listener_and_family` |
//! | a latency histogram of the handler | `requests_are_timed` |
//! | client mix from peer ids | `clients_are_told_by_their_peer_ids` |
//! | last reload and its success | `a_reload_that_fails_shows` |

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::datagram::{Announce, Client};
use crate::metrics::{Families, Metrics};
use crate::node;
use crate::program::{Setup, Tracker, eventually};
use crate::queries::{names_in, queries_of_dashboard, rules};
use crate::request::{Connection, announce, get, head};

const TORRENT: [u8; 20] = [0xab; 20];

/// The table of the documentation stands between these.
const BEGIN: &str = "<!-- metrics -->\n\n";
const END: &str = "\n<!-- /metrics -->";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the families that are served when every part is on.
fn families() -> &'static Families {
    static FAMILIES: OnceLock<Families> = OnceLock::new();
    FAMILIES.get_or_init(|| {
        // Its own group, so that no other test is heard.
        let [one, two] = [(); 2].map(|()| node::start(&node::own_group()));
        let mut families = Families::default();
        eventually("every metric", || {
            for tracker in [&one, &two] {
                get(tracker.http(), &announce(&node::TORRENT, 54321, ""));
            }
            families = Families::of(one.operator());
            let last = [
                "opentracker_cluster_node_torrents",
                "opentracker_snapshot_size_bytes",
            ];
            last.iter().all(|name| families.0.contains_key(*name))
        });
        families
    })
}

#[test]
fn the_documentation_names_every_metric() {
    let rows = families().0.iter();
    let rows = rows.map(|(name, family)| {
        let labels: Vec<_> = family
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let (kind, help) = (&family.kind, &family.help);
        format!("| `{name}` | {kind} | {} | {help} |\n", labels.join(", "))
    });
    let table = format!(
        "| metric | type | labels | what it is |\n|---|---|---|---|\n{}",
        rows.collect::<String>()
    );
    let path = repository().join("docs/monitoring.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(found, table, "UPDATE_DOCS=1 writes it anew");
}

#[test]
fn each_query_names_a_metric_that_exists() {
    let folder = repository().join("deploy/monitoring");
    let rules = rules(&fs::read_to_string(folder.join("opentracker.rules.yml")).unwrap());
    let dashboard = fs::read_to_string(folder.join("grafana.json")).unwrap();
    let queries = queries_of_dashboard(&serde_json::from_str(&dashboard).unwrap());
    assert!(rules.queries.len() > 20 && queries.len() > 40);
    let mut known: BTreeSet<String> = families().series();
    known.extend(rules.recorded.iter().cloned());
    // Prometheus has it of every target.
    known.insert("up".to_owned());
    let mut named = BTreeSet::new();
    for query in rules.queries.iter().chain(&queries) {
        let names = names_in(query);
        assert!(!names.is_empty(), "{query}");
        for name in names {
            assert!(known.contains(&name), "{name}: {query}");
            named.insert(name);
        }
    }
    let unused = rules.recorded.iter().filter(|name| !named.contains(*name));
    assert_eq!(unused.count(), 0, "{:?}", rules.recorded);
}

#[test]
fn requests_are_counted_by_listener_and_family() {
    let mut setup = Setup::new();
    // The wildcard serves both families.
    setup
        .set("udp.listen", ["[::]:0"])
        .set("http.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    let udp = tracker.udp();
    for ip in ["127.0.0.1", "::1"] {
        let ip: IpAddr = ip.parse().unwrap();
        let server = SocketAddr::new(ip, udp.port());
        Client::of(server).announce(&Announce::new(TORRENT, 54321));
    }
    let [v4, v6] = tracker.addresses("http")[..] else {
        panic!("two listeners")
    };
    for server in [v4, v6, v6] {
        get(server, &announce(&TORRENT, 54321, ""));
    }
    let metrics = Metrics::wait(tracker.operator(), |metrics| {
        metrics.http("announce") == 3 && metrics.udp("announce") == 2
    });
    for (name, kind, family, listener, count) in [
        ("udp", "action", "ipv4", format!("udp://{udp}"), 1),
        ("udp", "action", "ipv6", format!("udp://{udp}"), 1),
        ("http", "path", "ipv4", format!("http://{v4}"), 1),
        ("http", "path", "ipv6", format!("http://{v4}"), 0),
        ("http", "path", "ipv6", format!("http://{v6}"), 2),
        ("http", "path", "ipv6", "operator".to_owned(), 0),
    ] {
        let series = format!(
            "opentracker_{name}_requests_total{{{kind}=\"announce\",family=\"{family}\",\
             listener=\"{listener}\"}}"
        );
        assert_eq!(metrics.get(&series), count, "{series}");
    }
    for (listener, count) in [(v4, 1), (v6, 2)] {
        let series =
            format!("opentracker_http_connections_total{{listener=\"http://{listener}\"}}");
        assert_eq!(metrics.get(&series), count, "{series}");
    }
}

#[test]
fn requests_are_timed() {
    let tracker = Setup::new().start();
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 54321));
    let pair = head("GET", &announce(&TORRENT, 54321, ""), &[], &[]).repeat(2);
    let mut connection = Connection::to(tracker.http());
    connection.send(pair.as_bytes());
    for _ in 0..2 {
        assert_eq!(connection.response().status, 200);
    }
    let of = |metrics: &Metrics, part: &str| {
        metrics.get(&format!("opentracker_request_duration_seconds_{part}}}"))
    };
    let metrics = Metrics::wait(tracker.operator(), |metrics| {
        // A connect comes before the announce, and a pipelined request counts for itself.
        of(metrics, "count{protocol=\"udp\"") == 2 && of(metrics, "count{protocol=\"http\"") == 2
    });
    for protocol in ["udp", "http"] {
        let all = format!("bucket{{protocol=\"{protocol}\",le=\"+Inf\"");
        assert_eq!(of(&metrics, &all), 2);
    }
}

#[test]
fn clients_are_told_by_their_peer_ids() {
    let tracker = Setup::new().start();
    for peer_id in [
        "-qB5030-aaaaaaaaaaaa",
        "-TR4040-aaaaaaaaaaaa",
        "-ZZ0000-aaaaaaaaaaaa",
    ] {
        let more = format!("&peer_id={peer_id}");
        get(tracker.http(), &announce(&TORRENT, 54321, &more));
    }
    // Of announces that come fast some stand for others.
    Metrics::wait(tracker.operator(), |metrics| {
        metrics.get("opentracker_client_announces_total") >= 1
    });
    let metrics = Metrics::of(tracker.operator());
    let of = |client| {
        metrics.get(&format!(
            "opentracker_client_announces_total{{client=\"{client}\"}}"
        ))
    };
    assert!(of("qBittorrent") >= 1, "the first is looked at");
    assert_eq!(of("Deluge"), 0);
}

#[test]
fn a_reload_that_fails_shows() {
    let mut setup = Setup::new();
    setup.list("access.deny", &[TORRENT]);
    let mut tracker = setup.start();
    let metric = |tracker: &Tracker, name: &str| {
        Families::of(tracker.operator()).value(&format!("opentracker_config_last_reload_{name}"))
    };
    let of_start = metric(&tracker, "success_timestamp_seconds");
    assert_eq!(metric(&tracker, "successful"), 1.0);
    let deny = tracker.setup.path("access.deny");
    fs::remove_file(&deny).unwrap();
    tracker.reload();
    assert_eq!(metric(&tracker, "successful"), 0.0);
    assert_eq!(metric(&tracker, "success_timestamp_seconds"), of_start);
    tracker.setup.list("access.deny", &[TORRENT]);
    tracker.reload();
    assert_eq!(metric(&tracker, "successful"), 1.0);
    assert!(metric(&tracker, "success_timestamp_seconds") > of_start);
    tracker.setup.text("this is no TOML");
    tracker.reload();
    assert_eq!(metric(&tracker, "successful"), 0.0);
}
