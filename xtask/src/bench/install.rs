//! The trackers that ours is compared with, each from its own registry, in `target/peers`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

pub(super) const AQUATIC_VERSION: &str = "0.9.0";

type Aquatic = (&'static str, &'static str, &'static str);

/// Programs from the Rust registry: the package, its features, and the folder below that of the
/// others, for two builds of one program.
///
/// Without the feature for metrics, whose dependency today's compilers refuse; it is off at run
/// time by default.
const AQUATIC: [Aquatic; 3] = [
    ("aquatic_udp", "mimalloc", ""),
    ("aquatic_udp", "mimalloc,io-uring", "io_uring"),
    ("aquatic_http", "mimalloc", ""),
];

/// The tracker of JavaScript, from npm.
pub(super) const NODE_TRACKER: &str = "bittorrent-tracker@11.2.3";

/// The C program and the library that it needs.
const DEBIAN: [&str; 2] = ["opentracker", "libowfat0"];

/// Installs what is missing. Nothing is installed into the system, and nothing is started.
pub(super) fn all(sh: &Shell, others: &Path) -> Result<()> {
    aquatic(sh, others, &AQUATIC)?;
    let debian = others.join("debian");
    if !opentracker_c(others).is_file() {
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

/// Installs the trackers of UDP that are missing, but for the C program.
pub(super) fn for_udp(sh: &Shell, others: &Path) -> Result<()> {
    aquatic(sh, others, &AQUATIC[..2])
}

/// Installs the trackers of browsers that are missing.
pub(super) fn for_browsers(sh: &Shell, others: &Path) -> Result<()> {
    aquatic(sh, others, &[("aquatic_ws", "mimalloc", "")])?;
    let script = node_tracker(others);
    if !script.is_file() {
        let (folder, package) = (others.join("npm"), NODE_TRACKER);
        sh.create_dir(&folder)?;
        let flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-save"];
        cmd!(sh, "npm install {flags...} --prefix {folder} {package}").run()?;
        sh.write_file(script, include_str!("bittorrent-tracker.mjs"))?;
    }
    Ok(())
}

/// The script that starts the tracker of JavaScript.
pub(super) fn node_tracker(others: &Path) -> PathBuf {
    others.join("npm/bittorrent-tracker.mjs")
}

fn aquatic(sh: &Shell, others: &Path, programs: &[Aquatic]) -> Result<()> {
    for (package, features, folder) in programs {
        let root = others.join(folder);
        if root.join("bin").join(package).is_file() {
            continue;
        }
        let package = format!("{package}@{AQUATIC_VERSION}");
        // The checkout pins a toolchain and configures cargo; neither is for them.
        let _elsewhere = sh.push_dir(sh.create_dir(others)?);
        let build = others.join("build");
        cmd!(
            sh,
            "cargo install --locked --root {root} --target-dir {build} --no-default-features
             --features {features} {package}"
        )
        .run()?;
    }
    Ok(())
}

/// The C program.
pub(super) fn opentracker_c(others: &Path) -> PathBuf {
    others.join("debian/usr/bin/opentracker")
}

/// The folders of the libraries of the C program, as `LD_LIBRARY_PATH` wants them: none where it is
/// not installed.
pub(super) fn libraries(sh: &Shell, others: &Path) -> Result<String> {
    let debian = others.join("debian");
    let found = cmd!(sh, "find {debian} -name libowfat.so.* -printf %h:")
        .quiet()
        .ignore_status()
        .ignore_stderr()
        .read()?;
    Ok(found.trim_end_matches(':').to_owned())
}

/// The version of the C program, from the name of its archive.
pub(super) fn debian_version(sh: &Shell, others: &Path) -> Result<String> {
    for archive in archives(sh, &others.join("debian"))? {
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        if let Some(rest) = name.strip_prefix("opentracker_")
            && let Some((version, _)) = rest.split_once('_')
        {
            return Ok(version.replace("%3a", ":"));
        }
    }
    bail!("no archive of opentracker in {}", others.display())
}

fn archives(sh: &Shell, debian: &Path) -> Result<Vec<PathBuf>> {
    let mut files = sh.read_dir(debian)?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "deb"));
    Ok(files)
}
