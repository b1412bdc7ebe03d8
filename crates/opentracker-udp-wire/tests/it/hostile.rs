//! Nothing that arrives on a socket panics, and errors tell the truth about the packet.

use opentracker_udp_wire::{AnnounceOptions, DecodeError, Reply, Request, TransactionId};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::arbitrary;

/// Goes through everything that a decoded packet offers.
fn exhaust(packet: &[u8]) {
    match Request::decode(packet) {
        Ok(Request::Announce(request)) => assert!(request.options.iter().count() <= packet.len()),
        Ok(Request::Scrape(request)) => {
            assert!((1..=74).contains(&request.info_hashes().count()));
        }
        Ok(Request::Connect(_)) => {}
        Err(error) => assert_truthful(error, packet, 12),
    }
    match Reply::decode(packet) {
        Ok(Reply::Announce(reply)) => {
            assert_eq!(reply.peers_v4().count(), (packet.len() - 20) / 6);
            assert_eq!(reply.peers_v6().count(), (packet.len() - 20) / 18);
        }
        Ok(Reply::Scrape(reply)) => assert_eq!(reply.entries().count(), (packet.len() - 8) / 12),
        Ok(Reply::Error(reply)) => assert_eq!(reply.message, &packet[8..]),
        Ok(Reply::Connect(_)) => {}
        Err(error) => assert_truthful(error, packet, 4),
    }
}

fn assert_truthful(error: DecodeError, packet: &[u8], transaction_offset: usize) {
    assert!(error.offset() <= packet.len());
    let transaction = packet
        .get(transaction_offset..)
        .and_then(|rest| rest.first_chunk())
        .map(|&octets| TransactionId::new(octets));
    assert_eq!(error.transaction(), transaction);
}

proptest! {
    #[test]
    fn any_octets(packet in vec(any::<u8>(), 0..1700)) {
        exhaust(&packet);
    }

    #[test]
    fn plausible_packets(packet in arbitrary::plausible_packet()) {
        exhaust(&packet);
    }

    #[test]
    fn any_options(octets in vec(prop_oneof![0_u8..4, any::<u8>()], 0..600)) {
        // Each option takes at least its type and its length.
        prop_assert!(AnnounceOptions::new(&octets).iter().count() <= octets.len() / 2);
    }
}

/// Every length from nothing to beyond the largest packet, with every action.
#[test]
fn every_length() {
    for action in 0..5_u8 {
        for len in 0..1600 {
            let mut packet = vec![0xff; len];
            for at in [8, 9, 10, 0, 1, 2] {
                if let Some(octet) = packet.get_mut(at) {
                    *octet = 0;
                }
            }
            for at in [3, 11] {
                if let Some(octet) = packet.get_mut(at) {
                    *octet = action;
                }
            }
            exhaust(&packet);
        }
    }
}
