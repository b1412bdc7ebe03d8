//! What a file or folder says.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag, fstat};
use opentracker_core::{AccessLists, ClientList, HashList, Networks};

use super::{ListKey, torrents};
use crate::folders::Folders;

/// Octets that are read at once.
const BUFFER_OCTETS: usize = 1 << 18;

/// How a file or folder looks from outside. Two looks that are the same have found it unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is a pipe, which is read only once.
    Pipe,
    /// A hash of what the system knows of it, and of the files in it.
    State(u64),
    /// It cannot be looked at.
    Failed(Errno),
}

/// What a file or folder says of a list, or that there is none.
#[derive(Debug)]
pub(super) enum List {
    Allow(Option<HashList>),
    Deny(Option<HashList>),
    DenyClients(Option<ClientList>),
    DenyNetworks(Option<Networks>),
}

/// How far a reader has come, and whether somebody still waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

/// Looks at a file or folder, through links, without reading it.
pub(crate) fn look(folders: &Folders, path: &Path) -> Look {
    let look = || {
        let file = folders.open_for(path, OFlag::O_PATH)?;
        let stat = fstat(&file)?;
        Ok(match kind(&stat) {
            SFlag::S_IFIFO => Look::Pipe,
            SFlag::S_IFDIR => Look::State(torrents::fingerprint(folders, path)?),
            _ => Look::State(hash(&stat)),
        })
    };
    look().unwrap_or_else(Look::Failed)
}

/// Reads a list, and says what of it was skipped.
pub(super) fn read(
    folders: &Folders,
    key: ListKey,
    path: &Path,
    progress: &Progress,
) -> io::Result<(List, Option<String>)> {
    let file: OwnedFd = folders.open(path)?.into();
    let stat = fstat(&file)?;
    if kind(&stat) == SFlag::S_IFDIR {
        let (hashes, skipped) = match key {
            ListKey::Allow | ListKey::Deny => torrents::read(&file, progress)?,
            ListKey::DenyClients | ListKey::DenyNetworks => {
                return Err(io::ErrorKind::IsADirectory.into());
            }
        };
        return Ok((List::of_hashes(key, hashes), skipped));
    }
    let text = Watched {
        file: file.into(),
        progress,
    };
    let text = BufReader::with_capacity(BUFFER_OCTETS, text);
    let octets = u64::try_from(stat.st_size).unwrap_or(0);
    let (list, skipped) = match key {
        ListKey::Allow | ListKey::Deny => {
            let (hashes, skipped) = HashList::read(text, octets)?;
            (List::of_hashes(key, hashes), skipped)
        }
        ListKey::DenyClients => {
            let (clients, skipped) = ClientList::read(text)?;
            (List::DenyClients(Some(clients)), skipped)
        }
        ListKey::DenyNetworks => {
            let (networks, skipped) = Networks::read(text)?;
            (List::DenyNetworks(Some(networks)), skipped)
        }
    };
    Ok((list, (skipped.lines() > 0).then(|| skipped.to_string())))
}

/// Says why a pipe is not read again.
pub(super) fn pipe() -> io::Error {
    io::Error::other("it is a pipe, which is read only once")
}

/// Returns what a file is.
pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// Hashes what changes with a file: which one it is, its length, and when it was changed.
pub(super) fn hash(stat: &FileStat) -> u64 {
    let mut hasher = DefaultHasher::new();
    (stat.st_dev, stat.st_ino, stat.st_size).hash(&mut hasher);
    (stat.st_mtime, stat.st_mtime_nsec).hash(&mut hasher);
    (stat.st_ctime, stat.st_ctime_nsec).hash(&mut hasher);
    hasher.finish()
}

impl List {
    /// Says that there is no list.
    pub(super) fn none(key: ListKey) -> Self {
        match key {
            ListKey::Allow => Self::Allow(None),
            ListKey::Deny => Self::Deny(None),
            ListKey::DenyClients => Self::DenyClients(None),
            ListKey::DenyNetworks => Self::DenyNetworks(None),
        }
    }

    fn of_hashes(key: ListKey, hashes: HashList) -> Self {
        match key {
            ListKey::Allow => Self::Allow(Some(hashes)),
            _ => Self::Deny(Some(hashes)),
        }
    }

    /// Tells whether it opens what one of the lists in force closes to everybody that is on it: a
    /// deny list that has lost all its entries.
    pub(super) fn has_lost_all(&self, lists: &AccessLists) -> bool {
        let is_lost = |before: Option<usize>, after: Option<usize>| {
            before.is_some_and(|entries| entries > 0) && after == Some(0)
        };
        let (clients, networks) = (&lists.deny_clients, &lists.deny_networks);
        match self {
            Self::Allow(_) => false,
            Self::Deny(list) => is_lost(
                lists.deny.as_ref().map(HashList::len),
                list.as_ref().map(HashList::len),
            ),
            Self::DenyClients(list) => is_lost(
                clients.as_ref().map(ClientList::len),
                list.as_ref().map(ClientList::len),
            ),
            Self::DenyNetworks(list) => is_lost(
                networks.as_ref().map(Networks::len),
                list.as_ref().map(Networks::len),
            ),
        }
    }

    /// Takes the place of its list.
    pub(super) fn put(self, lists: &mut AccessLists) {
        match self {
            Self::Allow(list) => lists.allow = list,
            Self::Deny(list) => lists.deny = list,
            Self::DenyClients(list) => lists.deny_clients = list,
            Self::DenyNetworks(list) => lists.deny_networks = list,
        }
    }
}

/// Progress of a file that has been read to its end; what follows is work of our own.
const ENTIRELY: u64 = u64::MAX;

impl Progress {
    /// Returns how far it is; `None` if it has read everything.
    pub(super) fn get(&self) -> Option<u64> {
        let octets = self.0.load(Ordering::Relaxed);
        (octets != ENTIRELY).then_some(octets)
    }

    /// Notes that more was read; an error if nobody waits for it any more.
    pub(super) fn note(&self, octets: usize) -> io::Result<()> {
        if Arc::strong_count(&self.0) == 1 {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        self.0.fetch_add(octets as u64, Ordering::Relaxed);
        Ok(())
    }

    fn end(&self) {
        self.0.store(ENTIRELY, Ordering::Relaxed);
    }
}

/// A file whose reader can be watched.
struct Watched<'a> {
    file: File,
    progress: &'a Progress,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.file.read(buffer)?;
        match octets {
            0 => self.progress.end(),
            octets => self.progress.note(octets)?,
        }
        Ok(octets)
    }
}
