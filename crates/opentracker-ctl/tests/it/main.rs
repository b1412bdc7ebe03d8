//! The program from outside, with a group on the loopback interface, where every member hears
//! every other.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_opentracker-ctl");
const TORRENT: &str = "0123456789abcdef0123456789abcdef01234567";

fn livesync(tool: &str, group: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args([
        "livesync",
        tool,
        "--interface",
        "127.0.0.1",
        "--group",
        group,
    ]);
    command
}

/// Runs a listener, and sends until it has heard enough and ends.
fn hear(mut listener: Command, mut speaker: Command) -> Output {
    let mut listener = listener.stdout(Stdio::piped()).spawn().unwrap();
    while listener.try_wait().unwrap().is_none() {
        assert!(speaker.status().unwrap().success());
    }
    listener.wait_with_output().unwrap()
}

#[test]
fn what_is_injected_is_dumped() {
    let group = "239.255.7.1";
    let mut dump = livesync("dump", group);
    dump.args(["--json", "--count", "1"]);
    let mut inject = livesync("inject", group);
    inject.args([
        "--id",
        "0badf00d",
        "live",
        TORRENT,
        "[2001:db8::1]:6881",
        "--seeding",
    ]);
    let output = hear(dump, inject);
    assert!(output.status.success());
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["id"], "0badf00d");
    assert_eq!(object["type"], "sync_live6");
    let record = serde_json::json!({
        "info_hash": TORRENT,
        "peer": "[2001:db8::1]:6881",
        "flags": ["seeding"],
    });
    assert_eq!(object["records"], serde_json::json!([record]));
}

#[test]
fn who_speaks_is_listed() {
    let group = "239.255.7.2";
    let mut nodes = livesync("nodes", group);
    nodes.args(["--for", "2s"]);
    let mut inject = livesync("inject", group);
    inject.args(["--id", "0badf00d", "beacon", "300"]);
    let output = hear(nodes, inject);
    let table = String::from_utf8(output.stdout).unwrap();
    let line = table.lines().nth(1).unwrap();
    assert!(line.starts_with("0badf00d  127.0.0.1:9696 "), "{table}");
    assert!(line.contains(" 300 "), "{table}");
}

#[test]
fn mistakes_end_with_a_message() {
    for (arguments, code, message) in [
        (&["livesync", "dump"][..], 2, "--interface"),
        (
            &[
                "livesync",
                "inject",
                "--interface",
                "127.0.0.1",
                "hex",
                "0x",
            ],
            1,
            "'x'",
        ),
        (
            &["livesync", "dump", "--interface", "203.0.113.1"],
            1,
            "203.0.113.1",
        ),
        (&["config", "import", "no-such-file"], 1, "no-such-file"),
    ] {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(message), "{said}");
    }
}
