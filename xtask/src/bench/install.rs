//! The trackers that ours is compared with, each from its own registry, in `target/peers`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

pub(super) const AQUATIC_VERSION: &str = "0.9.0";

/// A program from the Rust registry.
struct Aquatic {
    package: &'static str,
    features: &'static str,
    /// The folder below that of the peers, for two builds of one program.
    folder: &'static str,
}

/// Without the feature for metrics, whose dependency today's compilers refuse; it is off at run
/// time by default.
const AQUATIC: [Aquatic; 3] = [
    Aquatic {
        package: "aquatic_udp",
        features: "mimalloc",
        folder: "",
    },
    Aquatic {
        package: "aquatic_udp",
        features: "mimalloc,io-uring",
        folder: "io_uring",
    },
    Aquatic {
        package: "aquatic_http",
        features: "mimalloc",
        folder: "",
    },
];

/// The C program and the library that it needs.
const DEBIAN: [&str; 2] = ["opentracker", "libowfat0"];

/// Installs what is missing. Nothing is installed into the system, and nothing is started.
///
/// # Errors
///
/// A registry or a compiler fails.
pub(super) fn all(sh: &Shell, peers: &Path) -> Result<()> {
    for aquatic in &AQUATIC {
        let root = peers.join(aquatic.folder);
        if root.join("bin").join(aquatic.package).is_file() {
            continue;
        }
        let package = format!("{}@{AQUATIC_VERSION}", aquatic.package);
        let features = aquatic.features;
        // The checkout pins a toolchain and configures cargo; neither is for them.
        let _elsewhere = sh.push_dir(sh.create_dir(peers)?);
        let build = peers.join("build");
        cmd!(
            sh,
            "cargo install --locked --root {root} --target-dir {build} --no-default-features
             --features {features} {package}"
        )
        .run()?;
    }
    let debian = peers.join("debian");
    if !opentracker_c(peers).is_file() {
        sh.create_dir(&debian)?;
        let _there = sh.push_dir(&debian);
        let packages = DEBIAN;
        cmd!(sh, "apt-get download {packages...}")
            .run()
            .context("opentracker (C) comes from Debian; has `apt-get update` been run?")?;
        for archive in archives(sh, &debian)? {
            cmd!(sh, "dpkg-deb --extract {archive} .").run()?;
        }
    }
    Ok(())
}

/// The C program.
pub(super) fn opentracker_c(peers: &Path) -> PathBuf {
    peers.join("debian/usr/bin/opentracker")
}

/// The folders of the libraries of the C program, as `LD_LIBRARY_PATH` wants them.
pub(super) fn libraries(sh: &Shell, peers: &Path) -> Result<String> {
    let debian = peers.join("debian");
    let found = cmd!(sh, "find {debian} -name libowfat.so.* -printf %h:")
        .quiet()
        .read()?;
    Ok(found.trim_end_matches(':').to_owned())
}

/// The version of the C program, from the name of its archive.
///
/// # Errors
///
/// There is no such archive.
pub(super) fn debian_version(peers: &Path) -> Result<String> {
    let sh = Shell::new()?;
    for archive in archives(&sh, &peers.join("debian"))? {
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        if let Some(rest) = name.strip_prefix("opentracker_")
            && let Some((version, _)) = rest.split_once('_')
        {
            return Ok(version.replace("%3a", ":"));
        }
    }
    bail!("no archive of opentracker in {}", peers.display())
}

fn archives(sh: &Shell, debian: &Path) -> Result<Vec<PathBuf>> {
    let mut files = sh.read_dir(debian)?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "deb"));
    Ok(files)
}
