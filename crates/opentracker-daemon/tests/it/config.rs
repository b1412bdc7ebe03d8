//! Section "Configuration" of the contract: where settings come from, and what they do that no
//! other section says.
//!
//! | sentence | tests |
//! |---|---|
//! | `--print-config` prints every key with its default | `every_key_is_printed_with_its_default` |
//! | and a comment | `every_key_is_printed_with_a_comment` |
//! | every key is optional | `an_empty_file_is_a_configuration`, `what_is_printed_is_a_configuration` |
//! | `--check` validates and exits 0 | `check_starts_nothing` |
//! | `udp.listen`, `http.listen`: addresses, `[]` = off | `every_address_is_served`, `udp_can_be_switched_off`, `http_can_be_switched_off` |
//! | `access.allow`: 40-digit info hashes, one a line, `#` comments; set: only these are served | `only_allowed_torrents_are_served`, `lists_have_comments_and_blank_lines`, `an_empty_allow_list_serves_nothing` |
//! | `access.deny`: never served, whatever `allow` says | `denied_torrents_are_not_served_whatever_is_allowed` |
//! | `access.admin` is nobody by default | `nobody_scrapes_everything_by_default` |
//! | `access.admin` and `access.stats` are networks | `networks_may_be_single_addresses` |
//! | `log.level` | `the_level_says_what_is_logged` |
//! | peer addresses never above `debug` | `addresses_of_peers_are_not_logged` |
//! | `log.format`: text or json | `lines_of_json_are_objects` |

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener, UdpSocket};

use crate::datagram::{Announce, Client};
use crate::program::{NOTHING, Setup, Tracker, eventually};
use crate::request::{announce, get};

/// The defaults of the contract, word for word and without its comments.
pub(crate) const DEFAULTS: &str = r#"
[udp]
listen = ["0.0.0.0:6969", "[::]:6969"]
workers = 0
max_payload = 1232
connection_id_lifetime = "4m"
backend = "sockets"

[udp.xdp]
interfaces = []
queues = []
mode = "auto"

[http]
listen = ["0.0.0.0:6969", "[::]:6969"]
stats_path = "stats"
redirect_url = ""
trusted_proxies = []
forwarded_header = "x-forwarded-for"
cors_origins = []
idle_timeout = "30s"

[announce]
interval = "30m"
jitter = "3m"
min_interval = "15m"
peer_timeout = "45m"
torrent_timeout = "24h"
numwant_default = 50
numwant_max = 200

[access]
allow = ""
deny = ""
deny_clients = ""
deny_networks = ""
stats = ["0.0.0.0/0", "::/0"]
admin = []
fifo_add = ""
fifo_delete = ""

[admin]
listen = ["127.0.0.1:6970"]
socket = ""
token = ""
hosts = []

[limits]
max_torrents = 0
max_peers = 0
max_peers_per_torrent = 0
memory = ""
rate = "off"
burst = 100
rate_exempt = []
connections_per_prefix = 0

[livesync]
listen = ""
group = "224.0.23.5"
ttl = 1
nodes = []
secret = ""
unsealed = []
relay = false
dialect = "full"
max_delay = "15s"
first_beacon_delay = "30m"
beacon_interval = "60s"
inquire_threshold = 0.75
renew_boundary = "10m"

[livesync.unicast]
listen = ""
peers = []

[livesync.nats]
servers = []
credentials = ""
ca = ""
subject = "opentracker.livesync"

[tls]
certificate = ""
key = ""

[webtorrent]
enabled = false
max_offers = 10
origins = []

[snapshot]
path = ""
interval = "10m"
stop_timeout = "60s"

[process]
user = ""
chroot = ""

[log]
level = "info"
format = "text"
addresses = "short"
"#;

fn printed() -> String {
    let mut setup = Setup::new();
    let ended = setup.argument("--print-config").run_bare();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

/// The values of a configuration that has one key a line, as they are written, by their keys.
pub(crate) fn values(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut section = "";
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    for line in lines.filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.strip_suffix(']').unwrap();
        } else {
            let (key, value) = line.split_once(" = ").unwrap();
            let twice = values.insert(format!("{section}.{key}"), value.to_owned());
            assert!(twice.is_none(), "{line}");
        }
    }
    values
}

#[test]
fn every_key_is_printed_with_its_default() {
    assert_eq!(values(&printed()), values(DEFAULTS));
}

#[test]
fn every_key_is_printed_with_a_comment() {
    let printed = printed();
    let is_key = |line: &&str| !line.starts_with(['#', '[']) && line.contains(" = ");
    let lines: Vec<_> = printed.lines().filter(is_key).collect();
    assert_eq!(lines.len(), values(DEFAULTS).len());
    for line in lines {
        let (_, comment) = line.rsplit_once(" # ").unwrap_or_else(|| panic!("{line}"));
        assert!(comment.len() > 10, "{line}");
    }
}

#[test]
fn what_is_printed_is_a_configuration() {
    let mut setup = Setup::new();
    let ended = setup.text(&printed()).argument("--check").run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn an_empty_file_is_a_configuration() {
    for text in [
        "",
        "\n",
        "# nothing\n",
        "[udp]\n[http]\n[announce]\n[access]\n[admin]\n[process]\n[log]\n",
    ] {
        let mut setup = Setup::new();
        let ended = setup.text(text).argument("--check").run();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{text}");
    }
}

#[test]
fn check_starts_nothing() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut setup = Setup::new();
    setup
        .set(
            "udp.listen",
            [udp.local_addr().unwrap().to_string().as_str()],
        )
        .set(
            "http.listen",
            [tcp.local_addr().unwrap().to_string().as_str()],
        )
        .argument("--check");
    let ended = setup.run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let mut setup = Setup::new();
    let ended = setup.set("udp.workers", -1).argument("--check").run();
    assert_eq!(ended.code, Some(2));
}

#[test]
fn nobody_scrapes_everything_by_default() {
    let mut setup = Setup::new();
    setup.unset("access.admin");
    let tracker = setup.start();
    assert_eq!(get(tracker.http(), "/metrics").status, 403);
    assert_eq!(get(tracker.http(), "/stats").status, 200);
}

#[test]
fn every_address_is_served() {
    let mut setup = Setup::new();
    setup
        .set("udp.listen", ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"])
        .set("http.listen", ["127.0.0.3:0", "[::1]:0"]);
    let tracker = setup.start();
    let ips = |protocol| -> Vec<_> {
        tracker
            .addresses(protocol)
            .iter()
            .map(|address| address.ip().to_string())
            .collect()
    };
    assert_eq!(ips("udp"), ["127.0.0.1", "127.0.0.2", "::1"]);
    assert_eq!(ips("http"), ["127.0.0.3", "::1"]);
    for address in tracker.addresses("udp") {
        Client::of(address).connect();
    }
    for address in tracker.addresses("http") {
        assert_eq!(get(address, "/stats").status, 200);
    }
    let ports: BTreeSet<_> = tracker
        .addresses("udp")
        .iter()
        .map(SocketAddr::port)
        .collect();
    assert!(!ports.contains(&0), "the lines say which ports they are");
}

#[test]
fn udp_can_be_switched_off() {
    let mut setup = Setup::new();
    setup.set("udp.listen", NOTHING);
    let tracker = setup.start();
    assert_eq!(get(tracker.http(), "/stats").status, 200);
    assert!(tracker.addresses("udp").is_empty());
}

#[test]
fn http_can_be_switched_off() {
    let tracker = Setup::udp().start();
    Client::of(tracker.udp()).connect();
    assert!(tracker.addresses("http").is_empty());
}

const TORRENT: [u8; 20] = [0xab; 20];
const OTHER: [u8; 20] = [0xcd; 20];

/// Whether a torrent is served, over both protocols.
fn serves(tracker: &Tracker, info_hash: [u8; 20]) -> bool {
    let over_udp = Client::of(tracker.udp())
        .try_announce(&Announce::new(info_hash, 1000))
        .is_ok();
    let response = get(tracker.http(), &announce(&info_hash, 1000, ""));
    let over_http = response.bencode().get("failure reason").is_none();
    assert_eq!(over_udp, over_http, "{response:?}");
    over_udp
}

#[test]
fn only_allowed_torrents_are_served() {
    let mut setup = Setup::new();
    setup.list("access.allow", &[TORRENT]);
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT));
    assert!(!serves(&tracker, OTHER));
    assert!(
        serves(&Setup::new().start(), OTHER),
        "without a list everything is"
    );
}

#[test]
fn lists_have_comments_and_blank_lines() {
    let mut setup = Setup::new();
    let (torrent, other) = ("aB".repeat(20), "CD".repeat(20));
    let text = format!("# a list\r\n\r\n  {torrent}  # the first\r\n#{other}\n\n{other}#\n");
    let path = setup.write("list", &text);
    setup.set("access.allow", path.to_str().unwrap());
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT));
    assert!(serves(&tracker, OTHER));
    assert!(!serves(&tracker, [1; 20]));
}

#[test]
fn an_empty_allow_list_serves_nothing() {
    let mut setup = Setup::new();
    setup.list("access.allow", &[]);
    assert!(!serves(&setup.start(), TORRENT));
}

#[test]
fn denied_torrents_are_not_served_whatever_is_allowed() {
    let mut setup = Setup::new();
    setup
        .list("access.deny", &[TORRENT])
        .list("access.allow", &[TORRENT, OTHER]);
    let tracker = setup.start();
    assert!(!serves(&tracker, TORRENT));
    assert!(serves(&tracker, OTHER));
    let mut setup = Setup::new();
    setup.list("access.deny", &[TORRENT]);
    let tracker = setup.start();
    assert!(!serves(&tracker, TORRENT));
    assert!(serves(&tracker, OTHER));
}

#[test]
fn networks_may_be_single_addresses() {
    for (admin, status) in [
        ("127.0.0.1", 200),
        ("127.0.0.0/30", 200),
        ("127.0.0.2", 403),
    ] {
        let mut setup = Setup::new();
        setup.set("access.admin", [admin]);
        assert_eq!(
            get(setup.start().http(), "/metrics").status,
            status,
            "{admin}"
        );
    }
}

#[test]
fn the_level_says_what_is_logged() {
    let datagrams = |tracker: &Tracker| {
        let log = tracker.log();
        log.iter().filter(|line| line.contains("TRACE")).count()
    };
    let mut setup = Setup::udp();
    setup.set("log.level", "trace");
    let loud = setup.start();
    Client::of(loud.udp()).connect();
    loud.wait_for("a line for the datagram", |log| {
        log.iter().any(|line| line.contains("TRACE"))
    });

    let usual = Setup::udp().start();
    Client::of(usual.udp()).connect();
    assert_eq!(datagrams(&usual), 0);

    // Those that say nothing while all is well have to be looked at otherwise.
    for level in ["warn", "error"] {
        let mut setup = Setup::udp();
        setup.set("log.level", level).listeners(0);
        let mut tracker = setup.start();
        eventually("its worker", || {
            tracker.threads("comm").iter().any(|name| name == "udp-0")
        });
        let (status, _) = tracker.stop("TERM");
        assert_eq!(
            (status.code(), tracker.log()),
            (Some(0), Vec::new()),
            "{level}"
        );
    }
}

#[test]
fn addresses_of_peers_are_not_logged() {
    let mut tracker = Setup::new().start();
    let client = Client::at("127.9.8.7", tracker.udp());
    client.announce(&Announce::new(TORRENT, 54321));
    client.try_announce(&Announce::new(TORRENT, 0)).unwrap_err();
    client.is_silent_to(b"garbage");
    get(tracker.http(), &announce(&TORRENT, 54321, ""));
    get(tracker.http(), "/announce");
    tracker.hang_up();
    tracker.stop("TERM");
    let log = tracker.log().join("\n");
    assert!(
        !log.contains("127.9.8.7") && !log.contains("54321"),
        "{log}"
    );
}

#[test]
fn lines_of_json_are_objects() {
    let mut setup = Setup::udp();
    setup.set("log.format", "json");
    let mut tracker = setup.start();
    tracker.hang_up();
    tracker.stop("TERM");
    let log = tracker.log();
    assert!(log.len() >= 3, "{log:?}");
    for line in log {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(object.is_object(), "{line}");
        for key in ["timestamp", "level", "message"] {
            assert!(object[key].is_string(), "{key}: {line}");
        }
    }
}
