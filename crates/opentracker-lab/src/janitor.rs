use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::namespace::HANDLES;

/// What the names of all namespaces of all labs begin with.
const MARK: &str = "otlab-";

/// Cleans up behind one lab, whatever becomes of the test.
///
/// It is a child process that waits at a pipe. The pipe closes when the janitor is dropped, when
/// the test panics, and when the test's process is killed, which no destructor survives. A
/// parent-death signal would do less: a program that changes its user loses it, and so do
/// grandchildren.
#[derive(Debug)]
pub(crate) struct Janitor {
    prefix: String,
    child: Child,
}

impl Janitor {
    /// Starts the janitor of a new lab. The first of a process also removes what dead processes
    /// left, for the case that someone killed a janitor too.
    pub(crate) fn start() -> Self {
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        static LABS: AtomicU32 = AtomicU32::new(0);
        let lab = LABS.fetch_add(1, Ordering::Relaxed);
        let owner = Owner::this_process();
        let prefix = format!("{}{lab}-", owner.prefix());
        Self {
            child: spawn(&prefix, Stdio::piped()),
            prefix,
        }
    }

    /// Says what the names of this lab's namespaces begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl Drop for Janitor {
    /// Returns when everything is gone.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        match self.child.wait() {
            Ok(status) if status.success() => {}
            outcome => eprintln!("cleaning up {}* went wrong: {outcome:?}", self.prefix),
        }
    }
}

/// The process that made a lab. The start time tells it from a later one with the same id.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    pid: u32,
    /// Clock ticks after boot, field 22 of `/proc/<pid>/stat`.
    started: u64,
}

impl Owner {
    fn this_process() -> Self {
        let pid = process::id();
        Self {
            pid,
            started: start_time(pid).expect("/proc shows a process itself"),
        }
    }

    fn prefix(&self) -> String {
        format!("{MARK}{}-{}-", self.pid, self.started)
    }

    /// Reads the owner out of a namespace's name; `None` if it is none of ours.
    fn of(namespace: &str) -> Option<Self> {
        let mut parts = namespace.strip_prefix(MARK)?.split('-');
        let pid = parts.next()?.parse().ok()?;
        let started = parts.next()?.parse().ok()?;
        Some(Self { pid, started })
    }

    fn is_alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }
}

fn sweep() {
    // Nobody has ever made a namespace where the folder is missing.
    let Ok(entries) = fs::read_dir(HANDLES) else {
        return;
    };
    let dead: BTreeSet<Owner> = entries
        .filter_map(|entry| Owner::of(entry.ok()?.file_name().to_str()?))
        .filter(|owner| !owner.is_alive())
        .collect();
    for owner in dead {
        // A failure is not ours to report: the leftover's own janitor may be at it just now.
        let _ = spawn(&owner.prefix(), Stdio::null()).wait();
    }
}

fn spawn(prefix: &str, stdin: Stdio) -> Child {
    Command::new("sh")
        .args(["-e", "-c", include_str!("janitor.sh"), "janitor", prefix])
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Out of reach of an interrupt at the terminal, which ends the test.
        .process_group(0)
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start the lab's janitor: {error}"))
}

fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the program's name, may hold blanks and brackets; field 3 follows it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_owner() {
        let owner = Owner::this_process();
        assert!(owner.is_alive());
        let name = format!("{}0-tracker", owner.prefix());
        assert_eq!(Owner::of(&name), Some(owner));
    }

    #[test]
    fn a_reused_process_id_is_another_owner() {
        let mut owner = Owner::this_process();
        owner.started += 1;
        assert!(!owner.is_alive());
    }

    #[test]
    fn foreign_namespaces_have_no_owner() {
        for name in [
            "",
            "vpn",
            "otlab-",
            "otlab-7",
            "otlab-x-1-0-a",
            "xotlab-1-2-0-a",
        ] {
            assert_eq!(Owner::of(name), None, "{name}");
        }
    }
}
