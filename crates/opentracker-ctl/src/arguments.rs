//! The arguments: help, completions and the manual page follow from them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::nodes::Nodes;
use crate::{changes, check, client, cluster, doctor, follow, listings, livesync, snapshot, top};

/// Tools for those who run opentracker.
#[derive(Debug, Parser)]
#[command(name = "opentracker-ctl", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print JSON: what the tracker answers, as it comes; of a stream an object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) tool: Tool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Tries a configuration as a start would, and prints what would be in force.
    ///
    /// It does what `opentracker --check --config FILE` does, with the same exit codes: 0 if the
    /// configuration is good, 2 if not. OPENTRACKER_ variables of the environment count.
    Check(check::Check),
    /// Says what a tracker is and how it is.
    Status(Reach),
    /// Shows rates, swarms, replies, latency, nodes and the largest torrents, live.
    Top(top::Top),
    /// Lists torrents, or shows one with its peers.
    Torrents(listings::Torrents),
    /// Blocks torrents: they are not served any more, and their peers are gone at once.
    Block(changes::Block),
    /// Ends the block of torrents.
    Unblock(changes::Torrents),
    /// Lists the torrents that were blocked, with their notes.
    Blocks(listings::Blocks),
    /// Forgets the peers and counts of torrents, which may come back.
    Purge(changes::Torrents),
    /// Has a tracker read its configuration and lists again.
    Reload(Reach),
    /// Writes a snapshot, or looks into one.
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Has a tracker say that it is not ready: it goes on to answer, so that clients can move on.
    Drain(Reach),
    /// Ends a drain.
    Undrain(Reach),
    /// Shows the configuration in force, or imports one of the C program.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Lists the addresses that send more than `limits.rate`.
    Limited(listings::Limited),
    /// Follows what happens to torrents: first seeder, completed, gone, blocked.
    Events(follow::Events),
    /// Follows a sample of requests, with what became of each and why.
    Trace(follow::Trace),
    /// Announces to a tracker as a client, and prints the peers.
    Announce(client::Announce),
    /// Scrapes a tracker as a client.
    Scrape(client::Scrape),
    /// Names what limits a tracker on this host, and what mends it.
    ///
    /// It looks at descriptors, buffers, connection tracking, memory, swap, disk and clock, and
    /// asks every listener as a client. The exit code is 1 if something is a problem.
    Doctor(doctor::Doctor),
    /// Makes what the nodes of a cluster share.
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Watches a cluster, and speaks to it for tests.
    #[command(subcommand)]
    Livesync(livesync::Command),
    /// Prints the completions of a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// A command that needs to know no more than which tracker.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    #[command(flatten)]
    pub(crate) nodes: Nodes,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints the configuration that is in force at a tracker, secrets left out.
    Show(Reach),
    /// Prints the TOML for a configuration of the C program: the keys that are not as by default.
    Import {
        /// The `opentracker.conf`.
        file: PathBuf,
    },
}
