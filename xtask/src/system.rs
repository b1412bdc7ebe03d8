//! Programs of the system that the tasks call.

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

/// A Debian package, and what proves that it is installed.
pub(crate) struct Package {
    name: &'static str,
    proof: Proof,
}

enum Proof {
    /// A program on the path or in an `sbin` folder.
    Program(&'static str),
    /// A module of the system's own Python, which another Python on the path does not see.
    PythonModule(&'static str),
}

/// Everything that the namespace tests call beyond a minimal Debian.
pub(crate) const NAMESPACE_TESTS: &[Package] = &[
    Package {
        name: "iproute2",
        proof: Proof::Program("ip"),
    },
    Package {
        name: "nftables",
        proof: Proof::Program("nft"),
    },
    Package {
        name: "transmission-daemon",
        proof: Proof::Program("transmission-daemon"),
    },
    Package {
        name: "aria2",
        proof: Proof::Program("aria2c"),
    },
    Package {
        name: "python3-libtorrent",
        proof: Proof::PythonModule("libtorrent"),
    },
    Package {
        name: "python3-seccomp",
        proof: Proof::PythonModule("seccomp"),
    },
    Package {
        name: "qbittorrent-nox",
        proof: Proof::Program("qbittorrent-nox"),
    },
];

/// What counts instructions.
pub(crate) const INSTRUCTION_COUNTER: &[Package] = &[Package {
    name: "valgrind",
    proof: Proof::Program("valgrind"),
}];

/// Says whether this process is root.
///
/// # Errors
///
/// `id` cannot be run.
pub(crate) fn is_root(sh: &Shell) -> Result<bool> {
    Ok(cmd!(sh, "id -u").quiet().read()? == "0")
}

/// Installs the packages that are missing.
///
/// # Errors
///
/// A package is missing and this is not Debian or not root, or apt-get fails.
pub(crate) fn ensure(sh: &Shell, packages: &[Package]) -> Result<()> {
    let absent = missing(sh, packages);
    if absent.is_empty() {
        eprintln!("nothing to install: {} packages are there", packages.len());
        return Ok(());
    }
    if !has_program(sh, "apt-get") || !is_root(sh)? {
        bail!(
            "missing, and installed by root with apt-get alone (Debian's names): {}",
            absent.join(" ")
        );
    }
    // It must neither ask, nor fail because another apt-get is at work.
    let apt = |arguments: &[&str]| {
        cmd!(
            sh,
            "apt-get --quiet -o DPkg::Lock::Timeout=600 {arguments...}"
        )
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
    };
    apt(&["update"])?;
    apt(&[
        &["install", "--yes", "--no-install-recommends"],
        absent.as_slice(),
    ]
    .concat())?;
    match missing(sh, packages).as_slice() {
        [] => Ok(()),
        still => bail!("installed, but still not usable: {}", still.join(" ")),
    }
}

fn missing(sh: &Shell, packages: &[Package]) -> Vec<&'static str> {
    let is_there = |package: &&Package| match package.proof {
        Proof::Program(name) => has_program(sh, name),
        Proof::PythonModule(name) => {
            let import = format!("import {name}");
            cmd!(sh, "/usr/bin/python3 -c {import}")
                .quiet()
                .ignore_stderr()
                .run()
                .is_ok()
        }
    };
    packages
        .iter()
        .filter(|package| !is_there(package))
        .map(|package| package.name)
        .collect()
}

fn has_program(sh: &Shell, name: &str) -> bool {
    let path = sh.var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .any(|dir| Path::new(dir).join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name() {
        let sh = Shell::new().unwrap();
        assert!(has_program(&sh, "id"));
        assert!(!has_program(&sh, "no-such-program"));
    }
}
