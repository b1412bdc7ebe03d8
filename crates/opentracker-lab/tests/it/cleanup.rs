//! Nothing of a lab outlasts its test, however that ends.

use std::env;
use std::fs;
use std::panic;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use opentracker_lab::{Host, Lab};

/// How long the lab's janitor may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What there is of a lab outside its test.
#[derive(Debug)]
struct Traces {
    namespace: String,
    /// A process that left the group of the one that the lab knows.
    stray: u32,
}

impl Traces {
    fn leave(host: &Host) -> Self {
        let namespace = host.command("ip").args(["netns", "identify"]).run();
        let stray = host
            .command("sh")
            .args(["-c", "setsid sleep 1000 >/dev/null 2>&1 & echo $!"])
            .run();
        Self {
            namespace: namespace.trim().to_owned(),
            stray: stray.trim().parse().expect("it is a process id"),
        }
    }

    /// Looks for the namespace, the files that stand in for those of `/etc`, and the process.
    fn found(&self) -> [bool; 3] {
        // A process that is dead but not reaped has no namespace any more.
        let process = fs::read_link(format!("/proc/{}/ns/net", self.stray));
        [
            Path::new("/run/netns").join(&self.namespace).exists(),
            Path::new("/etc/netns").join(&self.namespace).exists(),
            process.is_ok(),
        ]
    }
}

const NOTHING: [bool; 3] = [false; 3];
const EVERYTHING: [bool; 3] = [true; 3];

#[test]
fn a_dropped_lab_leaves_nothing() {
    let lab = Lab::new("dropped");
    let host = lab.host("host");
    let traces = Traces::leave(&host);
    drop(lab);
    assert_eq!(traces.found(), EVERYTHING, "a host keeps its lab");
    let (folder, logs) = (host.folder().to_path_buf(), host.logs().to_path_buf());
    assert!(folder.is_dir());
    drop(host);
    assert_eq!(traces.found(), NOTHING);
    assert!(logs.is_dir() && !folder.exists());
}

#[test]
fn a_panicking_test_leaves_its_files_alone() {
    let mut left = None;
    let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let lab = Lab::new("panicking");
        let host = lab.host("host");
        left = Some((Traces::leave(&host), host.folder().to_path_buf()));
        panic!("as a failing test does");
    }));
    assert!(outcome.is_err());
    let (traces, folder) = left.expect("the lab was made before the panic");
    assert_eq!(traces.found(), NOTHING);
    assert!(
        folder.is_dir(),
        "what the programs wrote is there to be looked at"
    );
}

#[test]
fn a_dropped_process_is_gone_with_its_group() {
    let lab = Lab::new("group");
    let host = lab.host("host");
    let process = host
        .command("sh")
        .args(["-c", "sleep 1000 & echo $!; wait"])
        .spawn();
    lab.wait_until(PATIENCE, "the second process runs", || {
        process.log().ends_with('\n')
    });
    let child = Traces {
        namespace: "none".to_owned(),
        stray: process.log().trim().parse().expect("it is a process id"),
    };
    assert_eq!(child.found(), [false, false, true]);
    drop(process);
    lab.wait_until(PATIENCE, "it is gone too", || child.found() == NOTHING);
}

/// Names the file by which the parent of this process learns of its traces; such a process is
/// there to be killed.
const VICTIM: &str = "OPENTRACKER_LAB_VICTIM";

/// The test below, as libtest knows it.
const KILLED: &str = "cleanup::a_killed_test_leaves_nothing_and_the_next_one_sweeps";

#[test]
fn a_killed_test_leaves_nothing_and_the_next_one_sweeps() {
    if let Some(file) = env::var_os(VICTIM) {
        let lab = Lab::new("victim");
        let host = lab.host("host");
        let traces = Traces::leave(&host);
        let text = format!("{} {}\n", traces.namespace, traces.stray);
        fs::write(file, text).expect("the parent's folder is there");
        loop {
            thread::park();
        }
    }

    let lab = Lab::new("killer");
    let host = lab.host("host");
    let leftover = leftover_of_a_dead_process();
    let file = host.folder().join("traces");
    let mut victim = Command::new(env::current_exe().expect("/proc shows it"))
        .args(["--exact", KILLED])
        .env(VICTIM, &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this very program can be run");
    lab.wait_until(PATIENCE, "the victim has made its lab", || {
        fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n'))
    });
    let text = fs::read_to_string(&file).expect("it is there");
    let (namespace, stray) = text.trim().split_once(' ').expect("it has two words");
    let traces = Traces {
        namespace: namespace.to_owned(),
        stray: stray.parse().expect("it is a process id"),
    };
    assert_eq!(traces.found(), EVERYTHING);
    assert!(!Path::new("/run/netns").join(leftover).exists());

    victim.kill().expect("it runs");
    victim.wait().expect("it is a child");
    lab.wait_until(PATIENCE, "nothing is left of the victim's lab", || {
        traces.found() == NOTHING
    });
}

/// Makes a namespace as a process leaves it that was killed together with its janitor.
fn leftover_of_a_dead_process() -> String {
    let mut dead = Command::new("true").spawn().expect("coreutils are there");
    let pid = dead.id();
    dead.wait().expect("it is a child");
    // No process has started in the first tick after boot but those of the kernel.
    let name = format!("otlab-{pid}-0-0-host");
    let status = Command::new("ip").args(["netns", "add", &name]).status();
    assert!(status.is_ok_and(|status| status.success()));
    name
}
