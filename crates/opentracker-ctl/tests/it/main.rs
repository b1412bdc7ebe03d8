//! The program from outside: against a tracker that answers what a test wants, and without one.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod api;
mod client;
mod doctor;
mod fake;
mod nodes;
mod running;
mod streams;
mod tools;
mod top;

use std::process::{Command, Output};

/// The program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_opentracker-ctl");

/// An info hash.
const HASH: &str = "abababababababababababababababababababab";

/// What a run has said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program, with nothing of the environment that it might heed.
fn run(arguments: &[&str]) -> Said {
    let mut command = Command::new(PROGRAM);
    said(
        command
            .args(arguments)
            .env_remove("RUNTIME_DIRECTORY")
            .output()
            .unwrap(),
    )
}

fn said(output: Output) -> Said {
    let text = |octets| String::from_utf8(octets).unwrap();
    Said {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}
