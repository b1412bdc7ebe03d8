//! A tracker with every part on, so that every metric is there once it has heard another one.

use opentracker_lab::tls::TRACKER;

use crate::program::{Setup, Tracker};

/// The torrent that it serves.
pub(crate) const TORRENT: [u8; 20] = [0xab; 20];

/// Starts a node of a cluster on loopback.
pub(crate) fn start(group: &str) -> Tracker {
    let mut setup = Setup::new();
    let snapshot = setup.path("snapshot");
    let certificate = setup.write("tls.pem", &[TRACKER.certificate, TRACKER.key].concat());
    setup
        .set_toml(
            "http.listen",
            "[\"127.0.0.1:0\", { address = \"127.0.0.1:0\", tls = true }]",
        )
        .listeners(4)
        .set("tls.certificate", certificate.to_str().unwrap())
        .list("access.allow", &[TORRENT])
        .list("access.deny", &[])
        .set("snapshot.path", snapshot.to_str().unwrap())
        .set("snapshot.interval", "1s")
        .set("limits.memory", "1GiB")
        .set("limits.rate", "1000/s")
        .set("livesync.listen", "127.0.0.1:9696")
        .set("livesync.group", group)
        .set("livesync.nodes", ["127.0.0.1"])
        .set("livesync.max_delay", "1s")
        .set("livesync.first_beacon_delay", "1s")
        .set("livesync.beacon_interval", "1s");
    for key in ["access.deny_clients", "access.deny_networks"] {
        let path = setup.write(key, "");
        setup.set(key, path.to_str().unwrap());
    }
    setup.start()
}

/// The group of the nodes that this process starts.
pub(crate) fn own_group() -> String {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    format!("239.{high}.{middle}.{low}")
}
