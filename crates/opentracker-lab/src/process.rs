use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use crate::namespace;
use crate::wait;

/// A program about to run on a host; see [`Host::command`](crate::Host::command).
#[derive(Debug)]
pub struct HostCommand {
    command: Command,
    /// `<host>-<program>`, for messages and the log's name.
    name: String,
    logs: PathBuf,
}

impl HostCommand {
    pub(crate) fn new(command: Command, name: String, logs: &Path) -> Self {
        Self {
            command,
            name,
            logs: logs.to_path_buf(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of the program's environment.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Removes a variable from the program's environment, which is otherwise the test's.
    #[must_use]
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Sets the folder in which the program starts; otherwise it is the host's.
    #[must_use]
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs the program to its end and returns what it wrote to standard output.
    ///
    /// # Panics
    ///
    /// Panics with everything it printed if it cannot be run or fails.
    #[track_caller]
    pub fn run(mut self) -> String {
        namespace::run(&mut self.command, "")
    }

    /// Starts the program, with both outputs in the log `<host>-<program>.log` of the lab's
    /// folder (`-2`, `-3`, … for further ones of the same name).
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started. That the program itself does not exist shows only in the
    /// log and the exit code, as it is another program (`ip`) that looks for it.
    #[track_caller]
    pub fn spawn(mut self) -> Process {
        let (log, file) = create_log(&self.logs, &self.name);
        let also_file = file
            .try_clone()
            .unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let child = self
            .command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(also_file)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {:?}: {error}", self.command));
        Process {
            child,
            name: self.name,
            log,
        }
    }
}

/// A program that runs on a host. Dropping it kills its whole process group; what leaves the
/// group is killed with the lab.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Process {
    /// Returns the program's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells whether the program still runs.
    pub fn is_running(&mut self) -> bool {
        self.status().is_none()
    }

    /// Returns the exit status once the program has ended.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .unwrap_or_else(|error| panic!("cannot wait for {}: {error}", self.name))
    }

    /// Sends a signal to the program alone, not to its group.
    ///
    /// # Panics
    ///
    /// Panics if the program has ended.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        if let Some(status) = self.status() {
            panic!(
                "{} has ended ({status}); its log:\n{}",
                self.name,
                self.log()
            );
        }
        signal::kill(self.pid(), signal)
            .unwrap_or_else(|error| panic!("cannot signal {}: {error}", self.name));
    }

    /// Waits until the program ends and returns its exit status.
    ///
    /// # Panics
    ///
    /// Panics with the log if the program still runs after `timeout`.
    #[track_caller]
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        wait::poll(timeout, || self.status()).unwrap_or_else(|| {
            panic!(
                "{} still runs after {timeout:?}; its log:\n{}",
                self.name,
                self.log()
            )
        })
    }

    /// Returns what the program has written so far to standard output and standard error.
    pub fn log(&self) -> String {
        let octets =
            fs::read(&self.log).unwrap_or_else(|error| panic!("{}: {error}", self.log.display()));
        String::from_utf8_lossy(&octets).into_owned()
    }

    /// Returns `<host>-<program>`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("Linux has no larger ids"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once the leader is reaped its id, and with it the group's, may be someone else's.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = signal::killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

fn create_log(folder: &Path, name: &str) -> (PathBuf, File) {
    let mut path = folder.join(format!("{name}.log"));
    let mut number = 1;
    loop {
        match File::create_new(&path) {
            Ok(file) => return (path, file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                path = folder.join(format!("{name}-{number}.log"));
            }
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}
