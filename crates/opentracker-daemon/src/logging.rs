//! Where log lines go, in which form, and from which level on.
//!
//! A thread of its own writes them to the standard error output. Whoever reads that may be slow,
//! or hang: lines wait in a bounded queue then, and those that find no room are counted and
//! dropped, so that nothing else ever waits for a reader.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use opentracker::config::{LogFormat, LogLevel};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

use crate::journal::{self, JournalLines};

/// The most lines that wait to be written.
const MAX_WAITING: usize = 4096;

/// How often it is tried to get the last word into a full queue.
const PAUSE: Duration = Duration::from_millis(5);

/// How often it is said at most that lines were dropped, but for the end.
const DROPPED_INTERVAL: Duration = Duration::from_secs(1);

/// The way to the standard error output.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    is_journal: bool,
    queue: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Line(Vec<u8>),
    /// Asks for a word when everything before has been written.
    Flush(Sender<()>),
}

thread_local! {
    /// Whether this is the thread that writes.
    static WRITES: Cell<bool> = const { Cell::new(false) };
}

/// What is to be written; somebody has to start to.
pub(crate) struct Backlog {
    lines: Receiver<Message>,
    dropped: Arc<AtomicU64>,
}

impl Backlog {
    /// Starts the thread that writes.
    pub(crate) fn write(self) -> io::Result<()> {
        let Self { lines, dropped } = self;
        let thread = thread::Builder::new().name("log".to_owned());
        let write = move || write_lines(&lines, &dropped);
        thread.spawn(write).map(drop)
    }
}

impl Output {
    /// Makes the way to the standard error output, and what is at its end.
    pub(crate) fn new() -> (Self, Backlog) {
        let (queue, lines) = sync_channel(MAX_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let backlog = Backlog {
            lines,
            dropped: Arc::clone(&dropped),
        };
        let output = Self {
            is_journal: journal::is_there(),
            queue,
            dropped,
        };
        (output, backlog)
    }

    /// Writes a line that no event is.
    pub(crate) fn say(&self, level: Level, line: &str) {
        let line = match self.is_journal {
            true => journal::with_level(level, line),
            false => format!("{line}\n"),
        };
        self.send(line.into_bytes());
    }

    /// Waits until everything has been written, but no longer than this.
    pub(crate) fn flush(&self, patience: Duration) {
        if WRITES.get() {
            return;
        }
        let deadline = Instant::now() + patience;
        let (written, is_written) = channel();
        let mut message = Message::Flush(written);
        while let Err(TrySendError::Full(unsent)) = self.queue.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = unsent;
            thread::sleep(PAUSE);
        }
        let rest = deadline.saturating_duration_since(Instant::now());
        // Nobody reads it, then.
        is_written.recv_timeout(rest).ok();
    }

    fn send(&self, line: Vec<u8>) {
        if WRITES.get() {
            // Where nobody reads it there is nobody to tell.
            io::stderr().write_all(&line).ok();
        } else if self.queue.try_send(Message::Line(line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write_lines(lines: &Receiver<Message>, dropped: &AtomicU64) {
    WRITES.set(true);
    let mut told: Option<Instant> = None;
    for message in lines {
        if let Message::Line(line) = &message {
            // Where nobody reads it there is nobody to tell.
            io::stderr().write_all(line).ok();
        }
        let is_due = told.is_none_or(|told| told.elapsed() >= DROPPED_INTERVAL);
        if is_due || matches!(message, Message::Flush(_)) {
            let dropped = dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                told = Some(Instant::now());
                tracing::warn!("{dropped} log lines were dropped: nobody read them");
            }
        }
        if let Message::Flush(written) = message {
            // It may have waited long enough.
            written.send(()).ok();
        }
    }
}

/// Takes one line.
pub(crate) struct Line<'a>(&'a Output);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(line.to_owned());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// Changes the level of a running program.
pub(crate) struct LevelInForce(reload::Handle<LevelFilter, Registry>);

impl LevelInForce {
    pub(crate) fn set(&self, level: LogLevel) {
        // Fails only when the subscriber is gone, and then nobody reads logs.
        drop(self.0.reload(filter(level)));
    }
}

/// Sends events to the output.
pub(crate) fn start(level: LogLevel, format: LogFormat, output: &Output) -> LevelInForce {
    let (level, handle) = reload::Layer::new(filter(level));
    // The client of NATS has a line for each event. What an operator has to know of it, our crate says.
    let is_said = filter_fn(|line| !line.target().starts_with("async_nats"));
    let registry = tracing_subscriber::registry().with(level).with(is_said);
    let lines = fmt::layer().with_writer(output.clone()).with_target(false);
    match format {
        LogFormat::Text if output.is_journal => {
            let lines = lines.event_format(JournalLines::new());
            registry.with(lines).init();
        }
        LogFormat::Text => registry.with(lines.with_ansi(false)).init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
    }
    LevelInForce(handle)
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
