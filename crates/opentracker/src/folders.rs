//! Files that are out of sight once the process has another root folder.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

/// Folders that were opened before the process got another root folder, so that their files can
/// be read again.
///
/// Such a folder is a way out of the root folder, so none is kept without need.
#[derive(Debug, Default)]
pub struct Folders(Vec<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    descriptor: OwnedFd,
}

impl Folders {
    /// Opens the folders of files, to be called before the root folder changes. One that cannot be
    /// opened is left out: its files cannot be read now either.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut folders = Self::default();
        for (path, _) in files.into_iter().filter_map(split) {
            let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            if folders.find(path).is_none()
                && let Ok(descriptor) = open(path, flags, Mode::empty())
            {
                let path = path.to_owned();
                folders.0.push(Folder { path, descriptor });
            }
        }
        folders
    }

    /// Closes the folders of which no file is out of sight, to be called after the root folder has
    /// changed.
    pub fn close_needless<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) {
        let files: Vec<_> = files
            .into_iter()
            .filter(|file| !is_in_sight(file))
            .collect();
        let is_needed = |folder: &Folder| {
            let mut folders = files.iter().filter_map(|file| split(file));
            folders.any(|(path, _)| path == folder.path)
        };
        self.0.retain(is_needed);
    }

    /// Opens a file to read it: where the process sees it, or else in the folder where it was.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(&self, file: &Path) -> std::io::Result<File> {
        Ok(self.open_for(file, OFlag::O_RDONLY)?.into())
    }

    pub(crate) fn open_for(&self, file: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let opened = open(file, flags, Mode::empty());
        match (opened, split(file)) {
            (Err(Errno::ENOENT | Errno::ENOTDIR), Some((path, name)))
                if let Some(folder) = self.find(path) =>
            {
                openat(&folder.descriptor, name, flags, Mode::empty())
            }
            (opened, _) => opened,
        }
    }

    fn find(&self, path: &Path) -> Option<&Folder> {
        self.0.iter().find(|folder| folder.path == path)
    }
}

/// The folder of a file, and the file's name in it.
fn split(file: &Path) -> Option<(&Path, &Path)> {
    let name = file.file_name()?;
    let folder = file.parent().filter(|path| !path.as_os_str().is_empty());
    Some((folder.unwrap_or(Path::new(".")), Path::new(name)))
}

fn is_in_sight(file: &Path) -> bool {
    let opened = open(file, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    !matches!(opened, Err(Errno::ENOENT | Errno::ENOTDIR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read;

    fn read(folders: &Folders, file: &Path) -> Option<String> {
        let mut text = String::new();
        folders.open(file).ok()?.read_to_string(&mut text).ok()?;
        Some(text)
    }

    #[test]
    fn files_out_of_sight_are_found_in_their_folder() {
        let base = std::env::temp_dir().join(format!("folders-{}", std::process::id()));
        let [file, other] = ["seen/file", "seen/other"].map(|name| base.join(name));
        fs::create_dir_all(base.join("seen")).unwrap();
        fs::write(&file, "one").unwrap();
        let missing = base.join("missing/file");
        let mut folders = Folders::of([file.as_path(), &missing, &other]);
        assert_eq!(folders.0.len(), 1, "there is one, and it is opened once");
        fs::rename(base.join("seen"), base.join("unseen")).unwrap();
        assert_eq!(read(&folders, &file).as_deref(), Some("one"));
        assert_eq!(read(&folders, &other), None);
        fs::write(base.join("unseen/other"), "two").unwrap();
        assert_eq!(read(&folders, &other).as_deref(), Some("two"));
        // What can be seen comes first.
        fs::create_dir(base.join("seen")).unwrap();
        fs::write(&file, "three").unwrap();
        assert_eq!(read(&folders, &file).as_deref(), Some("three"));
        folders.close_needless([file.as_path(), &other]);
        assert_eq!(read(&folders, &other).as_deref(), Some("two"));
        folders.close_needless([file.as_path()]);
        assert_eq!(read(&folders, &other), None, "it is not kept without need");
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn a_file_has_a_folder_and_a_name() {
        let parts =
            |file| split(Path::new(file)).map(|(folder, name)| (folder.to_str(), name.to_str()));
        assert_eq!(parts("a/b"), Some((Some("a"), Some("b"))));
        assert_eq!(parts("b"), Some((Some("."), Some("b"))));
        assert_eq!(parts("/b/"), Some((Some("/"), Some("b"))));
        assert_eq!(parts(""), None);
        assert_eq!(parts("/"), None);
    }
}
