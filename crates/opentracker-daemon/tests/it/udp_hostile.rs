//! Section "UDP" of the contract, where somebody does not keep to the protocol.
//!
//! | sentence | tests |
//! |---|---|
//! | a bad id gets an error packet that is no longer than the request, or silence | `without_a_good_id_no_more_comes_back_than_was_sent` |
//! | anything else that is malformed is dropped and counted, by kind | `short_datagrams_are_dropped_and_counted`, `wrong_magic_is_dropped_and_counted`, `unknown_actions_are_dropped_and_counted`, `scrapes_without_a_hash_are_dropped_and_counted`, `bad_ids_are_counted` |
//! | requests and refusals are counted by kind | `what_is_served_is_counted`, `what_is_refused_is_counted` |
//! | nothing that arrives breaks it, and the counters add up | `a_hundred_thousand_random_datagrams_change_nothing` |
//! | a datagram of any length is handled | `datagrams_of_all_lengths_are_handled` |

use std::collections::BTreeMap;
use std::time::Instant;

use crate::datagram::{
    ANNOUNCE, Announce, CONNECT, Client, ERROR, FORGED, MAGIC, Reply, SCRAPE, connect, head, scrape,
};
use crate::metrics::Metrics;
use crate::program::{Setup, Tracker};

const TORRENT: [u8; 20] = [0xab; 20];

fn tracker() -> Tracker {
    Setup::new().start()
}

/// Sends datagrams that must not be answered, and returns by how much each reason to drop one
/// was counted more often.
fn dropped_by(tracker: &Tracker, datagrams: &[Vec<u8>]) -> BTreeMap<&'static str, u64> {
    let client = Client::of(tracker.udp());
    let before = Metrics::of(tracker.http());
    for datagram in datagrams {
        client.send(datagram);
    }
    assert!(client.drain().is_empty(), "silence is the answer");
    let after = Metrics::of(tracker.http());
    let reasons = [
        "connection_id",
        "short",
        "magic",
        "action",
        "scrape",
        "source",
        "send",
    ];
    let more = reasons.map(|reason| (reason, after.dropped(reason) - before.dropped(reason)));
    more.into_iter().filter(|&(_, more)| more > 0).collect()
}

#[test]
fn short_datagrams_are_dropped_and_counted() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let announce = Announce::new(TORRENT, 1000).octets(client.connect(), 7);
    let mut datagrams: Vec<_> = (0..16)
        .map(|length| connect(7)[..length].to_vec())
        .collect();
    datagrams.extend((0..98).map(|length| announce[..length].to_vec()));
    assert_eq!(
        dropped_by(&tracker, &datagrams),
        [("short", 16 + 98)].into()
    );
}

#[test]
fn wrong_magic_is_dropped_and_counted() {
    let tracker = tracker();
    let mut datagrams: Vec<_> = (0..64)
        .map(|bit| head(MAGIC ^ (1 << bit), CONNECT, 7))
        .collect();
    datagrams.push(head(0, CONNECT, 7));
    datagrams.push(head(MAGIC.swap_bytes(), CONNECT, 7));
    assert_eq!(dropped_by(&tracker, &datagrams), [("magic", 66)].into());
}

#[test]
fn unknown_actions_are_dropped_and_counted() {
    let tracker = tracker();
    let good = Client::of(tracker.udp()).connect();
    let actions = [ERROR, 4, 5, 255, 256, 0x0100_0000, 0x0200_0000, u32::MAX];
    let datagrams = actions.map(|action| {
        let whole = Announce::new(TORRENT, 1000).octets(good, 7);
        [head(good, action, 7), whole[16..].to_vec()].concat()
    });
    assert_eq!(dropped_by(&tracker, &datagrams), [("action", 8)].into());
}

#[test]
fn scrapes_without_a_hash_are_dropped_and_counted() {
    let tracker = tracker();
    let good = Client::of(tracker.udp()).connect();
    let whole = scrape(good, 7, &[TORRENT]);
    let datagrams: Vec<_> = (16..36).map(|length| whole[..length].to_vec()).collect();
    assert_eq!(dropped_by(&tracker, &datagrams), [("scrape", 20)].into());
}

#[test]
fn bad_ids_are_counted() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    client.exchange(&Announce::new(TORRENT, 1000).octets(FORGED, 7));
    let mut told = 1;
    for _ in 0..3 {
        client.send(&Announce::new(TORRENT, 1000).octets(FORGED, 7));
        client.send(&scrape(FORGED, 7, &[TORRENT]));
        told += client.drain().len() as u64;
    }
    let metrics = Metrics::of(tracker.http());
    assert_eq!(metrics.dropped("connection_id"), 7);
    assert_eq!(metrics.udp_errors(), told, "those that were answered");
    assert_eq!((metrics.udp("announce"), metrics.udp("scrape")), (0, 0));
}

#[test]
fn what_is_served_is_counted() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let connection = client.connect();
    for port in 1000..1003 {
        let announce = Announce::new(TORRENT, port);
        client.ask(|transaction| announce.octets(connection, transaction));
    }
    for _ in 0..5 {
        client.ask(|transaction| scrape(connection, transaction, &[TORRENT, [0; 20]]));
    }
    let metrics = Metrics::wait(tracker.http(), |metrics| metrics.datagrams("out") == 9);
    let [connects, announces, scrapes] = ["connect", "announce", "scrape"];
    assert_eq!(metrics.udp(connects), 1);
    assert_eq!(metrics.udp(announces), 3);
    assert_eq!(metrics.udp(scrapes), 5);
    assert_eq!(metrics.datagrams("in"), 9);
}

#[test]
fn what_is_refused_is_counted() {
    let (denied, unknown) = ([0xdd; 20], [0xee; 20]);
    let mut setup = Setup::new();
    setup
        .list("access.allow", &[TORRENT, denied])
        .list("access.deny", &[denied]);
    let tracker = setup.start();
    let client = Client::of(tracker.udp());
    for (info_hash, port, times) in [(denied, 1, 1), (unknown, 1, 2), (TORRENT, 0, 3)] {
        for _ in 0..times {
            client
                .try_announce(&Announce::new(info_hash, port))
                .unwrap_err();
        }
    }
    let metrics = Metrics::of(tracker.http());
    assert_eq!(metrics.refused("denied"), 1);
    assert_eq!(metrics.refused("not_allowed"), 2);
    assert_eq!(metrics.refused("address"), 3);
    assert_eq!((metrics.udp_errors(), metrics.udp("announce")), (6, 0));
}

#[test]
fn without_a_good_id_no_more_comes_back_than_was_sent() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let announce = Announce {
        options: b"\x02\x09/announce".to_vec(),
        ..Announce::new(TORRENT, 1000)
    };
    for bad in [0, MAGIC, FORGED] {
        for whole in [
            connect(7),
            announce.octets(bad, 7),
            scrape(bad, 7, &[TORRENT; 80]),
            head(bad, ERROR, 7).repeat(4),
        ] {
            for length in 0..=whole.len() {
                client.send(&whole[..length]);
                let replies = client.drain();
                let octets: usize = replies.iter().map(Vec::len).sum();
                assert!(
                    octets <= length,
                    "{octets} for {length} octets of {whole:02x?}"
                );
                assert!(replies.len() <= 1, "{replies:02x?}");
            }
        }
    }
}

#[test]
fn datagrams_of_all_lengths_are_handled() {
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let good = client.connect();
    let longest = 65507;
    for length in [
        98, 99, 1232, 1472, 1473, 2047, 2048, 2049, 4096, 9000, longest,
    ] {
        let mut announce = Announce::new(TORRENT, 1000);
        // No operations, to the end of the datagram.
        announce.options.resize(length - 98, 1);
        let reply = client.ask(|transaction| announce.octets(good, transaction));
        assert!(
            matches!(reply, Reply::Announce(_)),
            "{length} octets: {reply:?}"
        );
    }
    for info_hashes in [75, 100, 102, 200, (longest - 16) / 20] {
        let asked = vec![TORRENT; info_hashes];
        let reply = client.ask(|transaction| scrape(good, transaction, &asked));
        let Reply::Scrape(counts) = reply else {
            panic!("{info_hashes} info hashes: {reply:?}");
        };
        assert_eq!(counts.len(), 74);
    }
}

/// What becomes of a datagram from somebody who has no connection id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Connected,
    BadId,
    Short,
    Magic,
    Action,
    Scrape,
}

/// Reads a datagram as the protocol has it.
fn fate(datagram: &[u8]) -> Fate {
    let Some((head, body)) = datagram.split_at_checked(16) else {
        return Fate::Short;
    };
    let action = u32::from_be_bytes(head[8..12].try_into().unwrap());
    match action {
        CONNECT if head[..8] == MAGIC.to_be_bytes() => Fate::Connected,
        CONNECT => Fate::Magic,
        ANNOUNCE if body.len() < 82 => Fate::Short,
        SCRAPE if body.len() < 20 => Fate::Scrape,
        ANNOUNCE | SCRAPE => Fate::BadId,
        _ => Fate::Action,
    }
}

/// A small generator of numbers (splitmix64), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// Random octets, of which most get past the first checks of a tracker.
    fn datagram(&mut self) -> Vec<u8> {
        let length = match self.below(8) {
            0 => self.below(16),
            1 => 16,
            2 => self.below(120),
            3 => 16 + 20 * self.below(75),
            4 => 98,
            5 => 98 + self.below(300),
            6 => self.below(1500),
            _ => [36, 97, 100][self.below(3)],
        };
        let mut octets: Vec<u8> = std::iter::repeat_with(|| self.next().to_be_bytes())
            .flatten()
            .take(length)
            .collect();
        if length >= 16 {
            match self.below(10) {
                0 => {}
                1..4 => octets[8..12].copy_from_slice(&CONNECT.to_be_bytes()),
                4..7 => octets[8..12].copy_from_slice(&ANNOUNCE.to_be_bytes()),
                7..9 => octets[8..12].copy_from_slice(&SCRAPE.to_be_bytes()),
                _ => octets[8..11].fill(0),
            }
            if self.below(3) == 0 {
                octets[..8].copy_from_slice(&MAGIC.to_be_bytes());
            }
        }
        octets
    }
}

#[test]
fn a_hundred_thousand_random_datagrams_change_nothing() {
    /// What the receive buffer of a socket holds even where nobody has made it larger.
    const WINDOW: u64 = 32;
    let tracker = tracker();
    let client = Client::of(tracker.udp());
    let mut random = Random(2026);
    let mut fates: BTreeMap<Fate, u64> = BTreeMap::new();
    let (begin, mut errors) = (Instant::now(), 0);
    let mut count = |fate, number| *fates.entry(fate).or_default() += number;
    for _ in 0..100_000 / WINDOW {
        let window: Vec<_> = (0..WINDOW).map(|_| random.datagram()).collect();
        for datagram in &window {
            client.send(datagram);
            count(fate(datagram), 1);
        }
        let replies = client.drain();
        count(Fate::Connected, 1);
        let of = |wanted| {
            let requests = window
                .iter()
                .filter(move |datagram| fate(datagram) == wanted);
            requests.map(|request| (&request[12..16], request.len()))
        };
        let (refused, connected): (Vec<_>, Vec<_>) = replies
            .iter()
            .partition(|reply| reply[..4] == ERROR.to_be_bytes());
        assert_eq!(
            connected.len(),
            of(Fate::Connected).count(),
            "garbage is not answered"
        );
        for (reply, (transaction, octets)) in connected.iter().zip(of(Fate::Connected)) {
            assert_eq!((&reply[..4], reply.len()), (&CONNECT.to_be_bytes()[..], 16));
            assert_eq!((&reply[4..8], true), (transaction, octets >= 16));
        }
        for reply in &refused {
            let mut bad = of(Fate::BadId);
            assert!(bad.any(|(transaction, octets)| {
                reply[4..8] == *transaction && reply.len() <= octets
            }));
        }
        errors += refused.len() as u64;
    }
    // One, and one more for each half minute that it took.
    let half_minutes = begin.elapsed().as_secs() / 29;
    assert!((1..=1 + half_minutes).contains(&errors), "{errors}");
    let all: u64 = fates.values().sum();
    assert_eq!(all, 100_000 / WINDOW * (WINDOW + 1));
    assert!(
        fates.values().all(|&number| number > 1000),
        "all kinds: {fates:?}"
    );
    let answered = fates[&Fate::Connected] + errors;
    let metrics = Metrics::wait(tracker.http(), |metrics| {
        metrics.datagrams("out") == answered
    });
    assert_eq!(metrics.datagrams("in"), all);
    assert_eq!(metrics.udp("connect"), fates[&Fate::Connected]);
    assert_eq!(metrics.dropped("connection_id"), fates[&Fate::BadId]);
    assert_eq!(metrics.udp_errors(), errors);
    assert_eq!(metrics.dropped("short"), fates[&Fate::Short]);
    assert_eq!(metrics.dropped("magic"), fates[&Fate::Magic]);
    assert_eq!(metrics.dropped("action"), fates[&Fate::Action]);
    assert_eq!(metrics.dropped("scrape"), fates[&Fate::Scrape]);
    for (reason, none) in [("source", 0), ("send", 0)] {
        assert_eq!(metrics.dropped(reason), none, "{reason}");
    }
    assert_eq!((metrics.udp("announce"), metrics.udp("scrape")), (0, 0));
    let served = Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
    assert_eq!(served.leechers, 1, "it serves as before");
}
