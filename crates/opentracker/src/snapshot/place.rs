//! The file of the snapshot, how another takes its place: beside it, synced, renamed; and the files
//! that are kept beside it in the same way.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, fsync, linkat, unlinkat};
use opentracker_snapshot::{OpenError, Reader};

use super::error::SnapshotError;

/// Nobody else's business: it has the addresses of peers.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// Where the snapshot is kept. The folder stays open, so that a change of the root folder or of the
/// working directory changes nothing.
#[derive(Debug)]
pub(crate) struct Place {
    /// As it is configured, for people.
    path: PathBuf,
    folder: OwnedFd,
    name: OsString,
}

impl Place {
    /// Opens the folder of a path, if one is configured.
    pub(crate) fn open(path: &Path) -> Result<Option<Self>, SnapshotError> {
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let Some(name) = path.file_name() else {
            let path = path.to_owned();
            return Err(SnapshotError::NotAFile { path });
        };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = open(folder, flags, Mode::empty()).map_err(|errno| SnapshotError::Folder {
            folder: folder.to_owned(),
            cause: errno.into(),
        })?;
        Ok(Some(Self {
            path: path.to_owned(),
            folder: opened,
            name: name.to_owned(),
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the place of another file beside this one: of its name with an ending.
    pub(crate) fn sibling(&self, ending: &str) -> io::Result<Self> {
        let name = self.beside(ending);
        Ok(Self {
            path: self.path_beside(ending),
            folder: self.folder.try_clone()?,
            name,
        })
    }

    /// Reads a file of at most so many octets, if there is one.
    pub(crate) fn read(&self, most: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open_file()? else {
            return Ok(None);
        };
        let mut octets = Vec::new();
        file.take(most + 1).read_to_end(&mut octets)?;
        if octets.len() as u64 > most {
            let message = format!("it has more than {most} octets");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(Some(octets))
    }

    /// Puts a file of these octets into the place, as a whole or not at all.
    pub(crate) fn write(&self, octets: &[u8]) -> io::Result<()> {
        let mut successor = self.create()?;
        successor.file.write_all(octets)?;
        successor.take_place()
    }

    /// Opens the file, if there is one. A FIFO would wait for its writer.
    fn open_file(&self) -> io::Result<Option<File>> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        match openat(&self.folder, &*self.name, flags, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens the snapshot, if there is one. An empty file is none.
    pub(crate) fn open_snapshot(&self) -> Result<Option<Reader<File>>, SnapshotError> {
        let unreadable = |cause: OpenError| SnapshotError::Unreadable {
            path: self.path.clone(),
            cause,
        };
        let file = match self.open_file() {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(error) => return Err(unreadable(error.into())),
        };
        let metadata = file.metadata().map_err(|error| unreadable(error.into()))?;
        if !metadata.is_file() {
            let path = self.path.clone();
            return Err(SnapshotError::NotAFile { path });
        }
        if metadata.len() == 0 {
            return Ok(None);
        }
        Reader::new(file).map(Some).map_err(unreadable)
    }

    /// Tries whether a snapshot could be written. A lack of anything but rights may pass, and is
    /// only warned of.
    pub(crate) fn try_to_write(&self) -> Result<(), SnapshotError> {
        match self.create() {
            Ok(_) => Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
                Err(SnapshotError::Unwritable {
                    path: self.path.clone(),
                    cause,
                })
            }
            Err(cause) => {
                let path = self.path.display();
                tracing::warn!("snapshot.path: at present {path} cannot be written: {cause}");
                Ok(())
            }
        }
    }

    /// Creates the file that is to take the snapshot's place.
    pub(crate) fn create(&self) -> io::Result<Successor<'_>> {
        // A number of its own, so that two processes never write the same file.
        let name = self.beside(&format!("{:08x}.tmp", rand::random::<u32>()));
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let file = openat(&self.folder, &*name, flags, MODE)?;
        Ok(Successor {
            file: file.into(),
            place: self,
            name,
            is_in_place: false,
        })
    }

    /// Removes what a process has left that was killed while it wrote.
    pub(crate) fn remove_leftovers(&self) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        for entry in Dir::openat(&self.folder, ".", flags, Mode::empty())? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if self.is_leftover(name) {
                unlinkat(&self.folder, name, UnlinkatFlags::NoRemoveDir)?;
                tracing::info!("removed {name:?}, which was not written to its end");
            }
        }
        Ok(())
    }

    /// Gives the snapshot that is there another name beside its own, under which it is kept when
    /// its successor takes its place. Returns that name.
    pub(crate) fn keep_damaged(&self) -> io::Result<PathBuf> {
        let name = self.beside("damaged");
        match unlinkat(&self.folder, &*name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let (old, new) = (&*self.name, &*name);
        linkat(&self.folder, old, &self.folder, new, AtFlags::empty())
            // A file system without links.
            .or_else(|_| renameat(&self.folder, old, &self.folder, new))?;
        Ok(self.path.with_file_name(name))
    }

    /// Returns the path of a file beside this one, as it is configured.
    pub(crate) fn path_beside(&self, ending: &str) -> PathBuf {
        self.path.with_file_name(self.beside(ending))
    }

    /// The name of a file beside the snapshot: its own with an ending.
    fn beside(&self, ending: &str) -> OsString {
        let mut name = self.name.clone();
        name.push(".");
        name.push(ending);
        name
    }

    fn is_leftover(&self, name: &OsStr) -> bool {
        let number = || {
            let rest = name.as_bytes().strip_prefix(self.name.as_bytes())?;
            rest.strip_prefix(b".")?.strip_suffix(b".tmp")
        };
        number().is_some_and(|number| number.len() == 8 && number.iter().all(u8::is_ascii_hexdigit))
    }
}

/// A file that is to take the snapshot's place. Dropped before, it is removed.
#[derive(Debug)]
pub(crate) struct Successor<'a> {
    pub(crate) file: File,
    place: &'a Place,
    name: OsString,
    is_in_place: bool,
}

impl Successor<'_> {
    /// Puts the file into the snapshot's place, once the disk has all of it.
    pub(crate) fn take_place(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = &self.place.folder;
        renameat(folder, &*self.name, folder, &*self.place.name)?;
        self.is_in_place = true;
        match fsync(folder) {
            // A file system that does not sync folders.
            Ok(()) | Err(Errno::EINVAL) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Drop for Successor<'_> {
    fn drop(&mut self) {
        if !self.is_in_place {
            let folder = &self.place.folder;
            if let Err(error) = unlinkat(folder, &*self.name, UnlinkatFlags::NoRemoveDir) {
                tracing::debug!(%error, "cannot remove a snapshot that was given up");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_known_by_their_names() {
        let place = Place::open(Path::new("swarms.snapshot")).unwrap().unwrap();
        let leftover = place.beside("0123abcd.tmp");
        assert!(place.is_leftover(&leftover));
        for other in [
            "swarms.snapshot",
            "swarms.snapshot.tmp",
            "swarms.snapshot.damaged",
            "swarms.snapshot.0123abcg.tmp",
            "swarms.snapshot.0123abcd1.tmp",
            "swarms.0123abcd.tmp",
        ] {
            assert!(!place.is_leftover(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn leftovers_of_what_lies_beside_are_its_own() {
        let place = Place::open(Path::new("swarms")).unwrap().unwrap();
        let notes = place.sibling("notes").unwrap();
        let leftover = notes.beside("0123abcd.tmp");
        assert!(notes.is_leftover(&leftover) && !place.is_leftover(&leftover));
    }

    #[test]
    fn what_lies_beside_is_replaced_as_a_whole() {
        let folder = std::env::temp_dir().join(format!("place-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let place = Place::open(&folder.join("swarms")).unwrap().unwrap();
        let notes = place.sibling("notes").unwrap();
        assert_eq!(notes.path(), folder.join("swarms.notes"));
        assert_eq!(notes.read(9).unwrap(), None);
        for text in [&b"one"[..], b"", b"123456789"] {
            notes.write(text).unwrap();
            assert_eq!(notes.read(9).unwrap().as_deref(), Some(text));
        }
        let error = notes.read(8).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_path_has_a_name() {
        assert!(Place::open(Path::new("")).unwrap().is_none());
        for path in ["/", "..", "a/.."] {
            let error = Place::open(Path::new(path)).unwrap_err();
            assert!(matches!(error, SnapshotError::NotAFile { .. }), "{path}");
        }
    }
}
