//! The real program: its configuration, its start, what it logs, its end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take that should happen at once. Only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How long a stop may take.
pub(crate) const STOP_TIME: Duration = Duration::from_secs(5);

/// How a tracker will be started: keys, files, arguments, environment.
///
/// Without further ado it listens on UDP and HTTP and for its operator at ports of 127.0.0.1 that
/// the system chooses, with one worker, and its own host may read everything.
#[derive(Debug)]
pub(crate) struct Setup {
    /// What starts the program, if it is not started at once: a command that ends with `exec`.
    pub(crate) wrapper: Vec<String>,
    /// The program itself.
    pub(crate) program: PathBuf,
    folder: Folder,
    keys: BTreeMap<String, String>,
    /// Replaces `keys`.
    text: Option<String>,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    listeners: Option<usize>,
    /// What the program reads from its standard input, a pipe.
    input: Option<String>,
    /// What is passed to it as a service manager does.
    passed: Option<[OwnedFd; 2]>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::within(env!("CARGO_TARGET_TMPDIR").as_ref())
    }

    /// The same, with its files in a folder of this one.
    pub(crate) fn within(base: &Path) -> Self {
        let mut setup = Self {
            wrapper: Vec::new(),
            program: env!("CARGO_BIN_EXE_opentracker").into(),
            folder: Folder::new(base),
            keys: BTreeMap::new(),
            text: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            listeners: None,
            input: None,
            passed: None,
        };
        setup
            .set("udp.listen", ["127.0.0.1:0"])
            .set("udp.workers", 1)
            .set("http.listen", ["127.0.0.1:0"])
            .set("admin.listen", ["127.0.0.1:0"])
            .set("admin.hosts", ["tracker.test"])
            .set("access.admin", ["127.0.0.0/8", "::1"]);
        crate::backend::choose(&mut setup);
        setup
    }

    /// Listens on UDP alone.
    pub(crate) fn udp() -> Self {
        let mut setup = Self::new();
        setup.set("http.listen", NOTHING);
        setup
    }

    /// Sets a key of the configuration file.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.keys.insert(key.to_owned(), value.into().0);
        self
    }

    /// Sets a key of the configuration file to what stands there in TOML.
    pub(crate) fn set_toml(&mut self, key: &str, value: &str) -> &mut Self {
        self.keys.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Takes a key out of the configuration file, so that its default is in force.
    pub(crate) fn unset(&mut self, key: &str) -> &mut Self {
        self.keys.remove(key);
        self
    }

    /// Sets all of the configuration file, word for word.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Appends an argument of the command line.
    pub(crate) fn argument(&mut self, argument: impl Into<OsString>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets a variable of the environment.
    pub(crate) fn variable(&mut self, name: &str, value: impl Into<OsString>) -> &mut Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Gives the configuration through a pipe, the standard input, instead of a file.
    pub(crate) fn start_from_pipe(mut self) -> Tracker {
        self.input = Some(fs::read_to_string(self.write_config()).unwrap());
        let mut command = self.command();
        command.args(["-f", "/dev/stdin"]).args(&self.arguments);
        command.stdin(Stdio::piped());
        Tracker::spawn(self, &mut command)
    }

    /// Starts the program and does not wait until it listens.
    pub(crate) fn start_without_waiting(self) -> Tracker {
        let config = self.write_config();
        let mut command = self.command();
        command.arg("--config").arg(config).args(&self.arguments);
        Tracker::spawn_without_waiting(self, &mut command)
    }

    /// Passes two descriptors as a service manager does, 3 and 4.
    pub(crate) fn pass(&mut self, first: impl AsFd, second: impl AsFd) -> &mut Self {
        // They come as its standard streams: no other child of this process inherits them so.
        const MOVE: &str = "exec 3<&0 4<&1 </dev/null >/dev/null; \
                            export LISTEN_FDS=2 LISTEN_PID=${LISTEN_PID:-$$}; exec \"$@\"";
        let shell = ["sh", "-c", MOVE, "sh"];
        self.wrapper.extend(shell.map(str::to_owned));
        let clone = |descriptor: BorrowedFd<'_>| descriptor.try_clone_to_owned().unwrap();
        self.passed = Some([clone(first.as_fd()), clone(second.as_fd())]);
        self
    }

    /// Says how many listeners to wait for, where the keys do not.
    pub(crate) fn listeners(&mut self, number: usize) -> &mut Self {
        self.listeners = Some(number);
        self
    }

    /// Writes a file beside the configuration and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes an access list and sets its key.
    pub(crate) fn list(&mut self, key: &str, info_hashes: &[[u8; 20]]) -> &mut Self {
        let path = self.write(key, &list(info_hashes));
        self.set(key, path.to_str().unwrap())
    }

    /// The path of a file beside the configuration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.path("opentracker.toml")
    }

    /// Starts the program and waits until it listens.
    pub(crate) fn start(self) -> Tracker {
        let config = self.write_config();
        let mut command = self.command();
        command.arg("--config").arg(config).args(&self.arguments);
        Tracker::spawn(self, &mut command)
    }

    /// Starts the program without a configuration file and waits until it listens.
    pub(crate) fn start_bare(self) -> Tracker {
        let mut command = self.command();
        command.args(&self.arguments);
        Tracker::spawn(self, &mut command)
    }

    /// Runs the program, which ends of its own accord, with the configuration file.
    pub(crate) fn run(&self) -> Ended {
        let config = self.write_config();
        let mut command = self.command();
        command.arg("--config").arg(config).args(&self.arguments);
        if self.passed.is_none() {
            command.stdout(Stdio::piped());
        }
        Ended::of(&mut command)
    }

    /// Runs the program, which ends of its own accord, with the arguments alone.
    pub(crate) fn run_bare(&self) -> Ended {
        let mut command = self.command();
        command.args(&self.arguments).stdout(Stdio::piped());
        Ended::of(&mut command)
    }

    pub(crate) fn write_config(&self) -> PathBuf {
        let keys = || {
            let lines = self.keys.iter();
            lines.fold(String::new(), |mut text, (key, value)| {
                writeln!(text, "{key} = {value}").unwrap();
                text
            })
        };
        let text = self.text.clone().unwrap_or_else(keys);
        fs::write(self.config_path(), text).unwrap();
        self.config_path()
    }

    fn command(&self) -> Command {
        let wrapper = self.wrapper.iter().map(OsString::from);
        let mut words = wrapper.chain([self.program.clone().into()]);
        let mut command = Command::new(words.next().expect("at least the program"));
        command.args(words);
        for (name, _) in std::env::vars_os() {
            // The settings of whoever runs the tests are not those of the tests.
            if name.to_string_lossy().starts_with("OPENTRACKER_") {
                command.env_remove(name);
            }
        }
        command.env_remove("LISTEN_PID").env_remove("NOTIFY_SOCKET");
        command.env_remove("RUST_BACKTRACE"); // The stack of a panic that a test makes cannot be told.
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        if let Some([first, second]) = &self.passed {
            let clone = |descriptor: &OwnedFd| descriptor.try_clone().unwrap();
            command.stdin(clone(first)).stdout(clone(second));
        }
        command
    }

    fn expected_listeners(&self) -> usize {
        let of_key = |key: &str| {
            let addresses = self
                .keys
                .get(key)
                .map(|value| value.matches('"').count() / 2);
            addresses.expect("the test says how many listeners there are")
        };
        let keys = ["udp.listen", "http.listen", "admin.listen"];
        self.listeners
            .unwrap_or_else(|| keys.into_iter().map(of_key).sum())
    }
}

/// An empty list in a configuration.
pub(crate) const NOTHING: [&str; 0] = [];

/// A value in TOML.
#[derive(Debug)]
pub(crate) struct Value(String);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(format!("{text:?}"))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}

impl<const N: usize> From<[&str; N]> for Value {
    fn from(texts: [&str; N]) -> Self {
        Self(format!("{texts:?}"))
    }
}

/// Writes an access list.
pub(crate) fn list(info_hashes: &[[u8; 20]]) -> String {
    let mut text = String::from("# info hashes, one a line\n\n");
    for info_hash in info_hashes {
        for octet in info_hash {
            write!(text, "{octet:02x}").unwrap();
        }
        text.push_str("   # the one above\n");
    }
    text
}

/// What a run of the program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let process = child.id();
        let (done, is_done) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let output = child.wait_with_output();
            // Nobody listens any more if it took too long.
            done.send(()).ok();
            output
        });
        let in_time = is_done.recv_timeout(PATIENCE).is_ok();
        if !in_time {
            signal("KILL", process);
        }
        let output = waiting.join().unwrap().unwrap();
        let ended = Self::from(output);
        assert!(in_time, "the program should have ended: {ended:?}");
        ended
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A program that runs. Dropping it ends the program, and fails the test if the program has
/// ended before or if one of its threads has panicked.
#[derive(Debug)]
pub(crate) struct Tracker {
    pub(crate) setup: Setup,
    child: Child,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    listeners: Vec<(String, SocketAddr)>,
    has_ended: bool,
}

impl Tracker {
    fn spawn(setup: Setup, command: &mut Command) -> Self {
        let expected = setup.expected_listeners();
        let mut tracker = Self::spawn_without_waiting(setup, command);
        tracker.wait_for("a line for each listener", |log| {
            log.iter().filter(|line| listener(line).is_some()).count() >= expected
        });
        let lines = tracker.log.lines();
        tracker.listeners = lines.iter().filter_map(|line| listener(line)).collect();
        tracker
    }

    fn spawn_without_waiting(setup: Setup, command: &mut Command) -> Self {
        if setup.passed.is_none() {
            command.stdout(Stdio::null());
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        if let (Some(input), Some(text)) = (&mut child.stdin, &setup.input) {
            input.write_all(text.as_bytes()).unwrap();
        }
        // The end of what it reads.
        child.stdin = None;
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().unwrap();
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || log.read(stderr)
        });
        Self {
            setup,
            child,
            log,
            reader: Some(reader),
            listeners: Vec::new(),
            has_ended: false,
        }
    }

    /// The addresses of the listeners of a protocol, in the order of their lines.
    pub(crate) fn addresses(&self, protocol: &str) -> Vec<SocketAddr> {
        let of_protocol = self.listeners.iter().filter(|(name, _)| name == protocol);
        of_protocol.map(|&(_, address)| address).collect()
    }

    /// The address of the first UDP listener.
    pub(crate) fn udp(&self) -> SocketAddr {
        self.addresses("udp")[0]
    }

    /// The address of the first HTTP listener.
    pub(crate) fn http(&self) -> SocketAddr {
        self.addresses("http")[0]
    }

    /// The address of the operator's own listener.
    pub(crate) fn operator(&self) -> SocketAddr {
        self.addresses("admin")[0]
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// A file of the process under `/proc`.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.process())).join(name)
    }

    /// A file of each of its threads: their names are in `comm`.
    pub(crate) fn threads(&self, file: &str) -> Vec<String> {
        let tasks = fs::read_dir(self.proc("task")).unwrap();
        // A thread may end between the listing and the reading.
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join(file)).ok())
            .map(|text| text.trim_end().to_owned())
            .collect()
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// Waits until its log is as it should be.
    pub(crate) fn wait_for(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        if let Err(lines) = self.log.wait(PATIENCE, |lines, _| condition(lines)) {
            panic!(
                "waited in vain for {what} in the log:\n{}",
                lines.join("\n")
            );
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(name, self.process());
    }

    /// Closes the end of the pipe that its log is read from, so that it writes to nobody.
    pub(crate) fn stop_reading(&mut self) {
        self.log.is_deaf.store(true, Ordering::Relaxed);
        // One more line wakes the reader.
        self.signal("HUP");
        let reader = self.reader.take().expect("it reads until now");
        reader.join().unwrap();
    }

    /// Stops reading its log, or goes on to; the pipe stays open meanwhile, and fills.
    pub(crate) fn pause_reading(&self, is_paused: bool) {
        *self.log.is_paused.lock().unwrap() = is_paused;
        self.log.resumed.notify_all();
    }

    /// Tells whether it has ended, without a look at its log, and how.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().unwrap();
        self.has_ended |= status.is_some();
        status
    }

    /// Writes the configuration file anew, makes the program read it, and returns what it logs
    /// about that.
    pub(crate) fn reload(&self) -> Vec<String> {
        self.setup.write_config();
        self.hang_up()
    }

    /// Makes the program read its files again, and returns what it logs about that.
    pub(crate) fn hang_up(&self) -> Vec<String> {
        let ends = |line: &String| line.contains("reloaded");
        let before = self.log().iter().filter(|line| ends(line)).count();
        let start = self.log().len();
        self.signal("HUP");
        self.wait_for("the end of a reload", |log| {
            log.iter().filter(|line| ends(line)).count() > before
        });
        self.log().split_off(start)
    }

    /// Sends a signal and returns how the program ended, and how long that took.
    pub(crate) fn stop(&mut self, signal: &str) -> (ExitStatus, Duration) {
        let begin = Instant::now();
        self.signal(signal);
        let status = self.wait();
        (status, begin.elapsed())
    }

    /// Waits for its end, and returns what it said of the panic that was its cause. Any other panic
    /// fails the test.
    pub(crate) fn end_of_a_panic(&mut self) -> (ExitStatus, Vec<String>) {
        let mut status = None;
        eventually("its end", || {
            status = self.has_ended();
            status.is_some()
        });
        self.pause_reading(false);
        let status = self.wait();
        (
            status,
            std::mem::take(&mut self.log.state.lock().unwrap().0),
        )
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        if let Err(lines) = self.log.wait(PATIENCE, |_, is_closed| is_closed) {
            panic!("waited in vain for its end:\n{}", lines.join("\n"));
        }
        self.has_ended = true;
        self.child.wait().unwrap()
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        // It may be gone already.
        self.child.kill().ok();
        self.child.wait().ok();
        self.pause_reading(false);
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
        let lines = self.log.lines();
        if std::thread::panicking() {
            eprintln!("the program's log:\n{}", lines.join("\n"));
            return;
        }
        let panics: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("panicked"))
            .collect();
        assert!(panics.is_empty(), "{panics:#?}");
        if !self.has_ended {
            assert!(
                matches!(ended, Ok(None)),
                "the program has ended of its own accord ({ended:?}):\n{}",
                lines.join("\n")
            );
        }
    }
}

/// Waits until a condition holds.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

/// Sends a signal to a process that the test has started.
pub(crate) fn signal(name: &str, process: u32) {
    let script = format!("kill -{name} {process}");
    let status = Command::new("sh").arg("-c").arg(script).status().unwrap();
    assert!(status.success());
}

/// Reads a line like `… listening on udp 127.0.0.1:6969`.
fn listener(line: &str) -> Option<(String, SocketAddr)> {
    let (_, rest) = line.split_once("listening on ")?;
    let mut words = rest.split([' ', '"', ',', '}']);
    let protocol = words.next()?.to_owned();
    Some((protocol, words.next()?.parse().ok()?))
}

/// The lines of the standard error output as they come.
#[derive(Debug, Default)]
struct Log {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
    /// No further line is wanted.
    is_deaf: AtomicBool,
    /// No further line is read for now.
    is_paused: Mutex<bool>,
    resumed: Condvar,
}

impl Log {
    fn read(&self, output: impl Read) {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { break };
            if self.is_deaf.load(Ordering::Relaxed) {
                break;
            }
            self.state.lock().unwrap().0.push(line);
            self.changed.notify_all();
            let is_paused = self.is_paused.lock().unwrap();
            drop(
                self.resumed
                    .wait_while(is_paused, |paused| *paused)
                    .unwrap(),
            );
        }
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap().0.clone()
    }

    /// Waits until the lines, or whether there will be no more, are as they should be; fails with
    /// the lines there are.
    fn wait(
        &self,
        patience: Duration,
        condition: impl Fn(&[String], bool) -> bool,
    ) -> Result<(), Vec<String>> {
        let state = self.state.lock().unwrap();
        let (state, _) = self
            .changed
            .wait_timeout_while(state, patience, |(lines, is_closed)| {
                !*is_closed && !condition(lines, *is_closed)
            })
            .unwrap();
        if condition(&state.0, state.1) {
            Ok(())
        } else {
            Err(state.0.clone())
        }
    }
}

/// A folder of its own for each test, gone at its end.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(base: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("contract-{}-{number}", std::process::id());
        let path = base.join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
