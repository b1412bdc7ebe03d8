//! Runs of the load generator.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Bench;
use super::contestant::Server;

/// The processor of the load generator.
const CORE: &str = "1";

/// What one run says of the program that bore the load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    pub(super) answers_per_sec: f64,
    pub(super) cpu_micros: f64,
    /// Share of the requests.
    pub(super) lost: f64,
    pub(super) peers: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_9_micros: f64,
    /// Whether the load generator was the limit.
    pub(super) is_limited: bool,
}

/// From this share of busy time on, the load generator is the limit.
const LIMIT: f64 = 0.97;

impl Bench {
    /// The list of info hashes for the tracker that serves no others.
    pub(super) fn allow_list(&self) -> PathBuf {
        self.folder.join("allow-list")
    }
}

/// Writes the list of info hashes that all runs draw from.
///
/// # Errors
///
/// The load generator fails.
pub(super) fn write_allow_list(bench: &Bench) -> Result<()> {
    let status = program(bench)
        .args(["allow-list", "--output"])
        .arg(bench.allow_list())
        .status()?;
    ensure!(status.success(), "the load generator failed");
    Ok(())
}

/// Makes load for a server, and returns the report.
///
/// # Errors
///
/// The run fails.
pub(super) fn run(
    bench: &Bench,
    server: &Server,
    command: &str,
    options: &[&str],
) -> Result<Value> {
    let report = bench.folder.join("report.json");
    let output = program(bench)
        .args([command, &server.address(), "--pid", &server.id()])
        .args(["--core", CORE, "--quiet", "--json"])
        .arg(&report)
        .args(options)
        .output()?;
    ensure!(
        output.status.success(),
        "load for {}: {}",
        server.contestant.name(),
        String::from_utf8_lossy(&output.stderr)
    );
    let json = std::fs::read_to_string(&report)?;
    Ok(serde_json::from_str(&json)?)
}

impl Sample {
    /// Reads a report.
    ///
    /// # Errors
    ///
    /// It lacks a figure.
    pub(super) fn read(report: &Value) -> Result<Self> {
        let sent = figure(report, "/sent/announce")?
            + figure(report, "/sent/scrape")?
            + figure(report, "/sent/connect")?;
        Ok(Self {
            answers_per_sec: figure(report, "/answers_per_sec")?,
            cpu_micros: figure(report, "/server/cpu_micros_per_answer")?,
            lost: figure(report, "/lost")? / sent,
            peers: figure(report, "/peers_per_announce")?,
            p50_micros: figure(report, "/latency_micros/p50")?,
            p99_9_micros: figure(report, "/latency_micros/p99_9")?,
            is_limited: figure(report, "/loadgen/busy_share")? >= LIMIT,
        })
    }
}

/// Reads a number of a report.
///
/// # Errors
///
/// It is not there.
pub(super) fn figure(report: &Value, path: &str) -> Result<f64> {
    report
        .pointer(path)
        .and_then(Value::as_f64)
        .with_context(|| format!("the report has no {path}"))
}

fn program(bench: &Bench) -> Command {
    Command::new(bench.programs.join("opentracker-loadgen"))
}
