//! The tables at the top of the modules name each test, and no other.

use std::collections::BTreeSet;

#[test]
fn every_test_stands_for_a_sentence() {
    for (module, source) in [
        ("api", include_str!("api.rs")),
        ("api_steer", include_str!("api_steer.rs")),
        ("api_watch", include_str!("api_watch.rs")),
        ("cluster_ids", include_str!("cluster_ids.rs")),
        ("config", include_str!("config.rs")),
        ("config_errors", include_str!("config_errors.rs")),
        ("config_sources", include_str!("config_sources.rs")),
        ("faults", include_str!("faults.rs")),
        ("floods", include_str!("floods.rs")),
        ("http_announce", include_str!("http_announce.rs")),
        ("http_connection", include_str!("http_connection.rs")),
        ("http_limits", include_str!("http_limits.rs")),
        ("http_lists", include_str!("http_lists.rs")),
        ("http_pages", include_str!("http_pages.rs")),
        ("http_proxies", include_str!("http_proxies.rs")),
        ("http_scrape", include_str!("http_scrape.rs")),
        ("https", include_str!("https.rs")),
        ("limits", include_str!("limits.rs")),
        ("listeners", include_str!("listeners.rs")),
        ("lists", include_str!("lists.rs")),
        ("lists_deny", include_str!("lists_deny.rs")),
        ("lists_torrents", include_str!("lists_torrents.rs")),
        ("lists_watch", include_str!("lists_watch.rs")),
        ("logs", include_str!("logs.rs")),
        ("monitoring", include_str!("monitoring.rs")),
        ("peers", include_str!("peers.rs")),
        ("process", include_str!("process.rs")),
        ("reload", include_str!("reload.rs")),
        ("restart", include_str!("restart.rs")),
        ("service_manager", include_str!("service_manager.rs")),
        ("snapshot_kills", include_str!("snapshot_kills.rs")),
        ("snapshots", include_str!("snapshots.rs")),
        ("start", include_str!("start.rs")),
        ("trends", include_str!("trends.rs")),
        ("udp", include_str!("udp.rs")),
        ("udp_hostile", include_str!("udp_hostile.rs")),
        ("c_program", include_str!("../c_program/main.rs")),
        ("browser", include_str!("../browser/main.rs")),
        ("schema", include_str!("../schema/main.rs")),
        ("xdp", include_str!("../xdp/main.rs")),
        ("webtorrent", include_str!("webtorrent.rs")),
        ("real browsers", include_str!("../webtorrent/main.rs")),
        ("browsers of nodes", include_str!("../webtorrent/nodes.rs")),
        ("real Prometheus", include_str!("../monitoring/main.rs")),
        ("privileges", include_str!("../privileges/main.rs")),
        (
            "privileged certificates",
            include_str!("../privileges/certificates.rs"),
        ),
        ("host", include_str!("../privileges/host.rs")),
        ("layouts", include_str!("../privileges/layouts.rs")),
        ("sandbox", include_str!("../privileges/sandbox.rs")),
        (
            "privileged snapshots",
            include_str!("../privileges/snapshots.rs"),
        ),
    ] {
        let tests = source.split("#[test]\nfn ").skip(1);
        let tests: BTreeSet<_> = tests.filter_map(|rest| rest.split('(').next()).collect();
        let rows = source.lines().filter(|line| line.starts_with("//! | "));
        let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
        let named = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        let named: BTreeSet<_> = named.collect();
        assert_eq!(named, tests, "{module}");
    }
}
