//! The BitTorrent tracker program `opentracker`: arguments, logging, signals, exit codes. What it
//! runs is the library of the same name.

mod args;
mod greeting;
mod journal;
mod logging;
mod manager;
#[cfg(test)]
mod manual;
mod panics;
mod passed;
mod run;
mod signals;
mod source;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use opentracker::config::LogLevel;
use opentracker::{Folders, PassedSocket, Tracker};
use tracing::Level;

use crate::args::{Command, Options};
use crate::logging::Output;

/// Could not start.
const EXIT_START: u8 = 1;
/// The configuration or the command line is wrong.
const EXIT_CONFIG: u8 = 2;

/// How long the last lines may take to be read.
const LAST_LINES_TIMEOUT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    match args::parse(std::env::args_os().skip(1)) {
        Ok(Command::Help) => print(&args::help()),
        Ok(Command::Version) => print(concat!("opentracker ", env!("CARGO_PKG_VERSION"), "\n")),
        Ok(Command::PrintConfig) => print(&opentracker::config::default_toml()),
        Ok(Command::Check(options)) => check(&options),
        Ok(Command::Run(options)) => run::run(options),
        Err(error) => complain(EXIT_CONFIG, &format!("{error}; see opentracker --help")),
    }
}

/// Tries what a start would, names all that is wrong, and prints what would be in force.
fn check(options: &Options) -> ExitCode {
    let sockets = passed::take();
    let (output, backlog) = Output::new();
    if let Err(error) = backlog.write() {
        return complain(EXIT_START, &format!("cannot start a thread: {error}"));
    }
    let code = check_saying(&output, options, sockets);
    output.flush(LAST_LINES_TIMEOUT);
    code
}

fn check_saying(
    output: &Output,
    options: &Options,
    sockets: Result<Vec<PassedSocket>, String>,
) -> ExitCode {
    let (config, warnings) = match source::read(options, &Folders::default()) {
        Ok(read) => (read.config, read.warnings),
        Err(errors) => {
            for fault in errors.faults() {
                output.say(Level::ERROR, &format!("opentracker: {fault}"));
            }
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    for warning in warnings {
        output.say(Level::WARN, &format!("opentracker: warning: {warning}"));
    }
    logging::start(LogLevel::Warn, config.log.format, output);
    opentracker::raise_descriptor_limit();
    let (sockets, of_sockets) = match sockets {
        Ok(sockets) => (sockets, None),
        Err(fault) => (Vec::new(), Some(fault)),
    };
    let faults = Tracker::check(&config, options.statedump.as_deref(), sockets);
    let faults = faults.iter().map(ToString::to_string);
    let faults: Vec<_> = of_sockets.into_iter().chain(faults).collect();
    for fault in &faults {
        output.say(Level::ERROR, &format!("opentracker: {fault}"));
    }
    if faults.is_empty() {
        print(&config.effective_toml())
    } else {
        ExitCode::from(EXIT_CONFIG)
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has gone, as `head` does.
        Err(_) => ExitCode::from(EXIT_START),
    }
}

fn complain(code: u8, message: &str) -> ExitCode {
    // Where nobody reads the standard error output there is nobody to tell.
    let line = format!("opentracker: {message}\n");
    let line = match journal::is_there() {
        true => journal::with_level(Level::ERROR, &line),
        false => line,
    };
    std::io::stderr().write_all(line.as_bytes()).ok();
    ExitCode::from(code)
}
