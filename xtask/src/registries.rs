//! Packages of npm and PyPI that tests use: each test has its own, in the target folder.
//!
//! A test names them in the manifest of its crate, with their versions:
//!
//! ```text
//! [package.metadata.npm-packages]
//! browser = { axe-core = "4.14.1" }
//! [package.metadata.pypi-packages]
//! api = { schemathesis = "4.0.0" }
//! ```
//!
//! and finds them where a variable says: in `OPENTRACKER_NPM` the folder `node_modules`, in
//! `OPENTRACKER_PYPI` a virtual environment.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::Package;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::system;

/// Where packages come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Registry {
    Npm,
    Pypi,
}

impl Registry {
    pub(crate) const ALL: [Self; 2] = [Self::Npm, Self::Pypi];

    /// The table of a manifest.
    fn table(self) -> &'static str {
        match self {
            Self::Npm => "npm-packages",
            Self::Pypi => "pypi-packages",
        }
    }

    /// The variable that tells a test where its packages are.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Npm => "OPENTRACKER_NPM",
            Self::Pypi => "OPENTRACKER_PYPI",
        }
    }

    /// Installs what a test names, if it is not there; returns where that is, or `None` if the test
    /// names nothing.
    pub(crate) fn ensure(
        self,
        sh: &Shell,
        target: &Path,
        package: &Package,
        test: &str,
    ) -> Result<Option<PathBuf>> {
        let wanted = self.packages_of(package, test)?;
        if wanted.is_empty() {
            return Ok(None);
        }
        let folder = target.join(self.table()).join(&*package.name).join(test);
        let place = match self {
            Self::Npm => folder.join("node_modules"),
            Self::Pypi => folder.clone(),
        };
        // Written last, so that an installation that broke off is none.
        let stamp = folder.join("installed");
        let list = wanted.join("\n");
        if stamp.is_file() && sh.read_file(&stamp)? == list {
            eprintln!("nothing to install: {} packages are there", wanted.len());
            return Ok(Some(place));
        }
        sh.remove_path(&folder)?;
        sh.create_dir(&folder)?;
        match self {
            Self::Npm => npm(sh, &folder, &wanted)?,
            Self::Pypi => pypi(sh, &folder, &wanted)?,
        }
        sh.write_file(stamp, list)?;
        Ok(Some(place))
    }

    /// Lists the packages that the manifest of a crate names for one of its tests, as an installer
    /// wants them.
    fn packages_of(self, package: &Package, test: &str) -> Result<Vec<String>> {
        let between = match self {
            Self::Npm => "@",
            Self::Pypi => "==",
        };
        let of_test = match &package.metadata[self.table()][test] {
            Value::Null => return Ok(Vec::new()),
            Value::Object(packages) => packages.iter(),
            other => bail!("{}: `{test}` names {other}, no packages", package.name),
        };
        let named = of_test.map(|(name, version)| {
            let version = version.as_str().context("a version is a string")?;
            Ok(format!("{name}{between}{version}"))
        });
        named.collect()
    }
}

fn npm(sh: &Shell, folder: &Path, packages: &[String]) -> Result<()> {
    if cmd!(sh, "npm --version")
        .quiet()
        .ignore_stderr()
        .read()
        .is_err()
    {
        system::ensure(sh, &["nodejs", "npm"])?;
    }
    // No script of a package runs: a test needs what they bring, not what they would fetch.
    let flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
    Ok(cmd!(sh, "npm install {flags...} --prefix {folder} {packages...}").run()?)
}

fn pypi(sh: &Shell, folder: &Path, packages: &[String]) -> Result<()> {
    if cmd!(sh, "python3 -m venv {folder}")
        .quiet()
        .ignore_stderr()
        .run()
        .is_err()
    {
        system::ensure(sh, &["python3-venv"])?;
        cmd!(sh, "python3 -m venv --clear {folder}").run()?;
    }
    let pip = folder.join("bin/pip");
    let flags = ["--disable-pip-version-check", "--quiet"];
    Ok(cmd!(sh, "{pip} install {flags...} {packages...}").run()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn the_packages_of_a_test_stand_in_its_manifest_with_their_versions() {
        let metadata = Workspace::open().unwrap().metadata().unwrap();
        let mut packages = metadata.packages.iter();
        let daemon = packages.find(|package| package.name == "opentracker-daemon");
        let daemon = daemon.unwrap();
        let browser = Registry::Npm.packages_of(daemon, "browser").unwrap();
        let is_named = |name: &str| browser.iter().any(|package| package.starts_with(name));
        assert!(
            is_named("playwright-core@") && is_named("axe-core@"),
            "{browser:?}"
        );
        assert!(
            Registry::Pypi
                .packages_of(daemon, "browser")
                .unwrap()
                .is_empty()
        );
        assert!(
            Registry::Npm
                .packages_of(daemon, "no-such-test")
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn what_is_there_is_not_installed_again() {
        let workspace = Workspace::open().unwrap();
        let metadata = workspace.metadata().unwrap();
        let mut packages = metadata.packages.iter();
        let daemon = packages.find(|package| package.name == "opentracker-daemon");
        let daemon = daemon.unwrap();
        let sh = &workspace.sh;
        let target = sh.create_temp_dir().unwrap();
        let folder = target
            .path()
            .join("npm-packages/opentracker-daemon/browser");
        let wanted = Registry::Npm.packages_of(daemon, "browser").unwrap();
        sh.write_file(folder.join("installed"), wanted.join("\n"))
            .unwrap();
        let place = Registry::Npm
            .ensure(sh, target.path(), daemon, "browser")
            .unwrap();
        assert_eq!(place, Some(folder.join("node_modules")));
        let none = Registry::Npm
            .ensure(sh, target.path(), daemon, "it")
            .unwrap();
        assert_eq!(none, None);
    }
}
