//! What a run found, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::drive::{Cost, Measurement};
use crate::tally::{ByKind, Tally};

/// What a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    program: &'static str,
    version: &'static str,
    /// `udp`, `http`, …
    command: &'static str,
    target: String,
    /// The command line with its defaults.
    settings: Value,
    /// Time after the warm-up.
    measured_secs: f64,
    sent: ByKind,
    answered: ByKind,
    answers_per_sec: f64,
    errors: BTreeMap<String, u64>,
    lost: u64,
    stray: u64,
    malformed: u64,
    unsent: u64,
    resent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<Connections>,
    peers_per_announce: f64,
    octets_per_answer: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_micros: Option<Latency>,
    loadgen: Loadgen,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Server>,
    /// What went to a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    livesync: Option<Livesync>,
    /// What a fill has put into the tracker.
    #[serde(skip_serializing_if = "Option::is_none")]
    filled: Option<Filled>,
}

/// TCP connections of a run.
#[derive(Debug, Serialize)]
struct Connections {
    opened: u64,
    broken: u64,
}

/// Microseconds from when a request was sent (or due, at a rate) to its answer.
#[derive(Debug, Serialize)]
struct Latency {
    min: f64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    p99_99: f64,
    max: f64,
}

/// What making the load cost.
#[derive(Debug, Serialize)]
struct Loadgen {
    threads: usize,
    /// Share of the time in which the threads had something to do.
    busy_share: f64,
    /// The same time by answers.
    busy_micros_per_answer: f64,
    /// Processor time by elapsed time; a thread that does not sleep uses all of a processor.
    cpu_share: f64,
}

/// What bearing it cost.
#[derive(Debug, Serialize)]
struct Server {
    cpu_micros_per_answer: f64,
    /// Processor time by elapsed time: 1 is a whole processor.
    cpu_share: f64,
    resident_octets_before: u64,
    resident_octets: u64,
    peak_octets: u64,
}

/// Packets of the cluster protocol.
#[derive(Debug, Serialize)]
struct Livesync {
    packets: u64,
    records: u64,
    records_per_sec: f64,
    /// Of the process that was watched, if any.
    cpu_micros_per_record: Option<f64>,
}

/// What a fill has put into the tracker.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Filled {
    /// Peers, unique by address and port.
    pub(crate) peers: u64,
    /// Torrents that have one.
    pub(crate) torrents: u64,
    /// Growth of the tracker's resident memory by torrents.
    pub(crate) octets_per_torrent: Option<f64>,
    /// The same by peers.
    pub(crate) octets_per_peer: Option<f64>,
}

impl Report {
    /// Works out the figures.
    pub(crate) fn new(
        command: &'static str,
        target: String,
        settings: Value,
        measurement: &Measurement,
    ) -> Self {
        let Measurement {
            tally,
            threads,
            own,
            server,
        } = measurement;
        let measured_secs = Duration::from_nanos(tally.elapsed).as_secs_f64();
        let replies = tally.replies();
        let busy = busy_share(tally, *threads);
        Self {
            program: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command,
            target,
            settings,
            measured_secs,
            sent: tally.sent,
            answered: tally.answered,
            answers_per_sec: ratio(tally.answered.total() as f64, measured_secs),
            errors: tally.errors.clone(),
            lost: tally.lost,
            stray: tally.stray,
            malformed: tally.malformed,
            unsent: tally.unsent,
            resent: tally.resent,
            connections: (tally.connections + tally.broken > 0).then_some(Connections {
                opened: tally.connections,
                broken: tally.broken,
            }),
            peers_per_announce: ratio(tally.peers as f64, tally.answered.announce as f64),
            octets_per_answer: ratio(tally.octets as f64, replies as f64),
            latency_micros: latency(tally),
            loadgen: Loadgen {
                threads: *threads,
                busy_share: busy,
                busy_micros_per_answer: ratio(
                    busy * *threads as f64 * measured_secs * 1e6,
                    replies as f64,
                ),
                cpu_share: cpu_share(own),
            },
            server: server.map(|cost| Server {
                cpu_micros_per_answer: ratio(cost.cpu.as_secs_f64() * 1e6, replies as f64),
                cpu_share: cpu_share(&cost),
                resident_octets_before: cost.resident_before,
                resident_octets: cost.resident,
                peak_octets: cost.peak,
            }),
            livesync: (tally.records > 0).then(|| Livesync {
                packets: tally.packets,
                records: tally.records,
                records_per_sec: ratio(tally.records as f64, measured_secs),
                cpu_micros_per_record: server
                    .map(|cost| ratio(cost.cpu.as_secs_f64() * 1e6, tally.records as f64)),
            }),
            filled: None,
        }
    }

    /// Adds what a fill has put into the tracker.
    pub(crate) fn with_fill(mut self, peers: u64, torrents: u64) -> Self {
        let growth = self.server.as_ref().map(|server| {
            server
                .resident_octets
                .saturating_sub(server.resident_octets_before) as f64
        });
        self.filled = Some(Filled {
            peers,
            torrents,
            octets_per_torrent: growth.map(|octets| ratio(octets, torrents as f64)),
            octets_per_peer: growth.map(|octets| ratio(octets, peers as f64)),
        });
        self
    }

    /// Fails a run that shows nothing.
    ///
    /// # Errors
    ///
    /// Nothing was answered, although something was asked.
    pub(crate) fn check(&self) -> Result<()> {
        ensure!(
            self.is_answered() || self.livesync.is_some(),
            "nothing was answered"
        );
        Ok(())
    }

    fn is_answered(&self) -> bool {
        self.answered.total() > 0
    }

    /// Writes the JSON form to a file.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn write_json(&self, path: &Path) -> Result<()> {
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// From this share of busy time on, the figures say more about this program than about the tracker.
const SATURATED: f64 = 0.97;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command, target, ..
        } = self;
        writeln!(f, "target     {command} {target}")?;
        writeln!(f, "measured   {:.2} s", self.measured_secs)?;
        for (name, sent, answered) in [
            ("connect", self.sent.connect, self.answered.connect),
            ("announce", self.sent.announce, self.answered.announce),
            ("scrape", self.sent.scrape, self.answered.scrape),
        ] {
            if sent + answered > 0 {
                writeln!(
                    f,
                    "{name:<10} {:>13} sent {:>13} answered {:>11} /s",
                    grouped(sent),
                    grouped(answered),
                    grouped_f64(ratio(answered as f64, self.measured_secs)),
                )?;
            }
        }
        if let Some(livesync) = &self.livesync {
            write!(
                f,
                "livesync   {:>13} packets {:>10} records {:>11} /s",
                grouped(livesync.packets),
                grouped(livesync.records),
                grouped_f64(livesync.records_per_sec),
            )?;
            if let Some(micros) = livesync.cpu_micros_per_record {
                write!(f, ", {micros:.3} µs of the server a record")?;
            }
            writeln!(f)?;
        }
        for (text, count) in &self.errors {
            writeln!(f, "refused    {:>13} {text:?}", grouped(*count))?;
        }
        for (name, count) in [
            ("lost", self.lost),
            ("stray", self.stray),
            ("malformed", self.malformed),
            ("unsent", self.unsent),
            ("resent", self.resent),
        ] {
            if count > 0 || (name == "lost" && self.sent.total() > 0) {
                let share = 100.0 * ratio(count as f64, self.sent.total() as f64);
                writeln!(
                    f,
                    "{name:<10} {:>13} ({share:.3} % of sent)",
                    grouped(count)
                )?;
            }
        }
        if let Some(connections) = &self.connections {
            writeln!(
                f,
                "tcp        {:>13} opened, {} broken",
                grouped(connections.opened),
                grouped(connections.broken)
            )?;
        }
        if self.is_answered() {
            writeln!(
                f,
                "answers    {:.1} peers an announce, {:.1} octets",
                self.peers_per_announce, self.octets_per_answer
            )?;
        }
        if let Some(latency) = &self.latency_micros {
            write!(f, "latency µs ")?;
            for (name, value) in latency.columns() {
                write!(f, " {name} {value:.0}")?;
            }
            writeln!(f)?;
        }
        if let Some(server) = &self.server {
            write!(
                f,
                "server     {:.1} % of a processor",
                100.0 * server.cpu_share
            )?;
            if self.is_answered() {
                write!(f, ", {:.2} µs an answer", server.cpu_micros_per_answer)?;
            }
            writeln!(
                f,
                ", resident {:.1} MB (before {:.1}, peak {:.1})",
                megabytes(server.resident_octets),
                megabytes(server.resident_octets_before),
                megabytes(server.peak_octets)
            )?;
        }
        if let Some(filled) = &self.filled {
            write!(
                f,
                "filled     {} peers in {} torrents",
                grouped(filled.peers),
                grouped(filled.torrents)
            )?;
            if let (Some(torrent), Some(peer)) = (filled.octets_per_torrent, filled.octets_per_peer)
            {
                write!(f, ": {torrent:.1} octets a torrent, {peer:.1} a peer")?;
            }
            writeln!(f)?;
        }
        let loadgen = &self.loadgen;
        write!(
            f,
            "loadgen    busy {:.1} % of {} thread{}",
            100.0 * loadgen.busy_share,
            loadgen.threads,
            if loadgen.threads == 1 { "" } else { "s" }
        )?;
        if self.is_answered() {
            write!(f, ", {:.2} µs an answer", loadgen.busy_micros_per_answer)?;
        }
        if loadgen.busy_share >= SATURATED {
            write!(f, "; THE LIMIT OF THIS RUN: the tracker can do more")?;
        }
        writeln!(f)
    }
}

impl Latency {
    fn columns(&self) -> [(&'static str, f64); 8] {
        [
            ("min", self.min),
            ("mean", self.mean),
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p99.9", self.p99_9),
            ("p99.99", self.p99_99),
            ("max", self.max),
        ]
    }
}

fn latency(tally: &Tally) -> Option<Latency> {
    let histogram = &tally.latency;
    if histogram.is_empty() {
        return None;
    }
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let at = |quantile: f64| micros(histogram.value_at_quantile(quantile));
    Some(Latency {
        min: micros(histogram.min()),
        mean: histogram.mean() / 1e3,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p99_9: at(0.999),
        p99_99: at(0.9999),
        max: micros(histogram.max()),
    })
}

fn busy_share(tally: &Tally, threads: usize) -> f64 {
    let all = tally.elapsed as f64 * threads as f64;
    (1.0 - ratio(tally.idle as f64, all)).max(0.0)
}

fn cpu_share(cost: &Cost) -> f64 {
    ratio(cost.cpu.as_secs_f64(), cost.wall.as_secs_f64())
}

/// The quotient, or 0 where there is none, so that JSON has a number for it.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn megabytes(octets: u64) -> f64 {
    octets as f64 / 1e6
}

/// Writes a number with a thin gap between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a rate that is shown without its fraction, and saturates"
)]
fn grouped_f64(number: f64) -> String {
    grouped(number.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Kind;

    fn measurement() -> Measurement {
        let mut tally = Tally::new();
        for _ in 0..4 {
            tally.sent.count(Kind::Announce);
        }
        for _ in 0..2 {
            tally.answered.count(Kind::Announce);
            tally.answer(146, 250_000);
        }
        tally.peers = 42;
        tally.error(b"not served");
        tally.lost = 1;
        tally.elapsed = 2_000_000_000;
        tally.idle = 500_000_000;
        Measurement {
            tally,
            threads: 1,
            own: Cost::default(),
            server: Some(Cost {
                cpu: Duration::from_micros(30),
                wall: Duration::from_secs(2),
                resident_before: 1_000_000,
                resident: 4_000_000,
                peak: 5_000_000,
            }),
        }
    }

    #[test]
    fn the_table_shows_what_was_counted() {
        let report = Report::new("udp", "127.0.0.1:1".to_owned(), Value::Null, &measurement())
            .with_fill(3_000, 1_000);
        let text = report.to_string();
        for part in [
            "target     udp 127.0.0.1:1\n",
            "4 sent             2 answered           1 /s",
            "1 \"not served\"",
            "1 (25.000 % of sent)",
            "21.0 peers an announce, 97.3 octets",
            "p50 250",
            "10.00 µs an answer, resident 4.0 MB (before 1.0, peak 5.0)",
            "3 000 peers in 1 000 torrents: 3000.0 octets a torrent, 1000.0 a peer",
            "busy 75.0 % of 1 thread, 500000.00 µs an answer\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains("LIMIT"), "{text}");
    }

    #[test]
    fn json_has_the_same_figures_and_always_numbers() {
        let report = Report::new("udp", "x".to_owned(), Value::Null, &measurement());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["answers_per_sec"], 1.0);
        assert_eq!(json["errors"]["not served"], 1);
        assert_eq!(json["server"]["cpu_micros_per_answer"], 10.0);
        assert_eq!(json.get("filled"), None);

        let nothing = Measurement {
            tally: Tally::new(),
            threads: 0,
            own: Cost::default(),
            server: None,
        };
        let json = serde_json::to_value(Report::new("udp", "x".to_owned(), Value::Null, &nothing));
        let json = json.unwrap();
        assert_eq!(json["answers_per_sec"], 0.0);
        assert_eq!(json["loadgen"]["busy_micros_per_answer"], 0.0);
    }

    #[test]
    fn a_run_at_its_own_limit_says_so() {
        let mut measurement = measurement();
        measurement.tally.idle = 0;
        let report = Report::new("udp", "x".to_owned(), Value::Null, &measurement);
        assert!(report.to_string().contains("THE LIMIT OF THIS RUN"));
    }

    #[test]
    fn a_run_without_an_answer_fails() {
        let check = |measurement: &Measurement| {
            Report::new("udp", "x".to_owned(), Value::Null, measurement).check()
        };
        let mut measurement = measurement();
        assert!(check(&measurement).is_ok());
        measurement.tally = Tally::new();
        assert!(check(&measurement).is_err());
        // A cluster never answers.
        measurement.tally.records = 1;
        assert!(check(&measurement).is_ok());
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1 000"),
            (123_456, "123 456"),
            (1_234_567, "1 234 567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
