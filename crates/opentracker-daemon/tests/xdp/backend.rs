//! What receives datagrams in these tests: XDP on the loopback interface of a network namespace of its own
//! for each setup, since an interface has room for one program.

use std::fs;
use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use crate::program::Setup;

pub(crate) fn choose(setup: &mut Setup) {
    enter();
    setup
        .set("udp.backend", "xdp")
        .set("udp.xdp.interfaces", ["lo"])
        .set("udp.xdp.mode", "generic");
}

/// Moves this thread, and what it starts from now on, into a network of its own.
fn enter() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network of its own takes root");
    ip("link set lo up");
    // What a frame from an interface says of loopback addresses is not believed otherwise.
    for (setting, value) in [
        ("lo/route_localnet", "1"),
        ("lo/accept_local", "1"),
        ("lo/rp_filter", "0"),
        ("all/rp_filter", "0"),
    ] {
        fs::write(format!("/proc/sys/net/ipv4/conf/{setting}"), value).unwrap();
    }
}

/// Runs the `ip` command in the network of this thread, and returns what it prints.
pub(crate) fn ip(arguments: &str) -> String {
    let arguments = arguments.split_whitespace();
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
