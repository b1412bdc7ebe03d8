//! What is compared: one function a table.

use anyhow::Result;

use super::Bench;
use super::programs::{Program, Protocol, Server};
use super::table::{self, Row};

/// The swarms of the UDP suite: a million torrents, some with hundreds of thousands of peers, most
/// with one or none, where an average announce gets some twenty peers.
const ZIPF: &str = "--torrents 1000000 --peers 3000000 --zipf 1";

/// The same with three peers each, where an average announce gets three.
const UNIFORM: &str = "--torrents 1000000 --peers 3000000";

/// The swarms of the HTTP suite, few enough for the slowest to know all of them after a turn. Each
/// of the 64 connections has an address of its own.
const HTTP_POPULATION: &str = "--torrents 500 --peers 5000 --sources 64";

/// Browsers: a load has its offers passed on and answered, or there is nobody to pass them to. In
/// the former the load generator has as much to do as a tracker, and one processor as well.
const BROWSERS: &str = "--peers 64 --sources 64";

/// Browsers that announce once and then wait.
const HELD: &str = "--hold --connections 10000 --torrents 1000 --peers 10000 --timeout 30s \
                    --warmup 0s --duration 15s";

/// The shapes of the memory suite.
const SHAPES: [(&str, &str); 2] = [
    ("many small swarms", "--torrents 1000000 --peers 3000000"),
    ("large swarms", "--torrents 10000 --peers 3000000"),
];

/// Announces over UDP to swarms of all sizes and to small ones, and a mix that has everything in it.
pub(super) fn udp(bench: &Bench) -> Result<()> {
    let mix = (
        "UDP, 94 announces : 1 connect : 5 scrapes, 2 % stopped",
        "--announce 94 --connect 1 --scrape 5 --stopped 0.02",
    );
    let zipf = [("UDP, announces, Zipf's law", ""), mix];
    let uniform = [("UDP, announces, swarms of three", "")];
    for (suite, population, loads) in [("udp", ZIPF, &zipf[..]), ("udp-small", UNIFORM, &uniform)] {
        let servers = filled(bench, population)?;
        speed(bench, &servers, (suite, "udp"), population, loads)?;
    }
    Ok(())
}

/// Starts all that answer over UDP; trackers know the peers of a population.
fn filled(bench: &Bench, population: &str) -> Result<Vec<Server>> {
    use Program as C;
    let programs = [
        C::Ours,
        C::ReflectorOneByOne,
        C::ReflectorInBatches,
        C::AquaticUdp,
        C::AquaticUdpIoUring,
        C::OpentrackerC,
    ];
    let servers = start(bench, &programs, Protocol::Udp)?;
    for server in &servers {
        if server.program.is_tracker() {
            eprintln!("filling {}", server.program.name());
            bench.load(server, "fill", population)?;
        }
    }
    Ok(servers)
}

/// Announces over HTTP, on kept connections and on one for each.
pub(super) fn http(bench: &Bench) -> Result<()> {
    let programs = [
        Program::Ours,
        Program::ReflectorHttp,
        Program::ReflectorHyper,
        Program::AquaticHttp,
        Program::OpentrackerC,
    ];
    let servers = start(bench, &programs, Protocol::Http)?;
    let loads = [
        ("HTTP, 64 connections that are kept", ""),
        ("HTTP, a connection per request, 64 at a time", "--close"),
    ];
    speed(bench, &servers, ("http", "http"), HTTP_POPULATION, &loads)
}

/// Announces over HTTPS: on kept connections, with a handshake for each, and where sessions are resumed.
pub(super) fn https(bench: &Bench) -> Result<()> {
    let programs = [Program::OursSecure, Program::AquaticHttpSecure];
    let servers = start(bench, &programs, Protocol::Http)?;
    let loads = [
        ("HTTPS, 64 connections that are kept", "--tls"),
        (
            "HTTPS, a handshake per request, 64 at a time",
            "--tls --close",
        ),
        (
            "HTTPS, an earlier session per request, 64 at a time",
            "--tls --close --resume",
        ),
    ];
    // The name that the certificate is for.
    let population = format!("{HTTP_POPULATION} --host tracker.example");
    speed(bench, &servers, ("https", "http"), &population, &loads)
}

/// Browsers: swarms of eight that introduce each other with every announce, and many connections
/// that do nothing.
pub(super) fn ws(bench: &Bench) -> Result<()> {
    let programs = [
        (Program::Ours, "webtorrent = { enabled = true }\n"),
        (Program::AquaticWs, ""),
        (Program::BittorrentTracker, ""),
    ];
    let start = |&(program, more)| Server::start_with(bench, program, Protocol::Http, more);
    let servers: Vec<_> = programs.iter().map(start).collect::<Result<_>>()?;
    let loads = [
        (
            "WebSocket, 5 offers an announce, swarms of 8",
            "--torrents 8",
        ),
        (
            "WebSocket, 5 offers an announce, nobody else there",
            "--torrents 64",
        ),
    ];
    speed(bench, &servers, ("ws", "ws"), BROWSERS, &loads)?;
    drop(servers);
    let secure = (Program::OursSecure, programs[0].1);
    let secure = [(&secure, "**opentracker**, over TLS", " --tls")];
    let plain = programs
        .iter()
        .map(|program| (program, program.0.name(), ""));
    let mut rows = Vec::new();
    for (program, name, option) in plain.chain(secure) {
        let server = start(program)?;
        let mut row = Row::new(name);
        eprintln!("holding connections: {name}");
        let options = format!("{HELD}{option}");
        row.reports.push(bench.load(&server, "ws", &options)?);
        rows.push(row);
    }
    println!("{}", table::held(&rows)?);
    bench.keep("ws-held", &[("connections that are held", rows)])
}

/// Resident memory after filling.
pub(super) fn memory(bench: &Bench) -> Result<()> {
    let mut tables = Vec::new();
    for (title, population) in SHAPES {
        let mut rows = Vec::new();
        for program in [Program::Ours, Program::AquaticUdp, Program::OpentrackerC] {
            let mut row = Row::new(program.name());
            eprintln!("filling {} with {title}", row.name);
            let server = Server::start(bench, program, Protocol::Udp)?;
            row.reports.push(bench.load(&server, "fill", population)?);
            rows.push(row);
        }
        println!("{}", table::memory(title, &rows)?);
        tables.push((title, rows));
    }
    bench.keep("memory", &tables)
}

fn start(bench: &Bench, programs: &[Program], protocol: Protocol) -> Result<Vec<Server>> {
    programs
        .iter()
        .map(|&program| Server::start(bench, program, protocol))
        .collect()
}

/// Gives each server its turn under each load, round after round, and prints a table a load.
///
/// A suite has a name and a command of the load generator; a load is its title and what it adds to the
/// options of the population.
fn speed(
    bench: &Bench,
    servers: &[Server],
    (suite, command): (&str, &str),
    population: &str,
    loads: &[(&'static str, &str)],
) -> Result<()> {
    let [measured, before] = bench.turn;
    let mut tables = Vec::new();
    for (title, options) in loads {
        let options = format!("{population} --duration {measured} --warmup {before} {options}");
        let options = options.trim_end();
        let names = servers.iter().map(|server| server.program.name());
        let mut rows: Vec<Row> = names.map(Row::new).collect();
        turns(bench.rounds, servers, &mut rows, |server, row| {
            eprintln!("{title}: {}", row.name);
            row.reports.push(bench.load(server, command, options)?);
            Ok(())
        })?;
        println!("{}", table::speed(title, &rows)?);
        println!("`opentracker-loadgen {command} … {options}`\n");
        tables.push((*title, rows));
    }
    bench.keep(suite, &tables)
}

/// Gives each server its turn, round after round.
pub(super) fn turns<T>(
    rounds: usize,
    servers: &[T],
    rows: &mut [Row],
    mut turn: impl FnMut(&T, &mut Row) -> Result<()>,
) -> Result<()> {
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (server, row) in servers.iter().zip(&mut *rows) {
            turn(server, row)?;
        }
    }
    Ok(())
}
