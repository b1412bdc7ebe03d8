//! A folder of `.torrent` files, which is a list of their info hashes.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use opentracker_core::HashList;
use opentracker_metainfo::InfoHashes;

use super::source::{Progress, hash, kind};
use crate::folders::Folders;

/// The most octets of a torrent; larger ones are skipped. One of a million pieces has 20 MB.
const MAX_OCTETS: u64 = 32 * 1024 * 1024;

/// The most torrents in a folder; one with more is not taken.
const MAX_TORRENTS: usize = 1 << 20;

/// The most files that a warning names.
const MAX_NAMED: usize = 5;

/// Hashes the names of the torrents and what changes with each of them.
pub(super) fn fingerprint(folders: &Folders, path: &Path) -> nix::Result<u64> {
    let folder = folders.open_for(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
    let mut sum = 0_u64;
    for name in names(&folder)? {
        let Some(stat) = stat(&folder, &name)? else {
            continue;
        };
        let mut hasher = DefaultHasher::new();
        (name, hash(&stat)).hash(&mut hasher);
        sum = sum.wrapping_add(hasher.finish());
    }
    Ok(sum)
}

/// Reads all torrents of a folder, and says which were skipped.
pub(super) fn read(
    folder: &OwnedFd,
    progress: &Progress,
) -> io::Result<(HashList, Option<String>)> {
    let mut names = names(folder).map_err(|error| match error {
        Errno::E2BIG => io::Error::other(format!("it has more than {MAX_TORRENTS} torrents")),
        error => error.into(),
    })?;
    names.sort_unstable();
    let mut hashes = Vec::new();
    let mut skipped = Skipped::default();
    for name in &names {
        let in_file =
            |cause: io::Error| io::Error::new(cause.kind(), format!("{}: {cause}", shown(name)));
        match read_torrent(folder, name).map_err(in_file)? {
            Torrent::Read(found) => hashes.extend(found.iter()),
            Torrent::Gone => {}
            Torrent::None(why) => skipped.add(name, &why),
        }
        progress.note(1)?;
    }
    Ok((hashes.into(), skipped.into_warning()))
}

enum Torrent {
    Read(InfoHashes),
    /// It was removed meanwhile.
    Gone,
    /// It is none, for this reason.
    None(String),
}

fn read_torrent(folder: &OwnedFd, name: &CStr) -> io::Result<Torrent> {
    let Some(stat) = stat(folder, name)? else {
        return Ok(Torrent::Gone);
    };
    // Else a pipe would have to be waited for.
    if kind(&stat) != SFlag::S_IFREG {
        return Ok(Torrent::None("no file".to_owned()));
    }
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(Torrent::Gone),
        file => File::from(file?),
    };
    let mut octets = Vec::new();
    file.take(MAX_OCTETS + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_OCTETS {
        let most = MAX_OCTETS / 1024 / 1024;
        return Ok(Torrent::None(format!("more than {most} MiB")));
    }
    Ok(match InfoHashes::of(&octets) {
        Ok(found) => Torrent::Read(found),
        Err(error) => Torrent::None(error.to_string()),
    })
}

/// Looks at a file through links; `None` if it is not there.
fn stat(folder: &OwnedFd, name: &CStr) -> nix::Result<Option<FileStat>> {
    match fstatat(folder, name, AtFlags::empty()) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the names that end in `.torrent`, but for hidden ones. More than [`MAX_TORRENTS`] are
/// `E2BIG`.
fn names(folder: impl AsFd) -> nix::Result<Vec<CString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::openat(folder, ".", flags, Mode::empty())? {
        let entry = entry?;
        let name = entry.file_name();
        let ending = name.to_bytes().last_chunk::<8>();
        let is_torrent = ending.is_some_and(|ending| ending.eq_ignore_ascii_case(b".torrent"));
        if !is_torrent || name.to_bytes().starts_with(b".") {
            continue;
        }
        if names.len() == MAX_TORRENTS {
            return Err(Errno::E2BIG);
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// Files of a folder that are no torrents.
#[derive(Default)]
struct Skipped {
    files: u64,
    first: Vec<String>,
}

impl Skipped {
    fn add(&mut self, name: &CStr, why: &str) {
        self.files += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(format!("{} ({why})", shown(name)));
        }
    }

    fn into_warning(self) -> Option<String> {
        let what = match self.files {
            0 => return None,
            1 => "1 file is no torrent and was skipped".to_owned(),
            files => format!("{files} files are no torrents and were skipped"),
        };
        let more = if self.files > self.first.len() as u64 {
            ", …"
        } else {
            ""
        };
        Some(format!("{what}: {}{more}", self.first.join(", ")))
    }
}

fn shown(name: &CStr) -> String {
    name.to_string_lossy().escape_debug().to_string()
}
