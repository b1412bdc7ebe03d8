use std::net::{TcpListener, UdpSocket};

use crate::program::failure;

#[test]
fn public_targets_are_refused() {
    for command in ["udp", "http", "fill", "livesync"] {
        let message = failure(&format!("{command} 198.51.100.1:6969"));
        assert!(message.contains("--allow-public-target"), "{message}");
    }
    let message = failure("reflect udp --listen 198.51.100.1:6969");
    assert!(message.contains("198.51.100.1"), "{message}");
}

#[test]
fn a_target_that_does_not_answer_is_reported() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = silent.local_addr().unwrap();
    let message = failure(&format!(
        "udp {target} --timeout 20ms --sources 3 --peers 9"
    ));
    let part = "3 of 3 sources got no connection id";
    assert!(message.contains(part), "{message}");

    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    drop(listener);
    let message = failure(&format!("http {target}"));
    assert!(message.contains("cannot connect"), "{message}");
}

#[test]
fn what_cannot_be_done_is_said_before_it_is_begun() {
    for (line, part) in [
        ("udp 127.0.0.1:1 --announce 0", "proportion 0"),
        ("http 127.0.0.1:1 --announce 0", "proportion 0"),
        (
            "udp 127.0.0.1:1 --peers 99999999",
            "at least 1526 addresses",
        ),
        ("udp 127.0.0.1:1 --source-net fd00::/8", "cannot reach"),
        (
            "udp 127.0.0.1:1 --source-net 127.0.0.8/30",
            "fewer than 256",
        ),
        ("livesync 127.0.0.1:1 --records 53", "at most 52"),
        ("livesync 127.0.0.1:1 --threads 2", "one thread"),
        ("reflect udp --octets 19", "20 to 1984 octets"),
        ("udp nowhere", "not an address and a port"),
    ] {
        let message = failure(line);
        assert!(message.contains(part), "{line}: {message}");
    }
}
