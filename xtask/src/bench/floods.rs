//! How long a client that behaves waits beside floods, what they cost in memory, and what is left of
//! them.
//!
//! The client announces over UDP and HTTP in open loops and runs on processor 1, the tracker on
//! processor 0. The flood comes as fast as it can be sent from processor 1, where the client goes
//! first whenever it has something to do, as if it were another host; that takes root. Each flood
//! meets a tracker that has just been started.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::programs::{Program, Protocol, Server};
use super::table::{self, Row};
use super::{Bench, CORE, Other};

/// Where the client's addresses are.
const CLIENT: &str = "--source-net 127.1.0.0/16 --sources 16 --torrents 1000 --peers 3000";

/// What it asks over each protocol, each request for itself.
const LOADS: [(&str, &str); 2] = [
    (
        "udp",
        "--rate 1000 --batch 1 --train 1 --warmup 1s --duration 6s",
    ),
    (
        "http",
        "--rate 200 --connections 8 --warmup 1s --duration 6s",
    ),
];

/// The client is exempt from the limit of rates, as a network of one's own is.
const CONFIG: &str = "\
livesync = { listen = \"127.0.0.1:9696\", nodes = [\"127.0.0.0/8\"] }\n\
limits = { rate = \"5/s\", rate_exempt = [\"127.1.0.0/16\"], memory = \"64MiB\" }\n";

/// The floods, as the load generator makes them; `TRACKER` stands for its address.
const FLOODS: [(&str, &str); 9] = [
    ("nothing", ""),
    (
        "connects of 50 000 addresses",
        "udp TRACKER --announce 0 --connect 1 --rate 1000000 --timeout 200ms --source-net 127.64.0.0/10 --sources 50000 --peers 50000",
    ),
    (
        "random datagrams",
        "flood datagrams TRACKER --source-net 127.64.0.0/10",
    ),
    (
        "announces of new torrents, 1 000 addresses",
        "udp TRACKER --torrents 100000000 --seed 7 --rate 1000000 --timeout 200ms --source-net 127.8.0.0/13 --sources 1000 --peers 1000000",
    ),
    (
        "scrapes of 74 torrents",
        "udp TRACKER --announce 0 --scrape 1 --scrape-hashes 74 --rate 1000000 --timeout 200ms --source-net 127.8.0.0/13 --sources 1000",
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
    for (protocol, options) in LOADS {
        println!("The client: `opentracker-loadgen {protocol} … {options}`\n");
    }
    let tables = [("floods", rows)];
    bench.keep("floods", &tables)?;
    for row in &tables[0].1 {
        for protocol in ["udp", "http"] {
            let p99 = row.median(&format!("/{protocol}/latency_micros/p99"))?;
            ensure!(p99 < GOAL, "{protocol} beside {}: {p99} µs", row.name);
        }
        let growth = row.median("/resident/peak")? - row.median("/resident/before")?;
        ensure!(growth < MAX_GROWTH, "memory beside {}: {growth}", row.name);
        let [before, after] = [row.median("/open/before")?, row.median("/open/after")?];
        ensure!(after <= before, "{after} descriptors after {}", row.name);
    }
    Ok(())
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
        Some(Other::start(&command, &["taskset", "--cpu-list", CORE])?)
    };
    let clients = LOADS.map(|(protocol, options)| client(bench, &server, protocol, options));
    let mut reports = Vec::new();
    for client in clients {
        let (mut client, report) = client?;
        let status = client.wait()?;
        ensure!(status.success(), "the load of the client: {status}");
        let report: Value = serde_json::from_str(&bench.workspace.sh.read_file(report)?)?;
        reports.push(report);
    }
    if let Some(other) = other {
        other.stop()?;
    }
    let peak = server.resident_octets("VmHWM")?;
    let end = Instant::now() + QUIET;
    while server.descriptors()? > open && Instant::now() < end {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(json!({
        "udp": reports[0],
        "http": reports[1],
        "resident": { "before": resident, "peak": peak, "after": server.resident_octets("VmRSS")? },
        "open": { "before": open, "after": server.descriptors()? },
    }))
}

/// Starts the client over a protocol, and says where its report will be.
fn client(
    bench: &Bench,
    server: &Server,
    protocol: &str,
    options: &str,
) -> Result<(Child, PathBuf)> {
    let report = bench.folder.join(format!("{protocol}.json"));
    let mut command = Command::new("chrt");
    command
        .args(["--rr", "2"])
        .arg(bench.loadgen())
        .args([protocol, &server.address(), "--pid", &server.id()])
        .args(["--core", CORE, "--quiet", "--json"])
        .arg(&report)
        .args(CLIENT.split_whitespace())
        .args(options.split_whitespace())
        .stdout(Stdio::null());
    let client = command.spawn().context("cannot start chrt")?;
    Ok((client, report))
}
