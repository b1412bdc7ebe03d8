//! xtask as a program.

use std::process::{Command, Output};

fn xtask(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .expect("xtask runs")
}

#[test]
fn the_repository_is_tidy() {
    let output = xtask(&["tidy"]);
    let [said, errors] = [output.stdout, output.stderr].map(String::from_utf8);
    assert!(output.status.success(), "{said:?}{errors:?}");
}

#[test]
fn help_names_every_task() {
    let output = xtask(&["help"]);
    assert!(output.status.success());
    let help = String::from_utf8_lossy(&output.stdout);
    for task in ["test", "ci", "tidy", "bench", "dist"] {
        assert!(help.contains(&format!("\n  {task}")), "{help}");
    }
}

#[test]
fn an_unknown_argument_fails_before_anything_runs() {
    for arguments in [
        &["no-such-task"][..],
        &["bench", "no-such"],
        &["bench", "udp", "--no-such"],
        &["bench", "guard", "--no-such"],
        &["ci", "--no-such"],
        &["test", "--no-such"],
    ] {
        let output = xtask(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("no-such"), "{arguments:?}: {said}");
    }
}
