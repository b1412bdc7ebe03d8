//! What is compared: one function a table.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Bench;
use super::contestant::{Contestant, Protocol, Server};
use super::loadgen::{self, Sample, figure};
use super::table::{self, MemoryRow, SpeedRow};

/// The swarms of the UDP suite: a million torrents, some with hundreds of thousands of peers, most
/// with one or none. An average announce gets some twenty peers.
const UDP_POPULATION: &[&str] = &["--torrents", "1000000", "--peers", "3000000", "--zipf", "1"];

/// The swarms of the HTTP suite, few enough for the slowest to know all of them after a turn. Each
/// of the 64 connections has an address of its own.
const HTTP_POPULATION: &[&str] = &["--torrents", "500", "--peers", "5000", "--sources", "64"];

/// The shapes of the memory suite.
const SHAPES: [(&str, &[&str]); 2] = [
    (
        "many small swarms",
        &["--torrents", "1000000", "--peers", "3000000"],
    ),
    (
        "large swarms",
        &["--torrents", "10000", "--peers", "3000000"],
    ),
];

/// Announces over UDP, and a mix that has everything in it.
///
/// # Errors
///
/// A tracker or a run fails.
pub(super) fn udp(bench: &Bench) -> Result<()> {
    let contestants = [
        Contestant::Ours,
        Contestant::ReflectorOneByOne,
        Contestant::ReflectorInBatches,
        Contestant::AquaticUdp,
        Contestant::AquaticUdpIoUring,
        Contestant::OpentrackerC,
    ];
    let servers = start(bench, &contestants, Protocol::Udp)?;
    for server in servers
        .iter()
        .filter(|server| server.contestant.is_tracker())
    {
        eprintln!("filling {}", server.contestant.name());
        loadgen::run(bench, server, "fill", UDP_POPULATION)?;
    }
    let mix: &[&str] = &["--announce", "94", "--connect", "1", "--scrape", "5"];
    let loads = [
        ("UDP, announces", Vec::new()),
        (
            "UDP, 94 announces : 1 connect : 5 scrapes, 2 % stopped",
            [mix, &["--stopped", "0.02"]].concat(),
        ),
    ];
    let mut report = Vec::new();
    for (title, options) in loads {
        let options = [UDP_POPULATION, &options].concat();
        report.push(speed(bench, &servers, title, "udp", &options)?);
    }
    write(bench, "udp", &report)
}

/// Announces over HTTP, on kept connections and on one for each.
///
/// # Errors
///
/// A tracker or a run fails.
pub(super) fn http(bench: &Bench) -> Result<()> {
    let contestants = [
        Contestant::Ours,
        Contestant::ReflectorHttp,
        Contestant::AquaticHttp,
        Contestant::OpentrackerC,
    ];
    let servers = start(bench, &contestants, Protocol::Http)?;
    let loads: [(&str, &[&str]); 2] = [
        ("HTTP, 64 connections that are kept", &[]),
        ("HTTP, a connection per request, 64 at a time", &["--close"]),
    ];
    let mut report = Vec::new();
    for (title, options) in loads {
        let options = [HTTP_POPULATION, options].concat();
        report.push(speed(bench, &servers, title, "http", &options)?);
    }
    write(bench, "http", &report)
}

/// Resident memory after filling.
///
/// # Errors
///
/// A tracker or a run fails.
pub(super) fn memory(bench: &Bench) -> Result<()> {
    let contestants = [
        Contestant::Ours,
        Contestant::AquaticUdp,
        Contestant::OpentrackerC,
    ];
    let mut reports = Vec::new();
    for (title, population) in SHAPES {
        let mut rows = Vec::new();
        for contestant in contestants {
            eprintln!("filling {} with {title}", contestant.name());
            let server = Server::start(bench, contestant, Protocol::Udp)?;
            let report = loadgen::run(bench, &server, "fill", population)?;
            rows.push(MemoryRow {
                name: contestant.name(),
                resident: figure(&report, "/server/resident_octets")?,
                before: figure(&report, "/server/resident_octets_before")?,
                torrents: figure(&report, "/filled/torrents")?,
                peers: figure(&report, "/filled/peers")?,
            });
            reports.push(json!({ "title": title, "name": contestant.name(), "report": report }));
        }
        println!("{}", table::memory(title, &rows));
    }
    write(bench, "memory", &reports)
}

fn start(bench: &Bench, contestants: &[Contestant], protocol: Protocol) -> Result<Vec<Server>> {
    contestants
        .iter()
        .map(|&contestant| Server::start(bench, contestant, protocol))
        .collect()
}

/// Gives each server its turn, round after round, prints the table and returns all reports.
fn speed(
    bench: &Bench,
    servers: &[Server],
    title: &str,
    command: &str,
    options: &[&str],
) -> Result<Value> {
    let [measured, before] = bench.turn;
    let time = ["--duration", measured, "--warmup", before];
    let options = [options, &time].concat();
    let mut samples: Vec<Vec<Sample>> = servers.iter().map(|_| Vec::new()).collect();
    let mut reports = Vec::new();
    for round in 1..=bench.rounds {
        for (server, samples) in servers.iter().zip(&mut samples) {
            let name = server.contestant.name();
            let report = loadgen::run(bench, server, command, &options)?;
            let sample = Sample::read(&report).with_context(|| name)?;
            eprintln!(
                "{title}, round {round}: {name}: {:.0}/s, {:.2} µs",
                sample.answers_per_sec, sample.cpu_micros
            );
            samples.push(sample);
            reports.push(json!({ "round": round, "name": name, "report": report }));
        }
    }
    let rows: Vec<SpeedRow> = servers
        .iter()
        .zip(&samples)
        .map(|(server, samples)| SpeedRow::new(server.contestant.name(), samples))
        .collect();
    println!("{}", table::speed(title, &rows));
    println!("`opentracker-loadgen {command} … {}`\n", options.join(" "));
    Ok(json!({ "title": title, "options": options, "reports": reports }))
}

/// Keeps all that was measured.
pub(super) fn write(bench: &Bench, name: &str, report: &[Value]) -> Result<()> {
    let json = json!({ "conditions": bench.conditions()?, "results": report });
    let path = bench.folder.join(format!("{name}.json"));
    std::fs::write(&path, format!("{json:#}\n"))?;
    eprintln!("all that was measured: {}", path.display());
    Ok(())
}
