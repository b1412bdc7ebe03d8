//! `cargo xtask bench`: the tracker beside others, under the same load.
//!
//! Absolute figures drift from machine to machine, and from hour to hour on a shared one; what
//! counts are the ratios. So every tracker runs at the same time, each on processor 0 and idle but
//! for its own turn; the load generator runs on processor 1 and gives each its turn, round after
//! round; and the tables show medians of the rounds. A reflector that answers without a tracker
//! behind it has its turn too: it is the floor.
//!
//! The tables go to standard output as Markdown, and with all that was measured as JSON into
//! `target/bench`.

mod contestant;
mod install;
mod latency;
mod loadgen;
mod suites;
mod table;

use std::path::PathBuf;
use std::thread::available_parallelism;

use anyhow::{Context, Result, bail, ensure};
use xshell::cmd;

use crate::workspace::Workspace;
use crate::{Args, guard, plot};

/// What is compared, by the name that the task is given.
const SUITES: &[(&str, &[Suite])] = &[
    ("peers", &[suites::udp, suites::http, suites::memory]),
    ("udp", &[suites::udp]),
    ("http", &[suites::http]),
    ("memory", &[suites::memory]),
    ("latency", &[latency::run]),
];

type Suite = fn(&Bench) -> Result<()>;

/// What the suites work with.
struct Bench {
    workspace: Workspace,
    /// The folder with the results and with what the trackers need while they run.
    folder: PathBuf,
    /// Our programs of the release profile.
    programs: PathBuf,
    /// The peers, see [`install`].
    peers: PathBuf,
    /// How often each tracker has its turn.
    rounds: usize,
    /// How long a turn is measured, and how long the load runs before.
    turn: [&'static str; 2],
}

/// Runs the task.
///
/// # Errors
///
/// A program cannot be installed or built, a tracker does not start, or a run fails.
pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Result<()> {
    let name = args.word().unwrap_or_default();
    if name == "guard" {
        return guard::run(workspace, args);
    }
    if name == "plot" {
        return plot::run(workspace, args);
    }
    if name == latency::READER {
        let address = args.word().context("whom to read from?")?;
        args.finish()?;
        return latency::read_full_scrapes(&address);
    }
    let is_quick = args.flag("--quick");
    args.finish()?;
    if name == "store" {
        return Ok(cmd!(
            workspace.sh,
            "cargo bench --locked --package opentracker-store"
        )
        .run()?);
    }
    if name == "scaling" {
        return Ok(cmd!(
            workspace.sh,
            "cargo run --locked --release --package opentracker-udp --example scaling"
        )
        .run()?);
    }
    let Some((_, suites)) = SUITES.iter().find(|(suite, _)| *suite == name) else {
        bail!("no table `{name}`: there are peers, udp, http, memory, latency, scaling and store");
    };
    ensure!(
        available_parallelism().is_ok_and(|processors| processors.get() >= 2),
        "a tracker and its load need a processor each"
    );
    let bench = Bench::prepare(is_quick)?;
    println!("{}\n", bench.conditions()?);
    suites.iter().try_for_each(|suite| suite(&bench))
}

impl Bench {
    fn prepare(is_quick: bool) -> Result<Self> {
        let workspace = Workspace::open()?;
        let target = workspace.metadata()?.target_directory;
        cmd!(
            workspace.sh,
            "cargo build --locked --release --package opentracker-daemon --package opentracker-loadgen"
        )
        .run()?;
        let peers = target.join("peers");
        install::all(&workspace.sh, &peers)?;
        let folder = target.join("bench");
        workspace.sh.create_dir(&folder)?;
        let (rounds, turn) = if is_quick {
            (1, ["1s", "500ms"])
        } else {
            // Many short turns: on a shared machine a bad moment then hits one round of all.
            (9, ["2s", "1s"])
        };
        let bench = Self {
            folder,
            programs: target.join("release"),
            peers,
            rounds,
            turn,
            workspace,
        };
        loadgen::write_allow_list(&bench)?;
        Ok(bench)
    }

    /// The machine and the versions, as the heading of the tables.
    fn conditions(&self) -> Result<String> {
        let sh = &self.workspace.sh;
        let cpu = sh.read_file("/proc/cpuinfo")?;
        let model = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .and_then(|line| line.split_once(": "))
            .map_or("unknown processor", |(_, model)| model);
        let processors = available_parallelism().context("number of processors")?;
        let kernel = cmd!(sh, "uname -sr").quiet().read()?;
        let commit = cmd!(sh, "git rev-parse --short HEAD").quiet().read()?;
        let c = install::debian_version(&self.peers)?;
        let load = sh.read_file("/proc/loadavg")?;
        let load = load.split_ascii_whitespace().next().unwrap_or("?");
        Ok(format!(
            "{processors} × {model}, {kernel}. opentracker {commit}, aquatic_udp and aquatic_http \
             {}, opentracker (C) {c}. Medians of {} rounds of {}, tracker on processor 0, load \
             generator on processor 1. A ratio is our figure by that of the row. Load of the machine \
             before: {load}.",
            install::AQUATIC_VERSION,
            self.rounds,
            self.turn[0],
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_that_does_not_exist_is_refused_before_anything_runs() {
        for words in [
            &["no-such"][..],
            &[],
            &["udp", "http"],
            &["udp", "--no-such"],
        ] {
            let args = Args::of(words);
            let error = run(&Workspace::open().unwrap(), args).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("no table") || error.contains("unknown argument"),
                "{words:?}: {error}"
            );
        }
    }
}
