//! Statistics, metrics and the dashboard.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use flate2::read::GzDecoder;
use opentracker_admin::{Cluster, ClusterNode, ClusterView, Counter};
use opentracker_types::TrackerId;

use crate::site::{Plan, Response, Site, networks};

/// A site with a known state: torrent a with 2 seeders and a leecher, b with a seeder, c with a
/// leecher, one completed download, 7 connections.
pub(crate) fn known() -> Site {
    let site = Site::start();
    for (hash, parameters) in [
        ('a', "port=1&left=0"),
        ('a', "port=2&left=0&event=completed"),
        ('a', "port=3&left=3"),
        ('b', "port=1&left=0"),
        ('c', "port=1&left=1"),
    ] {
        let hash = hash.to_string().repeat(20);
        let target = format!("/announce?info_hash={hash}&{parameters}");
        assert_eq!(site.get(&target).status, 200);
        // One announce in a millisecond is looked at for the habits of clients.
        std::thread::sleep(Duration::from_millis(2));
    }
    let scraped = format!("/scrape?info_hash={}", "a".repeat(20));
    assert_eq!(site.get(&scraped).status, 200);
    assert_eq!(site.get("/nowhere").status, 404);
    site
}

fn stats(site: &Site, mode: &str) -> String {
    let response = site.get(&format!("/stats?mode={mode}"));
    assert_eq!(response.status, 200, "{mode}");
    assert_eq!(response.field("Content-Type"), Some("text/plain"));
    response.text().to_owned()
}

/// Leaves out the line with the uptime and the rates after it, which depend on it.
fn figures(site: &Site, mode: &str) -> String {
    let text = stats(site, mode);
    let (figures, rest) = text.split_once(" seconds (0 hours)\n").unwrap();
    let (figures, uptime) = figures.rsplit_once('\n').unwrap();
    assert!(uptime.parse::<u64>().is_ok(), "{text}");
    assert!(rest.starts_with("opentracker"), "{text}");
    figures.to_owned()
}

#[test]
fn the_modes_show_the_state() {
    let site = known();
    let serving = "opentracker serving 3 torrents\nopentracker";
    assert_eq!(stats(&site, "peer"), format!("5\n3\n{serving}"));
    assert_eq!(stats(&site, "torr"), format!("3\n0\n{serving}"));
    assert_eq!(site.get("/stats").text(), format!("5\n3\n{serving}"));
    assert_eq!(figures(&site, "conn"), "11\n5");
    assert_eq!(figures(&site, "tcp4"), "12\n5");
    assert_eq!(figures(&site, "udp4"), "0\n0");
    assert_eq!(figures(&site, "scrp"), "1\n0");
    assert_eq!(figures(&site, "completed"), "1\n0");
    assert_eq!(
        stats(&site, "herr"),
        "302 RED 0\n400 ... 0\n400 PAR 0\n400 COM 0\n403 IP  0\n404 INV 1\n500 SRV 0\n"
    );
    assert_eq!(stats(&site, "version"), "opentracker 1.2.3\n");
    let [a, b, c] = ["61", "62", "63"].map(|octet| octet.repeat(20));
    for places in [10, 100] {
        assert_eq!(
            stats(&site, &format!("top{places}")),
            format!(
                "Top {places} torrents by peers:\n\t3\t{a}\n\t1\t{b}\n\t1\t{c}\n\
                 Top {places} torrents by seeds:\n\t2\t{a}\n\t1\t{b}\n"
            )
        );
    }
    assert_eq!(figures(&site, "syncs"), "0\n0");
    let renewals = stats(&site, "renew");
    assert_eq!(renewals.lines().count(), 45);
    assert!(renewals.ends_with("\n44 0\n"), "{renewals}");
    let wanted = stats(&site, "numwants");
    assert_eq!(wanted.lines().count(), 201);
    assert!(wanted.contains("\n050 => 5\n"), "{wanted}");
    let busy = stats(&site, "s24s");
    assert!(busy.starts_with("Networks, limit /28:\n0000000"), "{busy}");
    assert_eq!(stats(&site, "woodpeckers"), "Networks, limit /28:\n\n");
    let tpbs = stats(&site, "tpbs&format=txt");
    let mut lines: Vec<_> = tpbs.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [format!("{a}:2:1"), format!("{b}:1:0"), format!("{c}:0:1")]
    );
}

#[test]
fn everything_is_well_formed_and_true() {
    let site = known();
    let text = stats(&site, "everything");
    let elements = elements(&text);
    for (path, value) in [
        ("stats/tracker_id", "258"),
        ("stats/version", "opentracker 1.2.3"),
        ("stats/torrents/count_mutex", "3"),
        ("stats/torrents/count_iterator", "3"),
        ("stats/peers/count", "5"),
        ("stats/seeds/count", "3"),
        ("stats/completed/count", "1"),
        ("stats/connections/tcp/accept", "8"),
        ("stats/connections/tcp/announce", "5"),
        ("stats/connections/tcp/scrape", "1"),
        ("stats/connections/udp/overall", "0"),
        ("stats/connections/udp/connect", "0"),
        ("stats/connections/udp/announce", "0"),
        ("stats/connections/udp/scrape", "0"),
        ("stats/connections/udp/missmatch", "0"),
        ("stats/connections/livesync/count", "0"),
        ("stats/debug/http_error/count[404 Not found]", "1"),
        ("stats/debug/renew/count[00]", "0"),
        ("stats/debug/renew/count[44]", "0"),
        ("stats/debug/mutex_stall/count", "0"),
    ] {
        assert_eq!(
            elements.get(path).map(String::as_str),
            Some(value),
            "{path}"
        );
    }
}

/// Reads the elements of simple XML by their path; an attribute is part of it.
fn elements(text: &str) -> HashMap<String, String> {
    let text = text
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .unwrap();
    let (mut elements, mut path) = (HashMap::new(), Vec::new());
    for part in text.split('<').skip(1) {
        let (tag, content) = part.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            let open: String = path.pop().unwrap();
            assert_eq!(open.split('[').next(), Some(name));
            continue;
        }
        let name = match tag.split_once(' ') {
            Some((name, attribute)) => {
                let value = attribute.split('"').nth(1).unwrap();
                format!("{name}[{value}]")
            }
            None => tag.to_owned(),
        };
        path.push(name);
        elements.insert(path.join("/"), content.trim().to_owned());
    }
    assert!(path.is_empty(), "an element is not closed");
    elements
}

#[test]
fn unknown_modes_are_answered_400() {
    let site = Site::start();
    for mode in [
        "nope",
        "",
        "busy",
        "fulllog",
        "tpbs&format=xml",
        "tpbs&format",
    ] {
        let response = site.get(&format!("/stats?mode={mode}"));
        assert_eq!(response.status, 400, "{mode}");
        assert!(response.text().contains("mode"));
    }
    assert_eq!(site.count(Counter::BadMode), 6);
}

#[test]
fn settings_change_at_run_time() {
    let mut plan = Plan::default();
    plan.page_rules.stats_path = "numbers".to_owned();
    let mut later = Plan::default();
    later.page_rules.redirect_url = "https://tracker.example/about".to_owned();
    let site = plan.start();
    assert_eq!(site.get("/numbers?mode=version").status, 200);
    assert_eq!(site.get("/stats?mode=version").status, 404);
    site.tracker.set_rules(later.rules());
    assert_eq!(site.get("/numbers?mode=version").status, 404);
    assert_eq!(site.get("/stats?mode=version").status, 200);
    assert_eq!(site.get("/").status, 302);
}

#[test]
fn the_root_is_redirected() {
    let mut plan = Plan::default();
    plan.page_rules.redirect_url = "https://tracker.example/about?x=y".to_owned();
    plan.page_rules.stats = networks(&[]);
    let site = plan.start();
    let response = site.get("/");
    assert_eq!(response.status, 302);
    let location = "https://tracker.example/about?x=y";
    assert_eq!(response.field("Location"), Some(location));
    assert!(response.body.is_empty());
    assert_eq!(site.count(Counter::Redirect), 1);
}

#[test]
fn the_root_is_the_dashboard() {
    let site = Site::start();
    let (one, other) = (site.get("/"), site.get("/"));
    assert_eq!(one.status, 200);
    let kind = one.field("Content-Type");
    assert_eq!(kind, Some("text/html; charset=utf-8"));
    assert!(one.text().starts_with("<!DOCTYPE html>"));
    let policy = |response: &Response| {
        let policy = response.field("Content-Security-Policy");
        policy.unwrap().to_owned()
    };
    let nonce = policy(&one)
        .split("script-src 'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap()
        .to_owned();
    assert!(one.text().contains(&format!("<script nonce=\"{nonce}\">")));
    assert_ne!(policy(&one), policy(&other), "a nonce is used once");
}

#[test]
fn pages_have_heads() {
    let site = known();
    for target in [
        "/",
        "/stats?mode=peer",
        "/stats?mode=top10",
        "/nowhere",
        "/stats?mode=nope",
    ] {
        let mut client = site.connect();
        client.send(&format!("GET {target} HTTP/1.1\r\n\r\n"));
        let expected = client.response();
        client.send(&format!("HEAD {target} HTTP/1.1\r\n\r\n"));
        let response = client.response_to_head();
        assert_eq!(response.status, expected.status, "{target}");
        for name in ["Content-Length", "Content-Type"] {
            assert_eq!(response.field(name), expected.field(name), "{target}");
        }
        client.send("GET /stats?mode=version HTTP/1.1\r\n\r\n");
        let next = client.response();
        assert_eq!(next.text(), "opentracker 1.2.3\n", "there was no body");
    }
}

#[test]
fn a_search_for_the_largest_swarms_is_shared() {
    let site = known();
    let before = stats(&site, "top10");
    let late = format!("/announce?info_hash={}&port=9", "d".repeat(20));
    assert_eq!(site.get(&late).status, 200);
    // Both ask within the lifetime of the first answer, or the second finds the new torrent.
    let after = stats(&site, "top100");
    let lists = |text: &str| text.replace("Top 100 ", "Top 10 ");
    let has_new = after.contains(&"64".repeat(20));
    assert!(has_new || lists(&after) == before, "{after}");
    site.wait(|site| stats(site, "top10").contains(&"64".repeat(20)));
}

#[test]
fn statistics_are_cached_for_a_second_at_most() {
    let site = known();
    assert!(stats(&site, "torr").starts_with("3\n"));
    let late = format!("/announce?info_hash={}&port=9", "d".repeat(20));
    assert_eq!(site.get(&late).status, 200);
    site.wait(|site| {
        std::thread::sleep(Duration::from_millis(50));
        stats(site, "torr").starts_with("4\n")
    });
}

#[test]
fn the_cluster_has_a_mode_of_its_own() {
    let mut plan = Plan::default();
    plan.config.cluster = Some(ClusterView::new(|| Cluster {
        // Another than the tracker began with.
        tracker_id: TrackerId::new([0, 0, 3, 4]),
        is_joined: true,
        nodes: vec![ClusterNode {
            address: Some([192, 0, 2, 9].into()),
            heard_ago: Some(Duration::from_secs(3)),
            carriers: vec!["group"],
            torrents: Some(12),
            packets: 5,
            applied: 4,
            dropped: 1,
            ..ClusterNode::default()
        }],
        carriers: Vec::new(),
        packets_by_key: Vec::new(),
    }));
    let site = plan.start();
    let text = stats(&site, "cluster");
    assert!(text.starts_with("00000304, joined, 1 others\n"), "{text}");
    assert!(
        text.ends_with("\n192.0.2.9\t-\tgroup\t3.0\t-\t-\t-\t12\t5\t4\t1\n"),
        "{text}"
    );
    let sample = r#"opentracker_cluster_node_torrents{address="192.0.2.9",tracker_id=""} 12"#;
    let metrics = site.get("/metrics");
    assert!(metrics.text().contains(sample));
    assert!(metrics.text().contains(r#"tracker_id="00000304"} 1"#));
    assert!(stats(&site, "everything").contains("<tracker_id>772</tracker_id>"));
    assert_eq!(stats(&Site::start(), "cluster"), "no cluster\n");
}

#[test]
fn health_and_readiness_are_for_everybody() {
    let mut plan = Plan::default();
    plan.page_rules.stats = networks(&[]);
    plan.page_rules.admin = networks(&[]);
    let site = plan.start();
    let mut client = site.connect();
    let mut ask = |path: &str| {
        client.send(&format!("GET {path} HTTP/1.1\r\n\r\n"));
        let response = client.response();
        (response.status, response.text().to_owned())
    };
    assert_eq!(ask("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(ask("/readyz"), (200, "ready\n".to_owned()));
    let handle = site.plane.handle();
    handle.set_draining(true);
    assert_eq!(ask("/readyz"), (503, "draining\n".to_owned()));
    client.expect_end();
    let response = site.get("/healthz");
    assert_eq!((response.status, response.text()), (200, "ok\n"));
    assert_eq!(response.field("Connection"), Some("close"));
    handle.set_draining(false);
    assert_eq!(site.get("/readyz").status, 200);
    assert_eq!(site.count(Counter::Health), 5);
}

#[test]
fn large_pages_come_compressed_to_who_accepts_it() {
    let site = known();
    let plain = site.get("/metrics");
    assert_eq!(plain.field("Content-Encoding"), None);
    assert_eq!(plain.field("Vary"), Some("Accept-Encoding"));
    let packed = site.get_with("/metrics", "Accept-Encoding: br, gzip\r\n");
    assert_eq!(packed.field("Content-Encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len() / 2);
    let mut text = String::new();
    GzDecoder::new(&*packed.body)
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("\nopentracker_torrents 3\n"));
    let refused = site.get_with("/metrics", "Accept-Encoding: gzip;q=0\r\n");
    assert_eq!(refused.field("Content-Encoding"), None);
    let packed = site.get_with("/metrics", "Accept-Encoding: gzip, zstd\r\n");
    assert_eq!(packed.field("Content-Encoding"), Some("zstd"));
    let text = zstd::bulk::decompress(&packed.body, 1 << 20).unwrap();
    assert!(
        String::from_utf8(text)
            .unwrap()
            .contains("\nopentracker_torrents 3\n")
    );
    let small = site.get_with("/stats", "Accept-Encoding: gzip\r\n");
    assert_eq!(small.field("Content-Encoding"), None);
    assert_eq!(small.field("Vary"), None);
    let small = site.get_with("/stats", "Accept-Encoding: gzip, identity;q=0\r\n");
    assert_eq!(small.field("Content-Encoding"), Some("gzip"));
    let none = site.get_with("/stats", "Accept-Encoding: br, *;q=0\r\n");
    assert_eq!(none.status, 406);
    assert_eq!(site.count(Counter::NotAcceptable), 1);
}
