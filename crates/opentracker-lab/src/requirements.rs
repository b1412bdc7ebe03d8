use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

/// Interpreter for which Debian's `python3-libtorrent` is built. Another `python3` that comes
/// first in `PATH` would not find the module.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

/// Debian packages that the lab and its tests need, each with the program that is used of it.
///
/// `python3-libtorrent` is a module, so its program is the interpreter that loads it, and the
/// presence of the program proves nothing: [`missing_packages`] knows how to ask.
pub const REQUIRED_PACKAGES: &[(&str, &str)] = &[
    ("iproute2", "ip"),
    ("nftables", "nft"),
    ("transmission-daemon", "transmission-daemon"),
    ("aria2", "aria2c"),
    (LIBTORRENT_PACKAGE, PYTHON),
    ("qbittorrent-nox", "qbittorrent-nox"),
    ("nginx", "nginx"),
    // A module, which is found by its path.
    (
        "libnginx-mod-stream",
        "/usr/lib/nginx/modules/ngx_stream_module.so",
    ),
    ("haproxy", "haproxy"),
    ("curl", "curl"),
    ("nats-server", "nats-server"),
    ("openssl", "openssl"),
];

const LIBTORRENT_PACKAGE: &str = "python3-libtorrent";

/// Lists the packages of [`REQUIRED_PACKAGES`] that are not installed here, in that order.
pub fn missing_packages() -> Vec<&'static str> {
    REQUIRED_PACKAGES
        .iter()
        .filter(|&&(package, program)| !is_installed(package, program))
        .map(|&(package, _)| package)
        .collect()
}

/// Checks that the test may make namespaces.
///
/// # Panics
///
/// Panics without root's rights.
pub(crate) fn require_root() {
    assert!(
        nix::unistd::geteuid().is_root(),
        "the lab makes network namespaces and needs root: \
         run `sudo -E cargo test -p opentracker-lab --test it`"
    );
}

/// Checks that a program of [`REQUIRED_PACKAGES`] is there.
///
/// # Panics
///
/// Panics with the package to install if it is missing.
pub(crate) fn require_program(wanted: &str) {
    let &(package, program) = REQUIRED_PACKAGES
        .iter()
        .find(|&&(_, program)| program == wanted)
        .expect("the lab runs no program that REQUIRED_PACKAGES leaves out");
    assert!(
        is_installed(package, program),
        "the lab needs `{program}` of the Debian package `{package}`: \
         run `apt-get install {package}`"
    );
}

fn is_installed(package: &str, program: &str) -> bool {
    if package == LIBTORRENT_PACKAGE {
        return Command::new(program)
            .args(["-c", "import libtorrent"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
    }
    // An absolute program replaces the folder that it is joined to.
    env::var_os("PATH").is_some_and(|path| {
        env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_system_is_found_and_an_invented_one_is_not() {
        assert!(is_installed("dash", "sh"));
        assert!(is_installed("dash", "/bin/sh"));
        assert!(!is_installed("nothing", "no-such-program-anywhere"));
    }

    #[test]
    #[should_panic(expected = "REQUIRED_PACKAGES leaves out")]
    fn a_program_without_a_package_is_a_mistake_of_the_lab() {
        require_program("no-such-program-anywhere");
    }
}
