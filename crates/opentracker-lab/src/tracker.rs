use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use opentracker_types::InfoHash;

use crate::endpoint::{Endpoint, Scheme};
use crate::host::{Family, Host};
use crate::lab::profile_folder;
use crate::process::Process;
use crate::wait;

/// What the names of the program's own variables begin with, and those of the lab.
const PREFIX: &[u8] = b"OPENTRACKER_";

/// Variable that names the program under test.
const BIN: &str = "OPENTRACKER_BIN";

/// Variable with further arguments of the program under test.
const ARGS: &str = "OPENTRACKER_ARGS";

/// What [`ARGS`] says for the path of a file with the info hashes of the test.
const ALLOW: &str = "{allow}";

/// Port of UDP and HTTP that a tracker without arguments listens on.
const PORT: u16 = 6969;

/// How long a tracker may take from its start to its first answer.
const START: Duration = Duration::from_secs(10);

/// Finds the tracker under test: `OPENTRACKER_BIN`, otherwise the `opentracker` that was built
/// with the test's own profile.
///
/// # Panics
///
/// Panics if there is none.
pub fn program_under_test() -> PathBuf {
    let program =
        env::var_os(BIN).map_or_else(|| profile_folder().join("opentracker"), PathBuf::from);
    assert!(
        program.is_file(),
        "there is no tracker at {}: run `cargo build -p opentracker-daemon`, or set {BIN}",
        program.display()
    );
    program
}

/// The tracker under test, running on a host.
///
/// The arguments in the variable `OPENTRACKER_ARGS`, separated by blanks, are added to those of
/// the test. `{allow}` among them stands for a file with the info hashes that the test announces,
/// one a line, for builds of the C program that serve no others:
/// `OPENTRACKER_BIN=/usr/bin/opentracker OPENTRACKER_ARGS="-w {allow}"`.
#[derive(Debug)]
pub struct Tracker {
    host: Host,
    process: Process,
}

impl Tracker {
    /// Starts the program with its defaults and waits until it answers at `endpoints`. `served`
    /// are the info hashes of the test.
    ///
    /// # Panics
    ///
    /// As [`wait_until_answering`](Self::wait_until_answering).
    #[track_caller]
    pub fn start(host: &Host, served: &[InfoHash], endpoints: &[Endpoint]) -> Self {
        let mut tracker = Self::spawn(host, served, &[]);
        tracker.wait_until_answering(endpoints);
        tracker
    }

    /// Starts the program with arguments, without the test's own `OPENTRACKER_` variables, and does
    /// not wait. `served` are the info hashes of the
    /// test.
    #[track_caller]
    pub fn spawn(host: &Host, served: &[InfoHash], args: &[&str]) -> Self {
        let further = env::var(ARGS).unwrap_or_default();
        let further = further.split_ascii_whitespace().map(|arg| {
            if arg == ALLOW {
                allow_list(host, served)
            } else {
                arg.to_owned()
            }
        });
        let mut command = host.command(program_under_test()).args(args).args(further);
        // The program takes settings from such variables, and none of them is meant for it.
        for (variable, _) in env::vars_os() {
            if variable.as_encoded_bytes().starts_with(PREFIX) {
                command = command.env_remove(variable);
            }
        }
        let process = command.spawn();
        Self {
            host: host.clone(),
            process,
        }
    }

    /// Waits until the program answers scrapes at `endpoints` that come from its own host.
    ///
    /// # Panics
    ///
    /// Panics with the program's log if it ends or does not answer within 10 s.
    #[track_caller]
    pub fn wait_until_answering(&mut self, endpoints: &[Endpoint]) {
        // A torrent that nobody has announced is answered for too.
        let probe = InfoHash::new([0; InfoHash::LEN]);
        for endpoint in endpoints {
            let mut failure = String::new();
            let answered = wait::poll(START, || {
                if let Some(status) = self.process.status() {
                    failure = format!("it has ended ({status})");
                    return Some(false);
                }
                match endpoint.scrape(&self.host, probe) {
                    Ok(_) => Some(true),
                    Err(error) => {
                        failure = error.to_string();
                        None
                    }
                }
            });
            assert!(
                answered == Some(true),
                "the tracker does not answer at {}: {failure}; its log:\n{}",
                endpoint.announce_url(),
                self.process.log()
            );
        }
    }

    /// Returns where a tracker with its defaults on `host` is reached.
    pub fn endpoint(host: &Host, scheme: Scheme, family: Family) -> Endpoint {
        Endpoint::new(scheme, SocketAddr::new(host.address(family), PORT))
    }

    /// Returns the host that it runs on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the running program.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn allow_list(host: &Host, served: &[InfoHash]) -> String {
    let path = host.folder().join("allow");
    let text: String = served.iter().map(|hash| format!("{hash}\n")).collect();
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path.to_str()
        .unwrap_or_else(|| panic!("{} is not UTF-8", path.display()))
        .to_owned()
}
