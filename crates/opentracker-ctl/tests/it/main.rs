//! The program from outside, with a group on the loopback interface, where every member hears
//! every other.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read, Write};
use std::net::TcpListener;
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
fn a_tracker_is_asked_what_it_knows() {
    // It answers like a tracker with one sibling.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tracker = listener.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut octet) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut octet).unwrap();
            request.extend(octet);
        }
        let body = "00000102, joined, 1 others\naddress\tid\n192.0.2.1\taa000001\n";
        let response = format!("HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\n{body}");
        stream.write_all(response.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    let mut status = Command::new(PROGRAM);
    let status = status.args(["livesync", "status", "--tracker", &tracker]);
    let output = status.output().unwrap();
    let request = answering.join().unwrap();
    assert!(request.starts_with("GET /stats?mode=cluster HTTP/1.0\r\n"));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "00000102, joined, 1 others\naddress    id\n192.0.2.1  aa000001\n"
    );
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
