//! Section "Configuration" of the contract: clients and networks that are not served.
//!
//! | sentence | tests |
//! |---|---|
//! | `access.deny_clients`: file of peer-id prefixes that are refused | `a_denied_client_is_refused_by_udp_and_http` |
//! | `access.deny_networks`: file of networks that are not served at all | `a_denied_network_gets_silence_by_udp`, `a_denied_network_gets_403_by_http` |
//! | behind a trusted proxy it is the client's address that counts | `a_denied_network_behind_a_proxy` |
//! | a newly denied network is purged at once | `peers_of_a_denied_network_are_purged` |
//! | a deny list that has lost all its entries is taken on SIGHUP | `lists_without_entries_are_taken_at_a_signal` |
//! | a line that is no entry is skipped, counted and warned of | `other_lines_are_warned_of` |
//! | an unreadable list: 1 could not start; at a reload it keeps what it had | `a_list_must_be_readable` |

use crate::datagram::{Announce, CONNECT, Client, FORGED, SCRAPE, connect, head, scrape};
use crate::program::{Setup, Tracker};
use crate::request::{Connection, announce, encoded, get, get_with};

const TORRENT: [u8; 20] = [0xab; 20];

/// Sets a list by its text.
fn set(setup: &mut Setup, key: &str, text: &str) {
    let path = setup.write(key, text);
    setup.set(key, path.to_str().unwrap());
}

fn by(peer_id: [u8; 20]) -> Announce {
    Announce {
        peer_id,
        ..Announce::new(TORRENT, 1000)
    }
}

fn peers(tracker: &Tracker) -> String {
    let page = get(tracker.operator(), "/stats?mode=peer");
    page.text().lines().next().unwrap().to_owned()
}

#[test]
fn a_denied_client_is_refused_by_udp_and_http() {
    let mut setup = Setup::new();
    set(
        &mut setup,
        "access.deny_clients",
        "# 迅雷\n-XL0012- a note\r\n%00%ff\n",
    );
    let tracker = setup.start();
    let client = Client::of(tracker.udp());
    let server = tracker.http();
    let by_http = |peer_id: &[u8; 20]| {
        let peer_id = format!("peer_id={}", encoded(peer_id));
        get(server, &announce(&TORRENT, 1000, &peer_id))
    };
    for denied in [*b"-XL0012-abcdefghijkl", *b"\x00\xffcdefghijklmnopqrst"] {
        let refused = client.try_announce(&by(denied)).unwrap_err();
        assert_eq!(refused, "this client is not served here");
        let (reason, retry) = by_http(&denied).refusal();
        assert_eq!(
            (reason.as_str(), retry),
            ("this client is not served here", None)
        );
    }
    for served in [*b"-XL0013-abcdefghijkl", *b"\x00\xfecdefghijklmnopqrst"] {
        client.announce(&by(served));
        by_http(&served).announced();
    }
    // At the next signal another list is in force, and it is a file of its own.
    tracker.setup.write("access.deny_clients", "-XL001\n");
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("client list 2 → 1"), "{said}");
    assert!(client.try_announce(&by(*b"-XL0013-abcdefghijkl")).is_err());
    client.announce(&by(*b"\x00\xffcdefghijklmnopqrst"));
}

#[test]
fn a_denied_network_gets_silence_by_udp() {
    let mut setup = Setup::udp();
    set(&mut setup, "access.deny_networks", "");
    let tracker = setup.start();
    let denied = Client::at("127.0.0.2", tracker.udp());
    let served = Client::of(tracker.udp());
    let connection = denied.connect();
    tracker
        .setup
        .write("access.deny_networks", "127.0.0.2 ; a note\n192.0.2.0/24\n");
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("network list 0 → 2"), "{said}");
    denied.send(&connect(1));
    denied.send(&Announce::new(TORRENT, 1000).octets(connection, 2));
    denied.send(&scrape(connection, 3, &[TORRENT]));
    denied.send(&Announce::new(TORRENT, 1000).octets(FORGED, 4));
    denied.send(&head(FORGED, SCRAPE, 5));
    denied.send(&head(FORGED, CONNECT, 6));
    // One worker serves both: what came before this was handled before.
    assert_eq!(served.announce(&Announce::new(TORRENT, 2000)).leechers, 1);
    tracker
        .setup
        .write("access.deny_networks", "192.0.2.0/24\n");
    tracker.hang_up();
    assert_eq!(
        denied.drain(),
        [[0_u8; 0]; 0],
        "only the connect after it is answered"
    );
    assert_eq!(denied.announce(&Announce::new(TORRENT, 1000)).leechers, 2);
}

#[test]
fn a_denied_network_gets_403_by_http() {
    let mut setup = Setup::new();
    set(&mut setup, "access.deny_networks", "127.0.0.0/8\n");
    let tracker = setup.start();
    let target = announce(&TORRENT, 1000, "");
    let scrape = crate::request::scrape(&[TORRENT]);
    for target in [target.as_str(), scrape.as_str()] {
        let mut connection = Connection::to(tracker.http());
        let response = connection.get(target);
        assert_eq!(response.status, 403, "{target}");
        assert_eq!(response.failure_reason(), "this network is not served here");
        assert!(connection.is_at_end(), "it holds no connection");
    }
    for page in ["/", "/stats", "/healthz", "/scrape"] {
        assert_eq!(get(tracker.http(), page).status, 403, "{page}");
    }
    assert_eq!(
        peers(&tracker),
        "0",
        "the operator's own listener serves whoever reaches it"
    );
}

#[test]
fn a_denied_network_behind_a_proxy() {
    let mut setup = Setup::new();
    setup.set("http.trusted_proxies", ["127.0.0.1"]);
    set(
        &mut setup,
        "access.deny_networks",
        "192.0.2.0/24\n2001:db8::/32\n",
    );
    let tracker = setup.start();
    for (client, status) in [
        ("192.0.2.7", 403),
        ("2001:db8::7", 403),
        ("::ffff:192.0.2.7", 403),
        ("198.51.100.7", 200),
    ] {
        let fields = [("X-Forwarded-For", client)];
        for target in [announce(&TORRENT, 1000, "").as_str(), "/stats"] {
            let response = get_with(tracker.http(), target, &fields);
            assert_eq!(response.status, status, "{client} {target}");
        }
    }
}

#[test]
fn peers_of_a_denied_network_are_purged() {
    let mut setup = Setup::udp();
    set(&mut setup, "access.deny_networks", "192.0.2.0/24\n");
    let tracker = setup.start();
    let denied = Client::at("127.0.0.2", tracker.udp());
    let served = Client::of(tracker.udp());
    for port in 1..=50 {
        denied.announce(&Announce::new(TORRENT, port));
    }
    served.announce(&Announce::new(TORRENT, 2000));
    assert_eq!(peers(&tracker), "51");
    tracker
        .setup
        .write("access.deny_networks", "127.0.0.2/32\n");
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("50 peers purged"), "{said}");
    assert_eq!(peers(&tracker), "1");
    let announced = served.announce(&Announce::new(TORRENT, 2001));
    assert_eq!(announced.ports(), [2000].into());
}

#[test]
fn lists_without_entries_are_taken_at_a_signal() {
    let mut setup = Setup::udp();
    set(&mut setup, "access.deny_clients", "-XX\n");
    set(&mut setup, "access.deny_networks", "192.0.2.0/24\n");
    let tracker = setup.start();
    let client = Client::of(tracker.udp());
    assert!(client.try_announce(&Announce::new(TORRENT, 1)).is_err());
    for key in ["access.deny_clients", "access.deny_networks"] {
        tracker.setup.write(key, "# nothing\n");
    }
    let said = tracker.hang_up().join("\n");
    assert!(
        said.contains("client list 1 → 0, network list 1 → 0"),
        "{said}"
    );
    client.announce(&Announce::new(TORRENT, 1));
}

#[test]
fn other_lines_are_warned_of() {
    let mut setup = Setup::udp();
    set(&mut setup, "access.deny_clients", "-AB\n%zz\n");
    set(
        &mut setup,
        "access.deny_networks",
        "192.0.2.0/24\nhost.example\n192.0.2.0/99\n",
    );
    let tracker = setup.start();
    let log = tracker.log();
    let warning = |key: &str| {
        let mut lines = log
            .iter()
            .filter(|line| line.contains(key) && line.contains("WARN"));
        lines.next().unwrap_or_else(|| panic!("{key}: {log:?}"))
    };
    assert!(warning("access.deny_clients").contains("1 line is no entry and was skipped: line 2"));
    assert!(
        warning("access.deny_networks")
            .contains("2 lines are no entries and were skipped: lines 2, 3")
    );
    for line in [
        "prefixes that are refused: 1",
        "networks that are not served: 1",
    ] {
        tracker.wait_for(line, |log| log.iter().any(|said| said.contains(line)));
    }
}

#[test]
fn a_list_must_be_readable() {
    for key in ["access.deny_clients", "access.deny_networks"] {
        let mut setup = Setup::udp();
        let missing = setup.path("missing").to_str().unwrap().to_owned();
        let folder = setup.path("").to_str().unwrap().to_owned();
        for (path, cause) in [(missing, "No such file"), (folder, "is a directory")] {
            setup.set(key, path.as_str());
            let ended = setup.run();
            assert_eq!(ended.code, Some(1), "{ended:?}");
            for word in [key, path.as_str(), cause] {
                assert!(ended.stderr.contains(word), "{word}: {ended:?}");
            }
        }
    }
    let mut setup = Setup::udp();
    set(&mut setup, "access.deny_clients", "-XX\n");
    let tracker = setup.start();
    std::fs::remove_file(tracker.setup.path("access.deny_clients")).unwrap();
    let said = tracker.hang_up().join("\n");
    assert!(said.contains("the client list stays as it was"), "{said}");
    let client = Client::of(tracker.udp());
    assert!(client.try_announce(&Announce::new(TORRENT, 1)).is_err());
}
