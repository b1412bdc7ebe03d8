//! Section "UDP" of the contract, where everybody keeps to the protocol.
//!
//! | sentence | tests |
//! |---|---|
//! | `connect` gets 16 octets | `a_connect_gets_16_octets` |
//! | `connect` needs the magic | `a_connect_needs_the_magic` |
//! | the connection id is over the address, without the port | `an_id_is_good_for_all_ports_of_an_address`, `an_id_is_not_good_for_another_address` |
//! | no state is kept | `the_same_address_has_the_same_id` |
//! | nobody guesses an id | `ids_differ_from_tracker_to_tracker` |
//! | a bad id gets an error packet with the transaction id | `a_bad_id_gets_an_error_with_its_transaction` |
//! | at most once for an address in 30 s, else silence | `an_address_is_told_once_that_its_id_is_bad` |
//! | `announce`: 98 octets | `an_announce_has_98_octets` |
//! | and BEP 41 options after them | `options_after_an_announce_are_taken` |
//! | address from the packet's source, never from the `ip` field | `the_address_is_the_source_of_the_packet` |
//! | port 0 refused | `port_0_is_refused` |
//! | `num_want` −1 = default, clamped | `num_want_of_minus_1_is_the_default`, `num_want_is_clamped` |
//! | reply in the requester's family | `a_reply_is_of_the_family_of_its_requester` |
//! | `scrape`: up to 74 hashes, entries in request order | `a_scrape_of_74_hashes_is_answered_in_order`, `a_scrape_of_more_hashes_is_answered_for_the_first_74` |
//! | unknown = zeros | `unknown_torrents_have_zeros` |
//! | blocked hash: error packet | `a_denied_torrent_gets_an_error`, `a_torrent_that_is_not_allowed_gets_an_error` |
//! | IPv4-mapped IPv6 addresses are IPv4 peers | `a_mapped_address_is_an_ipv4_peer` |
//! | the reply leaves from the address that was asked, also behind a wildcard bind | `replies_leave_from_the_address_that_was_asked`, `replies_of_a_dual_socket_leave_from_the_address_that_was_asked` |
//! | `udp.max_payload`: peers and scrape entries are cut to fit | `peers_are_cut_to_fit`, `scrape_entries_are_cut_to_fit` |
//! | `udp.workers`, 0 = one per core | `workers_are_threads`, `all_workers_serve_the_same_swarms` |
//! | `announce.interval`, `announce.jitter`: uniform in interval ± jitter | `the_interval_is_uniform_around_its_middle` |
//! | counts include the announcer | `counts_include_the_announcer` |
//! | an event that the protocol does not know is none | `an_unknown_event_is_none` |

use std::collections::BTreeSet;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::datagram::{
    Announce, Announced, COMPLETED, Client, Counts, ERROR, FORGED, MAGIC, NO_EVENT, Reply, STARTED,
    STOPPED, connect, head, scrape,
};
use crate::program::{Setup, Tracker, eventually};
use crate::request;

const TORRENT: [u8; 20] = [0xab; 20];

/// How often an address is told that its connection id is bad.
const TELL_INTERVAL: Duration = Duration::from_secs(30);

fn tracker() -> Tracker {
    Setup::udp().start()
}

/// Fills a swarm with leechers at ports from 1000 on.
fn fill(client: &Client, info_hash: [u8; 20], peers: u16) {
    let connection = client.connect();
    for port in 1000..1000 + peers {
        let announce = Announce::new(info_hash, port).want(0);
        let reply = client.ask(|transaction| announce.octets(connection, transaction));
        assert!(matches!(reply, Reply::Announce(_)), "{reply:?}");
    }
}

#[test]
fn a_connect_gets_16_octets() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    for transaction in [0, 1, 0x0bad_cafe, u32::MAX] {
        let reply = client.exchange(&connect(transaction));
        assert_eq!(reply.len(), 16);
        assert_eq!(reply[..4], [0; 4]);
        assert_eq!(reply[4..8], transaction.to_be_bytes());
    }
}

#[test]
fn a_connect_needs_the_magic() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    for bit in 0..64 {
        let wrong = head(MAGIC ^ (1 << bit), 0, 7);
        assert!(client.is_silent_to(&wrong), "{wrong:02x?}");
    }
}

#[test]
fn an_id_is_good_for_all_ports_of_an_address() {
    let tracker = tracker();
    let connection = Client::of(tracker.udp()).connect();
    let announce = Announce::new(TORRENT, 1000);
    for _ in 0..10 {
        let other = Client::of(tracker.udp());
        let reply = other.ask(|transaction| announce.octets(connection, transaction));
        assert!(matches!(reply, Reply::Announce(_)), "{reply:?}");
    }
}

#[test]
fn an_id_is_not_good_for_another_address() {
    let tracker = tracker();
    let connection = Client::of(tracker.udp()).connect();
    let announce = Announce::new(TORRENT, 1000);
    for ip in ["127.0.0.2", "127.0.1.1", "127.1.0.1"] {
        let other = Client::at(ip, tracker.udp());
        assert_ne!(other.connect(), connection);
        let reply = other.ask(|transaction| announce.octets(connection, transaction));
        assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
    }
}

#[test]
fn the_same_address_has_the_same_id() {
    let tracker = tracker();
    let ids: BTreeSet<_> = (0..10)
        .map(|_| Client::of(tracker.udp()).connect())
        .collect();
    assert_eq!(ids.len(), 1);
}

#[test]
fn ids_differ_from_tracker_to_tracker() {
    let ids: BTreeSet<_> = (0..3)
        .map(|_| tracker())
        .map(|tracker| Client::of(tracker.udp()).connect())
        .collect();
    assert_eq!(ids.len(), 3);
}

/// Sends a request with a bad id, and reads the error.
fn assert_is_told(client: &Client, request: &[u8]) {
    let reply = client.exchange(request);
    assert!(reply.len() <= request.len(), "{reply:02x?}");
    assert_eq!(reply[..4], ERROR.to_be_bytes());
    assert_eq!(reply[4..8], 0x0bad_cafe_u32.to_be_bytes());
}

#[test]
fn an_address_is_told_once_that_its_id_is_bad() {
    let tracker = tracker();
    let announce = Announce::new(TORRENT, 1000).octets(FORGED, 0x0bad_cafe);
    // A client that answers each error with the same request, from port to port.
    let begin = Instant::now();
    let client = Client::of(tracker.udp());
    assert_is_told(&client, &announce);
    let mut told = 0;
    for _ in 0..30 {
        for _ in 0..30 {
            client.send(&announce);
        }
        told += client.drain().len();
    }
    for _ in 0..10 {
        let client = Client::of(tracker.udp());
        client.send(&announce);
        client.send(&scrape(FORGED, 7, &[TORRENT]));
        told += client.drain().len();
    }
    // None, unless this machine took half a minute for them.
    assert!(
        told <= usize::from(begin.elapsed() >= TELL_INTERVAL),
        "{told}"
    );
    // Others are told, and who has a good id is served.
    assert_is_told(&Client::at("127.0.7.1", tracker.udp()), &announce);
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
}

#[test]
fn a_bad_id_gets_an_error_with_its_transaction() {
    let tracker = tracker();
    let announce = Announce::new(TORRENT, 1000);
    // An address is told once in a while, so each request comes from another one.
    let mut hosts = 1..;
    let mut client = || Client::at(&format!("127.0.7.{}", hosts.next().unwrap()), tracker.udp());
    for twist in [1, 1 << 63] {
        for is_scrape in [false, true] {
            let client = client();
            let bad = client.connect() ^ twist;
            let request = if is_scrape {
                scrape(bad, 0x0bad_cafe, &[TORRENT])
            } else {
                announce.octets(bad, 0x0bad_cafe)
            };
            assert_is_told(&client, &request);
        }
    }
    for bad in [0, FORGED, MAGIC, u64::MAX] {
        assert_is_told(&client(), &announce.octets(bad, 0x0bad_cafe));
        assert_is_told(&client(), &scrape(bad, 0x0bad_cafe, &[TORRENT]));
    }
    assert_eq!(
        client().scrape(&[TORRENT]),
        [Counts::default()],
        "nothing was filed"
    );
}

#[test]
fn an_announce_has_98_octets() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let whole = Announce::new(TORRENT, 1000).octets(client.connect(), 7);
    for length in 16..98 {
        assert!(client.is_silent_to(&whole[..length]), "{length} octets");
    }
    assert_eq!(
        client.scrape(&[TORRENT]),
        [Counts::default()],
        "nothing was filed"
    );
    assert_eq!(client.exchange(&whole).len(), 20, "a reply without peers");
}

#[test]
fn options_after_an_announce_are_taken() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let other = Client::at("127.0.0.2", tracker.udp());
    other.announce(&Announce::new(TORRENT, 2000));
    let longest = [b"\x02\xff".as_slice(), &[b'x'; 255]].concat();
    for options in [
        b"".as_slice(),
        b"\x00",
        b"\x01\x01\x01\x00",
        b"\x02\x09/announce",
        b"\x02\x05/dir?\x02\x03a=b\x00",
        b"\x00 what follows the end has no meaning",
        b"\x09\x03abc\x02\x01/",
        b"\x02",
        b"\x02\x0ashort",
        &longest.repeat(5),
    ] {
        let announce = Announce {
            options: options.to_vec(),
            ..Announce::new(TORRENT, 1000)
        };
        let announced = client.announce(&announce);
        assert_eq!(announced.ports(), [2000].into(), "{options:02x?}");
    }
}

#[test]
fn the_address_is_the_source_of_the_packet() {
    let tracker = tracker();
    let announce = Announce {
        ip: [192, 0, 2, 1],
        ..Announce::new(TORRENT, 2000)
    };
    Client::at("127.0.0.2", tracker.udp()).announce(&announce);
    let announced = Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
    assert_eq!(announced.peers, ["127.0.0.2:2000".parse().unwrap()]);
}

#[test]
fn port_0_is_refused() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    for event in [NO_EVENT, COMPLETED, STARTED, STOPPED] {
        let refused = client.try_announce(&Announce::new(TORRENT, 0).event(event));
        assert!(refused.unwrap_err().contains("port"));
    }
    assert_eq!(
        client.scrape(&[TORRENT]),
        [Counts::default()],
        "nothing was filed"
    );
}

#[test]
fn num_want_of_minus_1_is_the_default() {
    let mut setup = Setup::udp();
    setup.set("announce.numwant_default", 7);
    for (setup, default) in [(setup, 7), (Setup::udp(), 50)] {
        let tracker = setup.start();
        let client = Client::of(tracker.udp());
        fill(&client, TORRENT, 60);
        let announced = client.announce(&Announce::new(TORRENT, 1).want(-1));
        assert_eq!(announced.ports().len(), default);
    }
}

#[test]
fn num_want_is_clamped() {
    let mut setup = Setup::udp();
    setup.set("announce.numwant_max", 20);
    for (setup, most) in [(setup, 20), (Setup::udp(), 200)] {
        let tracker = setup.start();
        let client = Client::of(tracker.udp());
        fill(&client, TORRENT, 220);
        for (num_want, expected) in [
            (0, 0),
            (1, 1),
            (19, 19),
            (i32::try_from(most).unwrap(), most),
            (i32::try_from(most).unwrap() + 1, most),
            (i32::MAX, most),
        ] {
            let announced = client.announce(&Announce::new(TORRENT, 1).want(num_want));
            assert_eq!(announced.ports().len(), expected, "{num_want}");
        }
    }
}

#[test]
fn a_reply_is_of_the_family_of_its_requester() {
    let mut setup = Setup::udp();
    setup.set("udp.listen", ["127.0.0.1:0", "[::1]:0"]);
    let tracker = setup.start();
    let [v4, v6] = [0, 1].map(|index| Client::of(tracker.addresses("udp")[index]));
    for port in [1000, 1001, 1002] {
        v4.announce(&Announce::new(TORRENT, port));
        v6.announce(&Announce::new(TORRENT, port + 1000));
    }
    // The reader takes 6 octets a peer for IPv4 and 18 for IPv6.
    let announced = v4.announce(&Announce::new(TORRENT, 1000));
    assert_eq!(announced.ports(), [1001, 1002].into());
    assert!(
        announced
            .peers
            .iter()
            .all(|peer| peer.ip().to_string() == "127.0.0.1")
    );
    assert_eq!(announced.leechers, 6, "both families are one swarm");
    let announced = v6.announce(&Announce::new(TORRENT, 2000));
    assert_eq!(announced.ports(), [2001, 2002].into());
    assert!(
        announced
            .peers
            .iter()
            .all(|peer| peer.ip().to_string() == "::1")
    );
    assert_eq!(announced.leechers, 6, "both families are one swarm");
}

/// Makes torrents with 1, 2, 3, … leechers, as many as there are numbers.
fn torrents(client: &Client, number: u8) -> Vec<([u8; 20], Counts)> {
    let torrent = |leechers: u8| {
        let info_hash = [leechers; 20];
        fill(client, info_hash, leechers.into());
        let counts = Counts {
            leechers: leechers.into(),
            ..Counts::default()
        };
        (info_hash, counts)
    };
    (1..=number).map(torrent).collect()
}

#[test]
fn a_scrape_of_74_hashes_is_answered_in_order() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let torrents = torrents(&client, 74);
    for number in [1, 2, 73, 74] {
        // An order that no table of hashes has by chance.
        let asked: Vec<_> = (0..number).map(|index| torrents[index * 31 % 74]).collect();
        let (info_hashes, expected): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        assert_eq!(client.scrape(&info_hashes), expected);
    }
    let twice = [torrents[4].0, torrents[9].0, torrents[4].0];
    assert_eq!(
        client.scrape(&twice),
        [torrents[4].1, torrents[9].1, torrents[4].1]
    );
}

#[test]
fn a_scrape_of_more_hashes_is_answered_for_the_first_74() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let torrents = torrents(&client, 80);
    let (info_hashes, counts): (Vec<_>, Vec<_>) = torrents.into_iter().unzip();
    for number in [75, 80] {
        assert_eq!(client.scrape(&info_hashes[..number]), counts[..74]);
    }
}

#[test]
fn unknown_torrents_have_zeros() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    client.announce(&Announce::new(TORRENT, 1000).seeding());
    let one = Counts {
        seeders: 1,
        ..Counts::default()
    };
    let none = Counts::default();
    let asked = [[0; 20], TORRENT, [0xff; 20]];
    assert_eq!(client.scrape(&asked), [none, one, none]);
}

#[test]
fn a_denied_torrent_gets_an_error() {
    let (denied, allowed) = ([0xdd; 20], [0xaa; 20]);
    let mut setup = Setup::udp();
    setup
        .list("access.deny", &[denied])
        .list("access.allow", &[denied, allowed]);
    let tracker = setup.start();
    let client = Client::of(tracker.udp());
    for event in [NO_EVENT, COMPLETED, STARTED, STOPPED] {
        let refused = client.try_announce(&Announce::new(denied, 1000).event(event));
        assert!(!refused.unwrap_err().is_empty(), "the client is told why");
    }
    client.announce(&Announce::new(allowed, 1000).seeding());
    let counts = client.scrape(&[denied, allowed]);
    assert_eq!((counts[0], counts[1].seeders), (Counts::default(), 1));
}

#[test]
fn a_torrent_that_is_not_allowed_gets_an_error() {
    let mut setup = Setup::udp();
    setup.list("access.allow", &[TORRENT]);
    let tracker = setup.start();
    let client = Client::of(tracker.udp());
    let refused = client.try_announce(&Announce::new([1; 20], 1000));
    assert!(!refused.unwrap_err().is_empty(), "the client is told why");
    client.announce(&Announce::new(TORRENT, 1000));
}

#[test]
fn a_mapped_address_is_an_ipv4_peer() {
    let mut setup = Setup::new();
    setup.set("udp.listen", ["[::]:0"]);
    let tracker = setup.start();
    // An IPv4 client arrives at a socket of both families as ::ffff:127.0.0.2.
    let port = tracker.udp().port();
    let mapped = Client::at("127.0.0.2", format!("127.0.0.1:{port}").parse().unwrap());
    mapped.announce(&Announce::new(TORRENT, 2000));
    let native = || request::get(tracker.http(), &request::announce(&TORRENT, 3000, ""));
    assert_eq!(
        native().announced().peers,
        ["127.0.0.2:2000".parse().unwrap()]
    );
    // Its replies have 6 octets a peer.
    let announced = mapped.announce(&Announce::new(TORRENT, 2000));
    assert_eq!(announced.peers, ["127.0.0.1:3000".parse().unwrap()]);
    assert_eq!(announced.leechers, 2);
}

#[test]
fn replies_leave_from_the_address_that_was_asked() {
    let mut setup = Setup::udp();
    setup.set("udp.listen", ["0.0.0.0:0", "[::]:0"]);
    let tracker = setup.start();
    let [v4, v6] = [0, 1].map(|index| tracker.addresses("udp")[index].port());
    for ip in ["127.0.0.1", "127.0.0.2", "127.255.255.254"] {
        // A connected socket receives from the address that it has sent to, and no other.
        let client = Client::at("127.0.0.1", format!("{ip}:{v4}").parse().unwrap());
        client.announce(&Announce::new(TORRENT, 1000));
    }
    Client::at("::1", format!("[::1]:{v6}").parse().unwrap()).connect();
}

#[test]
fn replies_of_a_dual_socket_leave_from_the_address_that_was_asked() {
    let mut setup = Setup::udp();
    setup.set("udp.listen", ["[::]:0"]);
    let tracker = setup.start();
    let port = tracker.udp().port();
    for ip in ["127.0.0.1", "127.0.0.2", "127.255.255.254"] {
        let client = Client::at("127.0.0.1", format!("{ip}:{port}").parse().unwrap());
        client.announce(&Announce::new(TORRENT, 1000));
    }
    Client::at("::1", format!("[::1]:{port}").parse().unwrap()).connect();
}

#[test]
fn peers_are_cut_to_fit() {
    for max_payload in [512, 1232, 1400] {
        let mut setup = Setup::udp();
        setup
            .set("udp.listen", ["127.0.0.1:0", "[::1]:0"])
            .set("announce.numwant_max", 1000)
            .set("udp.max_payload", max_payload);
        let tracker = setup.start();
        let [v4, v6] = [0, 1].map(|index| Client::of(tracker.addresses("udp")[index]));
        fill(&v4, TORRENT, 300);
        fill(&v6, TORRENT, 300);
        let announce = Announce::new(TORRENT, 1).want(1000);
        let room = usize::try_from(max_payload).unwrap() - 20;
        assert_eq!(v4.announce(&announce).ports().len(), room / 6);
        assert_eq!(v6.announce(&announce).ports().len(), room / 18);
    }
}

#[test]
fn scrape_entries_are_cut_to_fit() {
    let mut setup = Setup::udp();
    setup.set("udp.max_payload", 512);
    let tracker = setup.start();
    let client = Client::of(tracker.udp());
    let torrents = torrents(&client, 74);
    let (info_hashes, counts): (Vec<_>, Vec<_>) = torrents.into_iter().unzip();
    let fit = (512 - 8) / 12;
    assert_eq!(client.scrape(&info_hashes[..fit]), counts[..fit]);
    assert_eq!(client.scrape(&info_hashes), counts[..fit]);
}

/// Threads that serve UDP, by their names.
fn udp_threads(tracker: &Tracker) -> usize {
    let threads = tracker.threads("comm");
    threads
        .iter()
        .filter(|name| name.starts_with("udp-"))
        .count()
}

#[test]
fn workers_are_threads() {
    let cores = available_parallelism().unwrap().get();
    for (workers, expected) in [(1, 1), (3, 3), (0, cores)] {
        let mut setup = Setup::udp();
        setup.set("udp.workers", workers);
        let tracker = setup.start();
        // A thread takes its name a moment after it has begun.
        eventually("a thread for each worker", || {
            udp_threads(&tracker) == expected
        });
    }
}

#[test]
fn all_workers_serve_the_same_swarms() {
    let mut setup = Setup::udp();
    setup.set("udp.workers", 4);
    let tracker = setup.start();
    // The system spreads clients over the workers by their ports.
    for number in 0..64 {
        let client = Client::of(tracker.udp());
        let announced = client.announce(&Announce::new(TORRENT, 1000 + number).want(100));
        assert_eq!(announced.leechers, u32::from(number) + 1);
        assert_eq!(announced.ports(), (1000..1000 + number).collect());
    }
}

#[test]
fn the_interval_is_uniform_around_its_middle() {
    let mut setup = Setup::udp();
    setup
        .set("announce.interval", "10m")
        .set("announce.jitter", "5s");
    for (setup, least, most) in [(setup, 595, 605), (Setup::udp(), 27 * 60, 33 * 60)] {
        let tracker = setup.start();
        let client = Client::of(tracker.udp());
        let announce = Announce::new(TORRENT, 1000);
        let interval = || client.announce(&announce).interval;
        let intervals: Vec<_> = (0..1000).map(|_| interval()).collect();
        assert!(
            intervals
                .iter()
                .all(|seconds| (least..=most).contains(seconds))
        );
        // In each fifth of the range there are 200 ± 13; nothing but chance moves them.
        let width = (most - least).div_ceil(5);
        for fifth in 0..5 {
            let from = least + fifth * width;
            let inside = intervals
                .iter()
                .filter(|&&one| (from..from + width).contains(&one));
            let inside = inside.count();
            assert!((100..=310).contains(&inside), "{inside} from {from} s");
        }
    }
}

#[test]
fn counts_include_the_announcer() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let counts = |announced: Announced| (announced.seeders, announced.leechers);
    assert_eq!(
        counts(client.announce(&Announce::new(TORRENT, 1000))),
        (0, 1)
    );
    assert_eq!(
        counts(client.announce(&Announce::new(TORRENT, 1001).seeding())),
        (1, 1)
    );
    assert_eq!(
        counts(client.announce(&Announce::new(TORRENT, 1000).seeding())),
        (2, 0)
    );
}

#[test]
fn an_unknown_event_is_none() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    for event in [4, 0x0100_0000, 0x0300_0000, u32::MAX] {
        let announced = client.announce(&Announce::new(TORRENT, 1000).seeding().event(event));
        assert_eq!(announced.seeders, 1, "{event}");
    }
    let counts = client.scrape(&[TORRENT]);
    assert_eq!((counts[0].seeders, counts[0].downloads), (1, 0));
}
