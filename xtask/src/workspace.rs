//! The checkout that the tasks work on.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand, Package, Target};
use xshell::{Shell, cmd};

/// What operators get, as (package, binary). `dist` ships each, the documentation may call each.
pub(crate) const PROGRAMS: &[(&str, &str)] = &[
    ("opentracker-daemon", "opentracker"),
    ("opentracker-ctl", "opentracker-ctl"),
];

/// The root of the repository, and a shell that runs there.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) sh: Shell,
}

impl Workspace {
    /// Finds the repository that this xtask belongs to.
    pub(crate) fn open() -> Result<Self> {
        // Cargo says where the manifest is now; the folder of build time may have been moved.
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir.parent().context("xtask has a parent folder")?;
        let sh = Shell::new()?;
        sh.change_dir(root);
        Ok(Self {
            root: root.to_owned(),
            sh,
        })
    }

    /// Asks cargo for the packages and their resolved dependencies on this platform.
    pub(crate) fn metadata(&self) -> Result<Metadata> {
        let options = ["--locked", "--filter-platform", &self.rustc("host")?].map(str::to_owned);
        let mut command = MetadataCommand::new();
        command.current_dir(&self.root).other_options(options);
        Ok(command.exec()?)
    }

    /// Reads a field of what `rustc -vV` says, such as `host` or `release`.
    pub(crate) fn rustc(&self, field: &str) -> Result<String> {
        let said = cmd!(self.sh, "rustc -vV").quiet().read()?;
        let value = said
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
        Ok(value
            .with_context(|| format!("`rustc -vV` names no {field}"))?
            .to_owned())
    }

    /// Builds [`PROGRAMS`] in a profile, and returns the folder that holds them.
    pub(crate) fn build(&self, profile: &str) -> Result<PathBuf> {
        let packages = PROGRAMS
            .iter()
            .flat_map(|(package, _)| ["--package", package]);
        cmd!(
            self.sh,
            "cargo build --locked --profile {profile} {packages...}"
        )
        .run()?;
        Ok(self.metadata()?.target_directory.join(profile).into())
    }

    /// Lists the files that git tracks, and those that it would after `git add --all`, sorted.
    ///
    /// Without git, every file but those under the folders that `.gitignore` names.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let listed = cmd!(self.sh, "git ls-files --cached --others --exclude-standard")
            .quiet()
            .ignore_stderr()
            .read();
        let mut files = match listed {
            Ok(listed) => listed.lines().map(str::to_owned).collect(),
            Err(_) => self.walk(&self.root, &self.sh.read_file(".gitignore")?)?,
        };
        files.retain(|file| self.root.join(file).is_file());
        files.sort();
        files.dedup();
        Ok(files)
    }

    fn walk(&self, folder: &Path, ignored: &str) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for path in self.sh.read_dir(folder)? {
            let name = path.strip_prefix(&self.root)?.to_string_lossy();
            if name == ".git" || ignored.lines().any(|line| line == format!("/{name}")) {
                continue;
            }
            if path.is_dir() {
                files.extend(self.walk(&path, ignored)?);
            } else {
                files.push(name.into_owned());
            }
        }
        Ok(files)
    }
}

/// Lists the tests that need root, network namespaces or client programs.
///
/// Their mark is `test = false` on the `[[test]]` target: plain `cargo test` leaves them out, and
/// `cargo xtask test` runs them by name.
pub(crate) fn namespace_tests(metadata: &Metadata) -> Vec<(&Package, &Target)> {
    let members = metadata.workspace_packages().into_iter();
    members
        .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
        .filter(|(_, target)| target.is_test() && !target.test)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_finds_what_git_lists() {
        let workspace = Workspace::open().unwrap();
        let walked = workspace.walk(&workspace.root, "/target\n/dist\n").unwrap();
        assert!(walked.iter().any(|file| file == "xtask/src/workspace.rs"));
        assert!(!walked.iter().any(|file| file.starts_with("target/")));
        for file in workspace.files().unwrap() {
            assert!(walked.contains(&file), "{file} is missing");
        }
    }

    #[test]
    fn namespace_tests_are_the_targets_that_plain_cargo_test_leaves_out() {
        let metadata = Workspace::open().unwrap().metadata().unwrap();
        let tests: Vec<(&str, &str)> = namespace_tests(&metadata)
            .into_iter()
            .map(|(package, target)| (package.name.as_str(), target.name.as_str()))
            .collect();
        assert!(tests.contains(&("opentracker-lab", "clients")), "{tests:?}");
        assert!(!tests.contains(&("xtask", "it")), "{tests:?}");
        // `cargo test --workspace --test NAME` runs all that have the name.
        let targets = metadata.workspace_packages().into_iter();
        let targets = targets.flat_map(|package| &package.targets);
        for (_, test) in tests {
            let named = targets.clone().filter(|target| target.name == test);
            assert_eq!(named.filter(|target| target.is_test()).count(), 1, "{test}");
        }
    }
}
