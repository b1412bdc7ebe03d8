//! The packages on a Debian of their own, which systemd has booted in a container.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use xshell::{Shell, cmd};

use crate::{HASH, Process, eventually, file};

const UNITS: [&str; 2] = ["opentracker.socket", "opentracker.service"];
const HTTP: &str = "http://127.0.0.1:6969/announce";

/// A Debian like this one with nothing but systemd, from where this machine has its packages.
///
/// It takes a minute to make, so it stays in the target folder.
fn debian() -> &'static Path {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        let sh = Shell::new().unwrap();
        let release = sh.read_file("/etc/os-release").unwrap();
        let name = |line| str::strip_prefix(line, "VERSION_CODENAME=");
        let name = release.lines().find_map(name).expect("a name of Debian");
        let sources = sources(&sh);
        let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian");
        // Written last, so that an installation that broke off is none.
        let stamp = base.with_extension("sources");
        let list = sources.join("\n");
        if sh.read_file(&stamp).is_ok_and(|made| made == list) {
            return base;
        }
        sh.remove_path(&base).unwrap();
        let options = ["--variant=essential", "--include=systemd,dbus", "--quiet"];
        // What it mounts there goes with it, also when it is killed.
        cmd!(
            sh,
            "unshare --mount mmdebstrap {options...} {name} {base} {sources...}"
        )
        .run()
        .unwrap();
        sh.write_file(stamp, list).unwrap();
        base
    })
}

/// Where apt has the packages of Debian from, as its list of sources would name it.
fn sources(sh: &Shell) -> Vec<String> {
    let format = "$(ORIGIN)|deb $(REPO_URI) $(CODENAME) $(COMPONENT)";
    let indexes = "Created-By: Packages";
    let said = cmd!(sh, "apt-get indextargets --format {format} {indexes}");
    let said = said.quiet().read().unwrap();
    let lines = said.lines().filter_map(|line| line.strip_prefix("Debian|"));
    let mut sources: Vec<String> = lines.map(str::to_owned).collect();
    assert!(!sources.is_empty(), "apt names no source of Debian: {said}");
    sources.sort();
    sources.dedup();
    sources
}

/// A copy of the Debian, which goes with its test.
struct Root {
    sh: Shell,
    folder: PathBuf,
}

impl Root {
    fn new(name: &str) -> Self {
        let sh = Shell::new().unwrap();
        let base = debian();
        let folder = base.with_file_name(name);
        sh.remove_path(&folder).unwrap();
        cmd!(sh, "cp --archive --reflink=auto {base} {folder}")
            .quiet()
            .run()
            .unwrap();
        Self { sh, folder }
    }

    /// The files and folders that have our name, but for a unit's own `/tmp` and `/var/tmp`, which systemd
    /// removes when it finds the time.
    fn ours(&self) -> String {
        let folder = &self.folder;
        let find = cmd!(
            self.sh,
            "find {folder} -xdev -name *opentracker* -not -name systemd-private-*"
        );
        find.quiet().read().unwrap()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        self.sh.remove_path(&self.folder).unwrap();
    }
}

/// systemd as the first process of a root folder, with a network of its own.
struct Booted<'a> {
    root: &'a Root,
    init: String,
    nspawn: Process,
}

impl<'a> Booted<'a> {
    fn new(root: &'a Root) -> Self {
        let mut nspawn = Command::new("systemd-nspawn");
        nspawn.args([
            "--quiet",
            "--register=no",
            "--keep-unit",
            "--link-journal=no",
        ]);
        nspawn.args([
            "--private-network",
            "--console=pipe",
            "--boot",
            "--directory",
        ]);
        let streams = nspawn.stdin(Stdio::null()).stdout(Stdio::null());
        let nspawn = Process(streams.arg(&root.folder).spawn().unwrap());
        let id = nspawn.0.id();
        let children = format!("/proc/{id}/task/{id}/children");
        let mut booted = Self {
            root,
            init: String::new(),
            nspawn,
        };
        let sh = &root.sh;
        eventually("systemd", || {
            booted.init = sh
                .read_file(&children)
                .ok()?
                .split_whitespace()
                .next()?
                .to_owned();
            let state = booted.command(&["systemctl", "is-system-running"]);
            let state = state.ignore_status().ignore_stderr().read().ok()?;
            ["running", "degraded"]
                .contains(&state.as_str())
                .then_some(())
        });
        booted
    }

    fn command(&self, command: &[&str]) -> xshell::Cmd<'_> {
        let Self { root, init, .. } = self;
        let path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
        let enter = cmd!(root.sh, "nsenter --target {init} --all --root --wd");
        enter
            .args(["env", "--ignore-environment", path])
            .args(command)
            .quiet()
    }

    /// Runs a command, with success; returns what it says.
    fn run(&self, command: &[&str]) -> String {
        self.command(command).read().unwrap()
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        self.run(&[&["opentracker-ctl"], arguments].concat())
    }

    /// A property of the service.
    fn property(&self, name: &str) -> String {
        self.run(&["systemctl", "show", "--value", "--property", name, UNITS[1]])
    }

    fn is_active(&self) -> bool {
        let question = [&["systemctl", "is-active"], &UNITS[..]].concat();
        let said = self.command(&question).ignore_status().read().unwrap();
        match said.as_str() {
            "active\nactive" => true,
            "inactive\ninactive" => false,
            other => panic!("{other}"),
        }
    }
}

impl Drop for Booted<'_> {
    fn drop(&mut self) {
        // With the first process go all others; nspawn alone would leave them.
        let init = &self.init;
        let killed = cmd!(self.root.sh, "kill -KILL {init}").quiet().run();
        killed.unwrap();
        eventually("the end of nspawn", || self.nspawn.0.try_wait().unwrap());
    }
}

/// A package of the next version, with another file of settings, as one that was released later.
fn upgrade(sh: &Shell, package: &Path, to: &Path) {
    let folder = sh.create_temp_dir().unwrap();
    let tree = folder.path().join("tree");
    cmd!(sh, "dpkg-deb --raw-extract {package} {tree}")
        .quiet()
        .run()
        .unwrap();
    let control = tree.join("DEBIAN/control");
    let later = sh
        .read_file(&control)
        .unwrap()
        .replace("\nVersion: ", "\nVersion: 9");
    sh.write_file(control, later).unwrap();
    let settings = tree.join("etc/opentracker/opentracker.toml");
    let other = sh.read_file(&settings).unwrap() + "# later\n";
    sh.write_file(settings, other).unwrap();
    cmd!(sh, "dpkg-deb --root-owner-group -Znone --build {tree} {to}")
        .quiet()
        .ignore_stdout()
        .run()
        .unwrap();
}

#[test]
fn the_package_of_debian_is_installed_upgraded_and_purged() {
    let root = Root::new("debian-deb");
    let (sh, package) = (&root.sh, file(".deb"));
    sh.copy_file(&package, root.folder.join("first.deb"))
        .unwrap();
    upgrade(sh, &package, &root.folder.join("second.deb"));
    assert_eq!(root.ours(), "");
    let host = Booted::new(&root);

    // It runs, as its user, with what the units say.
    host.run(&["dpkg", "--install", "/first.deb"]);
    assert!(host.is_active());
    let verify = [&["systemd-analyze", "verify"], &UNITS[..]].concat();
    assert_eq!(host.run(&verify), "");
    let process = format!("/proc/{}", host.property("MainPID"));
    assert_eq!(
        host.run(&["stat", "--format=%U %G", &process]),
        "opentracker opentracker"
    );
    host.ctl(&["announce", HTTP, HASH]);
    host.ctl(&["announce", "udp://127.0.0.1:6969/announce", HASH]);
    assert!(host.ctl(&["status"]).contains("serving"));

    // It reloads, and is started again when it crashes.
    let settings = root.folder.join("etc/opentracker/opentracker.toml");
    let changed = sh.read_file(&settings).unwrap() + "[announce]\ninterval = \"17m\"\n";
    sh.write_file(&settings, &changed).unwrap();
    host.run(&["systemctl", "reload", "opentracker"]);
    assert!(host.ctl(&["config", "show"]).contains("17m"));
    host.run(&[
        "systemctl",
        "kill",
        "--kill-whom=main",
        "--signal=ABRT",
        "opentracker",
    ]);
    eventually("a restart", || {
        (host.property("NRestarts") == "1").then_some(())
    });
    host.ctl(&["announce", HTTP, HASH, "--left", "0", "--stay"]);

    // An upgrade keeps the swarm and the settings, and all get an answer meanwhile.
    sh.copy_file(
        root.folder.join("usr/bin/opentracker-ctl"),
        root.folder.join("client"),
    )
    .unwrap();
    let script = format!("until [ -e /done ]; do /client scrape {HTTP} {HASH} || echo LOST; done");
    let before = host.property("MainPID");
    let mut clients = Command::from(host.command(&["sh", "-c", &script]));
    let clients = clients.stdout(Stdio::piped()).spawn().unwrap();
    host.run(&["dpkg", "--force-confold", "--install", "/second.deb"]);
    assert_ne!(host.property("MainPID"), before);
    sh.write_file(root.folder.join("done"), "").unwrap();
    let answers = clients.wait_with_output().unwrap().stdout;
    let answers = String::from_utf8_lossy(&answers);
    assert!(!answers.contains("LOST"), "{answers}");
    assert!(answers.lines().count() > 1, "{answers}");
    assert!(
        host.run(&["dpkg", "--status", "opentracker-rs"])
            .contains("\nVersion: 9")
    );
    assert!(host.is_active());
    assert!(host.ctl(&["scrape", HTTP, HASH]).contains("1 seeder"));
    assert_eq!(sh.read_file(&settings).unwrap(), changed);

    // Removed, it leaves what is the operator's; purged, nothing.
    host.run(&["dpkg", "--remove", "opentracker-rs"]);
    assert!(!host.is_active());
    assert_eq!(sh.read_file(&settings).unwrap(), changed);
    assert!(root.folder.join("var/lib/opentracker/snapshot").is_file());
    host.run(&["dpkg", "--purge", "opentracker-rs"]);
    assert_eq!(root.ours(), "");
}

#[test]
fn the_package_of_rpm_is_installed_run_and_erased() {
    let root = Root::new("debian-rpm");
    let (sh, folder, package) = (&root.sh, &root.folder, file(".rpm"));
    let needs = cmd!(sh, "rpm --query --package --requires {package}")
        .quiet()
        .read()
        .unwrap();
    assert!(needs.contains("libc.so.6(GLIBC_2.34)"), "{needs}");
    // The database of this root is dpkg's, so nothing that the package needs is in that of RPM.
    cmd!(sh, "rpm --root {folder} --nodeps --install {package}")
        .quiet()
        .run()
        .unwrap();
    let host = Booted::new(&root);
    // The presets of Debian enable what is installed.
    assert!(host.is_active());
    host.ctl(&["announce", HTTP, HASH]);
    host.run(&["systemctl", "reload", "opentracker"]);
    host.run(&["systemctl", "stop", UNITS[0], UNITS[1]]);
    drop(host);
    cmd!(sh, "rpm --root {folder} --erase opentracker-rs")
        .quiet()
        .run()
        .unwrap();
    let left = root.ours();
    let left: Vec<&str> = left
        .lines()
        .filter_map(|file| file.rsplit('/').next())
        .collect();
    assert_eq!(left, ["opentracker"], "the folder of the swarms");
}
