//! Access lists: read from files, each on a thread of its own, and changed while they are in force.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use opentracker_core::{HashList, Removed, Rules, Skipped, Tracker};

use crate::config::Access;
use crate::memory::Memory;

/// How long a file may give nothing before it is said, and at a reload given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets that are read at once.
const BUFFER_OCTETS: usize = 1 << 18;

/// Why an access list cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("access.{key}: cannot read {}", path.display())]
pub struct ListError {
    /// `allow` or `deny`.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// A list that is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListChange {
    /// `allow` or `deny`.
    pub key: &'static str,
    /// Entries that it had; `None` if there was no list.
    pub before: Option<usize>,
    /// Entries that it has; `None` if there is no list any more.
    pub after: Option<usize>,
}

/// When lists are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// There is nothing to serve with yet: a file may take as long as it will.
    Start,
    /// There are lists in force: a file that does not answer is given up, and a pipe, whose end
    /// was read at the start, is not read.
    Reload,
}

/// The allow list and the deny list as they were read; `None` where none is configured.
#[derive(Debug)]
pub(crate) struct ReadLists {
    pub(crate) allow: Option<Result<HashList, ListError>>,
    pub(crate) deny: Option<Result<HashList, ListError>>,
}

/// Reads both lists at the same time. Lines that are no entries are warned of.
pub(crate) fn read(access: &Access, occasion: Occasion) -> ReadLists {
    let allow = Reading::start("allow", &access.allow, occasion);
    let deny = Reading::start("deny", &access.deny, occasion);
    ReadLists {
        allow: allow.map(|reading| reading?.finish()),
        deny: deny.map(|reading| reading?.finish()),
    }
}

/// The rules that are in force. One change at a time is made to them.
#[derive(Debug)]
pub(crate) struct Lists {
    core: Arc<Tracker>,
    memory: Arc<Memory>,
    changing: Mutex<()>,
}

impl Lists {
    pub(crate) fn new(core: Arc<Tracker>, memory: Arc<Memory>) -> Self {
        Self {
            core,
            memory,
            changing: Mutex::new(()),
        }
    }

    /// Replaces the rules by what `change` makes of them, in one swap, and forgets the swarms that
    /// are no longer served.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(&Rules) -> Rules,
    ) -> (Vec<ListChange>, Removed) {
        let changing = self.changing.lock();
        let changing = changing.unwrap_or_else(PoisonError::into_inner);
        let before = self.core.rules();
        let after = change(&before);
        let (old, new) = (&before.lists, &after.lists);
        let changes: Vec<_> = [
            changed("allow", old.allow.as_ref(), new.allow.as_ref()),
            changed("deny", old.deny.as_ref(), new.deny.as_ref()),
        ]
        .into_iter()
        .flatten()
        .collect();
        self.core.set_rules(after);
        drop(changing);
        if changes.is_empty() {
            return (changes, Removed::default());
        }
        let purged = self.core.purge();
        self.memory.settle();
        (changes, purged)
    }
}

fn changed(
    key: &'static str,
    before: Option<&HashList>,
    after: Option<&HashList>,
) -> Option<ListChange> {
    (before != after).then(|| ListChange {
        key,
        before: before.map(HashList::len),
        after: after.map(HashList::len),
    })
}

/// A list that a thread reads.
struct Reading {
    key: &'static str,
    path: PathBuf,
    occasion: Occasion,
    progress: Arc<AtomicU64>,
    result: Receiver<io::Result<(HashList, Skipped)>>,
}

impl Reading {
    /// Starts to read a list, if one is configured.
    fn start(
        key: &'static str,
        path: &Path,
        occasion: Occasion,
    ) -> Option<Result<Self, ListError>> {
        if path.as_os_str().is_empty() {
            return None;
        }
        let path = path.to_owned();
        let progress = Arc::new(AtomicU64::new(0));
        let (done, result) = channel();
        let thread = thread::Builder::new().name(format!("list-{key}")).spawn({
            let (path, progress) = (path.clone(), Arc::clone(&progress));
            move || {
                // Nobody listens any more if it took too long.
                done.send(read_file(&path, occasion, progress)).ok();
            }
        });
        Some(match thread {
            Ok(_) => Ok(Self {
                key,
                path,
                occasion,
                progress,
                result,
            }),
            Err(cause) => Err(ListError { key, path, cause }),
        })
    }

    fn finish(self) -> Result<HashList, ListError> {
        let Self { key, path, .. } = &self;
        match self.wait() {
            Ok((list, skipped)) => {
                if skipped.lines() > 0 {
                    tracing::warn!("access.{key}: {}: {skipped}", path.display());
                }
                Ok(list)
            }
            Err(cause) => Err(ListError {
                key,
                path: path.clone(),
                cause,
            }),
        }
    }

    /// Waits for as long as there is progress, or at a start for ever.
    fn wait(&self) -> io::Result<(HashList, Skipped)> {
        let mut seen = 0;
        let mut is_said = false;
        loop {
            match self.result.recv_timeout(PATIENCE) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that read it has panicked"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let progress = self.progress.load(Ordering::Relaxed);
            let is_silent = progress == seen && progress != ENTIRELY;
            seen = progress;
            match self.occasion {
                Occasion::Reload if is_silent => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "it does not answer",
                    ));
                }
                Occasion::Start if is_silent && !is_said => {
                    let path = self.path.display();
                    tracing::warn!("access.{}: {path} does not answer, waiting", self.key);
                    is_said = true;
                }
                Occasion::Start | Occasion::Reload => {}
            }
        }
    }
}

/// Progress of a file that has been read to its end; what follows is work of our own.
const ENTIRELY: u64 = u64::MAX;

fn read_file(
    path: &Path,
    occasion: Occasion,
    progress: Arc<AtomicU64>,
) -> io::Result<(HashList, Skipped)> {
    let metadata = fs::metadata(path)?;
    if occasion == Occasion::Reload && metadata.file_type().is_fifo() {
        return Err(io::Error::other("it is a pipe, which is read only once"));
    }
    let file = Watched {
        file: File::open(path)?,
        progress,
    };
    let text = BufReader::with_capacity(BUFFER_OCTETS, file);
    HashList::read(text, metadata.len())
}

/// A file whose reader can be watched.
struct Watched {
    file: File,
    progress: Arc<AtomicU64>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Arc::strong_count(&self.progress) == 1 {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let octets = self.file.read(buffer)?;
        match octets {
            0 => self.progress.store(ENTIRELY, Ordering::Relaxed),
            octets => {
                self.progress.fetch_add(octets as u64, Ordering::Relaxed);
            }
        }
        Ok(octets)
    }
}
