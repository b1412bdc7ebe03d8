//! Access lists: read from files and folders, changed while they are in force, and watched.

mod reading;
mod source;
mod torrents;
mod watch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use opentracker_core::{AccessLists, ClientList, HashList, Networks, Removed, Rules, Tracker};

use crate::config::Access;
use crate::folders::Folders;
use crate::memory::Memory;
use source::List;

pub(crate) use reading::{Occasion, ReadLists, read};
pub(crate) use source::{Look, look};
pub(crate) use watch::Watch;

/// A list that has so many entries is given back without haste once it is replaced.
const LONG: usize = 1 << 16;

/// How long it may take until no thread has the old rules any more.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often that is looked at.
const RELEASE_PAUSE: Duration = Duration::from_millis(10);

/// One of the access lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKey {
    /// `access.allow`.
    Allow,
    /// `access.deny`.
    Deny,
    /// `access.deny_clients`.
    DenyClients,
    /// `access.deny_networks`.
    DenyNetworks,
}

impl ListKey {
    pub(crate) const ALL: [Self; 4] = [
        Self::Allow,
        Self::Deny,
        Self::DenyClients,
        Self::DenyNetworks,
    ];

    /// Returns the key of the configuration that names its file.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Allow => "access.allow",
            Self::Deny => "access.deny",
            Self::DenyClients => "access.deny_clients",
            Self::DenyNetworks => "access.deny_networks",
        }
    }

    /// Returns what kind of list it is, in a word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::DenyClients => "client",
            Self::DenyNetworks => "network",
        }
    }

    /// Returns its file in a configuration; empty if there is none.
    pub(crate) fn file(self, access: &Access) -> &Path {
        match self {
            Self::Allow => &access.allow,
            Self::Deny => &access.deny,
            Self::DenyClients => &access.deny_clients,
            Self::DenyNetworks => &access.deny_networks,
        }
    }
}

/// Why an access list cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot read {}", key.path(), path.display())]
pub struct ListError {
    /// The list.
    pub key: ListKey,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// A list that is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListChange {
    /// The list.
    pub key: ListKey,
    /// Entries that it had; `None` if there was no list.
    pub before: Option<usize>,
    /// Entries that it has; `None` if there is no list any more.
    pub after: Option<usize>,
}

/// Lists that are not what they were, and what is gone because of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListChanges {
    /// The lists.
    pub lists: Vec<ListChange>,
    /// Torrents that are no longer served, with their peers.
    pub swarms: Removed,
    /// Peers in networks that are no longer served, of other torrents.
    pub peers: u64,
}

/// The lists in force, and where they come from. One change at a time is made to them.
#[derive(Debug)]
pub(crate) struct Lists {
    core: Arc<Tracker>,
    memory: Arc<Memory>,
    folders: Arc<Folders>,
    state: Mutex<State>,
    /// One purge goes on at a time, and who changes nothing waits for it as well.
    purging: Mutex<()>,
    /// A list is to be found elsewhere, or the watch is over.
    moved: Condvar,
}

#[derive(Debug)]
struct State {
    /// In the order of [`ListKey::ALL`].
    sources: Vec<Source>,
    /// All lists are being read anyway.
    is_reloading: bool,
    is_over: bool,
}

/// Where a list comes from.
#[derive(Debug, Default)]
struct Source {
    /// Empty if there is none.
    path: PathBuf,
    /// How it looked when it was last read; `None` if it did not answer.
    seen: Option<Look>,
    /// How often it was read, so that who read it for an older state notices.
    turn: u64,
    /// Which path this is: the thread that watches another one ends.
    number: u64,
}

impl Lists {
    /// Puts the lists that were read at the start into the rules, made by `rules`, of a tracker
    /// that `tracker` makes.
    pub(crate) fn start(
        read: ReadLists,
        folders: Arc<Folders>,
        tracker: impl FnOnce(AccessLists) -> Tracker,
    ) -> Result<Self, ListError> {
        let (lists, sources) = read.into_lists()?;
        let core = Arc::new(tracker(lists));
        Ok(Self {
            memory: Arc::new(Memory::new(Arc::clone(&core))),
            core,
            folders,
            state: Mutex::new(State {
                sources,
                is_reloading: false,
                is_over: false,
            }),
            purging: Mutex::new(()),
            moved: Condvar::new(),
        })
    }

    pub(crate) fn core(&self) -> &Arc<Tracker> {
        &self.core
    }

    pub(crate) fn folders(&self) -> &Folders {
        &self.folders
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Replaces the rules by what `change` makes of them, in one swap, and forgets what is no
    /// longer served.
    pub(crate) fn change(&self, change: impl FnOnce(&Rules) -> Rules) -> ListChanges {
        let state = self.state();
        let (_, lists) = self.swap(change);
        self.purge(state, lists)
    }

    /// Replaces the list of what was blocked by hand. What is no longer served is to be removed by
    /// who knows it: a purge would look at every torrent.
    pub(crate) fn set_blocked(&self, blocked: Option<HashList>) {
        let _state = self.state();
        let mut rules = Rules::clone(&self.core.rules());
        rules.lists.blocked = blocked;
        self.core.set_rules(rules);
    }

    /// Reads all lists for [`Self::take`].
    pub(crate) fn read_again(&self, access: &Access) -> ReadLists {
        self.state().is_reloading = true;
        read(access, &self.folders, Occasion::Reload)
    }

    /// Takes lists that were read at a reload; `rules` makes the rules with them. What could not
    /// be read stays as it was.
    pub(crate) fn take(
        self: &Arc<Self>,
        read: ReadLists,
        rules: impl FnOnce(AccessLists) -> Rules,
    ) -> (ListChanges, Vec<ListError>) {
        let mut faults = Vec::new();
        let mut new = Vec::new();
        let mut state = self.state();
        state.is_reloading = false;
        for (key, read) in read {
            let source = state.source(key);
            source.turn += 1;
            match read {
                // What a FIFO has brought about was never read from a file.
                None if source.path.as_os_str().is_empty() => {}
                None => {
                    new.push(List::none(key));
                    self.watch(&mut state, key, PathBuf::new());
                }
                Some(read) => match read.list {
                    Ok(list) => {
                        source.seen = read.look;
                        new.push(list);
                        if source.path != read.path {
                            self.watch(&mut state, key, read.path);
                        }
                    }
                    Err(fault) => {
                        if source.path == read.path {
                            source.seen = read.look;
                        }
                        faults.push(fault);
                    }
                },
            }
        }
        let (before, lists) = self.swap(|before| {
            let mut lists = before.lists.clone();
            for list in new {
                list.put(&mut lists);
            }
            rules(lists)
        });
        let changes = self.purge(state, lists);
        release(before);
        (changes, faults)
    }

    /// Replaces the rules, and returns the old ones and which lists have changed.
    fn swap(&self, change: impl FnOnce(&Rules) -> Rules) -> (Arc<Rules>, Vec<ListChange>) {
        let before = self.core.rules();
        let after = change(&before);
        let (old, new) = (&before.lists, &after.lists);
        let lists = [
            changed(ListKey::Allow, &old.allow, &new.allow, HashList::len),
            changed(ListKey::Deny, &old.deny, &new.deny, HashList::len),
            changed(
                ListKey::DenyClients,
                &old.deny_clients,
                &new.deny_clients,
                ClientList::len,
            ),
            changed(
                ListKey::DenyNetworks,
                &old.deny_networks,
                &new.deny_networks,
                Networks::len,
            ),
        ];
        self.core.set_rules(after);
        (before, lists.into_iter().flatten().collect())
    }

    /// Forgets what is no longer served, once what was changed before is forgotten.
    fn purge(&self, state: MutexGuard<'_, State>, lists: Vec<ListChange>) -> ListChanges {
        let _purging = self.purging.lock().unwrap_or_else(PoisonError::into_inner);
        drop(state);
        let has_changed = |key| lists.iter().any(|list| list.key == key);
        let mut changes = ListChanges::default();
        self.memory.note();
        if has_changed(ListKey::Allow) || has_changed(ListKey::Deny) {
            changes.swarms = self.core.purge(Instant::now());
        }
        if has_changed(ListKey::DenyNetworks) {
            changes.peers = self.core.purge_networks(Instant::now());
        }
        if changes.swarms.torrents > 0 || changes.peers > 0 {
            self.memory.settle();
        }
        ListChanges { lists, ..changes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn source(&mut self, key: ListKey) -> &mut Source {
        &mut self.sources[key as usize]
    }
}

fn changed<T: PartialEq>(
    key: ListKey,
    before: &Option<T>,
    after: &Option<T>,
    len: impl Fn(&T) -> usize,
) -> Option<ListChange> {
    (before != after).then(|| ListChange {
        key,
        before: before.as_ref().map(&len),
        after: after.as_ref().map(&len),
    })
}

/// Waits until no other thread has rules with a long list, so that it is not an announce that has
/// to wait while the system takes hundreds of megabytes back.
fn release(rules: Arc<Rules>) {
    let lists = [&rules.lists.allow, &rules.lists.deny];
    let is_long = lists.into_iter().flatten().any(|list| list.len() > LONG);
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    while is_long && Arc::strong_count(&rules) > 1 && Instant::now() < deadline {
        sleep(RELEASE_PAUSE);
    }
}
