//! The live screen, on a terminal that is none of ours.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;
use serde_json::json;

use crate::fake::{Canned, Fake};
use crate::{PROGRAM, run};

/// How long a screen may take to change.
const PATIENCE: u16 = 60_000;

fn tracker(name: &str) -> Fake {
    let count = json!({ "ipv4": 2, "ipv6": 0 });
    let activity = json!({
        "time_ms": 1000, "uptime_secs": 61,
        "requests": [{ "protocol": "udp", "kind": "announce", "total": 5 }],
        "replies": [{ "kind": "served", "total": 5 }], "latency": [], "downloads": 0,
        "swarms": { "torrents": 5, "seeders": count, "leechers": count },
        "memory": { "swarms_octets": 1024, "resident_octets": null, "limit_octets": null },
    });
    Fake::unix(name, vec![Canned::json("GET /api/v1/activity", &activity)])
}

/// The program on a terminal, and the other side of that.
struct Terminal {
    child: Child,
    screen: File,
    /// The side of the program, whose modes are looked at.
    line: OwnedFd,
    before: Termios,
    read: Vec<u8>,
}

impl Terminal {
    fn start(tracker: &Fake) -> Self {
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(Some(&size), None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let end = || pty.slave.try_clone().unwrap();
        let child = Command::new(PROGRAM)
            .arg("top")
            .args(&tracker.arguments)
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        Self {
            child,
            screen: File::from(pty.master),
            line: pty.slave,
            before,
            read: Vec::new(),
        }
    }

    /// Reads until a word is on the screen. Of several words those between may be drawn without
    /// their spaces, which were there before.
    fn wait_for(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.text().contains(text) {
            let mut ready = [PollFd::new(self.screen.as_fd(), PollFlags::POLLIN)];
            let count = poll(&mut ready, PollTimeout::from(PATIENCE)).unwrap();
            assert_eq!(count, 1, "no {text:?} in {:?}", self.text());
            let octets = self.screen.read(&mut buffer).unwrap();
            self.read.extend(&buffer[..octets]);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Waits for the end, and sees that the terminal is as it was.
    fn end_cleanly(mut self) {
        // Out of the other screen, and with a cursor.
        self.wait_for("\u{1b}[?1049l");
        self.wait_for("\u{1b}[?25h");
        assert_eq!(
            self.child.wait().unwrap().code(),
            Some(0),
            "{}",
            self.text()
        );
        let after = tcgetattr(&self.line).unwrap();
        assert!(
            after
                .local_flags
                .contains(LocalFlags::ECHO | LocalFlags::ICANON)
        );
        assert_eq!(after.local_flags, self.before.local_flags);
    }
}

#[test]
fn the_screen_is_shown_and_given_back() {
    let tracker = tracker("top");
    for key in ["q", "\u{3}"] {
        let mut terminal = Terminal::start(&tracker);
        terminal.wait_for("requests/s");
        terminal.screen.write_all(b"h").unwrap();
        terminal.wait_for("clears");
        terminal.screen.write_all(b"x").unwrap();
        terminal.screen.write_all(key.as_bytes()).unwrap();
        terminal.end_cleanly();
    }
}

#[test]
fn a_signal_leaves_the_terminal_clean() {
    let tracker = tracker("top-signal");
    let mut terminal = Terminal::start(&tracker);
    terminal.wait_for("requests/s");
    let pid = Pid::from_raw(terminal.child.id().try_into().unwrap());
    kill(pid, Signal::SIGTERM).unwrap();
    terminal.end_cleanly();
}

#[test]
fn without_a_terminal_there_are_lines() {
    let tracker = tracker("top-lines");
    let said = tracker.run(&["top"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("`top` needs a terminal"), "{said:?}");
    let said = tracker.run(&["top", "--json", "--count", "2"]);
    assert_eq!(said.out.lines().count(), 2, "{said:?}");
    let said = run(&["top", "--socket", "/nowhere/control.sock", "--json"]);
    assert!(said.err.contains("there is no /nowhere"), "{said:?}");
}
