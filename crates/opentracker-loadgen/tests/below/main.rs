//! Load below the network stack, between two hosts that are network namespaces: run by
//! `cargo xtask test`, as root.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::Path;
use std::time::Duration;

use opentracker_lab::{Host, Lab};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_opentracker-loadgen");
const PATIENCE: Duration = Duration::from_secs(20);

/// The link-layer address of a host.
fn mac(host: &Host) -> String {
    let shown = host.command("cat").arg("/sys/class/net/eth0/address").run();
    shown.trim().to_owned()
}

#[test]
fn load_and_reflector_meet_below_the_network_stack() {
    let lab = Lab::new("loadgen-below");
    let (server, client) = (lab.host("server"), lab.host("client"));
    let address = format!("{}:6969", server.ipv4());
    let mut reflector = server
        .command(PROGRAM)
        .args(["reflect", "udp", "--xdp", "eth0", "--duration", "1m"])
        .args(["--listen", &address])
        .spawn();
    lab.wait_until(PATIENCE, "the reflector listens", || {
        assert!(reflector.is_running(), "{}", reflector.log());
        reflector.log().contains("listening on udp")
    });
    let report = client.folder().join("report.json");
    client
        .command(PROGRAM)
        .args(["udp", &address, "--quiet", "--json"])
        .arg(&report)
        .args(["--warmup", "100ms", "--duration", "300ms"])
        .args(["--torrents", "100", "--peers", "800", "--sources", "8"])
        .args([
            "--source-net",
            "10.1.0.0/24",
            "--connect",
            "10",
            "--scrape",
            "10",
        ])
        .args(["--xdp", "eth0", "--next-hop", &mac(&server)])
        .run();
    let report = read(&report);
    let figure = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap();
    for kind in ["announce", "scrape", "connect"] {
        assert!(figure(&format!("/answered/{kind}")) > 0, "{report:#}");
    }
    for kind in ["malformed", "stray", "unsent"] {
        assert_eq!(figure(&format!("/{kind}")), 0, "{report:#}");
    }
}

#[test]
fn an_interface_that_is_not_there_is_said() {
    let lab = Lab::new("loadgen-below-errors");
    let host = lab.host("host");
    let mut load = host
        .command(PROGRAM)
        .args(["udp", "10.0.0.9:1", "--source-net", "10.1.0.0/16"])
        .args(["--xdp", "eth9", "--next-hop", "02:00:00:00:00:01"])
        .spawn();
    assert!(!load.wait(PATIENCE).success());
    assert!(
        load.log().contains("cannot use XDP on eth9"),
        "{}",
        load.log()
    );
}

fn read(report: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap()
}
