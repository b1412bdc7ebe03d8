//! What `cargo xtask dist` has made, as those take it who get it: `OPENTRACKER_DIST` is the folder.
//!
//! | sentence | tests |
//! |---|---|
//! | the archive is unpacked, installed and run | [`archive`] |
//! | the package of Debian is installed, upgraded and purged under systemd, that of RPM installed, run and erased | [`debian`] |
//! | the image is what it says, and runs with its user and environment | [`image`] |
//! | the SBOM is valid and complete, checksums are right | [`contents`] |
//! | nothing tells of the machine, and another folder gives the same octets | [`reproducible`] |

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod archive;
mod contents;
mod debian;
mod image;
mod reproducible;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use xshell::{Shell, cmd};

const PROGRAMS: [&str; 2] = ["bin/opentracker", "bin/opentracker-ctl"];

const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The folder with the files of the release.
fn dist() -> PathBuf {
    std::env::var_os("OPENTRACKER_DIST")
        .expect("`cargo xtask test` says where the release is")
        .into()
}

/// The file of the release whose name ends so.
fn file(ending: &str) -> PathBuf {
    let files = Shell::new().unwrap().read_dir(dist()).unwrap();
    let ends = |file: &PathBuf| file.to_string_lossy().ends_with(ending);
    let mut found = files.into_iter().filter(ends);
    let file = found.next().unwrap_or_else(|| panic!("no file {ending}"));
    assert_eq!(found.next(), None, "two files {ending}");
    file
}

/// The programs of the archive, each with its octets as text.
fn programs(sh: &Shell) -> impl Iterator<Item = (&'static str, String)> {
    let temporary = sh.create_temp_dir().unwrap();
    let archive = file(".tar.gz");
    let folder = temporary.path();
    cmd!(
        sh,
        "tar --extract --file {archive} --directory {folder} --strip-components=1"
    )
    .quiet()
    .run()
    .unwrap();
    PROGRAMS.into_iter().map(move |program| {
        let octets = fs::read(temporary.path().join(program)).unwrap();
        (program, String::from_utf8_lossy(&octets).into_owned())
    })
}

/// The repository.
fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Waits for something that comes.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// A process that ends with its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A tracker in a network of its own, with the listeners that it has by default.
struct Tracker {
    process: Process,
    environment: BTreeMap<String, String>,
}

impl Tracker {
    /// Starts a command, with its environment and no other, after what makes its surroundings.
    fn start(before: &str, command: &[&str], environment: BTreeMap<String, String>) -> Self {
        let own_network = format!("ip link set lo up && {before} && exec \"$@\"");
        let mut unshare = Command::new("unshare");
        unshare.args([
            "--net",
            "--mount",
            "sh",
            "-c",
            &own_network,
            "sh",
            "env",
            "--ignore-environment",
        ]);
        unshare.args(
            environment
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        let process = Process(unshare.args(command).spawn().unwrap());
        Self {
            process,
            environment,
        }
    }

    /// Runs a command beside it; returns what it says.
    fn ask(&self, command: &[&str]) -> Result<String, xshell::Error> {
        let process = self.process.0.id().to_string();
        let environment = self.environment.iter();
        let environment = environment.map(|(name, value)| format!("{name}={value}"));
        let sh = Shell::new()?;
        cmd!(sh, "nsenter --net --mount --target {process} env --ignore-environment {environment...} {command...}")
            .quiet()
            .ignore_stderr()
            .read()
    }

    /// Waits until it serves; then it does over UDP and HTTP, one swarm.
    fn assert_serves(&self, ctl: &[&str]) {
        let announce =
            |url, rest: &[&str]| self.ask(&[ctl, &["announce", url, HASH], rest].concat());
        let http = "http://127.0.0.1:6969/announce";
        eventually("an answer", || {
            announce(http, &["--left", "0", "--stay"]).ok()
        });
        let said = announce("udp://127.0.0.1:6969/announce", &["--port", "1"]).unwrap();
        assert!(said.contains("1 seeder, 1 leecher"), "{said}");
    }
}
