//! What a store costs in memory, all in: fills one as a busy tracker would and compares what the
//! process has resident before and after.
//!
//! `cargo bench -p opentracker-store --bench memory -- TORRENTS PEERS`
//!
//! Peers announce in an order without pattern, so that all swarms grow side by side, which is the
//! hardest case for an allocator. A negative number of peers gives every torrent exactly so many.

use std::net::Ipv4Addr;

use opentracker_store::{Announce, Minute, Moment, PeerBuffers, Picker, Presence, Store, Timing};
use opentracker_types::{InfoHash, PeerAddr};

fn main() {
    // Cargo adds `--bench`.
    let arguments = std::env::args().skip(1).filter(|text| text != "--bench");
    let mut arguments = arguments.map(|text| {
        text.parse::<i64>()
            .expect("the arguments are numbers: torrents and peers")
    });
    let torrents = arguments.next().unwrap_or(950_000).unsigned_abs();
    let peers = arguments.next().unwrap_or(-3);
    let is_exact = peers < 0;
    let peers = match is_exact {
        true => torrents * peers.unsigned_abs(),
        false => peers.unsigned_abs(),
    };

    let store = Store::new([0x5c; 32]);
    let mut picker = Picker::new(1);
    let moment = Moment::new(Minute::new(1), &Timing::default());
    let before = resident_octets();
    for number in 0..peers {
        let torrent = if is_exact {
            number % torrents
        } else {
            u64::from(picker.below(u32::try_from(torrents).expect("a 32-bit number")))
        };
        let mut info_hash = [0; 20];
        info_hash[..8].copy_from_slice(&torrent.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        info_hash[8..16].copy_from_slice(&torrent.to_le_bytes());
        let address = u32::try_from(0x1000_0000 + number).expect("an address");
        let announce = Announce {
            key: store.key(&InfoHash::new(info_hash)),
            peer: PeerAddr::new(Ipv4Addr::from_bits(address).into(), 6881),
            presence: Presence::Here {
                seeding: picker.below(10) < 3,
                completed: false,
            },
        };
        let mut nobody = PeerBuffers::v4(&mut []);
        store.announce(&announce, &moment, 0, &mut picker, &mut nobody);
    }
    let resident = resident_octets() - before;
    let totals = store.totals();
    for (name, octets) in [("resident", resident), ("counted", store.heap_octets())] {
        println!(
            "{name}: {octets} octets, {} a torrent, {:.1} a peer",
            octets / totals.torrents,
            octets as f64 / totals.peers.total() as f64
        );
    }
}

/// Octets of this process in memory, from the second number of `/proc/self/statm`.
fn resident_octets() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("statm has seven numbers") * 4096
}
