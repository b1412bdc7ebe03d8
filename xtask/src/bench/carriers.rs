//! What it costs announces that the cluster hears of them, over all three carriers at once.
//!
//! Needs a network of its own with addresses that others could reach, for nobody tells the cluster of
//! peers on loopback: docs/benchmarks.md has the command. All threads of the tracker share processor 0.

use std::net::UdpSocket;
use std::process::Command;

use anyhow::{Context, Result};
use xshell::cmd;

use super::programs::{Program, Protocol, Server};
use super::table::{self, Row};
use super::{Bench, CORE, Other};
use crate::system;

/// So many peers that hardly one comes back before it has to be told anew, as with clients that keep
/// their interval.
const POPULATION: &str = "--torrents 3000000 --peers 12000000 --zipf 1 --source-net 10.1.0.0/16";

/// Where the unicast sibling would be. It is deaf, as siblings elsewhere cost this machine nothing.
const SIBLING: &str = "10.0.0.2:9697";

/// What tells how much was told.
const FIGURES: [&str; 4] = [
    "opentracker_udp_requests_total{action=\"announce\"",
    "opentracker_livesync_records_total",
    "opentracker_cluster_carrier_packets_total",
    "opentracker_cluster_carrier_dropped_total",
];

const NATS: [&str; 2] = ["127.0.0.1", "4222"];

/// Announces with live sync off and on, in turn.
pub(super) fn run(bench: &Bench) -> Result<()> {
    system::ensure(&bench.workspace.sh, &["nats-server", "curl"])?;
    let _sibling = UdpSocket::bind(SIBLING).context("run it as docs/benchmarks.md says")?;
    let mut nats = Command::new("nats-server");
    nats.args(["-a", NATS[0], "-p", NATS[1], "--log", "/dev/null"]);
    let nats = Other::start(&nats, &["taskset", "--cpu-list", CORE])?;
    let secret = bench.folder.join("secret");
    bench.workspace.sh.write_file(&secret, "01".repeat(32))?;
    let on = format!(
        "[livesync]\n\
         listen = \"10.0.0.1:9696\"\n\
         nodes = [\"10.0.0.0/8\"]\n\
         secret = \"{}\"\n\
         renew_boundary = \"1m\"\n\
         unicast = {{ listen = \"10.0.0.1:9697\", peers = [\"{SIBLING}\"] }}\n\
         nats = {{ servers = [\"nats://{}\"] }}\n",
        secret.display(),
        NATS.join(":"),
    );
    let servers = [("live sync off", ""), ("on, three carriers", &on)].map(|(name, more)| {
        Ok((
            Server::start_with(bench, Program::Ours, Protocol::Udp, more)?,
            Row::new(name),
        ))
    });
    let mut servers: Vec<(Server, Row)> = servers.into_iter().collect::<Result<_>>()?;
    for (server, row) in &servers {
        eprintln!("filling: {}", row.name);
        bench.load(server, "fill", POPULATION)?;
    }
    let [measured, before] = bench.turn;
    let options = format!("{POPULATION} --duration {measured} --warmup {before}");
    for round in 1..=bench.rounds {
        for (server, row) in &mut servers {
            eprintln!("round {round}: {}", row.name);
            row.reports.push(bench.load(server, "udp", &options)?);
        }
    }
    let told = told(bench, &servers[1].0)?;
    nats.stop()?;
    let rows: Vec<Row> = servers.into_iter().map(|(_, row)| row).collect();
    println!(
        "{}",
        table::speed("Announces, and what the cluster costs them", &rows)?
    );
    println!("{told}\n\n`opentracker-loadgen udp … {options}`\n");
    bench.keep("carriers", &[("carriers", rows)])
}

/// What a tracker says of the announces that it has served and told.
fn told(bench: &Bench, server: &Server) -> Result<String> {
    let url = format!("http://{}/metrics", server.address());
    let metrics = cmd!(bench.workspace.sh, "curl --silent --fail {url}");
    let metrics = metrics.quiet().read()?;
    let told = FIGURES.map(|figure| metrics.lines().filter(move |line| line.starts_with(figure)));
    Ok(told.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}
