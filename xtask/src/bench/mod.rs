//! `cargo xtask bench`: the tracker beside others, under the same load.
//!
//! Absolute figures drift from machine to machine, and from hour to hour on a shared one; what
//! counts are the ratios. So every tracker runs at the same time, each on processor 0 and idle but
//! for its own turn; the load generator runs on processor 1 and gives each its turn, round after
//! round; and the tables show medians of the rounds. A reflector that answers without a tracker
//! behind it has its turn too, and shows what the machine allows.
//!
//! The tables go to standard output as Markdown, and with all that was measured as JSON into
//! `target/bench`.

mod carriers;
mod floods;
mod install;
mod latency;
mod programs;
mod suites;
mod table;
mod xdp;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use programs::Server;
use serde_json::{Value, json};
use table::Row;
use xshell::cmd;

use crate::workspace::Workspace;
use crate::{guard, plot};

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Measurement {
    /// UDP, HTTP and memory.
    Peers(Pace),
    /// Answers over UDP, beside other trackers.
    Udp(Pace),
    /// Answers over HTTP, beside other trackers.
    Http(Pace),
    /// Answers over HTTPS, beside aquatic_http.
    Https(Pace),
    /// Announces with offers over WebSocket, and connections that are held, beside other trackers.
    Ws(Pace),
    /// Resident memory after filling, beside other trackers.
    Memory(Pace),
    /// How long announces wait while the tracker does something large.
    Latency(Pace),
    /// Announces over a link of Ethernet, below the network stack and on sockets, beside aquatic_udp.
    Xdp(Pace),
    /// What the cluster costs announces, over all carriers; docs/benchmarks.md has the network for it.
    Carriers(Pace),
    /// How long a client waits beside floods, and what is left of them.
    Floods,
    /// Announces of one and of two threads, without sockets.
    Scaling,
    /// The store alone.
    Store,
    /// Instructions of a request, against those in docs/benchmarks.md.
    Guard {
        /// Writes the figures instead.
        #[arg(long)]
        update: bool,
    },
    /// The picture of the tables in docs/benchmarks.md.
    Plot,
}

/// How much time is taken.
#[derive(Debug, Args)]
pub(crate) struct Pace {
    /// One short round: shows that it works, not how fast.
    #[arg(long)]
    quick: bool,
}

/// The processor of the load generator.
const CORE: &str = "1";

type Suite = fn(&Bench) -> Result<()>;

/// What the suites work with.
struct Bench {
    workspace: Workspace,
    /// The folder with the results and with what the trackers need while they run.
    folder: PathBuf,
    /// Our programs of the release profile.
    ours: PathBuf,
    /// The other trackers, see [`install`].
    others: PathBuf,
    /// How often each tracker has its turn.
    rounds: usize,
    /// How long a turn is measured, and how long the load runs before.
    turn: [&'static str; 2],
}

/// Runs the task.
pub(crate) fn run(workspace: Workspace, measurement: &Measurement) -> Result<()> {
    let sh = &workspace.sh;
    ensure!(
        available_parallelism().is_ok_and(|processors| processors.get() >= 2),
        "a tracker and its load need a processor each"
    );
    let (pace, suites): (&Pace, &[Suite]) = match measurement {
        Measurement::Peers(pace) => (pace, &[suites::udp, suites::http, suites::memory]),
        Measurement::Udp(pace) => (pace, &[suites::udp]),
        Measurement::Http(pace) => (pace, &[suites::http]),
        Measurement::Https(pace) => (pace, &[suites::https]),
        Measurement::Memory(pace) => (pace, &[suites::memory]),
        Measurement::Latency(pace) => (pace, &[latency::run]),
        Measurement::Carriers(pace) => {
            let bench = Bench::paced(workspace, pace)?;
            println!("{}.\n", bench.machine()?);
            return carriers::run(&bench);
        }
        Measurement::Xdp(pace) => {
            let bench = Bench::paced(workspace, pace)?;
            let aquatic = install::AQUATIC_VERSION;
            println!("{}, aquatic_udp {aquatic}.\n", bench.machine()?);
            return xdp::run(&bench);
        }
        Measurement::Ws(pace) => {
            let bench = Bench::paced(workspace, pace)?;
            install::for_browsers(&bench.workspace.sh, &bench.others)?;
            let (aquatic, node) = (install::AQUATIC_VERSION, install::NODE_TRACKER);
            println!("{}, aquatic_ws {aquatic}, {node}.\n", bench.machine()?);
            return suites::ws(&bench);
        }
        Measurement::Floods => {
            let bench = Bench::alone(workspace)?;
            println!("{}.\n", bench.machine()?);
            return floods::run(&bench);
        }
        Measurement::Scaling => {
            let bench = cmd!(sh, "cargo bench --locked --package opentracker-udp");
            return Ok(bench.args(["--bench", "scaling"]).run()?);
        }
        Measurement::Store => {
            return Ok(cmd!(sh, "cargo bench --locked --package opentracker-store").run()?);
        }
        Measurement::Guard { update } => return guard::run(&workspace, *update),
        Measurement::Plot => return plot::run(&workspace),
    };
    let bench = Bench::prepare(workspace, pace)?;
    println!("{}\n", bench.conditions()?);
    suites.iter().try_for_each(|suite| suite(&bench))
}

impl Bench {
    fn prepare(workspace: Workspace, pace: &Pace) -> Result<Self> {
        let bench = Self::paced(workspace, pace)?;
        install::all(&bench.workspace.sh, &bench.others)?;
        Ok(bench)
    }

    /// Without the others.
    fn paced(workspace: Workspace, pace: &Pace) -> Result<Self> {
        let mut bench = Self::alone(workspace)?;
        if !pace.quick {
            // Many short turns: on a shared machine a bad moment then hits one round of all.
            (bench.rounds, bench.turn) = (9, ["2s", "1s"]);
        }
        Ok(bench)
    }

    /// Without the others, for one short round.
    fn alone(workspace: Workspace) -> Result<Self> {
        let target = PathBuf::from(workspace.metadata()?.target_directory);
        cmd!(
            workspace.sh,
            "cargo build --locked --release --package opentracker-daemon --package opentracker-loadgen"
        )
        .run()?;
        let folder = target.join("bench");
        workspace.sh.create_dir(&folder)?;
        let bench = Self {
            folder,
            ours: target.join("release"),
            others: target.join("peers"),
            rounds: 1,
            turn: ["1s", "500ms"],
            workspace,
        };
        let (program, list) = (bench.loadgen(), bench.allow_list());
        cmd!(bench.workspace.sh, "{program} allow-list --output {list}").run()?;
        Ok(bench)
    }

    fn loadgen(&self) -> PathBuf {
        self.ours.join("opentracker-loadgen")
    }

    /// The list of info hashes that all runs draw from, for the tracker that serves no others.
    fn allow_list(&self) -> PathBuf {
        self.folder.join("allow-list")
    }

    /// The certificate of the tests, and its key.
    fn certificate(&self) -> [PathBuf; 2] {
        let folder = self.workspace.root.join("crates/opentracker-lab/src/tls");
        ["tracker.pem", "tracker.key"].map(|name| folder.join(name))
    }

    /// Makes load for a server, and returns the report.
    fn load(&self, server: &Server, command: &str, options: &str) -> Result<Value> {
        self.load_by(&[], server, command, options)
    }

    /// The same with the load generator started by another command.
    fn load_by(&self, by: &[&str], server: &Server, command: &str, options: &str) -> Result<Value> {
        let sh = &self.workspace.sh;
        let (program, report) = (self.loadgen(), self.folder.join("report.json"));
        let (address, id) = (server.address(), server.id());
        let options = options.split_whitespace();
        let mut words: Vec<_> = by.iter().map(PathBuf::from).collect();
        words.push(program);
        let (program, arguments) = words.split_first().expect("there is one at least");
        cmd!(
            sh,
            "{program} {arguments...} {command} {address} --pid {id} --core {CORE} --quiet --json {report} {options...}"
        )
        .quiet()
        .ignore_stdout()
        .run()
        .with_context(|| format!("load for {}", server.program.name()))?;
        Ok(serde_json::from_str(&sh.read_file(&report)?)?)
    }

    /// The machine, our version, and what else there was to do.
    fn machine(&self) -> Result<String> {
        let sh = &self.workspace.sh;
        let cpu = sh.read_file("/proc/cpuinfo")?;
        let model = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or("unknown processor", |(_, model)| model);
        let processors = available_parallelism().context("number of processors")?;
        let kernel = cmd!(sh, "uname -sr").quiet().read()?;
        let commit = cmd!(sh, "git rev-parse --short HEAD").quiet().read()?;
        let load = sh.read_file("/proc/loadavg")?;
        let load = load.split_ascii_whitespace().next().unwrap_or("?");
        Ok(format!(
            "{processors} × {model}, {kernel}, load before: {load}. opentracker {commit}"
        ))
    }

    /// The machine and the versions, as the heading of the tables.
    fn conditions(&self) -> Result<String> {
        let c = install::debian_version(&self.workspace.sh, &self.others)?;
        Ok(format!(
            "{}, aquatic_udp and aquatic_http {}, opentracker (C) {c}. Medians of {} rounds of {}, \
             tracker on processor 0, load generator on processor 1. A ratio is our figure by that of \
             the row.",
            self.machine()?,
            install::AQUATIC_VERSION,
            self.rounds,
            self.turn[0],
        ))
    }

    /// Keeps all that was measured: the tables of a suite, each with its title.
    fn keep(&self, suite: &str, tables: &[(&str, Vec<Row>)]) -> Result<()> {
        let mut results = Vec::new();
        for (title, rows) in tables {
            for Row { name, reports } in rows {
                results.push(json!({ "title": title, "name": name, "reports": reports }));
            }
        }
        let json = json!({ "conditions": self.machine()?, "results": results });
        let path = self.folder.join(format!("{suite}.json"));
        self.workspace.sh.write_file(&path, format!("{json:#}\n"))?;
        eprintln!("all that was measured: {}", path.display());
        Ok(())
    }
}

/// A process that goes on beside what is measured.
struct Other(Child);

impl Other {
    /// Starts it by another command, which ends with what to start.
    fn start(command: &Command, by: &[&str]) -> Result<Self> {
        let child = Command::new(by[0])
            .args(&by[1..])
            .arg(command.get_program())
            .args(command.get_args())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", by[0]))?;
        Ok(Self(child))
    }

    /// Says so if it has ended before: its row is worth little then.
    fn stop(mut self) -> Result<()> {
        if let Some(status) = self.0.try_wait()? {
            eprintln!("what goes on beside the load has ended: {status}");
        }
        Ok(())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
