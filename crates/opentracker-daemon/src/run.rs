//! A run of the tracker: its start, its reloads, its end. The main thread only waits for what
//! happens; whatever may take time is done by others, so that a signal is heeded at any time.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{PathBuf, absolute};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use opentracker::{Folders, Launch, Pulse, Reloaded, StatedumpLoaded, Tracker};
use tracing::Level;

use crate::args::Options;
use crate::logging::{self, LevelInForce, Output};
use crate::manager::{Manager, State};
use crate::signals::{self, BlockedSignals, Request};
use crate::source::{self, Read};
use crate::{EXIT_CONFIG, EXIT_START, LAST_LINES_TIMEOUT, complain, greeting, panics, passed};

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
    /// Somebody waits for what a reload does.
    Reload(Sender<Reloaded>),
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
    tracker: Arc<Tracker>,
    options: Options,
    /// Those of the configuration's files, if they are out of sight now.
    folders: Arc<Folders>,
    /// The configuration that was read last. One reload at a time has it.
    last: Mutex<Read>,
    level: LevelInForce,
}

/// What is there when the process has no right any more that it does not need, and no other thread
/// yet: a thread that is there before would keep its rights.
struct Prepared {
    tracker: opentracker::Prepared,
    options: Options,
    /// Those of the configuration's files, if they are out of sight now.
    folders: Folders,
    read: Read,
    level: LevelInForce,
    manager: Manager,
    signals: BlockedSignals,
}

/// Runs the tracker until it is told to stop.
pub(crate) fn run(options: Options) -> ExitCode {
    let (output, backlog) = Output::new();
    panics::end_the_process(&output);
    let prepared = prepare(options, &output);
    if let Err(error) = backlog.write() {
        return complain(EXIT_START, &format!("cannot start a thread: {error}"));
    }
    let code = match prepared.and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            for line in message.lines() {
                output.say(Level::ERROR, &format!("opentracker: {line}"));
            }
            ExitCode::from(code)
        }
    };
    output.flush(LAST_LINES_TIMEOUT);
    code
}

/// Reads the configuration, opens the sockets and gives up privileges.
fn prepare(mut options: Options, output: &Output) -> Result<Prepared, Failure> {
    let sockets = passed::take().map_err(|message| Failure {
        code: EXIT_START,
        message,
    })?;
    let no_signals = |error: io::Error| Failure {
        code: EXIT_START,
        message: format!("cannot hold back signals: {error}"),
    };
    signals::end_at_once().map_err(no_signals)?;
    // The process may have another folder when it reads them again.
    for path in &mut options.configs {
        if let Ok(found) = absolute(&*path) {
            *path = found;
        }
    }
    let configs = || options.configs.iter().map(PathBuf::as_path);
    let mut folders = Folders::of(configs());
    let read = source::read(&options, &folders).map_err(|errors| Failure {
        code: EXIT_CONFIG,
        message: errors.to_string(),
    })?;
    let signals = BlockedSignals::block().map_err(no_signals)?;
    let log = &read.config.log;
    let level = logging::start(log.level, log.format, output);
    for warning in &read.warnings {
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
    opentracker::raise_descriptor_limit();
    let manager = Manager::find();
    let mut launch = Launch::default();
    launch.sockets = sockets;
    launch.sandbox = true;
    launch.files.extend(options.configs.iter().cloned());
    launch.files.extend(options.statedump.clone());
    launch.runtime_folder = runtime_folder(std::env::var_os("RUNTIME_DIRECTORY"));
    let tracker = Tracker::prepare(read.config.clone(), launch).map_err(could_not_start)?;
    folders.close_needless(configs());
    Ok(Prepared {
        tracker,
        options,
        folders,
        read,
        level,
        manager,
        signals,
    })
}

/// Returns the first of the folders that the service manager has made for this run.
fn runtime_folder(variable: Option<OsString>) -> Option<PathBuf> {
    let folders = variable?;
    let first = folders.as_bytes().split(|&octet| octet == b':').next()?;
    let folder = PathBuf::from(OsStr::from_bytes(first));
    folder.is_absolute().then_some(folder)
}

/// Starts the threads, and attends to what happens until the end.
fn serve(prepared: Prepared) -> Result<(), Failure> {
    let Prepared {
        tracker,
        options,
        folders,
        read,
        level,
        manager,
        signals,
    } = prepared;
    let (events, inbox) = channel();
    let watched = signals.watch({
        let events = events.clone();
        // Nobody waits any more at the very end.
        move |request| drop(events.send(Event::Request(request)))
    });
    let reload = events.clone();
    let start = move || {
        let started = start(tracker, options, folders, read, level);
        if let Ok(running) = &started {
            running.tracker.on_reload(move || have_reloaded(&reload));
        }
        Event::Started(started)
    };
    watched
        .and_then(|()| spawn("start", &events, start))
        .map_err(|error| no_thread(&error))?;
    attend(&events, &inbox, manager)
}

/// Attends to what happens until the end.
fn attend(
    events: &Sender<Event>,
    inbox: &Receiver<Event>,
    mut manager: Manager,
) -> Result<(), Failure> {
    let mut running: Option<(Arc<Running>, Pulse)> = None;
    let mut reload = Reload::default();
    let mut stopping: Option<Stopping> = None;
    loop {
        match next(inbox, stopping.as_ref(), manager.poll_timeout()) {
            Some(Event::Started(started)) => {
                let started = started?;
                if stopping.is_some() {
                    stopping = Some(stop(&started, events)?);
                } else {
                    manager.tell_ready(&started.tracker);
                }
                let pulse = started.tracker.pulse();
                running = Some((started, pulse));
            }
            Some(Event::Request(Request::Reload)) => reload.is_wanted = true,
            Some(Event::Reload(waiting)) => {
                reload.is_wanted = true;
                reload.waiting.push(waiting);
            }
            Some(Event::Reloaded) => {
                reload.is_under_way = false;
                if let (Some((running, _)), None) = (&running, &stopping) {
                    manager.tell_ready(&running.tracker);
                }
            }
            Some(Event::Request(Request::Stop)) if stopping.is_some() => {
                tracing::warn!("leaving at once");
                return Ok(());
            }
            Some(Event::Request(Request::Stop)) => {
                tracing::info!("stopping");
                manager.tell_stopping();
                stopping = Some(match &running {
                    Some((running, _)) => stop(running, events)?,
                    None => Stopping::within(START_TIMEOUT),
                });
            }
            Some(Event::Stopped) => return Ok(()),
            None => {
                let now = Instant::now();
                let tracker = running.as_ref().map(|(running, _)| &*running.tracker);
                if let Some(stopping) = &mut stopping
                    && stopping.is_over(tracker, now)
                {
                    return Ok(());
                }
                manager.handle_timeout(state(&mut running, stopping.as_ref()), now);
            }
        }
        if let (Some((running, _)), None) = (&running, &stopping) {
            reload.begin(events, running, &manager);
        }
    }
}

fn state<'a>(
    running: &'a mut Option<(Arc<Running>, Pulse)>,
    stopping: Option<&Stopping>,
) -> State<'a> {
    match running {
        _ if stopping.is_some() => State::Stopping,
        None => State::Starting,
        Some((running, pulse)) => State::Serving(&running.tracker, pulse),
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

    /// Tells whether it has taken too long. A start that is to be stopped has nothing to finish.
    fn is_over(&mut self, tracker: Option<&Tracker>, now: Instant) -> bool {
        if now < self.deadline {
            return false;
        }
        let Some(tracker) = tracker else { return true };
        let is_over = !self.goes_on(tracker, now);
        if is_over {
            tracing::warn!("some threads did not end in time");
        }
        is_over
    }

    /// Puts the deadline off while the last snapshot moves on and may; returns whether it does.
    fn goes_on(&mut self, tracker: &Tracker, now: Instant) -> bool {
        let octets = tracker.snapshots().octets();
        let moves = std::mem::replace(&mut self.snapshot_octets, octets) != octets;
        let end = self.began + tracker.config().snapshot.stop_timeout;
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
    /// Who waits for what the next one does.
    waiting: Vec<Sender<Reloaded>>,
}

impl Reload {
    fn begin(&mut self, events: &Sender<Event>, running: &Arc<Running>, manager: &Manager) {
        if !self.is_wanted || self.is_under_way {
            return;
        }
        self.is_wanted = false;
        manager.tell_reloading();
        let reloaded = Arc::clone(running);
        let waiting = std::mem::take(&mut self.waiting);
        let reloading = spawn("reload", events, move || {
            let reloaded = reloaded.reload();
            for waiting in waiting {
                // Whoever asked may be gone.
                waiting.send(reloaded.clone()).ok();
            }
            Event::Reloaded
        });
        match reloading {
            Ok(()) => self.is_under_way = true,
            Err(error) => {
                tracing::error!("nothing reloaded: cannot start a thread: {error}");
                manager.tell_ready(&running.tracker);
            }
        }
    }
}

/// Has the main thread reload, and waits for what that does; `None` if it does not any more.
fn have_reloaded(events: &Sender<Event>) -> Option<Reloaded> {
    let (waiting, done) = channel();
    events.send(Event::Reload(waiting)).ok()?;
    done.recv().ok()
}

/// Waits for the next event; `None` when it has not come until the stop should be over, or until
/// something is due.
fn next(
    inbox: &Receiver<Event>,
    stopping: Option<&Stopping>,
    due: Option<Instant>,
) -> Option<Event> {
    let deadline = stopping.map(|stopping| stopping.deadline);
    let Some(until) = deadline.into_iter().chain(due).min() else {
        let event = inbox.recv();
        return Some(event.expect("this thread has a sender itself"));
    };
    let rest = until.saturating_duration_since(Instant::now());
    inbox.recv_timeout(rest).ok()
}

fn start(
    prepared: opentracker::Prepared,
    options: Options,
    folders: Folders,
    last: Read,
    level: LevelInForce,
) -> Result<Arc<Running>, Failure> {
    let tracker = prepared.start().map_err(could_not_start)?;
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
        folders: Arc::new(folders),
        options,
        last: Mutex::new(last),
        level,
    }))
}

impl Running {
    /// Reads everything again. What cannot be read stays as it was.
    fn reload(&self) -> Reloaded {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let config = match source::read_again(&self.options, &self.folders, &last) {
            Ok(read) => {
                for warning in &read.warnings {
                    tracing::warn!("{warning}");
                }
                let config = read.config.clone();
                *last = read;
                Ok(config)
            }
            Err(error) => {
                let error = format!("{error:#}");
                let lines = error.lines();
                Err(lines
                    .map(|line| format!("the configuration stays in force: {line}"))
                    .collect())
            }
        };
        let reloaded = self.tracker.reload(config);
        self.level.set(self.tracker.config().log.level);
        for key in &reloaded.need_restart {
            tracing::warn!("{key} has changed and takes effect after a restart");
        }
        for fault in &reloaded.faults {
            tracing::error!("{fault}");
        }
        tracing::info!("reloaded: {reloaded}");
        reloaded
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
