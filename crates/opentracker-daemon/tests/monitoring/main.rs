//! A real Prometheus scrapes the program, evaluates the rules of `deploy/monitoring`, and answers the
//! queries of the dashboard.
//!
//! It is run by `cargo xtask test`, with Debian's build of Prometheus.
//!
//! | sentence | tests |
//! |---|---|
//! | `promtool check metrics` passes | `promtool_has_nothing_to_say` |
//! | `promtool check rules`, `test rules` | `promtool_has_nothing_to_say` |
//! | recording and alert rules and a dashboard, loaded into a real Prometheus | `prometheus_evaluates_rules_and_queries` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../it/backend.rs"]
mod backend;
#[path = "../it/bencode.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod bencode;
#[path = "../it/datagram.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod datagram;
#[path = "../it/node.rs"]
mod node;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;
#[path = "../it/queries.rs"]
mod queries;
#[path = "../it/request.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod request;

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use program::{Setup, eventually};
use queries::{queries_of_dashboard, rules};
use request::{announce, encoded, get};
use serde_json::Value;

fn monitoring() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring");
    folder.canonicalize().unwrap()
}

/// Runs promtool, which has to succeed, and returns what it says.
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(monitoring())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Debian's package prometheus has promtool");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn promtool_has_nothing_to_say() {
    let tracker = node::start(&node::own_group());
    get(tracker.http(), &announce(&node::TORRENT, 54321, ""));
    let metrics = get(tracker.operator(), "/metrics");
    assert_eq!(promtool(&["check", "metrics"], metrics.text()), "");
    for (what, file) in [
        ("config", "prometheus.yml"),
        ("rules", "opentracker.rules.yml"),
    ] {
        promtool(&["check", what, file], "");
    }
    promtool(&["test", "rules", "opentracker.rules.test.yml"], "");
}

/// A Prometheus that runs until it is dropped.
struct Prometheus {
    address: SocketAddr,
    child: Child,
}

impl Prometheus {
    /// Starts it with a configuration, in a folder of its own.
    fn start(setup: &Setup, config: &str) -> Self {
        let config = setup.write("prometheus.yml", config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let data = setup.path("prometheus");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .spawn()
            .expect("Debian's package prometheus has it");
        let prometheus = Self { address, child };
        eventually("a Prometheus that is ready", || {
            TcpStream::connect(address).is_ok() && get(address, "/-/ready").status == 200
        });
        prometheus
    }

    /// Asks its API, which has to succeed.
    fn api(&self, path: &str) -> Value {
        let response = get(self.address, &format!("/api/v1/{path}"));
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// Returns the results of a query.
    fn query(&self, query: &str) -> Vec<Value> {
        let data = self.api(&format!("query?query={}", encoded(query.as_bytes())));
        data["result"].as_array().unwrap().clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn prometheus_evaluates_rules_and_queries() {
    let tracker = node::start(&node::own_group());
    let folder = monitoring();
    let config = fs::read_to_string(folder.join("prometheus.yml")).unwrap();
    let config = config
        .replace("127.0.0.1:6970", &tracker.operator().to_string())
        .replace("15s", "1s")
        .replace(
            "opentracker.rules.yml",
            folder.join("opentracker.rules.yml").to_str().unwrap(),
        );
    let prometheus = Prometheus::start(&tracker.setup, &config);
    let rules = rules(&fs::read_to_string(folder.join("opentracker.rules.yml")).unwrap());
    let ask = || {
        get(tracker.http(), &announce(&node::TORRENT, 54321, ""));
        get(tracker.http(), "/announce");
    };
    eventually("a target that is up", || {
        ask();
        let targets = prometheus.api("targets?state=active");
        targets["activeTargets"][0]["health"] == "up"
    });
    eventually("rules that are healthy", || {
        ask();
        let groups = prometheus.api("rules");
        let groups = groups["groups"].as_array().unwrap().clone();
        let rules = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap());
        let rules: Vec<_> = rules.collect();
        let faults = rules.iter().filter(|rule| rule["lastError"].is_string());
        assert_eq!(faults.count(), 0, "{rules:?}");
        !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok")
    });
    for name in &rules.recorded {
        eventually(name, || {
            ask();
            !prometheus.query(name).is_empty()
        });
    }
    let dashboard = fs::read_to_string(folder.join("grafana.json")).unwrap();
    for query in queries_of_dashboard(&serde_json::from_str(&dashboard).unwrap()) {
        let query = query
            .replace("$job", "opentracker")
            .replace("$instance", ".*")
            .replace("$__rate_interval", "1m");
        prometheus.query(&query);
    }
    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}");
    assert!(firing.is_empty(), "a tracker that is well: {firing:?}");
}
