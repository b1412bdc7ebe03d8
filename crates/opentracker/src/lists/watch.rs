//! Looks at the files of the lists every few seconds, and takes what has changed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::source::{self, Look, Progress};
use super::{ListError, ListKey, Lists, State, release};

/// How long a file is left alone between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// The pause is so many times as long as the look at the least: a folder may have many files, and
/// a network be slow.
const PAUSE_FACTOR: u32 = 10;

/// The watch over the files of the lists. Dropping it ends its threads, but does not wait for
/// them: a look at a dead network mount may never end.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Lists>);

impl Watch {
    /// Begins to watch. Each list has a thread, so that none waits for the file of another.
    pub(crate) fn start(lists: &Arc<Lists>) -> Self {
        let mut state = lists.state();
        for key in ListKey::ALL {
            let path = state.source(key).path.clone();
            lists.watch(&mut state, key, path);
        }
        drop(state);
        Self(Arc::clone(lists))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.moved.notify_all();
    }
}

impl Lists {
    /// Watches another path for a list from now on.
    pub(super) fn watch(self: &Arc<Self>, state: &mut State, key: ListKey, path: PathBuf) {
        let source = state.source(key);
        source.number += 1;
        source.path.clone_from(&path);
        let number = source.number;
        self.moved.notify_all();
        if path.as_os_str().is_empty() {
            return;
        }
        let lists = Arc::clone(self);
        let thread = thread::Builder::new().name(format!("watch-{}", key.word()));
        if let Err(error) = thread.spawn(move || run(&lists, key, &path, number)) {
            tracing::error!("{}: cannot be watched: {error}", key.path());
        }
    }

    /// Waits for the next look; `false` if there is none to be taken any more.
    fn wait_to_look(&self, pause: Duration, key: ListKey, number: u64) -> bool {
        let is_watched = |state: &mut State| !state.is_over && state.source(key).number == number;
        let waited = self
            .moved
            .wait_timeout_while(self.state(), pause, |state| is_watched(state));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        is_watched(&mut state)
    }

    /// Reads a list that looks other than it did, unless it changes meanwhile.
    fn read_changed(&self, key: ListKey, path: &Path, look: Look) {
        let mut state = self.state();
        let source = state.source(key);
        let turn = source.turn;
        if source.seen == Some(look) || state.is_reloading {
            return;
        }
        drop(state);
        // Somebody has to wait for it.
        let progress = Progress::default();
        let read = match look {
            Look::Pipe => Err(source::pipe()),
            _ => source::read(&self.folders, key, path, &progress.clone()),
        };
        if source::look(&self.folders, path) != look {
            return;
        }
        let mut state = self.state();
        let source = state.source(key);
        if source.turn != turn {
            return;
        }
        source.turn += 1;
        source.seen = Some(look);
        let (list, skipped) = match read {
            Ok(read) => read,
            Err(cause) => {
                drop(state);
                let path = path.to_owned();
                let fault = ListError { key, path, cause };
                let cause = &fault.cause;
                return tracing::error!("the {key} stays as it was: {fault}: {cause}");
            }
        };
        let path = path.display();
        if let Some(skipped) = skipped {
            tracing::warn!("{}: {path}: {skipped}", key.path());
        }
        if list.has_lost_all(&self.core.rules().lists) {
            drop(state);
            return tracing::warn!(
                "the {key} stays as it was until SIGHUP: {path} has no entries any more"
            );
        }
        let (before, changes) = self.swap(|rules| {
            let mut rules = rules.clone();
            list.put(&mut rules.lists);
            rules
        });
        let changes = self.purge(state, changes);
        tracing::info!("{path} has changed: {changes}");
        release(before);
    }
}

/// Looks again and again. A change is taken once two looks have found it the same, so that nothing
/// is read that is half written.
fn run(lists: &Lists, key: ListKey, path: &Path, number: u64) {
    let mut before = None;
    let mut pause = PAUSE;
    while lists.wait_to_look(pause, key, number) {
        let begin = Instant::now();
        let look = source::look(&lists.folders, path);
        pause = PAUSE.max(begin.elapsed() * PAUSE_FACTOR);
        if before.replace(look) == Some(look) {
            lists.read_changed(key, path, look);
        }
    }
}
