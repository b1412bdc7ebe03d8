//! The program `opentracker-ctl`: tools for those who run trackers.
//!
//! Most of them ask a tracker that runs, over its control socket or its operator's listener.
//! `announce` and `scrape` are a client; `check`, `config import`, `cluster keygen`, `snapshot dump`
//! and `verify` need no tracker; `livesync dump`, `inject` and `nodes` join the multicast group of a cluster,
//! of which it is no member: it answers nothing.

mod arguments;
mod changes;
mod check;
mod client;
mod cluster;
mod compare;
mod doctor;
mod follow;
mod hashes;
mod http;
mod import;
mod listings;
mod livesync;
#[cfg(test)]
mod manual;
mod nodes;
mod packets;
mod query;
mod seal;
mod show;
mod snapshot;
mod status;
mod tls;
mod top;
mod url;
mod words;

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};
use hyper::Method;

use crate::arguments::{Arguments, ConfigCommand, Tool};

/// It did not work.
const EXIT_FAILED: u8 = 1;

/// It did not work, and whoever asked has read why.
#[derive(Debug, thiserror::Error)]
#[error("it did not work")]
struct AlreadySaid {
    code: u8,
}

fn main() -> ExitCode {
    // Which ends with exit code 2 when the arguments are wrong.
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has had enough, as `head` has.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<AlreadySaid>() {
            Some(AlreadySaid { code }) => ExitCode::from(*code),
            None => {
                eprintln!("opentracker-ctl: {error:#}");
                ExitCode::from(EXIT_FAILED)
            }
        },
    }
}

fn run(Arguments { json, tool }: Arguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match tool {
            Tool::Check(check) => check::run(&check, json),
            Tool::Status(reach) => status::run(&reach.nodes, json).await,
            Tool::Top(top) => top::run(&top, json).await,
            Tool::Torrents(torrents) => listings::torrents(&torrents, json).await,
            Tool::Block(block) => changes::block(&block, json).await,
            Tool::Unblock(torrents) => changes::unblock(&torrents, json).await,
            Tool::Blocks(blocks) => listings::blocks(&blocks, json).await,
            Tool::Purge(torrents) => changes::purge(&torrents, json).await,
            Tool::Reload(reach) => changes::reload(&reach.nodes, json).await,
            Tool::Snapshot(command) => snapshot::run(&command, json).await,
            Tool::Drain(reach) => changes::drain(&reach.nodes, json, Method::PUT).await,
            Tool::Undrain(reach) => changes::drain(&reach.nodes, json, Method::DELETE).await,
            Tool::Config(ConfigCommand::Show(reach)) => listings::config(&reach.nodes, json).await,
            Tool::Config(ConfigCommand::Import { file }) => import::run(&file, json),
            Tool::Limited(limited) => listings::limited(&limited, json).await,
            Tool::Events(events) => follow::events(&events, json).await,
            Tool::Trace(trace) => follow::trace(&trace, json).await,
            Tool::Announce(announce) => client::announce(&announce, json).await,
            Tool::Scrape(scrape) => client::scrape(&scrape, json).await,
            Tool::Doctor(doctor) => doctor::run(&doctor, json).await,
            Tool::Cluster(command) => cluster::run(&command, json),
            Tool::Livesync(command) => livesync::run(command, json).await,
            Tool::Completions { shell } => {
                let mut command = Arguments::command();
                clap_complete::generate(shell, &mut command, "opentracker-ctl", &mut io::stdout());
                Ok(())
            }
        }
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
