//! The checkout that the tasks work on.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::metadata::Metadata;

/// The root of the repository, and a shell that runs there.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) sh: Shell,
}

impl Workspace {
    /// Finds the repository that this xtask belongs to.
    ///
    /// # Errors
    ///
    /// The working directory cannot be read.
    pub(crate) fn open() -> Result<Self> {
        // Cargo says where the manifest is now; the folder of build time may have been moved.
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir
            .parent()
            .context("xtask is a folder of the root")?
            .to_owned();
        let sh = Shell::new()?;
        sh.change_dir(&root);
        Ok(Self { root, sh })
    }

    /// Asks cargo for the packages and their resolved dependencies on this platform.
    ///
    /// # Errors
    ///
    /// Cargo fails, as it does when `Cargo.lock` is out of date.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let host = self.host()?;
        let json = cmd!(
            self.sh,
            "cargo metadata --locked --format-version 1 --filter-platform {host}"
        )
        .quiet()
        .read()?;
        serde_json::from_str(&json).context("the output of `cargo metadata`")
    }

    /// The triple of the platform that rustc runs on and builds for.
    ///
    /// # Errors
    ///
    /// rustc cannot be run.
    pub(crate) fn host(&self) -> Result<String> {
        let version = cmd!(self.sh, "rustc -vV").quiet().read()?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(host.context("`rustc -vV` names no host")?.to_owned())
    }

    /// The tracked files, and those that would be after `git add --all`, sorted.
    ///
    /// Without git, every file but those under the folders that `.gitignore` names.
    ///
    /// # Errors
    ///
    /// A folder cannot be read.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let listed = cmd!(self.sh, "git ls-files --cached --others --exclude-standard")
            .quiet()
            .ignore_stderr()
            .read();
        let mut files: Vec<String> = match listed {
            Ok(listed) => listed.lines().map(str::to_owned).collect(),
            Err(_) => self.walk()?,
        };
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn walk(&self) -> Result<Vec<String>> {
        let ignored = self.sh.read_file(".gitignore")?;
        let mut files = Vec::new();
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for path in self.sh.read_dir(&folder)? {
                let name = path
                    .strip_prefix(&self.root)?
                    .to_string_lossy()
                    .into_owned();
                if name == ".git" || ignored.lines().any(|line| line == format!("/{name}")) {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(name);
                }
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_finds_what_git_lists() {
        let workspace = Workspace::open().unwrap();
        let walked = workspace.walk().unwrap();
        for file in [
            "Cargo.toml",
            "xtask/src/workspace.rs",
            ".gitignore",
            ".ci/run",
        ] {
            assert!(walked.iter().any(|name| name == file), "{file} is missing");
        }
        assert!(!walked.iter().any(|name| name.starts_with("target/")));
        for file in workspace.files().unwrap() {
            assert!(walked.contains(&file), "{file} is missing");
        }
    }

    #[test]
    fn the_metadata_names_the_members() {
        let metadata = Workspace::open().unwrap().metadata().unwrap();
        assert!(metadata.members().any(|package| package.name == "xtask"));
    }
}
