//! Medians, ratios and tables of what the load generator reports.

use anyhow::{Context, Result};
use serde_json::Value;

/// The reports of one program, or of one condition, one a round.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) reports: Vec<Value>,
}

/// From this share of busy time on, the load generator is the limit.
const LIMIT: f64 = 0.97;

impl Row {
    /// A row without a report yet.
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            reports: Vec::new(),
        }
    }

    /// The median of a figure of the reports, by its JSON pointer.
    pub(super) fn median(&self, pointer: &str) -> Result<f64> {
        let figures: Option<Vec<f64>> = self
            .reports
            .iter()
            .map(|report| report.pointer(pointer)?.as_f64())
            .collect();
        let mut figures = figures
            .filter(|figures| !figures.is_empty())
            .with_context(|| format!("{}: a report has no {pointer}", self.name))?;
        figures.sort_by(f64::total_cmp);
        let half = figures.len() / 2;
        Ok(if figures.len().is_multiple_of(2) {
            f64::midpoint(figures[half - 1], figures[half])
        } else {
            figures[half]
        })
    }
}

/// Writes the table of connections that were held.
pub(super) fn held(rows: &[Row]) -> Result<String> {
    let mut text =
        "### Connections that are held\n\n| | connections | octets each |\n|---|--:|--:|\n"
            .to_owned();
    for row in rows {
        let opened = row.median("/connections/opened")? - row.median("/connections/broken")?;
        let growth = row.median("/server/resident_octets")?
            - row.median("/server/resident_octets_before")?;
        let line = format!("| {} | {opened:.0} | {:.0} |\n", row.name, growth / opened);
        text.push_str(&line);
    }
    Ok(text)
}

/// Writes the table of a load. The first row is ours; what it is by each other stands beside the
/// figures.
pub(super) fn speed(title: &str, rows: &[Row]) -> Result<String> {
    let mut text = format!(
        "### {title}\n\n\
         | | answers/s | ratio | CPU µs an answer | ratio | lost | peers | p50 µs | p99.9 µs |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    let (rate, cpu) = ("/answers_per_sec", "/server/cpu_micros_per_answer");
    let mut note = "";
    for row in rows {
        let mut sent = 0.0;
        for kind in ["announce", "scrape", "connect"] {
            sent += row.median(&format!("/sent/{kind}"))?;
        }
        let mark = if row.median("/loadgen/busy_share")? >= LIMIT {
            note = "\n† The load generator was the limit: this could be more.\n";
            "†"
        } else {
            ""
        };
        text += &format!(
            "| {} | {}{mark} | {} | {:.2} | {} | {:.2} % | {:.1} | {:.0} | {:.0} |\n",
            row.name,
            thousands(row.median(rate)?),
            ratio(rows[0].median(rate)?, row.median(rate)?),
            row.median(cpu)?,
            ratio(rows[0].median(cpu)?, row.median(cpu)?),
            100.0 * row.median("/lost")? / sent,
            row.median("/peers_per_announce")?,
            row.median("/latency_micros/p50")?,
            row.median("/latency_micros/p99_9")?,
        );
    }
    Ok(text + note)
}

/// Writes the table of memory after filling. The first row is ours.
pub(super) fn memory(title: &str, rows: &[Row]) -> Result<String> {
    let (torrents, peers) = ("/filled/torrents", "/filled/peers");
    let resident = "/server/resident_octets";
    let mut text = format!(
        "### Memory, {title}: {} torrents, {} peers\n\n\
         | | resident MB | ratio | octets a torrent | octets a peer |\n\
         |---|--:|--:|--:|--:|\n",
        thousands(rows[0].median(torrents)?),
        thousands(rows[0].median(peers)?),
    );
    for row in rows {
        let growth = row.median(resident)? - row.median("/server/resident_octets_before")?;
        text += &format!(
            "| {} | {:.0} | {} | {:.0} | {:.1} |\n",
            row.name,
            row.median(resident)? / 1e6,
            ratio(rows[0].median(resident)?, row.median(resident)?),
            growth / row.median(torrents)?,
            growth / row.median(peers)?,
        );
    }
    Ok(text)
}

/// Writes the table of waits. The first row is what the others are compared with.
pub(super) fn latency(peers: f64, rows: &[Row]) -> Result<String> {
    let mut text = format!(
        "### Latency of announces over UDP, {} peers, µs\n\n\
         | beside | p50 | p99 | p99.9 | p99.9 above the first | handler p99.9 |\n\
         |---|--:|--:|--:|--:|--:|\n",
        thousands(peers),
    );
    let percentile = |row: &Row, name| row.median(&format!("/latency_micros/{name}"));
    for row in rows {
        text += &format!(
            "| {} | {:.0} | {:.0} | {:.0} | {:+.0} | ≤ {:.0} |\n",
            row.name,
            percentile(row, "p50")?,
            percentile(row, "p99")?,
            percentile(row, "p99_9")?,
            percentile(row, "p99_9")? - percentile(&rows[0], "p99_9")?,
            row.median("/handler_micros/p99_9")?,
        );
    }
    Ok(text)
}

/// Writes the table of floods.
pub(super) fn floods(rows: &[Row]) -> Result<String> {
    let mut text = "### A client beside floods, µs and MB\n\n\
         | flood | tracker busy | UDP p50 | p99 | lost | HTTP p50 | p99 | lost | memory before | peak | after |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for row in rows {
        text += &format!(
            "| {} | {:.0} % |",
            row.name,
            100.0 * row.median("/udp/server/cpu_share")?
        );
        for protocol in ["udp", "http"] {
            let figure = |name| row.median(&format!("/{protocol}/{name}"));
            text += &format!(
                " {:.0} | {:.0} | {:.0} |",
                figure("latency_micros/p50")?,
                figure("latency_micros/p99")?,
                figure("lost")?,
            );
        }
        for when in ["before", "peak", "after"] {
            text += &format!(" {:.0} |", row.median(&format!("/resident/{when}"))? / 1e6);
        }
        text += "\n";
    }
    Ok(text)
}

fn ratio(ours: f64, other: f64) -> String {
    format!("{:.2} ×", ours / other)
}

/// Writes a number without its fraction, and with gaps between thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(name: &'static str, rates: &[f64], busy: f64) -> Row {
        let report = |rate: &f64| {
            json!({
                "answers_per_sec": rate,
                "sent": { "announce": 90, "scrape": 5, "connect": 5 },
                "lost": 1,
                "peers_per_announce": 20,
                "latency_micros": { "p50": 100, "p99": 200, "p99_9": 900.0 + rate / 1e3 },
                "handler_micros": { "p99_9": 50 },
                "server": {
                    "cpu_micros_per_answer": 1e6 / rate,
                    "resident_octets": 100.0 * rate,
                    "resident_octets_before": 10e6,
                },
                "filled": { "torrents": 1e6, "peers": 2e6 },
                "loadgen": { "busy_share": busy },
            })
        };
        let reports = rates.iter().map(report).collect();
        Row { name, reports }
    }

    #[test]
    fn tables_show_medians_and_ratios_of_ours_by_theirs() {
        let rows = [
            row("ours", &[2e5, 3e5], 1.0),
            row("theirs", &[2e5, 1e5, 9e5], 0.5),
        ];
        let speed = speed("Load", &rows).unwrap();
        let memory = memory("small", &rows).unwrap();
        let latency = latency(10e6, &rows).unwrap();
        for (text, line) in [
            (
                &speed,
                "| ours | 250 000† | 1.00 × | 4.17 | 1.00 × | 1.00 % | 20.0 | 100 | 1150 |\n",
            ),
            (
                &speed,
                "| theirs | 200 000 | 1.25 × | 5.00 | 0.83 × | 1.00 % | 20.0 | 100 | 1100 |\n",
            ),
            (&speed, "\n† The load generator was the limit"),
            (&memory, "small: 1 000 000 torrents, 2 000 000 peers"),
            (&memory, "| theirs | 20 | 1.25 × | 10 | 5.0 |\n"),
            (&latency, "announces over UDP, 10 000 000 peers"),
            (&latency, "| theirs | 100 | 200 | 1100 | -50 | ≤ 50 |\n"),
        ] {
            assert!(text.contains(line), "{text}\nlacks: {line}");
        }
    }

    #[test]
    fn a_report_without_a_figure_is_refused() {
        let rows = [Row {
            name: "ours",
            reports: vec![json!({ "lost": 1 })],
        }];
        let error = speed("Load", &rows).unwrap_err().to_string();
        assert_eq!(error, "ours: a report has no /sent/announce");
    }
}
