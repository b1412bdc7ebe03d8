//! How long a client that behaves waits beside floods, what they cost in memory, and what is left of
//! them.
//!
//! The client announces over UDP and HTTP in open loops and runs on processor 1, the tracker on
//! processor 0, and the flood has what the client leaves of processor 1: it comes as fast as it can
//! be sent there. Each flood meets a tracker that has just been started.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::programs::{Program, Protocol, Server};
use super::table::{self, Row};
use super::{Bench, CORE, Other};

/// Where the client's addresses are.
const CLIENT: &str = "--source-net 127.1.0.0/16 --sources 16 --torrents 1000 --peers 3000";

/// What it asks over each protocol, each request for itself and as soon as it is due.
const UDP: &str = "--rate 1000 --pause 0s --batch 1 --train 1 --warmup 500ms --duration 6s";
const HTTP: &str = "--rate 200 --connections 8 --warmup 500ms --duration 6s --quiet";

/// The client is exempt from the limit of rates, as a network of one's own is.
const CONFIG: &str = "\
livesync = { listen = \"127.0.0.1:9696\", nodes = [\"127.0.0.0/8\"] }\n\
limits = { rate = \"5/s\", rate_exempt = [\"127.1.0.0/16\"], memory = \"64MiB\" }\n";

/// The floods, as the load generator makes them; `TRACKER` stands for its address.
const FLOODS: [(&str, &str); 9] = [
    ("nothing", ""),
    (
        "connects of 50 000 addresses",
        "udp TRACKER --announce 0 --connect 1 --rate 1000000 --timeout 10ms --source-net 127.64.0.0/10 --sources 50000 --peers 50000",
    ),
    (
        "random datagrams",
        "flood datagrams TRACKER --source-net 127.64.0.0/10",
    ),
    (
        "announces of new torrents, 1 000 addresses",
        "udp TRACKER --torrents 100000000 --seed 7 --rate 1000000 --timeout 10ms --source-net 127.8.0.0/13 --sources 1000 --peers 1000000",
    ),
    (
        "scrapes of 74 torrents",
        "udp TRACKER --announce 0 --scrape 1 --scrape-hashes 74 --rate 1000000 --timeout 10ms --source-net 127.8.0.0/13 --sources 1000",
    ),
    (
        "2 000 slow heads",
        "flood slow-heads TRACKER --connections 2000 --source-net 127.64.0.0/10",
    ),
    (
        "2 000 silent connections",
        "flood silence TRACKER --connections 2000 --source-net 127.64.0.0/10",
    ),
    (
        "pipelines of 500 requests",
        "http TRACKER --pipeline 500 --connections 64 --source-net 127.8.0.0/13",
    ),
    (
        "packets of a node of the cluster",
        "livesync 224.0.23.5:9696 --rate 4000000 --torrents 100000000 --peers 100000000",
    ),
];

/// The longest that one in a hundred requests may wait, µs.
const GOAL: f64 = 20_000.0;

/// What memory may grow by: the bound of torrents, and buffers.
const MAX_GROWTH: f64 = 96e6;

/// How long idle connections are kept, and a little.
const QUIET: Duration = Duration::from_secs(60);

/// Floods a tracker with each of them.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let mut rows = Vec::new();
    for (name, flood) in FLOODS {
        eprintln!("beside {name}");
        let mut row = Row::new(name);
        row.reports.push(beside(bench, flood)?);
        rows.push(row);
    }
    println!("{}", table::floods(&rows)?);
    println!("The client: `opentracker-loadgen udp … {UDP}` and `http … {HTTP}`\n");
    for row in &rows {
        for protocol in ["udp", "http"] {
            let p99 = row.median(&format!("/{protocol}/latency_micros/p99"))?;
            ensure!(p99 < GOAL, "{protocol} beside {}: {p99} µs", row.name);
        }
        let growth = row.median("/resident/peak")? - row.median("/resident/before")?;
        ensure!(growth < MAX_GROWTH, "memory beside {}: {growth}", row.name);
        let [before, after] = [row.median("/open/before")?, row.median("/open/after")?];
        ensure!(after <= before, "{after} descriptors after {}", row.name);
    }
    bench.keep("floods", &[("floods", rows)])
}

/// Measures the client beside a flood.
fn beside(bench: &Bench, flood: &str) -> Result<Value> {
    let server = Server::start_with(bench, Program::Ours, Protocol::Http, CONFIG)?;
    // It has all of the client's peers, and has touched what it needs for them.
    bench.load(&server, "fill", CLIENT)?;
    let resident = server.resident_octets("VmRSS")?;
    let open = server.descriptors()?;
    let other = if flood.is_empty() {
        None
    } else {
        let flood = flood.replace("TRACKER", &server.address());
        let mut command = Command::new(bench.loadgen());
        command
            .args(flood.split_whitespace())
            .args(["--duration", "1h"]);
        Some(Other::start(&command, CORE)?)
    };
    let report = bench.folder.join("http.json");
    let http = Command::new(bench.loadgen())
        .args(["http", &server.address(), "--core", CORE, "--json"])
        .arg(&report)
        .args(CLIENT.split_whitespace())
        .args(HTTP.split_whitespace())
        .stdout(Stdio::null())
        .spawn();
    let mut http = http.context("cannot start the load generator")?;
    let udp = bench.load(&server, "udp", &format!("{CLIENT} {UDP}"));
    let status = http.wait()?;
    ensure!(status.success(), "the load over HTTP: {status}");
    if let Some(other) = other {
        other.stop()?;
    }
    let http: Value = serde_json::from_str(&bench.workspace.sh.read_file(report)?)?;
    let peak = server.resident_octets("VmHWM")?;
    let end = Instant::now() + QUIET;
    while server.descriptors()? > open && Instant::now() < end {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(json!({
        "udp": udp?,
        "http": http,
        "resident": { "before": resident, "peak": peak, "after": server.resident_octets("VmRSS")? },
        "open": { "before": open, "after": server.descriptors()? },
    }))
}
