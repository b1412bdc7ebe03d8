//! A run of the tracker: its start, its reloads, its end. The main thread only waits for what
//! happens; whatever may take time is done by others, so that a signal is heeded at any time.

use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use opentracker::{StatedumpLoaded, Tracker};

use crate::args::Options;
use crate::logging::{self, Level, Output};
use crate::signals::{BlockedSignals, Request};
use crate::source::{self, Read};
use crate::{EXIT_CONFIG, EXIT_START, greeting};

/// How long everything may take to end, but for the last lines of the log.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a snapshot that is written at the end may stand still.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(4);

/// How long a start that is to be stopped is waited for. If it has not ended then it waits for a
/// file, and there is nothing yet that could be finished.
const START_TIMEOUT: Duration = Duration::from_millis(200);

/// What the main thread waits for.
enum Event {
    Request(Request),
    Started(Result<Arc<Running>, Failure>),
    Reloaded,
    Stopped,
}

/// Why there is nothing to run.
struct Failure {
    code: u8,
    message: String,
}

/// A tracker that runs, and what its reloads need.
struct Running {
    tracker: Tracker,
    options: Options,
    /// The configuration that was read last. One reload at a time has it.
    last: Mutex<Read>,
    level: Level,
}

/// Runs the tracker until it is told to stop.
pub(crate) fn run(options: Options, signals: BlockedSignals, output: &Output) -> ExitCode {
    let (events, inbox) = channel();
    let watched = signals.watch({
        let events = events.clone();
        // Nobody waits any more at the very end.
        move |request| drop(events.send(Event::Request(request)))
    });
    let output_of_start = output.clone();
    let started = watched.and_then(|()| {
        spawn("run", &events, move || {
            Event::Started(start(options, &output_of_start))
        })
    });
    let result = match started {
        Ok(()) => attend(&events, &inbox),
        Err(error) => Err(no_thread(&error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            for line in message.lines() {
                output.say(&format!("opentracker: {line}"));
            }
            ExitCode::from(code)
        }
    }
}

/// Attends to what happens until the end.
fn attend(events: &Sender<Event>, inbox: &Receiver<Event>) -> Result<(), Failure> {
    let mut running: Option<Arc<Running>> = None;
    let mut reload = Reload::default();
    let mut stopping: Option<Stopping> = None;
    loop {
        match next(inbox, stopping.as_ref().map(|stopping| stopping.deadline)) {
            Some(Event::Started(started)) => {
                let started = running.insert(started?);
                if stopping.is_some() {
                    stopping = Some(stop(started, events)?);
                }
            }
            Some(Event::Request(Request::Reload)) => reload.is_wanted = true,
            Some(Event::Reloaded) => reload.is_under_way = false,
            Some(Event::Request(Request::Stop)) if stopping.is_some() => {
                tracing::warn!("leaving at once");
                return Ok(());
            }
            Some(Event::Request(Request::Stop)) => {
                tracing::info!("stopping");
                stopping = Some(match &running {
                    Some(running) => stop(running, events)?,
                    None => Stopping::within(START_TIMEOUT),
                });
            }
            Some(Event::Stopped) => return Ok(()),
            None => {
                if let (Some(running), Some(stopping)) = (&running, &mut stopping) {
                    if stopping.goes_on(&running.tracker) {
                        continue;
                    }
                    tracing::warn!("some threads did not end in time");
                }
                return Ok(());
            }
        }
        if let Some(running) = &running
            && stopping.is_none()
        {
            reload.begin(events, running);
        }
    }
}

/// Begins to stop.
fn stop(running: &Arc<Running>, events: &Sender<Event>) -> Result<Stopping, Failure> {
    let mut stopping = Stopping::within(STOP_TIMEOUT);
    stopping.snapshot_octets = running.tracker.snapshots().octets();
    let running = Arc::clone(running);
    let begun = spawn("stop", events, move || {
        running.tracker.shutdown();
        Event::Stopped
    });
    begun.map_err(|error| no_thread(&error))?;
    Ok(stopping)
}

/// A stop that is under way.
struct Stopping {
    began: Instant,
    /// Until when it is waited for.
    deadline: Instant,
    /// How far snapshots were at the last look.
    snapshot_octets: u64,
}

impl Stopping {
    fn within(timeout: Duration) -> Self {
        let began = Instant::now();
        Self {
            began,
            deadline: began + timeout,
            snapshot_octets: 0,
        }
    }

    /// Puts the deadline off while the last snapshot moves on and may; returns whether it does.
    fn goes_on(&mut self, tracker: &Tracker) -> bool {
        let octets = tracker.snapshots().octets();
        let moves = std::mem::replace(&mut self.snapshot_octets, octets) != octets;
        let end = self.began + tracker.config().snapshot.stop_timeout;
        let now = Instant::now();
        self.deadline = end.min(now + SNAPSHOT_PATIENCE);
        moves && now < end
    }
}

/// A reload that is wanted while another is under way follows it, and so does one that is wanted
/// during the start: files may have been changed after they were read.
#[derive(Default)]
struct Reload {
    is_wanted: bool,
    is_under_way: bool,
}

impl Reload {
    fn begin(&mut self, events: &Sender<Event>, running: &Arc<Running>) {
        if !self.is_wanted || self.is_under_way {
            return;
        }
        self.is_wanted = false;
        let running = Arc::clone(running);
        let reloading = spawn("reload", events, move || {
            running.reload();
            Event::Reloaded
        });
        match reloading {
            Ok(()) => self.is_under_way = true,
            Err(error) => tracing::error!("nothing reloaded: cannot start a thread: {error}"),
        }
    }
}

/// Waits for the next event; `None` when it has not come by the deadline.
fn next(inbox: &Receiver<Event>, deadline: Option<Instant>) -> Option<Event> {
    let Some(deadline) = deadline else {
        let event = inbox.recv();
        return Some(event.expect("this thread has a sender itself"));
    };
    let rest = deadline.saturating_duration_since(Instant::now());
    inbox.recv_timeout(rest).ok()
}

fn start(options: Options, output: &Output) -> Result<Arc<Running>, Failure> {
    let last = source::read(&options).map_err(|errors| Failure {
        code: EXIT_CONFIG,
        message: errors.to_string(),
    })?;
    let log = &last.config.log;
    let level = logging::start(log.level, log.format, output);
    for warning in &last.warnings {
        tracing::warn!("{warning}");
    }
    let files = options
        .configs
        .iter()
        .map(|path| path.display().to_string());
    let origin = match files.collect::<Vec<_>>().join(", ") {
        files if files.is_empty() => "without a file".to_owned(),
        files => files,
    };
    tracing::info!(
        "opentracker {}, configuration {origin}",
        env!("CARGO_PKG_VERSION")
    );
    raise_descriptor_limit();
    let tracker = Tracker::start(last.config.clone()).map_err(could_not_start)?;
    if let Some(path) = &options.statedump {
        let loaded = tracker.load_statedump(path).map_err(|error| {
            tracker.shutdown();
            could_not_start(error)
        })?;
        let StatedumpLoaded {
            torrents,
            expired,
            skipped,
        } = loaded;
        let path = path.display();
        tracing::info!(torrents, expired, skipped, "state dump {path} loaded");
    }
    greeting::greet(&tracker);
    Ok(Arc::new(Running {
        tracker,
        options,
        last: Mutex::new(last),
        level,
    }))
}

impl Running {
    /// Reads everything again. What cannot be read stays as it was.
    fn reload(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let config = match source::read_again(&self.options, &last) {
            Ok(read) => {
                for warning in &read.warnings {
                    tracing::warn!("{warning}");
                }
                let config = read.config.clone();
                *last = read;
                Some(config)
            }
            Err(error) => {
                for line in format!("{error:#}").lines() {
                    tracing::error!("the configuration stays in force: {line}");
                }
                None
            }
        };
        let reloaded = self.tracker.reload(config);
        self.level.set(self.tracker.config().log.level);
        for key in &reloaded.need_restart {
            tracing::warn!("{key} has changed and takes effect after a restart");
        }
        for fault in &reloaded.faults {
            let cause = &fault.cause;
            tracing::error!("the {} list stays as it was: {fault}: {cause}", fault.key);
        }
        tracing::info!("reloaded: {reloaded}");
    }
}

/// Takes as many file descriptors as the system allows: each HTTP connection needs one, and the
/// limit that a shell hands down is usually 1,024.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of file descriptors");
    }
}

/// Does something on a thread of its own, and then tells of it.
fn spawn(
    name: &str,
    events: &Sender<Event>,
    work: impl FnOnce() -> Event + Send + 'static,
) -> io::Result<()> {
    let events = events.clone();
    let thread = thread::Builder::new().name(name.to_owned());
    // Nobody waits any more at the very end.
    let work = move || drop(events.send(work()));
    thread.spawn(work).map(drop)
}

fn could_not_start(error: impl Into<anyhow::Error>) -> Failure {
    Failure {
        code: EXIT_START,
        message: format!("{:#}", error.into()),
    }
}

fn no_thread(error: &io::Error) -> Failure {
    Failure {
        code: EXIT_START,
        message: format!("cannot start a thread: {error}"),
    }
}
