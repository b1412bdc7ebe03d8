//! `/metrics`, held against the text format of Prometheus and the lints of its `promtool`.

use std::collections::{HashMap, HashSet};

use opentracker_admin::Counter;
use opentracker_core::CounterSet;

use crate::pages::known;

#[test]
fn metrics_are_well_formed_and_true() {
    let site = known();
    let response = site.get("/metrics");
    assert_eq!(response.status, 200);
    assert_eq!(
        response.field("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let samples = samples(response.text());
    for (sample, value) in [
        (r#"opentracker_build_info{version="1.2.3"}"#, 1.0),
        (r#"opentracker_instance_info{tracker_id="00000102"}"#, 1.0),
        ("opentracker_torrents", 3.0),
        (r#"opentracker_peers{family="ipv4",role="seeder"}"#, 3.0),
        (r#"opentracker_peers{family="ipv4",role="leecher"}"#, 2.0),
        (r#"opentracker_peers{family="ipv6",role="seeder"}"#, 0.0),
        (r#"opentracker_peers{family="ipv6",role="leecher"}"#, 0.0),
        (
            r#"opentracker_peers{family="webtorrent",role="seeder"}"#,
            0.0,
        ),
        ("opentracker_http_connections_total", 8.0),
        (
            r#"opentracker_http_requests_total{path="announce",family="ipv4",listener="operator"}"#,
            5.0,
        ),
        (
            r#"opentracker_http_requests_total{path="scrape",family="ipv4",listener="operator"}"#,
            1.0,
        ),
        (r#"opentracker_pages_total{page="metrics"}"#, 1.0),
        (
            r#"opentracker_pages_errors_total{status="404",kind="path"}"#,
            1.0,
        ),
        (r#"opentracker_pages_connections_total{kind="public"}"#, 8.0),
        ("opentracker_completed_total", 1.0),
    ] {
        assert_eq!(samples.get(sample), Some(&value), "{sample}");
    }
    for family in Counter::FAMILIES {
        for values in family.series {
            let labels: Vec<_> = family
                .labels
                .iter()
                .zip(*values)
                .map(|(label, value)| format!("{label}=\"{value}\""))
                .collect();
            let labels = match labels.join(",") {
                labels if labels.is_empty() => labels,
                labels => format!("{{{labels}}}"),
            };
            let sample = format!("{}{labels}", family.name);
            assert!(samples.contains_key(&sample), "{sample}");
        }
    }
    for process in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    ] {
        assert!(samples.contains_key(process), "{process}");
    }
}

/// Checks the text format of Prometheus and what `promtool check metrics` would find, and returns
/// the samples.
fn samples(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'));
    let (mut samples, mut helped) = (HashMap::new(), HashSet::new());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let head = line.strip_prefix("# HELP ").expect(line);
        let (family, help) = head.split_once(' ').expect(line);
        assert!(is_name(family) && help.ends_with('.'), "{line}");
        assert!(helped.insert(family), "a family has one help: {line}");
        let kind = lines.next().unwrap();
        let kind = kind.strip_prefix(&format!("# TYPE {family} ")).expect(kind);
        lint(family, kind);
        let mut labels_of_family = None;
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let sample = line.strip_prefix(family).expect(line);
            let (labels, value) = match sample.strip_prefix('{') {
                Some(sample) => labels(sample),
                None => (Vec::new(), sample),
            };
            let value: f64 = value.strip_prefix(' ').expect(line).parse().expect(line);
            assert!(value >= 0.0 && value.is_finite(), "{line}");
            let known = labels_of_family.get_or_insert_with(|| labels.clone());
            assert_eq!(*known, labels, "a family has one set of labels: {line}");
            let (sample, _) = line.rsplit_once(' ').unwrap();
            let before = samples.insert(sample.to_owned(), value);
            assert_eq!(before, None, "a sample comes once: {line}");
        }
        assert!(labels_of_family.is_some(), "a family has samples: {line}");
    }
    samples
}

fn lint(family: &str, kind: &str) {
    assert!(["counter", "gauge"].contains(&kind), "{family}");
    assert_eq!(kind == "counter", family.ends_with("_total"), "{family}");
    for suffix in ["_count", "_sum", "_bucket"] {
        assert!(!family.ends_with(suffix), "{family} looks like a histogram");
    }
    for part in family.split('_') {
        let is_abbreviated = ["s", "secs", "sec", "ms", "us", "ns", "kb", "mb", "b"];
        assert!(!is_abbreviated.contains(&part), "{family} abbreviates");
        let is_scaled = ["milliseconds", "minutes", "hours", "days", "kibibytes"];
        assert!(!is_scaled.contains(&part), "{family} has no base unit");
        assert!(!["counter", "gauge"].contains(&part), "{family}");
    }
}

/// Reads the names of labels up to the closing brace, and returns what follows it.
fn labels(mut text: &str) -> (Vec<&str>, &str) {
    let mut names = Vec::new();
    loop {
        let (name, rest) = text.split_once("=\"").expect(text);
        assert!(
            is_name(name) && !name.contains(':') && !names.contains(&name),
            "{text}"
        );
        names.push(name);
        let mut octets = rest.bytes().enumerate();
        let end = loop {
            match octets.next().expect("the value of a label ends") {
                (at, b'"') => break at,
                (_, b'\\') => {
                    let (_, escaped) = octets.next().unwrap();
                    assert!(b"\\\"n".contains(&escaped), "{text}");
                }
                _ => {}
            }
        };
        text = &rest[end + 1..];
        match text.split_at(1) {
            (",", rest) => text = rest,
            ("}", rest) => return (names, rest),
            _ => panic!("{text}"),
        }
    }
}

fn is_name(name: &str) -> bool {
    let mut octets = name.bytes();
    octets
        .next()
        .is_some_and(|o| o.is_ascii_alphabetic() || o == b'_')
        && octets.all(|o| o.is_ascii_alphanumeric() || b"_:".contains(&o))
}
