//! Unix sockets: what listens at a path, and the file that stands for it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmodat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};
use socket2::{Domain, SockAddr, Socket, Type};

/// Its owner and his group may connect.
const MODE: Mode = Mode::S_IRUSR
    .union(Mode::S_IWUSR)
    .union(Mode::S_IRGRP)
    .union(Mode::S_IWGRP);

/// A path to serve for programs of this host, all of which are trusted proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixListen {
    /// The path of the socket, absolute. A file that is left of an earlier run is replaced.
    pub path: PathBuf,
    /// User and group that the socket's file is given to, by number; its mode is 0660.
    pub owner: Option<(u32, u32)>,
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: bool,
}

/// Why a path cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnixError {
    /// Another program serves it.
    #[error("cannot listen on unix:{}: somebody serves it", path.display())]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// What is there is not replaced.
    #[error("cannot listen on unix:{}: a file that is no socket is there", path.display())]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// The system refused a step.
    #[error("cannot listen on unix:{}: cannot {step}", path.display())]
    Refused {
        /// The path.
        path: PathBuf,
        /// What was tried.
        step: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

impl UnixListen {
    /// Says that the system refused a step.
    pub(super) fn refused(&self, step: &'static str) -> impl FnOnce(io::Error) -> UnixError {
        let path = self.path.clone();
        move |cause| UnixError::Refused { path, step, cause }
    }
}

/// The file of a Unix socket. Dropped, it is removed, if it is still there: also from within another
/// root folder, and by whoever the process has become, as long as he may write to its folder.
#[derive(Debug)]
pub struct SocketFile {
    folder: File,
    path: PathBuf,
    identity: Identity,
}

/// Tells a file from another one that has come to its place: device, number, and when it was made,
/// since numbers are used again.
type Identity = (u64, u64, i64, i64);

/// Binds a path.
///
/// Two trackers at once on one path are kept apart by a lock on its folder: without it, the second could
/// take the first one's socket for one that nobody serves, or that is its own.
///
/// # Errors
///
/// Fails if somebody serves it, if something else is there, or if the system refuses a step.
pub fn bind(listen: &UnixListen, backlog: i32) -> Result<(UnixListener, SocketFile), UnixError> {
    let folder = listen.path.parent().unwrap_or(Path::new("/"));
    let folder = File::open(folder).map_err(listen.refused("open its folder"))?;
    lock(&folder, listen).map_err(listen.refused("lock its folder"))?;
    remove_stale(&folder, listen)?;
    let bound = listen_on(folder, listen, backlog);
    let (listener, file) = bound.map_err(listen.refused("bind it"))?;
    let unlocked = file.folder.unlock();
    unlocked.map_err(listen.refused("unlock its folder"))?;
    Ok((listener, file))
}

/// Takes the lock of a folder, which nobody holds for longer than it takes to bind a socket.
fn lock(folder: &File, listen: &UnixListen) -> io::Result<()> {
    match folder.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => {
            let path = listen.path.display();
            tracing::info!("unix:{path} waits for somebody who holds the lock of its folder");
            folder.lock()
        }
    }
}

/// Removes the file of a socket that nobody serves.
fn remove_stale(folder: &File, listen: &UnixListen) -> Result<(), UnixError> {
    let path = listen.path.clone();
    let name = path.file_name().unwrap_or_default();
    let refused = |step| move |cause: Errno| listen.refused(step)(cause.into());
    let stat = match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => return Ok(()),
        found => found.map_err(refused("look at it"))?,
    };
    if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFSOCK {
        return Err(UnixError::NoSocket { path });
    }
    match probe(&path).map_err(|error| error.kind()) {
        Err(io::ErrorKind::ConnectionRefused) => {
            let removed = unlinkat(folder, name, UnlinkatFlags::NoRemoveDir);
            removed.map_err(refused("replace it"))
        }
        // Whoever serves it may have no time at the moment, or not let us in.
        _ => Err(UnixError::InUse { path }),
    }
}

/// Tries to connect, without waiting.
fn probe(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

fn listen_on(
    folder: File,
    listen: &UnixListen,
    backlog: i32,
) -> io::Result<(UnixListener, SocketFile)> {
    let path = listen.path.clone();
    let name = path.file_name().unwrap_or_default().to_owned();
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(&path)?)?;
    let stat = fstatat(&folder, &*name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let file = SocketFile {
        folder,
        path,
        identity: identity(&stat),
    };
    // Nobody can connect before it listens, so nobody does before it is as it should be.
    fchmodat(&file.folder, &*name, MODE, FchmodatFlags::NoFollowSymlink)?;
    if let Some((user, group)) = listen.owner {
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        fchownat(&file.folder, &*name, Some(user), Some(group), flags)?;
    }
    socket.listen(backlog)?;
    Ok((socket.into(), file))
}

fn identity(stat: &FileStat) -> Identity {
    (stat.st_dev, stat.st_ino, stat.st_mtime, stat.st_mtime_nsec)
}

impl SocketFile {
    fn remove(&self) -> nix::Result<()> {
        if self.folder.try_lock().is_err() {
            // Whoever binds there now replaces it.
            return Ok(());
        }
        let name = self.path.file_name().unwrap_or_default();
        let folder = self.folder.as_fd();
        match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) if identity(&stat) == self.identity => {
                unlinkat(folder, name, UnlinkatFlags::NoRemoveDir)
            }
            // It is somebody else's by now.
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            let path = self.path.display();
            tracing::info!("unix:{path} stays there until the next start: {error}");
        }
    }
}
