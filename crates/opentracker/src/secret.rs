//! The cluster's secret: read, watched, and handed to those who use its keys.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};
use opentracker_livesync_wire::{Key, KeyName, Keys};
use opentracker_udp::{ConnectionKeys, Connections};

use crate::folders::Folders;
use crate::lists::{Look, look};
use crate::unix_time;

/// Octets that the file has at the most, comments and all.
const MAX_FILE: u64 = 1 << 16;

/// How long a change of the clock or of the file may pass unseen.
const PERIOD: Duration = Duration::from_secs(1);

/// Why the cluster's secret cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("livesync.secret: cannot read {}", path.display())]
pub struct SecretError {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub cause: io::Error,
}

/// Reads the file of secrets. It is warned of one that everybody may read.
pub(crate) fn read(path: &Path, folders: &Folders) -> Result<Keys, SecretError> {
    read_keys(path, folders).map_err(|cause| SecretError {
        path: path.to_owned(),
        cause,
    })
}

fn read_keys(path: &Path, folders: &Folders) -> io::Result<Keys> {
    let invalid =
        |error: &dyn ToString| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    // A FIFO would wait for its writer.
    let file = folders.open_for(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
    let mode = Mode::from_bits_truncate(fstat(&file)?.st_mode);
    let mut text = String::new();
    let octets = File::from(file)
        .take(MAX_FILE + 1)
        .read_to_string(&mut text)?;
    if octets as u64 > MAX_FILE {
        return Err(invalid(&format_args!("it has more than {MAX_FILE} octets")));
    }
    let keys = Keys::parse(&text).map_err(|error| invalid(&error))?;
    if mode.contains(Mode::S_IROTH) {
        tracing::warn!(
            "livesync.secret: everybody may read {}: it is for the tracker's user alone",
            path.display()
        );
    }
    Ok(keys)
}

/// The keys in force, and the file that they come from.
#[derive(Debug)]
pub(crate) struct Secret {
    path: PathBuf,
    folders: Arc<Folders>,
    keys: Arc<ArcSwap<Keys>>,
    connections: Arc<Connections>,
    /// How the file looked when it was last read.
    seen: Mutex<Look>,
}

impl Secret {
    /// Reads the secret at a start, and makes `connections` those of the cluster.
    pub(crate) fn open(
        path: &Path,
        folders: &Arc<Folders>,
        connections: Connections,
    ) -> Result<Self, SecretError> {
        let seen = look(folders, path);
        let keys = read(path, folders)?;
        let connections = connections.shared(connection_keys(&keys));
        tracing::info!("livesync.secret: {}", in_force(&keys));
        let secret = Self {
            path: path.to_owned(),
            folders: Arc::clone(folders),
            keys: Arc::new(ArcSwap::from_pointee(keys)),
            connections: Arc::new(connections),
            seen: Mutex::new(seen),
        };
        secret.set_clock();
        Ok(secret)
    }

    /// Returns the keys in force, whichever these are.
    pub(crate) fn keys(&self) -> &Arc<ArcSwap<Keys>> {
        &self.keys
    }

    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Reads the file at a reload; if it cannot be used the keys stay as they were.
    pub(crate) fn read_again(&self) -> Result<(), SecretError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = look(&self.folders, &self.path);
        self.take(read(&self.path, &self.folders)?);
        Ok(())
    }

    /// Reads a file that looks other than it did, unless it changes meanwhile.
    fn read_changed(&self, now: Look) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return;
        }
        let read = read(&self.path, &self.folders);
        if look(&self.folders, &self.path) != now {
            return;
        }
        *seen = now;
        match read {
            Ok(keys) => self.take(keys),
            Err(fault) => tracing::error!("{}", kept(&fault)),
        }
    }

    fn take(&self, keys: Keys) {
        let keys = Arc::new(keys);
        self.connections.set_keys(connection_keys(&keys));
        let before = self.keys.swap(Arc::clone(&keys));
        if !names(&keys).eq(names(&before)) {
            tracing::info!("livesync.secret: {}", in_force(&keys));
        }
    }

    fn set_clock(&self) {
        self.connections.set_clock(Instant::now(), unix_time::now());
    }
}

/// Says that the keys stay as they were.
pub(crate) fn kept(fault: &SecretError) -> String {
    format!("the keys stay as they were: {fault}: {}", fault.cause)
}

/// The watch over the clock and the file. Dropping it ends its thread, but does not wait for it: a
/// look at a dead network mount may never end.
#[derive(Debug)]
pub(crate) struct Watch {
    _stop: Sender<()>,
}

impl Watch {
    pub(crate) fn start(secret: &Arc<Secret>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let secret = Arc::clone(secret);
        thread::Builder::new()
            .name("secret".to_owned())
            .spawn(move || run(&secret, &stopped))?;
        Ok(Self { _stop: stop })
    }
}

/// Looks again and again. A change is taken once two looks have found it the same, so that nothing
/// is read that is half written.
fn run(secret: &Secret, stopped: &Receiver<()>) {
    let mut before = None;
    while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        secret.set_clock();
        let look = look(&secret.folders, &secret.path);
        if before.replace(look) == Some(look) {
            secret.read_changed(look);
        }
    }
}

fn connection_keys(keys: &Keys) -> ConnectionKeys {
    let others = keys.iter().skip(1).map(Key::connection_key);
    ConnectionKeys::new(keys.first().connection_key(), others)
}

fn names(keys: &Keys) -> impl Iterator<Item = KeyName> {
    keys.iter().map(Key::name)
}

/// Says which keys are in force, by their names.
fn in_force(keys: &Keys) -> String {
    let others: Vec<_> = names(keys).skip(1).map(|name| name.to_string()).collect();
    match others[..] {
        [] => format!("the key is {}", keys.first().name()),
        _ => format!(
            "the key is {}, accepted as well: {}",
            keys.first().name(),
            others.join(", ")
        ),
    }
}
