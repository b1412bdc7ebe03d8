//! Against a tracker of ours that runs: both sides mean the same.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use opentracker::Tracker;
use opentracker::config::{Listener, Values};
use opentracker_lab::tls::{AUTHORITY, TRACKER};
use serde_json::Value;

use crate::fake::socket;
use crate::{HASH, PROGRAM, Said, said};

/// A tracker in this process, with its control socket.
struct Running {
    tracker: Arc<Tracker>,
    socket: String,
    folder: PathBuf,
}

impl Running {
    fn start(name: &str) -> Self {
        Self::start_with(name, |_, _| ())
    }

    /// Starts one whose configuration is changed, in this folder.
    fn start_with(name: &str, change: impl FnOnce(&mut Values, &Path)) -> Self {
        let folder = socket(name);
        std::fs::create_dir_all(&folder).unwrap();
        let socket = folder.join("control.sock");
        let mut values = Values::default();
        values.udp.listen = vec!["127.0.0.1:0".parse().unwrap()];
        values.udp.workers = 1;
        values.http.listen = vec!["127.0.0.1:0".parse().unwrap()];
        values.admin.listen = vec![];
        values.admin.socket.clone_from(&socket);
        values.snapshot.path = folder.join("snapshot");
        change(&mut values, &folder);
        let tracker = Tracker::start(values.validate().unwrap()).unwrap();
        Self {
            tracker,
            socket: socket.to_str().unwrap().to_owned(),
            folder,
        }
    }

    fn url(&self, protocol: &str) -> String {
        let listeners = self.tracker.listeners().iter();
        let mut of_protocol = listeners.filter(|listener| listener.protocol == protocol);
        let address: SocketAddr = of_protocol.next().unwrap().address.internet().unwrap();
        format!("{protocol}://{address}/announce")
    }

    fn run(&self, arguments: &[&str]) -> Said {
        crate::run(&[arguments, &["--socket", &self.socket]].concat())
    }

    /// Runs something that worked, and returns what it said.
    fn out(&self, arguments: &[&str]) -> String {
        let said = self.run(arguments);
        assert_eq!(
            (said.code, &*said.err),
            (Some(0), ""),
            "{arguments:?}: {said:?}"
        );
        said.out
    }

    fn follow(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).args(["--socket", &self.socket]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tracker.shutdown();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Does something until a stream that is followed has ended, and returns its lines.
fn lines(mut child: Child, cause: impl Fn()) -> Vec<String> {
    while child.try_wait().unwrap().is_none() {
        cause();
    }
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.map(Result::unwrap).collect()
}

#[test]
fn a_torrent_comes_is_blocked_and_comes_back() {
    let tracker = Running::start("comes");
    for protocol in ["udp", "http"] {
        let url = tracker.url(protocol);
        let port = if protocol == "udp" { "1" } else { "2" };
        let said = crate::run(&["announce", &url, HASH, "--port", port, "--stay"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(said.out.contains(&format!("{port} leecher")), "{said:?}");
        let said = crate::run(&["scrape", &url, HASH]);
        let expected = format!("{HASH}  0 seeders, {port} leecher");
        assert!(said.out.starts_with(&expected), "{said:?}");
    }
    let list = tracker.out(&["torrents", "--limit", "2000"]);
    assert!(list.lines().nth(1).unwrap().starts_with(HASH), "{list}");
    let one = tracker.out(&["torrents", HASH]);
    assert!(
        one.starts_with(&format!("{HASH}: served\n0 seeders, 2 leechers")),
        "{one}"
    );
    assert_eq!(one.lines().count(), 4, "{one}");

    let said = tracker.out(&["block", HASH, "--note", "notice 7"]);
    assert!(
        said.ends_with(&format!("{HASH} blocked, 2 peers gone\n")),
        "{said}"
    );
    assert!(tracker.out(&["blocks"]).ends_with("  notice 7\n"));
    let said = crate::run(&["announce", &tracker.url("http"), HASH]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("(retry in: never)"), "{said:?}");
    let said = tracker.out(&["unblock", HASH]);
    assert!(said.ends_with("not blocked any more\n"), "{said}");
    assert_eq!(tracker.out(&["blocks"]), "");
    let said = crate::run(&["announce", &tracker.url("udp"), HASH, "--stay"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = tracker.out(&["purge", HASH]);
    assert!(said.ends_with("1 torrent and 1 peer purged\n"), "{said}");
}

#[test]
fn a_tracker_is_looked_at_and_steered() {
    let tracker = Running::start("steered");
    let pid = std::process::id();
    let status = tracker.out(&["status"]);
    assert!(
        status.contains(&format!("pid {pid}")) && status.contains(": serving"),
        "{status}"
    );
    let said = tracker.out(&["drain"]);
    assert!(said.starts_with(&format!("pid {pid}: draining")), "{said}");
    assert!(tracker.out(&["status"]).contains(": draining"));
    assert!(tracker.out(&["undrain"]).contains(": serving"));
    let said = tracker.out(&["snapshot", "now"]);
    assert!(said.contains("/snapshot written: "), "{said}");
    let file = tracker.folder.join("snapshot");
    let said = crate::run(&["snapshot", "verify", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let config = tracker.out(&["config", "show"]);
    assert!(
        config.contains(&format!("socket = \"{}\"\n", tracker.socket)),
        "{config}"
    );
    assert_eq!(tracker.out(&["limited"]), "nobody sends too much\n");
    let activity: Value = tracker
        .out(&["top", "--json", "--count", "1"])
        .parse()
        .unwrap();
    assert!(activity["swarms"].is_object(), "{activity}");
    let doctor = tracker.run(&["doctor"]);
    for protocol in ["udp", "http"] {
        let ok = |line: &&str| line.starts_with(&format!("ok       {protocol} 127.0.0.1:"));
        assert_eq!(doctor.out.lines().filter(ok).count(), 1, "{doctor:?}");
    }
}

#[test]
fn streams_tell_of_what_happens() {
    let tracker = Running::start("streams");
    let url = tracker.url("udp");
    // One that is taken back lets the next be the first seeder again.
    let announce = |more: &[&str]| {
        let announce = [&["announce", &url, HASH, "--left=0"], more].concat();
        assert_eq!(crate::run(&announce).code, Some(0));
    };
    // It may begin between the two.
    let events = tracker.follow(&["events", "--count", "2"]);
    let events = lines(events, || announce(&[]));
    let expected = format!("  first seeder  {HASH}  1 seeder, 0 leechers");
    let is_expected = |line: &&String| line.contains(&expected);
    assert_eq!(events.iter().filter(is_expected).count(), 1, "{events:?}");
    let trace = tracker.follow(&["trace", "--max", "1", "--prefix", "127.0.0.0/8"]);
    let line = &lines(trace, || announce(&["--stay"]))[0];
    let expected = format!("udp announce {HASH} from 127.0.0.1 port 6881 (-OC0100-");
    assert!(line.contains(&expected), "{line}");
    assert!(
        line.contains("has everything: served: 0 peers, 1 seeder"),
        "{line}"
    );
}

#[test]
fn https_is_asked_by_those_who_trust_its_certificate() {
    let running = Running::start_with("https", |values, folder| {
        values.tls.certificate = folder.join("tls.pem");
        values.tls.key = folder.join("tls.key");
        std::fs::write(&values.tls.certificate, TRACKER.certificate).unwrap();
        std::fs::write(&values.tls.key, TRACKER.key).unwrap();
        std::fs::set_permissions(&values.tls.key, Permissions::from_mode(0o644)).unwrap();
        let mut listener = Listener::from(SocketAddr::from(([127, 0, 0, 1], 0)));
        listener.tls = true;
        values.http.listen = vec![listener];
        std::fs::write(folder.join("authority.pem"), AUTHORITY).unwrap();
    });
    let url = running.url("https");
    let run = |arguments: &[&str], trusted: &str| {
        let mut command = Command::new(PROGRAM);
        command.env("SSL_CERT_FILE", running.folder.join(trusted));
        said(command.args(arguments).output().unwrap())
    };
    let announce = |trusted| run(&["announce", &url, HASH, "--left", "0"], trusted);
    let told = announce("authority.pem");
    assert_eq!((told.code, &*told.err), (Some(0), ""), "{told:?}");
    let refused = announce("tls.pem");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let reason = "127.0.0.1 has no certificate that is trusted here: invalid peer certificate";
    assert!(refused.err.contains(reason), "{refused:?}");

    let doctor = |trusted| run(&["doctor", "--socket", &running.socket], trusted).out;
    let address = url.trim_start_matches("https://");
    let address = address.trim_end_matches("/announce");
    for (trusted, level, message) in [
        ("authority.pem", "ok      ", "answers in"),
        (
            "tls.pem",
            "note    ",
            "not with a certificate that this host trusts",
        ),
    ] {
        let said = doctor(trusted);
        let line = said.lines().find(|line| line.contains(address)).unwrap();
        assert!(line.starts_with(level) && line.contains(message), "{line}");
        assert!(said.contains("ok       certificate of tracker.example"));
        assert!(said.contains("problem  key of HTTPS: everybody"), "{said}");
    }
}
