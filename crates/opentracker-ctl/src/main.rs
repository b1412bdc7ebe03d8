//! The program `opentracker-ctl`: tools for those who run trackers.
//!
//! `livesync dump`, `inject` and `nodes` join the multicast group of a cluster to print what goes
//! over it, to send packets for tests, and to list who is there; `livesync status` asks a running
//! tracker what it knows of the others; `snapshot dump` and `verify` look into the file in which a
//! tracker keeps its swarms; `config import` turns a configuration of the C program into
//! one of ours. It is not a member of the cluster: it answers nothing.

mod import;
mod livesync;
mod packets;
mod show;
mod snapshot;
mod status;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// It did not work.
const EXIT_FAILED: u8 = 1;

/// Tools for those who run opentracker.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Debug, Subcommand)]
enum Tool {
    /// Watches a cluster, and speaks to it for tests.
    #[command(subcommand)]
    Livesync(livesync::Command),
    /// Looks into snapshots.
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Configurations.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Prints the TOML for a configuration of the C program: the keys that are not as by default.
    Import {
        /// The `opentracker.conf`.
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    // Which ends with exit code 2 when the arguments are wrong.
    let arguments = Arguments::parse();
    let result = match arguments.tool {
        Tool::Livesync(command) => livesync::run(command),
        Tool::Snapshot(command) => snapshot::run(&command),
        Tool::Config(ConfigCommand::Import { file }) => import::run(&file),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has had enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("opentracker-ctl: {error:#}");
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Arguments::command().debug_assert();
    }
}
