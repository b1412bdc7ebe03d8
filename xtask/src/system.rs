//! Debian packages that the tasks need beyond a minimal installation.
//!
//! A test names its own in the manifest of its crate, so that whoever writes one edits no list here:
//!
//! ```text
//! [package.metadata.debian-packages]
//! it = ["iproute2", "aria2"]
//! ```

use anyhow::{Context, Result, bail};
use cargo_metadata::Package;
use serde_json::Value;
use xshell::{Shell, cmd};

/// Says whether this process is root.
pub(crate) fn is_root(sh: &Shell) -> Result<bool> {
    Ok(cmd!(sh, "id -u").quiet().read()? == "0")
}

/// Lists the packages that the manifest of a crate names for one of its tests.
pub(crate) fn packages_of<'a>(package: &'a Package, test: &str) -> Result<Vec<&'a str>> {
    match &package.metadata["debian-packages"][test] {
        Value::Null => Some(Vec::new()),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        _ => None,
    }
    .with_context(|| format!("{}: `{test}` names no list of packages", package.name))
}

/// Installs the packages that are missing; elsewhere than on Debian, leaves it to the tests to say
/// what they miss.
pub(crate) fn ensure(sh: &Shell, packages: &[&str]) -> Result<()> {
    if cmd!(sh, "dpkg-query --version").quiet().read().is_err() {
        eprintln!("nothing is installed: this is not Debian");
        return Ok(());
    }
    let absent: Vec<&str> = packages
        .iter()
        .filter(|package| !is_installed(sh, package))
        .copied()
        .collect();
    if absent.is_empty() {
        eprintln!("nothing to install: {} packages are there", packages.len());
        return Ok(());
    }
    if !is_root(sh)? {
        bail!("missing, and installed by root alone: {}", absent.join(" "));
    }
    // It must neither ask, nor fail because another apt-get is at work.
    let _environment = sh.push_env("DEBIAN_FRONTEND", "noninteractive");
    let apt = ["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=600"];
    cmd!(sh, "env {apt...} update").run()?;
    cmd!(
        sh,
        "env {apt...} install --yes --no-install-recommends {absent...}"
    )
    .run()?;
    Ok(())
}

fn is_installed(sh: &Shell, package: &str) -> bool {
    let format = "--showformat=${db:Status-Status}";
    cmd!(sh, "dpkg-query --show {format} {package}")
        .quiet()
        .ignore_stderr()
        .read()
        .is_ok_and(|status| status == "installed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Workspace, namespace_tests};

    #[test]
    fn a_package_that_nobody_has_is_not_installed() {
        assert!(!is_installed(&Shell::new().unwrap(), "no-such-package"));
    }

    #[test]
    fn the_packages_of_a_test_stand_in_its_manifest() {
        let metadata = Workspace::open().unwrap().metadata().unwrap();
        let tests = namespace_tests(&metadata);
        let named = |(package, target): (&Package, &cargo_metadata::Target)| {
            packages_of(package, &target.name).unwrap().len()
        };
        assert!(tests.into_iter().map(named).sum::<usize>() > 0);
        let lab = metadata
            .packages
            .iter()
            .find(|package| package.name == "opentracker-lab");
        let lab = lab.unwrap();
        assert!(packages_of(lab, "clients").unwrap().contains(&"aria2"));
        assert!(packages_of(lab, "no-such-test").unwrap().is_empty());
    }
}
