//! The program as a process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opentracker-loadgen");

/// Runs the program to its end; the words of the command line are parted by spaces.
pub(crate) fn run(command_line: &str) -> Output {
    Command::new(PROGRAM)
        .args(command_line.split_ascii_whitespace())
        .output()
        .expect("the program was built with this test")
}

/// Starts the program, which the caller ends.
pub(crate) fn start(command_line: &str) -> Child {
    let mut command = Command::new(PROGRAM);
    command.args(command_line.split_ascii_whitespace());
    command.spawn().unwrap()
}

/// Runs the program to its good end, and returns its report; `name` is unique among the tests.
pub(crate) fn report(name: &str, command_line: &str) -> Value {
    let (mut command, file) = with_report(name, command_line);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    read(&file)
}

/// The same, but sends SIGINT as soon as the program has shown progress.
pub(crate) fn interrupted(name: &str, command_line: &str) -> Value {
    let (mut command, file) = with_report(name, command_line);
    let mut process = command
        .arg("--progress")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let progress = process.stderr.take().unwrap();
    BufReader::new(progress).read_line(&mut line).unwrap();
    assert!(line.contains("answers/s"), "{line:?}");
    let id = process.id().to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(killed.success());
    assert!(process.wait().unwrap().success());
    read(&file)
}

fn with_report(name: &str, command_line: &str) -> (Command, PathBuf) {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
    let mut command = Command::new(PROGRAM);
    command
        .args(command_line.split_ascii_whitespace())
        .arg("--json")
        .arg(&file);
    (command, file)
}

fn read(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Runs the program to its bad end, and returns what it says.
pub(crate) fn failure(command_line: &str) -> String {
    let output = run(command_line);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A running reflector, which ends with this value.
pub(crate) struct Reflector {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Reflector {
    pub(crate) fn start(arguments: &str) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["reflect", "--listen", "127.0.0.1:0", "--duration", "60s"])
            .args(arguments.split_ascii_whitespace())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = process.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap();
        let address = address
            .parse()
            .unwrap_or_else(|_| panic!("no address in {line:?}"));
        Self { process, address }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Reflector {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
