//! Tasks of the workspace: `cargo xtask help` lists them.
//!
//! Everything that a developer, CI or a packager runs more than once lives here, so that there is
//! one way to do it and it is Rust. What xtask deliberately does not do: it holds no logic of the
//! tracker and links none of its crates. It runs programs (`cargo`, `tar`, …) and reads files.
//!
//! To add a task, write a module and add a variant to [`Task`].

mod bench;
mod ci;
mod dist;
mod fuzz;
mod guard;
mod markdown;
mod plot;
mod registries;
mod sanitize;
mod soak;
mod steps;
mod system;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use workspace::Workspace;

/// Tasks of the workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) enum Task {
    /// Runs all tests; as root also those in network namespaces, with real clients.
    Test {
        /// Does without the tests that need root, if this is not root.
        #[arg(long)]
        unprivileged: bool,
    },
    /// Runs what CI runs: format, lints, tidy, documentation, examples, bans, then the tests.
    Ci {
        /// Leaves out the tests.
        #[arg(long = "static")]
        only_static: bool,
        /// Does without the tests that need root, if this is not root.
        #[arg(long)]
        unprivileged: bool,
    },
    /// Checks the rules of the workspace that no compiler knows.
    Tidy,
    /// Runs tests under AddressSanitizer, and those of threads in many interleavings.
    Sanitize,
    /// Measures speed, memory, latency and instructions.
    #[command(subcommand)]
    Bench(bench::Measurement),
    /// Keeps a cluster of three nodes and a million torrents busy, and fails if anything grows or differs.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        minutes: u32,
    },
    /// Builds what a release consists of, in dist/: archive, packages, image, SBOM and checksums.
    Dist,
    /// Looks for inputs that break the fuzz targets.
    Fuzz {
        /// How long, shared among the targets.
        #[arg(long)]
        seconds: u32,
        /// The targets: all if none is named.
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(&Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    let workspace = Workspace::open()?;
    match *task {
        Task::Test { unprivileged } => test::run(&workspace, unprivileged),
        Task::Ci {
            only_static,
            unprivileged,
        } => ci::run(&workspace, only_static, unprivileged),
        Task::Tidy => tidy::run(&workspace),
        Task::Sanitize => sanitize::run(&workspace),
        Task::Bench(ref measurement) => bench::run(workspace, measurement),
        Task::Soak { minutes } => soak::run(&workspace, minutes),
        Task::Dist => dist::run(&workspace).map(drop),
        Task::Fuzz {
            seconds,
            ref targets,
        } => fuzz::run(&workspace, seconds, targets),
    }
}
