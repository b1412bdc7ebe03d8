//! FIFOs that the operator writes info hashes to, as the C program has them: one adds to the list,
//! the other takes off it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use opentracker_core::HashList;

use crate::lists::Lists;
use crate::sparingly::Sparingly;

/// What is written to a FIFO does to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FifoAction {
    /// The info hashes are put on it.
    Add,
    /// They are taken off it.
    Delete,
}

/// Why a FIFO cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the FIFO {}", path.display())]
pub struct FifoError {
    /// The FIFO.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// How often the thread looks whether it is to end.
const TICK_MILLIS: u16 = 250;

/// How long a FIFO that is gone is left alone.
const PAUSE: Duration = Duration::from_millis(TICK_MILLIS as u64);

/// Octets that are read at once, and of a line that does not end.
const BUFFER_OCTETS: usize = 1 << 16;

/// The thread that reads a FIFO.
#[derive(Debug)]
pub(crate) struct Fifo {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Fifo {
    pub(crate) fn start(
        path: &Path,
        action: FifoAction,
        lists: Arc<Lists>,
    ) -> Result<Self, FifoError> {
        let fault = |cause| FifoError {
            path: path.to_owned(),
            cause,
        };
        let mut reader = Reader {
            file: open(path).map_err(fault)?,
            path: path.to_owned(),
            rest: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
        };
        let stop = Arc::clone(&reader.stop);
        let thread = std::thread::Builder::new()
            .name("fifo".to_owned())
            .spawn(move || {
                let mut sparingly = Sparingly::default();
                while let Some(text) = reader.next() {
                    change(&lists, action, &text, &reader.path, &mut sparingly);
                }
            })
            .map_err(fault)?;
        Ok(Self { stop, thread })
    }

    pub(crate) fn shutdown(self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            tracing::error!("a thread that reads a FIFO has panicked");
        }
    }
}

/// Changes the list that is configured: the allow list, if there is one, or else the deny list.
fn change(lists: &Lists, action: FifoAction, text: &[u8], path: &Path, sparingly: &mut Sparingly) {
    let Ok((entries, skipped)) = HashList::read(text, text.len() as u64) else {
        return;
    };
    let path = path.display();
    if skipped.lines() > 0
        && let Some(held_back) = sparingly.allow(Instant::now())
    {
        tracing::warn!("{path}: {skipped}{held_back}");
    }
    let changes = lists.change(|rules| {
        let mut rules = rules.clone();
        let lists = &mut rules.lists;
        let list = match &mut lists.allow {
            Some(allow) => allow,
            None => lists.deny.get_or_insert_default(),
        };
        match action {
            FifoAction::Add => list.add(&entries),
            FifoAction::Delete => list.remove(&entries),
        }
        rules
    });
    if !changes.lists.is_empty()
        && let Some(held_back) = sparingly.allow(Instant::now())
    {
        tracing::info!("{path}: {changes}{held_back}");
    }
}

/// Reads whole lines, whoever writes them.
struct Reader {
    path: PathBuf,
    file: File,
    rest: Vec<u8>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    /// Waits for lines; returns `None` when it is to end.
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; BUFFER_OCTETS];
        while !self.stop.load(Ordering::Relaxed) {
            let mut waiting = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut waiting, TICK_MILLIS), Ok(1..)) {
                continue;
            }
            match self.file.read(&mut buffer) {
                Ok(0) => {
                    self.reopen();
                    if !self.rest.is_empty() {
                        return Some(std::mem::take(&mut self.rest));
                    }
                }
                Ok(octets) => {
                    self.rest.extend_from_slice(&buffer[..octets]);
                    let end = self.rest.iter().rposition(|&octet| octet == b'\n');
                    if let Some(end) = end {
                        let rest = self.rest.split_off(end + 1);
                        return Some(std::mem::replace(&mut self.rest, rest));
                    }
                    if self.rest.len() > BUFFER_OCTETS {
                        return Some(std::mem::take(&mut self.rest));
                    }
                }
                // Nothing is there after all.
                Err(_) => std::thread::sleep(PAUSE),
            }
        }
        None
    }

    /// Waits for further writers, when the last one has gone: only a new descriptor does.
    fn reopen(&mut self) {
        match open(&self.path) {
            // The old one is closed only now, so that no line is lost in between.
            Ok(file) => self.file = file,
            Err(error) => {
                tracing::debug!("{}: {error}", self.path.display());
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// Finds out whether a FIFO is there, without disturbing those who wait for its reader.
pub(crate) fn find(path: &Path) -> Result<(), FifoError> {
    is_there(path).map_err(|cause| FifoError {
        path: path.to_owned(),
        cause,
    })
}

fn is_there(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.file_type().is_fifo() {
        Ok(())
    } else {
        Err(io::Error::other("it is not a FIFO"))
    }
}

/// Opens a FIFO without waiting for somebody to write to it.
fn open(path: &Path) -> io::Result<File> {
    is_there(path)?;
    OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)
}
