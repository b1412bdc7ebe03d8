//! What needs no tracker: the group of a cluster, on the loopback interface, where every member
//! hears every other; snapshots; mistakes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use opentracker_livesync_wire::Keys;
use opentracker_snapshot::Writer;
use opentracker_types::{InfoHash, PeerAddr, SavedPeer, SavedTorrent};
use serde_json::Value;

use crate::{PROGRAM, run};

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
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
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
fn what_is_sealed_is_verified() {
    let group = "239.255.7.3";
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("livesync-secret");
    fs::write(&path, format!("{}\n", "0a".repeat(32))).unwrap();
    let with_secret = |tool, arguments: &[&str]| {
        let mut command = livesync(tool, group);
        command.arg("--secret").arg(&path).args(arguments);
        command
    };
    let dump = with_secret("dump", &["--json", "--count", "1"]);
    let inject = with_secret("inject", &["beacon", "300"]);
    let output = hear(dump, inject);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["torrents"], 300);
    assert_eq!(object["seal"]["key"], key_name(&"0a".repeat(32)));

    let dump = with_secret("dump", &["--json", "--count", "1"]);
    let mut inject = livesync("inject", group);
    inject.args(["beacon", "300"]);
    let output = hear(dump, inject);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["dropped"], "seal");
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

fn key_name(digits: &str) -> String {
    Keys::parse(digits).unwrap().first().name().to_string()
}

#[test]
fn a_key_is_made_for_its_owner_alone_and_replaces_none() {
    let keygen = |arguments: &[&str]| run(&[&["cluster", "keygen"], arguments].concat());
    let printed = keygen(&[]).out;
    assert_eq!(printed.len(), 65, "{printed}");
    assert_ne!(key_name(&printed), key_name(&keygen(&[]).out));
    let object: Value = serde_json::from_str(&keygen(&["--json"]).out).unwrap();
    assert_eq!(object["name"], key_name(object["key"].as_str().unwrap()));

    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("secret");
    fs::remove_file(&path).ok();
    let output = ["--output", path.to_str().unwrap()];
    let said = keygen(&output).out;
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.len(), 65, "{text}");
    assert_eq!(said, format!("{}: key {}\n", output[1], key_name(&text)));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);

    let again = keygen(&output);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.err.contains("cannot write "), "{again:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
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

/// Writes a snapshot of two torrents, one of them in two parts.
fn snapshot(name: &str) -> (PathBuf, Vec<u8>) {
    let torrent = |number, downloads| SavedTorrent {
        info_hash: InfoHash::new([number; 20]),
        downloads,
        idle_minutes: 3,
        unestablished_minutes: None,
        swarm_peers: 3,
    };
    let peer = |last, seeding| SavedPeer {
        addr: PeerAddr::new([192, 0, 2, last].into(), 6881),
        seeding,
        completed: seeding,
        age_minutes: 3,
    };
    let mut writer = Writer::new(Vec::new(), 1_800_000_000).unwrap();
    writer
        .put(&torrent(0xaa, 7), &[peer(1, true), peer(2, false)])
        .unwrap();
    writer.put(&torrent(0xaa, 7), &[peer(3, false)]).unwrap();
    writer.put(&torrent(0xbb, 0), &[]).unwrap();
    let (octets, _) = writer.finish().unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, &octets).unwrap();
    (path, octets)
}

fn look(tool: &str, path: &Path, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(PROGRAM);
    command.args(["snapshot", tool]).arg(path).args(more);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_snapshot_is_dumped_and_verified() {
    let (path, octets) = snapshot("whole.snapshot");
    let [a, b] = ["aa".repeat(20), "bb".repeat(20)];
    let (code, said, _) = look("dump", &path, &[]);
    assert_eq!(
        (code, said),
        (Some(0), format!("{a} 1 2 7 3\n{b} 0 0 0 3\n"))
    );
    let (_, said, _) = look("dump", &path, &["--peers"]);
    let first = format!("{a} 192.0.2.1:6881 seeder completed 3");
    assert_eq!(said.lines().next(), Some(&*first));
    assert_eq!(said.lines().count(), 3);
    let (_, said, _) = look("dump", &path, &["--json"]);
    let torrents: Vec<Value> = said.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(torrents[0]["leechers"], 2);
    assert_eq!(torrents[1]["info_hash"], b);
    let (_, said, _) = look("dump", &path, &["--peers", "--json"]);
    let peer: Value = said.lines().next().unwrap().parse().unwrap();
    assert_eq!(peer["address"], "192.0.2.1:6881");
    let (code, said, _) = look("verify", &path, &[]);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("2 torrents and 3 peers in 2 blocks"),
        "{said}"
    );

    for (len, lost) in [(octets.len() - 1, "its end is missing"), (50, "26 octets")] {
        fs::write(&path, &octets[..len]).unwrap();
        for tool in ["verify", "dump"] {
            let (code, _, said) = look(tool, &path, &[]);
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains("is damaged") && said.contains(lost), "{said}");
        }
    }
    fs::write(&path, "[udp]\n").unwrap();
    let (code, _, said) = look("verify", &path, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("it is no snapshot"), "{said}");
}

#[test]
fn a_configuration_is_tried_as_a_start_would() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("checked.toml");
    let listeners =
        "[udp]\nlisten = [\"127.0.0.1:0\"]\n[http]\nlisten = []\n[admin]\nlisten = []\n";
    fs::write(
        &path,
        format!("{listeners}[announce]\ninterval = \"17m\"\n"),
    )
    .unwrap();
    let file = path.to_str().unwrap();
    let good = run(&["check", file]);
    assert_eq!((good.code, &*good.err), (Some(0), ""), "{good:?}");
    assert!(good.out.contains("\ninterval = \"17m\"\n"), "{good:?}");
    let text = format!("{listeners}[access]\ndeny = \"/nowhere/deny\"\n[anounce]\n");
    fs::write(&path, text).unwrap();
    let bad = run(&["check", file]);
    assert_eq!((bad.code, &*bad.out), (Some(2), ""), "{bad:?}");
    assert!(bad.err.contains("did you mean `announce`?"), "{bad:?}");
    fs::write(
        &path,
        format!("{listeners}[access]\ndeny = \"/nowhere/deny\"\n"),
    )
    .unwrap();
    let bad = run(&["check", file, "--json"]);
    let object: Value = bad.out.parse().unwrap();
    assert_eq!(
        (bad.code, object["faults"].as_array().unwrap().len()),
        (Some(2), 1),
        "{bad:?}"
    );
    assert!(object["effective"].is_null());
    let lost = run(&["check", "/nowhere/a.toml"]);
    assert_eq!(lost.code, Some(2));
    assert!(lost.err.contains("/nowhere/a.toml"), "{lost:?}");
}

#[test]
fn completions_are_printed_for_each_shell() {
    for (shell, word) in [
        ("bash", "complete "),
        ("fish", "complete -c"),
        ("zsh", "#compdef"),
    ] {
        let printed = run(&["completions", shell]);
        assert_eq!(printed.code, Some(0));
        assert!(
            printed.out.contains(word) && printed.out.contains("undrain"),
            "{shell}"
        );
    }
}
