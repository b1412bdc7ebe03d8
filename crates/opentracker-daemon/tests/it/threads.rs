//! Threads of the program, worked upon from outside: held where a disk would hold them, or made to
//! panic.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Command;

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::program::{Tracker, eventually};

/// A thread that does not go on as long as this is there, and belongs to this one meanwhile.
pub(crate) struct Held(Pid);

impl Held {
    /// Holds a thread wherever it is.
    pub(crate) fn now(tracker: &Tracker, name: &str) -> Self {
        let thread = thread(tracker, name);
        ptrace::attach(thread).unwrap();
        assert!(matches!(wait(thread), WaitStatus::Stopped(..)));
        Self(thread)
    }

    /// Waits until a thread calls one of these functions of the system, and holds it there. Nothing
    /// else waits for a thread in such a call.
    pub(crate) fn at(tracker: &Tracker, name: &str, calls: &[libc::c_long]) -> Self {
        let held = Self::now(tracker, name);
        ptrace::setoptions(held.0, Options::PTRACE_O_TRACESYSGOOD).unwrap();
        loop {
            ptrace::syscall(held.0, None).unwrap();
            let WaitStatus::PtraceSyscall(_) = wait(held.0) else {
                continue;
            };
            let call = ptrace::getregs(held.0).unwrap().orig_rax.cast_signed();
            if calls.contains(&call) {
                return held;
            }
        }
    }

    /// Waits until a thread has nothing to do, and holds it there. It has no lock in its hands then,
    /// neither the allocator's nor that of the log.
    pub(crate) fn idle(tracker: &Tracker, name: &str) -> Self {
        let mut held = None;
        eventually(&format!("that {name} is idle"), || {
            // Dropped first, or it would be held twice.
            held = None;
            held = Some(Self::now(tracker, name)).filter(Self::was_waiting);
            held.is_some()
        });
        held.expect("it is idle now")
    }

    /// Tells whether the thread was in a call of the system that waits, of which it is then told that
    /// it was interrupted, or which is to be made again.
    fn was_waiting(&self) -> bool {
        const EINTR: i64 = 4;
        // The kernel's own, ERESTARTSYS and its like; no program sees them.
        const RESTART: std::ops::RangeInclusive<i64> = 512..=516;
        let registers = ptrace::getregs(self.0).unwrap();
        let error = -registers.rax.cast_signed();
        registers.orig_rax != u64::MAX && (error == EINTR || RESTART.contains(&error))
    }

    /// Lets the thread panic when it goes on: it calls `core::panicking::panic` out of the blue,
    /// with this message.
    pub(crate) fn panic(self, tracker: &Tracker, message: &str) {
        const FILE: &str = "elsewhere.rs";
        let mut registers = ptrace::getregs(self.0).unwrap();
        // Far below whatever the thread has on its stack, and as a call leaves it.
        let room = (registers.rsp - (1 << 13)) & !0xf;
        let (file, location) = (room + 1024, room + 2048);
        let memory = File::options().write(true).open(tracker.proc("mem"));
        let memory = memory.unwrap();
        let write = |octets: &[u8], address| memory.write_all_at(octets, address).unwrap();
        write(message.as_bytes(), room);
        write(FILE.as_bytes(), file);
        // A `core::panic::Location`: file, line and column.
        let fields = [file, FILE.len() as u64, 7 | 9 << 32];
        write(&fields.map(u64::to_ne_bytes).concat(), location);
        registers.rip = address(tracker, "4core9panicking5panic");
        registers.rsp = room - 8;
        registers.rdi = room;
        registers.rsi = message.len() as u64;
        registers.rdx = location;
        // The call of the system that was interrupted is not made again.
        registers.orig_rax = u64::MAX;
        ptrace::setregs(self.0, registers).unwrap();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if ptrace::detach(self.0, None).is_err() {
            // It has ended, which its process does not before somebody has taken note of that.
            waitpid(self.0, Some(WaitPidFlag::__WALL)).ok();
        }
    }
}

/// A thread of the program by its name, which it may give itself only after the start.
fn thread(tracker: &Tracker, name: &str) -> Pid {
    let mut found = None;
    eventually(&format!("the thread {name}"), || {
        // As in `123 (udp-0) S 1 …`.
        found = tracker.threads("stat").iter().find_map(|stat| {
            let (number, _) = stat.split_once(&format!(" ({name}) "))?;
            number.parse().ok()
        });
        found.is_some()
    });
    Pid::from_raw(found.unwrap())
}

fn wait(thread: Pid) -> WaitStatus {
    waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap()
}

/// Where the function of the program whose symbol ends so is in its memory.
fn address(tracker: &Tracker, symbol: &str) -> u64 {
    let program = fs::canonicalize(&tracker.setup.program).unwrap();
    let symbols = Command::new("nm").arg(&program).output().unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let line = symbols.lines().find(|line| line.ends_with(symbol));
    let number = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
    let (offset, _) = line.unwrap().split_once(' ').unwrap();
    let maps = fs::read_to_string(tracker.proc("maps")).unwrap();
    let mut maps = maps.lines();
    let first = maps.find(|line| line.ends_with(program.to_str().unwrap()));
    let (begin, _) = first.unwrap().split_once('-').unwrap();
    number(begin) + number(offset)
}
