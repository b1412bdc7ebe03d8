//! The tools of those who use the files: each reads them, and has to be content.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::repository;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/deploy/tools.py");

/// Returns the path of a program that comes from PyPI.
fn pypi(program: &str) -> PathBuf {
    let place = env::var_os("OPENTRACKER_PYPI");
    let place = place.expect("`cargo xtask test` installs the packages and sets it");
    Path::new(&place).join("bin").join(program)
}

/// Runs a program with an input.
fn run(program: &Path, arguments: &[&str], input: &str) -> Output {
    let command = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = command.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let mut pipe = child.stdin.take().expect("it is piped");
    // A program that reads nothing may have closed it.
    pipe.write_all(input.as_bytes()).ok();
    drop(pipe);
    child.wait_with_output().expect("a child can be waited for")
}

/// Runs a program that has to succeed, and returns what it prints.
#[track_caller]
pub(crate) fn succeed(program: &Path, arguments: &[&str], input: &str) -> String {
    let output = run(program, arguments, input);
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8(output.stdout).expect("it prints text");
    assert!(output.status.success(), "{arguments:?}: {printed}{said}");
    printed
}

/// Has the script read something.
#[track_caller]
fn read(arguments: &[&str], input: &str) -> Value {
    let arguments = [&[SCRIPT], arguments].concat();
    let printed = succeed(&pypi("python"), &arguments, input);
    serde_json::from_str(&printed).expect("it prints JSON")
}

fn path(path: &str) -> String {
    repository(path).display().to_string()
}

/// Reads a file of YAML.
#[track_caller]
pub(crate) fn yaml(file: &str) -> Value {
    read(&["yaml", &path(file)], "")
}

/// Reads a compose file.
#[track_caller]
pub(crate) fn compose(file: &str) -> Value {
    read(&["compose", &path(file)], "")
}

/// Returns the objects of a folder of kustomize.
#[track_caller]
pub(crate) fn kustomize(folder: &str) -> Vec<Value> {
    let kubectl = pypi("kubectl");
    let manifests = succeed(&kubectl, &["kustomize", &path(folder)], "");
    objects(read(&["objects"], &manifests))
}

/// Returns the objects of a Helm chart.
#[track_caller]
pub(crate) fn chart(folder: &str, values: &Value) -> Vec<Value> {
    objects(read(&["chart", &path(folder), &values.to_string()], ""))
}

/// Returns what is said of values that a Helm chart does not take.
#[track_caller]
pub(crate) fn refused_by_chart(folder: &str, values: &Value) -> String {
    let arguments = [SCRIPT, "chart", &path(folder), &values.to_string()];
    let output = run(&pypi("python"), &arguments, "");
    assert!(!output.status.success(), "{values} are taken");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Has the linter of container files look at one.
#[track_caller]
pub(crate) fn hadolint(file: &str) {
    succeed(&pypi("hadolint"), &[&path(file)], "");
}

fn objects(value: Value) -> Vec<Value> {
    match value {
        Value::Array(objects) => objects,
        other => panic!("{other}"),
    }
}
