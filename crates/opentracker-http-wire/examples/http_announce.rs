//! Prints what the query of an HTTP announce says, the query as this crate writes it, and a reply
//! to it. What a tracker would refuse is answered with a `failure reason`.
//!
//! `cargo run -p opentracker-http-wire --example http_announce -- 'info_hash=…&port=6881&left=0'`

use std::error::Error;

use opentracker_http_wire::types::SwarmCounts;
use opentracker_http_wire::{AnnounceQuery, AnnounceReply, Answer, Failure, Peers};

/// Two peers in compact form: 192.0.2.7:6881 and 198.51.100.1:80.
const PEERS: &[u8] = b"\xc0\x00\x02\x07\x1a\xe1\xc6\x33\x64\x01\x00\x50";

fn main() -> Result<(), Box<dyn Error>> {
    let query = std::env::args().nth(1).ok_or("the query is missing")?;
    let body = answer(query.as_bytes());
    println!("reply: {}", body.escape_ascii());

    match AnnounceReply::decode(&body)? {
        Answer::Reply(reply) => reply.peers.iter().for_each(|peer| println!("peer: {peer}")),
        Answer::Failure(failure) => println!("refused: {}", failure.reason.escape_ascii()),
    }
    Ok(())
}

/// Answers a query as a tracker does.
fn answer(query: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    match AnnounceQuery::decode(query) {
        Ok(query) => {
            println!("announce: {:?}", query.announce);
            let mut written = Vec::new();
            query.encode(&mut written);
            println!("query: {}", written.escape_ascii());

            let counts = SwarmCounts {
                seeders: 1,
                leechers: 2,
                downloads: 0,
            };
            let mut reply = AnnounceReply::new(counts, 1800, Peers::of_query(&query, PEERS, None));
            reply.min_interval_secs = Some(900);
            reply.encode(&mut body);
        }
        Err(error) => {
            println!(
                "octet {} of the query is wrong ({})",
                error.offset(),
                error.reason()
            );
            Failure::new(error.message()).encode(&mut body);
        }
    }
    body
}
