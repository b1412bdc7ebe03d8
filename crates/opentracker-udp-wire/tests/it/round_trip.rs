//! `decode(encode(x)) == x`, and for octets that decode to `p`, `decode(encode(p)) == p`.

use opentracker_udp_wire::{
    AnnounceOption, AnnounceOptions, AnnounceReply, AnnounceRequest, ConnectReply, ConnectRequest,
    EncodeError, ErrorReply, Reply, Request, ScrapeReply, ScrapeRequest,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::arbitrary;

const BUFFER_LEN: usize = 4096;

fn encode(encode: impl Fn(&mut [u8]) -> Result<usize, EncodeError>) -> Vec<u8> {
    let mut buffer = vec![0; BUFFER_LEN];
    let octets = encode(&mut buffer).expect("the buffer is larger than any packet here");
    buffer.truncate(octets);
    buffer
}

fn encode_request(request: &Request<'_>) -> Vec<u8> {
    encode(|buffer| match request {
        Request::Connect(request) => request.encode(buffer),
        Request::Announce(request) => request.encode(buffer),
        Request::Scrape(request) => request.encode(buffer),
    })
}

fn encode_reply(reply: &Reply<'_>) -> Vec<u8> {
    encode(|buffer| match reply {
        Reply::Connect(reply) => reply.encode(buffer),
        Reply::Announce(reply) => reply.encode(buffer),
        Reply::Scrape(reply) => reply.encode(buffer),
        Reply::Error(reply) => reply.encode(buffer),
    })
}

proptest! {
    #[test]
    fn connect_request(request in arbitrary::connect_request()) {
        let packet = encode(|buffer| request.encode(buffer));
        prop_assert_eq!(packet.len(), ConnectRequest::WIRE_LEN);
        prop_assert_eq!(ConnectRequest::decode(&packet), Ok(request));
        prop_assert_eq!(Request::decode(&packet), Ok(Request::Connect(request)));
    }

    #[test]
    fn connect_reply(reply in arbitrary::connect_reply()) {
        let packet = encode(|buffer| reply.encode(buffer));
        prop_assert_eq!(packet.len(), ConnectReply::WIRE_LEN);
        prop_assert_eq!(ConnectReply::decode(&packet), Ok(reply));
        prop_assert_eq!(Reply::decode(&packet), Ok(Reply::Connect(reply)));
    }

    #[test]
    fn announce_request((request, options) in arbitrary::announce_request()) {
        let request = AnnounceRequest { options: AnnounceOptions::new(&options), ..request };
        let packet = encode(|buffer| request.encode(buffer));
        prop_assert_eq!(packet.len(), AnnounceRequest::WIRE_LEN + options.len());
        prop_assert_eq!(AnnounceRequest::decode(&packet), Ok(request));
        prop_assert_eq!(Request::decode(&packet), Ok(Request::Announce(request)));
    }

    #[test]
    fn announce_reply((reply, peers) in arbitrary::announce_reply()) {
        let reply = AnnounceReply { peers: &peers, ..reply };
        let packet = encode(|buffer| reply.encode(buffer));
        prop_assert_eq!(packet.len(), AnnounceReply::WIRE_LEN + peers.len());
        prop_assert_eq!(AnnounceReply::decode(&packet), Ok(reply));
        prop_assert_eq!(Reply::decode(&packet), Ok(Reply::Announce(reply)));
    }

    #[test]
    fn announce_reply_in_place(
        (reply, peers) in arbitrary::announce_reply(),
        counts in arbitrary::swarm_counts(),
    ) {
        let mut buffer = vec![0xa5; BUFFER_LEN];
        let mut builder = AnnounceReply::begin(&mut buffer).unwrap();
        builder.peers_area()[..peers.len()].copy_from_slice(&peers);
        let octets =
            builder.finish(reply.transaction, reply.interval_secs, counts, peers.len());
        let reply = AnnounceReply {
            seeders: counts.seeders,
            leechers: counts.leechers,
            peers: &peers,
            ..reply
        };
        prop_assert_eq!(AnnounceReply::decode(&buffer[..octets]), Ok(reply));
    }

    #[test]
    fn scrape_request(
        (connection, transaction) in any::<(u64, u32)>(),
        hashes in arbitrary::info_hashes(),
    ) {
        let request =
            ScrapeRequest::new(connection.into(), transaction.into(), &hashes).unwrap();
        let packet = encode(|buffer| request.encode(buffer));
        prop_assert_eq!(packet.len(), ScrapeRequest::WIRE_LEN + 20 * hashes.len());
        prop_assert_eq!(ScrapeRequest::decode(&packet), Ok(request));
        prop_assert_eq!(Request::decode(&packet), Ok(Request::Scrape(request)));
        let decoded: Vec<_> = request.info_hashes().map(|hash| *hash.as_bytes()).collect();
        prop_assert_eq!(decoded, hashes);
    }

    #[test]
    fn scrape_reply_in_place(
        transaction: u32,
        entries in vec(arbitrary::swarm_counts(), 0..100),
        buffer_len in ScrapeReply::WIRE_LEN..1300,
    ) {
        let mut buffer = vec![0xa5; buffer_len];
        let mut builder = ScrapeReply::begin(&mut buffer, transaction.into()).unwrap();
        let taken = entries.iter().take_while(|&&counts| builder.push(counts)).count();
        let octets = builder.finish();
        let room = (buffer_len - ScrapeReply::WIRE_LEN) / ScrapeReply::ENTRY_LEN;
        prop_assert_eq!(taken, entries.len().min(room));
        prop_assert_eq!(octets, ScrapeReply::WIRE_LEN + ScrapeReply::ENTRY_LEN * taken);

        let reply = ScrapeReply::decode(&buffer[..octets]).unwrap();
        prop_assert_eq!(reply.transaction(), transaction.into());
        prop_assert_eq!(&reply.entries().collect::<Vec<_>>(), &entries[..taken]);
        prop_assert_eq!(encode(|again| reply.encode(again)), &buffer[..octets]);
    }

    #[test]
    fn error_reply((reply, message) in arbitrary::error_reply()) {
        let reply = ErrorReply { message: &message, ..reply };
        let packet = encode(|buffer| reply.encode(buffer));
        prop_assert_eq!(packet.len(), ErrorReply::WIRE_LEN + message.len());
        prop_assert_eq!(ErrorReply::decode(&packet), Ok(reply));
        prop_assert_eq!(Reply::decode(&packet), Ok(Reply::Error(reply)));
    }

    #[test]
    fn url_data(text in vec(any::<u8>(), 0..1500)) {
        let mut buffer = vec![0; BUFFER_LEN];
        let options = AnnounceOptions::from_url_data(&text, &mut buffer).unwrap();
        let mut joined = Vec::new();
        for option in options {
            match option {
                AnnounceOption::UrlData(piece) => joined.extend_from_slice(piece),
                other => prop_assert!(false, "never written: {:?}", other),
            }
        }
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn octets_that_are_a_request(packet in arbitrary::plausible_packet()) {
        if let Ok(request) = Request::decode(&packet) {
            let again = encode_request(&request);
            prop_assert_eq!(Request::decode(&again), Ok(request));
        }
    }

    #[test]
    fn octets_that_are_a_reply(packet in arbitrary::plausible_packet()) {
        if let Ok(reply) = Reply::decode(&packet) {
            let again = encode_reply(&reply);
            prop_assert_eq!(Reply::decode(&again), Ok(reply));
        }
    }
}
