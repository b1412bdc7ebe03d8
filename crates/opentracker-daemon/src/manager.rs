//! What the service manager is told, if there is one (sd_notify(3)): that the program is ready,
//! that it reloads or stops, what it does, and that its threads are not stuck.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use opentracker::{Pulse, Tracker};

/// How often it is told something where no watchdog asks for more.
const PERIOD: Duration = Duration::from_secs(10);

/// How much longer a start may take, each time that it is said.
const EXTENSION: Duration = Duration::from_secs(60);

/// The way to the service manager.
#[derive(Debug)]
pub(crate) struct Manager {
    /// Opened at the start: later another root folder may be in the way.
    socket: Option<UnixDatagram>,
    has_watchdog: bool,
    period: Duration,
    due: Instant,
}

/// What the program does when it is time to tell.
#[derive(Debug)]
pub(crate) enum State<'a> {
    /// It reads what it needs before it can serve.
    Starting,
    /// It serves.
    Serving(&'a Tracker, &'a mut Pulse),
    /// It finishes what is under way.
    Stopping,
}

impl Manager {
    /// Finds the service manager.
    pub(crate) fn find() -> Self {
        let socket = env::var_os("NOTIFY_SOCKET").and_then(|name| {
            let socket = connect(name.as_bytes());
            socket
                .inspect_err(|error| tracing::warn!("NOTIFY_SOCKET: {name:?}: {error}"))
                .ok()
        });
        let watchdog = watchdog(|name| env::var(name).ok(), std::process::id());
        // Twice in the time that it grants.
        let period = watchdog.map_or(PERIOD, |patience| PERIOD.min(patience / 2));
        Self {
            socket,
            has_watchdog: watchdog.is_some(),
            period,
            due: Instant::now() + period,
        }
    }

    /// When to call [`Self::handle_timeout`], if there is anybody to tell.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.socket.as_ref().map(|_| self.due)
    }

    /// Tells what there is to tell from time to time, if it is time.
    pub(crate) fn handle_timeout(&mut self, state: State<'_>, now: Instant) {
        if now < self.due {
            return;
        }
        self.due = now + self.period;
        match state {
            State::Starting => {
                let micros = EXTENSION.as_micros();
                self.tell(&format!("EXTEND_TIMEOUT_USEC={micros}"));
            }
            State::Serving(tracker, pulse) => {
                let status = status(tracker, now);
                match pulse.stuck()[..] {
                    [] => self.tell_alive(&status),
                    ref stuck => {
                        let threads = stuck.join(", ");
                        tracing::error!("stuck for {:?}: {threads}", self.period);
                    }
                }
            }
            State::Stopping => self.tell_alive("STATUS=stopping"),
        }
    }

    /// Says that the program serves, at first or after a reload.
    pub(crate) fn tell_ready(&self, tracker: &Tracker) {
        if self.socket.is_none() {
            return;
        }
        let status = status(tracker, Instant::now());
        self.tell(&format!("READY=1\n{status}"));
    }

    /// Says that a reload begins. It ends when the program is ready again.
    pub(crate) fn tell_reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from);
        let micros = now.unwrap_or_default().as_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// Says that the program is about to end.
    pub(crate) fn tell_stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping");
    }

    fn tell_alive(&self, status: &str) {
        if self.has_watchdog {
            self.tell(&format!("WATCHDOG=1\n{status}"));
        } else {
            self.tell(status);
        }
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::debug!(%error, "the service manager was not told: {message:?}");
        }
    }
}

fn status(tracker: &Tracker, now: Instant) -> String {
    let totals = tracker.core().totals(now);
    let (torrents, peers) = (totals.torrents, totals.peers.total());
    format!("STATUS=serving; torrents: {torrents}, peers: {peers}")
}

/// Connects to a path, or to an abstract name, which begins with `@`.
fn connect(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name {
        [b'/', ..] => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => return Err(io::Error::other("it is no path and no abstract name")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // Nobody waits for a manager that does not read.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Returns how long the watchdog waits for a sign of life, if one is meant for this process.
fn watchdog(variable: impl Fn(&str) -> Option<String>, process: u32) -> Option<Duration> {
    let micros: u64 = variable("WATCHDOG_USEC")?.parse().ok()?;
    let is_ours = match variable("WATCHDOG_PID") {
        None => true,
        Some(of) => of.parse() == Ok(process),
    };
    (is_ours && micros > 0).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_meant_for_one_process() {
        for (micros, process, expected) in [
            (Some("30000000"), Some("7"), Some(30)),
            (Some("30000000"), None, Some(30)),
            (Some("30000000"), Some("8"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, None, None),
        ] {
            let variable = |name: &str| {
                let value = match name {
                    "WATCHDOG_USEC" => micros,
                    _ => process,
                };
                value.map(str::to_owned)
            };
            let found = watchdog(variable, 7);
            assert_eq!(
                found,
                expected.map(Duration::from_secs),
                "{micros:?} {process:?}"
            );
        }
    }

    #[test]
    fn names_are_paths_or_abstract() {
        let name = format!("opentracker-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let socket = connect(format!("@{name}").as_bytes()).unwrap();
        socket.send(b"READY=1").unwrap();
        let mut message = [0; 99];
        let octets = manager.recv(&mut message).unwrap();
        assert_eq!(&message[..octets], b"READY=1");
        assert!(connect(b"relative").is_err() && connect(b"").is_err());
        assert!(connect(b"/missing/socket").is_err());
    }
}
