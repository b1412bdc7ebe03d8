//! The operations that the store and its model are given.

use std::net::{Ipv4Addr, Ipv6Addr};

use opentracker_store::Presence;
use opentracker_types::{PeerAddr, Scope};
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Announce {
        torrent: u8,
        peer: PeerAddr,
        presence: Presence,
        want: usize,
        heard: bool,
    },
    Told {
        torrent: u8,
        peer: PeerAddr,
        seeding: bool,
        age_minutes: u8,
    },
    Downloads {
        torrent: u8,
        idle: u32,
        downloads: u64,
    },
    Remove {
        torrent: u8,
    },
    Purge {
        torrents: [u8; 2],
    },
    Pass {
        minutes: u32,
    },
    Sweep,
}

fn any_peer() -> impl Strategy<Value = PeerAddr> {
    let v4 = prop_oneof![
        4 => (1..=4_u8).prop_map(|last| Ipv4Addr::new(198, 51, 100, last)),
        1 => Just(Ipv4Addr::new(10, 0, 0, 1)),
        1 => Just(Ipv4Addr::new(127, 0, 0, 1)),
    ];
    let v6 = prop_oneof![
        3 => (1..=2_u16).prop_map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)),
        1 => Just(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
        1 => Just(Ipv6Addr::LOCALHOST),
    ];
    prop_oneof![
        3 => (v4, 1..24_u16).prop_map(|(ip, port)| PeerAddr::new(ip.into(), port)),
        1 => (v6, 1..12_u16).prop_map(|(ip, port)| PeerAddr::new(ip.into(), port)),
    ]
}

/// A peer that shares its prefix with all others of its torrent, 5 or 6.
fn any_peer_of_one_prefix() -> impl Strategy<Value = (u8, PeerAddr)> {
    let v4 = Ipv4Addr::new(203, 0, 113, 7);
    let v6 = |low| Ipv6Addr::new(0x2001, 0xdb8, 5, 0x1234, low, 0, 0, 1);
    prop_oneof![
        (1..4_u16).prop_map(move |port| (5, PeerAddr::new(v4.into(), port))),
        (1..4_u16).prop_map(move |low| (6, PeerAddr::new(v6(low).into(), 1))),
    ]
}

fn any_presence() -> impl Strategy<Value = Presence> {
    prop_oneof![
        6 => (any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(seeding, completed)| Presence::Here { seeding, completed }),
        1 => Just(Presence::Gone),
    ]
}

fn any_count() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..20_u64,
        1 => prop::sample::select(vec![0x7fff_fffe, 0x7fff_ffff, u64::from(u32::MAX), 8_589_934_597]),
    ]
}

pub(crate) fn any_op() -> impl Strategy<Value = Op> {
    // Torrent 0 grows large, the others stay small.
    let torrent = prop_oneof![6 => Just(0_u8), 1 => 1..5_u8];
    prop_oneof![
        60 => (torrent.clone(), any_peer(), any_presence(), 0..12_usize, prop::bool::weighted(0.2))
            .prop_map(|(torrent, peer, presence, want, heard)| Op::Announce {
                torrent, peer, presence, want, heard,
            }),
        20 => (any_peer_of_one_prefix(), prop::bool::ANY, prop::bool::ANY)
            .prop_map(|((torrent, peer), is_there, heard)| Op::Announce {
                torrent,
                peer,
                presence: if is_there {
                    Presence::Here { seeding: true, completed: true }
                } else {
                    Presence::Gone
                },
                want: 3,
                heard,
            }),
        15 => (torrent, any_peer(), any::<bool>(), 0..50_u8).prop_map(told),
        5 => (any_peer_of_one_prefix(), any::<bool>(), 0..50_u8)
            .prop_map(|((torrent, peer), seeding, age)| told((torrent, peer, seeding, age))),
        2 => (0..8_u8, 0..200_u32, any_count())
            .prop_map(|(torrent, idle, downloads)| Op::Downloads { torrent, idle, downloads }),
        1 => (0..8_u8).prop_map(|torrent| Op::Remove { torrent }),
        1 => [0..8_u8, 0..8_u8].prop_map(|torrents| Op::Purge { torrents }),
        4 => (0..12_u32).prop_map(|minutes| Op::Pass { minutes }),
        1 => (40..80_u32).prop_map(|minutes| Op::Pass { minutes }),
        2 => Just(Op::Sweep),
    ]
}

fn told((torrent, peer, seeding, age_minutes): (u8, PeerAddr, bool, u8)) -> Op {
    Op::Told {
        torrent,
        peer,
        seeding,
        age_minutes,
    }
}

#[test]
fn scopes_of_the_model_are_mixed() {
    // The strategies above rely on these three.
    let scope = |text: &str| Scope::of(text.parse().unwrap());
    assert_eq!(scope("198.51.100.1"), Some(Scope::Global));
    assert_eq!(scope("10.0.0.1"), Some(Scope::Private));
    assert_eq!(scope("::1"), Some(Scope::Loopback));
}
