//! The BitTorrent tracker program `opentracker`: arguments, logging, signals, exit codes. What it
//! runs is the library of the same name.

mod args;
mod logging;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use opentracker::{Config, ConfigError, Tracker};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Command, Options};

/// Could not start.
const EXIT_START: u8 = 1;
/// The configuration or the command line is wrong.
const EXIT_CONFIG: u8 = 2;

/// How long everything may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(4500);

fn main() -> ExitCode {
    let command = match args::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => return complain(EXIT_CONFIG, &format!("{error}; see opentracker --help")),
    };
    match command {
        Command::Help => print(args::HELP),
        Command::Version => print(concat!("opentracker ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::PrintConfig => print(opentracker::config::DEFAULT_TOML),
        Command::Check(options) => match configuration(&options) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => complain(EXIT_CONFIG, &error.to_string()),
        },
        Command::Run(options) => match configuration(&options) {
            Ok(config) => run(&options, config),
            Err(error) => complain(EXIT_CONFIG, &error.to_string()),
        },
    }
}

/// Reads the file, then the environment, then the flags; each wins over what comes before it.
fn configuration(options: &Options) -> Result<Config, ConfigError> {
    let mut config = match &options.config {
        Some(path) => Config::from_text(&read(path)?, path)?,
        None => Config::default(),
    };
    config = config.with_environment(std::env::vars_os())?;
    options.apply_to(&mut config);
    Ok(config)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError {
        origin: path.to_owned(),
        line: None,
        key: None,
        message: format!("cannot read it: {error}"),
    })
}

fn run(options: &Options, config: Config) -> ExitCode {
    let level = logging::start(&config.log);
    match serve(options, config, &level) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(EXIT_START, &format!("{error:#}")),
    }
}

fn serve(options: &Options, config: Config, level: &logging::Level) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        // Before anything else: a signal that comes early is then kept, not fatal.
        let mut signals = Signals::new().context("cannot handle signals")?;
        let tracker = Tracker::start(config)?;
        for listener in tracker.listeners() {
            tracing::info!("listening on {} {}", listener.protocol, listener.address);
        }
        while let Caught::Reload = signals.next().await {
            reload(&tracker, options, level);
        }
        tracing::info!("stopping");
        stop(tracker);
        Ok(())
    })
}

/// Reads everything again; whatever is wrong with it, the tracker goes on as it was.
fn reload(tracker: &Tracker, options: &Options, level: &logging::Level) {
    let config = match configuration(options) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!("nothing reloaded: {error}");
            return;
        }
    };
    level.set(config.log.level);
    let reloaded = tracker.reload(Some(config));
    tracing::info!("reloaded: {reloaded}");
    for key in &reloaded.need_restart {
        tracing::warn!("{key} has changed and takes effect after a restart");
    }
    for fault in reloaded.faults {
        let fault = anyhow::Error::from(fault);
        tracing::error!("{fault:#}");
    }
}

/// Stops the tracker, but waits no longer for it than an operator would.
fn stop(tracker: Tracker) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        tracker.shutdown();
        // Nobody listens any more if it took too long.
        done.send(()).ok();
    });
    if is_done.recv_timeout(SHUTDOWN_TIMEOUT).is_err() {
        tracing::warn!("some threads did not end in time");
    }
}

enum Caught {
    Reload,
    Stop,
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.hangup.recv() => Caught::Reload,
            _ = self.interrupt.recv() => Caught::Stop,
            _ = self.terminate.recv() => Caught::Stop,
        }
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
    writeln!(std::io::stderr(), "opentracker: {message}").ok();
    ExitCode::from(code)
}
