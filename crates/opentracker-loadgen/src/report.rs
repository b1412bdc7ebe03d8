//! What a run found, in figures; as JSON it is for programs, and `table.rs` shows it to people.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::drive::Measurement;
use crate::process::Cost;
use crate::tally::{Counts, Latency, Tally};
use crate::text::ratio;

/// What a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    program: &'static str,
    version: &'static str,
    /// `udp`, `http`, …
    pub(crate) command: &'static str,
    pub(crate) target: String,
    /// The command line with its defaults.
    settings: Value,
    /// Time after the warm-up.
    pub(crate) measured_secs: f64,
    #[serde(flatten)]
    pub(crate) counts: Counts,
    answers_per_sec: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connections: Option<Connections>,
    pub(crate) peers_per_announce: f64,
    pub(crate) octets_per_answer: f64,
    /// From when a request was sent (or due, at a rate) to its answer.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "map")]
    pub(crate) latency_micros: Vec<(&'static str, f64)>,
    pub(crate) loadgen: Loadgen,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<Server>,
    /// What went to a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) livesync: Option<Livesync>,
    /// What a fill has put into the tracker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filled: Option<Filled>,
}

/// TCP connections of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Connections {
    pub(crate) opened: u64,
    pub(crate) broken: u64,
}

/// What making the load cost.
#[derive(Debug, Serialize)]
pub(crate) struct Loadgen {
    pub(crate) threads: usize,
    /// Share of the time in which the threads had something to do.
    pub(crate) busy_share: f64,
    /// The same time by answers.
    pub(crate) busy_micros_per_answer: f64,
    /// Processor time by elapsed time; a thread that does not sleep uses all of a processor.
    cpu_share: f64,
}

/// What bearing it cost.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    pub(crate) cpu_micros_per_answer: f64,
    /// Processor time by elapsed time: 1 is a whole processor.
    pub(crate) cpu_share: f64,
    pub(crate) resident_octets_before: u64,
    pub(crate) resident_octets: u64,
    pub(crate) peak_octets: u64,
}

/// Packets of the cluster protocol.
#[derive(Debug, Serialize)]
pub(crate) struct Livesync {
    pub(crate) packets: u64,
    pub(crate) records: u64,
    pub(crate) records_per_sec: f64,
    /// Of the process that was watched, if any.
    pub(crate) cpu_micros_per_record: Option<f64>,
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
            tally, own, server, ..
        } = measurement;
        let measured_secs = Duration::from_nanos(tally.elapsed).as_secs_f64();
        let (replies, answered) = (tally.counts.replies() as f64, &tally.counts.answered);
        let by = |cost: Duration, count: f64| ratio(cost.as_secs_f64() * 1e6, count);
        Self {
            program: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            command,
            target,
            settings,
            measured_secs,
            counts: tally.counts.clone(),
            answers_per_sec: ratio(answered.total() as f64, measured_secs),
            connections: (tally.connections + tally.broken > 0).then_some(Connections {
                opened: tally.connections,
                broken: tally.broken,
            }),
            peers_per_announce: ratio(tally.peers as f64, answered.announce as f64),
            octets_per_answer: ratio(tally.octets as f64, replies),
            latency_micros: percentiles(&tally.latency),
            loadgen: Loadgen::new(tally, measurement.threads, own),
            server: server.map(|cost| Server {
                cpu_micros_per_answer: by(cost.cpu, replies),
                cpu_share: cpu_share(&cost),
                resident_octets_before: cost.resident_before,
                resident_octets: cost.resident,
                peak_octets: cost.peak,
            }),
            livesync: (tally.records > 0).then(|| Livesync {
                packets: tally.packets,
                records: tally.records,
                records_per_sec: ratio(tally.records as f64, measured_secs),
                cpu_micros_per_record: server.map(|cost| by(cost.cpu, tally.records as f64)),
            }),
            filled: None,
        }
    }

    /// Adds what a fill has put into the tracker.
    pub(crate) fn with_fill(mut self, peers: u64, torrents: u64) -> Self {
        let growth = self.server.as_ref().map(|server| {
            let before = server.resident_octets_before;
            server.resident_octets.saturating_sub(before) as f64
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

    /// Tells whether any request was answered.
    pub(crate) const fn is_answered(&self) -> bool {
        self.counts.answered.total() > 0
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

impl Loadgen {
    fn new(tally: &Tally, threads: usize, own: &Cost) -> Self {
        let all = tally.elapsed as f64 * threads as f64;
        let busy_share = (1.0 - ratio(tally.idle as f64, all)).max(0.0);
        let busy_micros = busy_share * all / 1e3;
        Self {
            threads,
            busy_share,
            busy_micros_per_answer: ratio(busy_micros, tally.counts.replies() as f64),
            cpu_share: cpu_share(own),
        }
    }
}

fn cpu_share(cost: &Cost) -> f64 {
    ratio(cost.cpu.as_secs_f64(), cost.wall.as_secs_f64())
}

/// The figures of a latency, by their names; none if nothing was answered.
fn percentiles(latency: &Latency) -> Vec<(&'static str, f64)> {
    let histogram = &latency.histogram;
    if histogram.is_empty() {
        return Vec::new();
    }
    let at = |name, quantile| (name, histogram.value_at_quantile(quantile) as f64 / 1e3);
    vec![
        ("min", histogram.min() as f64 / 1e3),
        ("mean", histogram.mean() / 1e3),
        at("p50", 0.5),
        at("p90", 0.9),
        at("p99", 0.99),
        at("p99_9", 0.999),
        at("p99_99", 0.9999),
        ("max", histogram.max() as f64 / 1e3),
    ]
}

fn map<S: Serializer>(pairs: &[(&'static str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

/// A measurement with a bit of everything, for tests.
#[cfg(test)]
pub(crate) fn measurement() -> Measurement {
    use crate::tally::Kind;

    let mut tally = Tally::default();
    for _ in 0..4 {
        tally.counts.sent.count(Kind::Announce);
    }
    for _ in 0..2 {
        tally.counts.answered.count(Kind::Announce);
        tally.answer(146, 250_000);
    }
    tally.peers = 42;
    tally.counts.error(b"not served");
    tally.counts.lost = 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_numbers_for_everything() {
        let report = Report::new("udp", "x".to_owned(), Value::Null, &measurement());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["answers_per_sec"], 1.0);
        assert_eq!(json["sent"]["announce"], 4);
        assert_eq!(json["lost"], 1);
        assert_eq!(json["errors"]["not served"], 1);
        assert_eq!(json["latency_micros"]["p99_9"], 250.111);
        assert_eq!(json["server"]["cpu_micros_per_answer"], 10.0);
        assert_eq!(json.get("filled"), None);

        let nothing = Measurement {
            tally: Tally::default(),
            threads: 0,
            own: Cost::default(),
            server: None,
        };
        let json = serde_json::to_value(Report::new("udp", "x".to_owned(), Value::Null, &nothing));
        let json = json.unwrap();
        assert_eq!(json["answers_per_sec"], 0.0);
        assert_eq!(json["loadgen"]["busy_micros_per_answer"], 0.0);
        assert_eq!(json.get("latency_micros"), None);
    }

    #[test]
    fn a_run_without_an_answer_fails() {
        let check = |measurement: &Measurement| {
            Report::new("udp", "x".to_owned(), Value::Null, measurement).check()
        };
        let mut measurement = measurement();
        assert!(check(&measurement).is_ok());
        measurement.tally = Tally::default();
        assert!(check(&measurement).is_err());
        // A cluster never answers.
        measurement.tally.records = 1;
        assert!(check(&measurement).is_ok());
    }
}
