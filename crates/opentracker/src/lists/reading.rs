//! Reads the lists, each on a thread of its own, for a file may take its time or never answer.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use opentracker_core::AccessLists;

use super::source::{self, List, Look, Progress};
use super::{ListError, ListKey, Source};
use crate::config::Access;
use crate::folders::Folders;

/// How long a file may give nothing before it is said, and at a reload given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// When lists are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// There is nothing to serve with yet: a file may take as long as it will.
    Start,
    /// There are lists in force: a file that does not answer is given up, and a pipe, whose end
    /// was read at the start, is not read.
    Reload,
}

/// The lists as they were read, in the order of [`ListKey::ALL`]; `None` where none is configured.
#[derive(Debug)]
pub(crate) struct ReadLists(Vec<(ListKey, Option<ReadList>)>);

/// A list that was read, or could not be.
#[derive(Debug)]
pub(crate) struct ReadList {
    pub(super) path: PathBuf,
    /// How it looked before it was read; `None` if it did not answer.
    pub(super) look: Option<Look>,
    pub(super) list: Result<List, ListError>,
}

/// Reads all lists at the same time. What was skipped is warned of.
pub(crate) fn read(access: &Access, folders: &Arc<Folders>, occasion: Occasion) -> ReadLists {
    let readings = ListKey::ALL.map(|key| (key, Reading::start(key, access, folders, occasion)));
    let finish = |(key, reading): (_, Option<Reading>)| (key, reading.map(Reading::finish));
    ReadLists(readings.into_iter().map(finish).collect())
}

impl ReadLists {
    /// Returns what could not be read.
    pub(crate) fn faults(&self) -> impl Iterator<Item = &ListError> {
        let read = self.0.iter().filter_map(|(_, read)| read.as_ref());
        read.filter_map(|read| read.list.as_ref().err())
    }

    /// Makes lists of them, with where each comes from.
    pub(super) fn into_lists(self) -> Result<(AccessLists, Vec<Source>), ListError> {
        let mut lists = AccessLists::default();
        let mut sources = Vec::new();
        for (_, read) in self {
            let mut source = Source::default();
            if let Some(read) = read {
                read.list?.put(&mut lists);
                source.path = read.path;
                source.seen = read.look;
            }
            sources.push(source);
        }
        Ok((lists, sources))
    }
}

impl IntoIterator for ReadLists {
    type Item = (ListKey, Option<ReadList>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// What a thread that reads tells.
enum Told {
    Look(Look),
    Read(io::Result<(List, Option<String>)>),
}

/// A list that a thread reads.
struct Reading {
    key: ListKey,
    path: PathBuf,
    occasion: Occasion,
    progress: Progress,
    told: Receiver<Told>,
}

impl Reading {
    /// Starts to read a list, if one is configured.
    fn start(
        key: ListKey,
        access: &Access,
        folders: &Arc<Folders>,
        occasion: Occasion,
    ) -> Option<Self> {
        let path = key.file(access);
        if path.as_os_str().is_empty() {
            return None;
        }
        let progress = Progress::default();
        let (done, told) = channel();
        let read = {
            let (path, folders) = (path.to_owned(), Arc::clone(folders));
            let (progress, done) = (progress.clone(), done.clone());
            move || {
                let look = source::look(&folders, &path);
                // Nobody listens any more if it took too long.
                done.send(Told::Look(look)).ok();
                let read = match (look, occasion) {
                    (Look::Pipe, Occasion::Reload) => Err(source::pipe()),
                    _ => source::read(&folders, key, &path, &progress),
                };
                done.send(Told::Read(read)).ok();
            }
        };
        let thread = thread::Builder::new().name(format!("list-{}", key.word()));
        if let Err(error) = thread.spawn(read) {
            done.send(Told::Read(Err(error))).ok();
        }
        Some(Self {
            key,
            path: path.to_owned(),
            occasion,
            progress,
            told,
        })
    }

    fn finish(self) -> ReadList {
        let (look, read) = self.wait();
        let Self { key, path, .. } = self;
        let list = match read {
            Ok((list, skipped)) => {
                if let Some(skipped) = skipped {
                    tracing::warn!("{}: {}: {skipped}", key.path(), path.display());
                }
                Ok(list)
            }
            Err(cause) => Err(ListError {
                key,
                path: path.clone(),
                cause,
            }),
        };
        ReadList { path, look, list }
    }

    /// Waits for as long as there is progress, or at a start for ever.
    fn wait(&self) -> (Option<Look>, io::Result<(List, Option<String>)>) {
        let mut look = None;
        let mut seen = Some(0);
        let mut is_said = false;
        loop {
            match self.told.recv_timeout(PATIENCE) {
                Ok(Told::Look(first)) => {
                    look = Some(first);
                    continue;
                }
                Ok(Told::Read(read)) => return (look, read),
                Err(RecvTimeoutError::Disconnected) => {
                    let error = io::Error::other("the thread that read it has panicked");
                    return (look, Err(error));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let progress = self.progress.get();
            let is_silent = progress.is_some() && progress == seen;
            seen = progress;
            match self.occasion {
                Occasion::Reload if is_silent => {
                    let error = io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
                    // It is to be read when it does.
                    return (None, Err(error));
                }
                Occasion::Start if is_silent && !is_said => {
                    let (key, path) = (self.key.path(), self.path.display());
                    tracing::warn!("{key}: {path} does not answer, waiting");
                    is_said = true;
                }
                Occasion::Start | Occasion::Reload => {}
            }
        }
    }
}
