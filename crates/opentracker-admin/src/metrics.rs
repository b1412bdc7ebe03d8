//! The metrics, in the text format of Prometheus, version 0.0.4.

use std::io::{self, Write};

use opentracker_core::{Counter, Totals};

use crate::stats::Snapshot;

/// The content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Appends all metrics.
pub(crate) fn put(snapshot: &Snapshot<'_>, out: &mut Vec<u8>) {
    put_gauges(snapshot, out).expect("a Vec takes everything");
    put_counters(snapshot, out).expect("a Vec takes everything");
}

fn put_gauges(snapshot: &Snapshot<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let Totals { torrents, peers } = snapshot.totals;

    put_head(out, "opentracker_info", "gauge", ["The program."])?;
    let version = snapshot.identity.version.escape_default();
    writeln!(out, r#"opentracker_info{{version="{version}"}} 1"#)?;

    let help = ["Seconds since the start."];
    put_head(out, "opentracker_uptime_seconds", "gauge", help)?;
    writeln!(out, "opentracker_uptime_seconds {}", snapshot.uptime_secs)?;

    let help = ["Torrents, those without peers included."];
    put_head(out, "opentracker_torrents", "gauge", help)?;
    writeln!(out, "opentracker_torrents {torrents}")?;

    put_head(out, "opentracker_peers", "gauge", ["Peers in all swarms."])?;
    for (family, role, peers) in [
        ("ipv4", "seeder", peers.v4_seeders),
        ("ipv4", "leecher", peers.v4_leechers),
        ("ipv6", "seeder", peers.v6_seeders),
        ("ipv6", "leecher", peers.v6_leechers),
    ] {
        writeln!(
            out,
            r#"opentracker_peers{{family="{family}",role="{role}"}} {peers}"#
        )?;
    }
    Ok(())
}

fn put_counters(snapshot: &Snapshot<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let same_metric = |one: &Counter, other: &Counter| one.metric() == other.metric();
    for counters in Counter::ALL.chunk_by(same_metric) {
        // What a metric counts is what its counters count together.
        let help = counters.iter().map(|counter| counter.help());
        put_head(out, counters[0].metric(), "counter", help)?;
        for &counter in counters {
            out.write_all(counter.metric().as_bytes())?;
            if !counter.labels().is_empty() {
                write!(out, "{{{}}}", counter.labels())?;
            }
            writeln!(out, " {}", snapshot.counters.sum(counter))?;
        }
    }
    Ok(())
}

fn put_head<'a>(
    out: &mut Vec<u8>,
    metric: &str,
    kind: &str,
    help: impl IntoIterator<Item = &'a str>,
) -> io::Result<()> {
    write!(out, "# HELP {metric}")?;
    for sentence in help {
        write!(out, " {sentence}")?;
    }
    writeln!(out, "\n# TYPE {metric} {kind}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Identity;
    use opentracker_core::{CounterRegistry, PerKind};
    use opentracker_types::TrackerId;

    #[test]
    fn the_values_are_right() {
        let counters = CounterRegistry::default();
        let thread = counters.register();
        thread.add(Counter::HttpScrape, 4);
        thread.add(Counter::Completed, 5);
        let snapshot = Snapshot {
            totals: Totals {
                torrents: 1,
                peers: PerKind {
                    v4_seeders: 2,
                    v4_leechers: 3,
                    v6_seeders: 4,
                    v6_leechers: 5,
                },
            },
            counters: &counters,
            uptime_secs: 6,
            identity: &Identity {
                version: "1.\"2\"".to_owned(),
                tracker_id: TrackerId::new([0; 4]),
            },
        };
        let mut out = Vec::new();
        put(&snapshot, &mut out);
        let text = String::from_utf8(out).unwrap();
        for line in [
            "# TYPE opentracker_info gauge",
            r#"opentracker_info{version="1.\"2\""} 1"#,
            "opentracker_uptime_seconds 6",
            "opentracker_torrents 1",
            r#"opentracker_peers{family="ipv4",role="seeder"} 2"#,
            r#"opentracker_peers{family="ipv4",role="leecher"} 3"#,
            r#"opentracker_peers{family="ipv6",role="seeder"} 4"#,
            r#"opentracker_peers{family="ipv6",role="leecher"} 5"#,
            "# TYPE opentracker_http_requests_total counter",
            r#"opentracker_http_requests_total{path="announce"} 0"#,
            r#"opentracker_http_requests_total{path="scrape"} 4"#,
            "# HELP opentracker_completed_total Downloads reported as completed, once per peer.",
            "opentracker_completed_total 5",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
    }
}
