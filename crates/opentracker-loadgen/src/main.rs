//! The program `opentracker-loadgen`: a load generator for BitTorrent trackers.
//!
//! It makes announces, scrapes and connects over UDP (BEP 15) and HTTP (BEP 3, 23, 48),
//! what browsers say over WebSocket (WebTorrent), and the
//! packets that a sibling sends to a cluster (docs/livesync.md), as fast as the tracker answers or
//! at a fixed rate, and reports what came back: rates, losses, refusals, percentiles of the latency,
//! and what it cost the tracker in processor time and memory. It works with any tracker.
//!
//! ```text
//! opentracker-loadgen udp 127.0.0.1:6969 --pid $(pidof opentracker) --core 1
//! opentracker-loadgen udp 127.0.0.1:6969 --rate 50000 --announce 94 --connect 1 --scrape 5 --zipf 0.9
//! opentracker-loadgen http 127.0.0.1:6969 --connections 256 --close --json report.json
//! opentracker-loadgen ws 127.0.0.1:6969 --connections 10000 --hold --duration 30s --pid $(pidof opentracker)
//! opentracker-loadgen fill 127.0.0.1:6969 --torrents 10000 --peers 3000000 --pid $(pidof opentracker)
//! opentracker-loadgen flood slow-heads 127.0.0.1:6969 --connections 2000
//! opentracker-loadgen reflect udp --listen 127.0.0.1:7000 --core 0
//! opentracker-loadgen udp 10.0.0.1:6969 --source-net 10.1.0.0/16 --xdp eth0 --next-hop 02:00:00:00:00:01
//! ```
//!
//! What it measures, and how:
//!
//! - Without `--rate` it is a *closed loop*: a window of requests waits for answers, and each answer
//!   makes room for the next. This shows how much a tracker can do. With `--rate` it is an *open
//!   loop*: requests are due at fixed times whatever the tracker does, and latency counts from when
//!   a request was due. This shows how long clients wait, pauses of the tracker included.
//! - It must cost less than what it measures. Datagrams go through the kernel by the batch and in
//!   trains (`--batch`, `--train`), or not at all (`--xdp`), answers gather while it sleeps (`--pause`), and torrents and
//!   peers are computed and not stored. The report says how busy it was, and warns where it was
//!   itself the limit.
//! - `reflect` answers without a tracker: the floor below which no tracker on this system's
//!   sockets can get; over HTTP also through hyper (`--engine hyper`), which shows what a server
//!   that is built with a library has to pay.
//!
//! What it deliberately does not do: it aims at nothing beyond this host and its site unless told
//! that it may, it never runs without a bound on its time, and it does not check that the peers a
//! tracker hands out are the right ones.

mod allow_list;
mod args;
mod below;
mod drive;
mod flood;
mod guard;
mod head;
mod host;
mod http;
mod livesync;
mod mix;
mod pace;
mod population;
mod process;
mod progress;
mod reflect;
mod report;
mod sources;
mod stream;
mod table;
mod tally;
mod text;
mod tls;
mod udp;
mod ws;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use args::{Arguments, Command};
use clap::Parser;
use report::Report;

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("opentracker-loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Udp(args) => show(&udp::run(&args)?, args.tracker.run.json.as_deref()),
        Command::Http(args) => show(&http::run(&args)?, args.tracker.run.json.as_deref()),
        Command::Ws(args) => show(&ws::run(&args)?, args.tracker.run.json.as_deref()),
        Command::Livesync(args) => show(&livesync::run(&args)?, args.run.json.as_deref()),
        Command::Fill(args) => show(&udp::fill(&args)?, args.tracker.run.json.as_deref()),
        Command::Flood(args) => flood::run(&args),
        Command::Reflect(args) => reflect::run(&args),
        Command::AllowList(args) => allow_list::run(&args),
    }
}

/// Prints a report, and writes it as JSON where it is asked for.
fn show(report: &Report, json: Option<&Path>) -> Result<()> {
    print!("{report}");
    if let Some(path) = json {
        report.write_json(path)?;
    }
    report.check()
}
