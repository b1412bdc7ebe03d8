use std::collections::BTreeMap;

use opentracker_http_wire::bencode::{self, Value};
use opentracker_http_wire::{AnnounceReply, Answer, DecodeError, Failure, Peers, ScrapeReply};

/// Bencode, and the replies that are written in it.
pub fn http_reply(body: &[u8]) {
    match bencode::decode(body) {
        Ok(value) => {
            let mut written = Vec::new();
            write(value, &mut written);
            assert_eq!(written, body, "there is one way to write a value");
        }
        Err(error) => assert_is_within(&error, body),
    }
    match AnnounceReply::decode(body) {
        Ok(Answer::Reply(reply)) => read_announce_again(&reply),
        Ok(Answer::Failure(failure)) => read_failure_again(&failure),
        Err(error) => assert_is_within(&error, body),
    }
    match ScrapeReply::decode(body) {
        Ok(Answer::Reply(reply)) => read_scrape_again(&reply),
        Ok(Answer::Failure(failure)) => read_failure_again(&failure),
        Err(error) => assert_is_within(&error, body),
    }
}

fn assert_is_within(error: &DecodeError, body: &[u8]) {
    assert!(error.offset() <= body.len(), "{error}");
}

fn write(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Integer(number) => out.extend(format!("i{number}e").bytes()),
        Value::String(octets) => write_string(octets, out),
        Value::List(list) => {
            out.push(b'l');
            list.iter().for_each(|item| write(item, out));
            out.push(b'e');
        }
        Value::Dictionary(dictionary) => {
            out.push(b'd');
            for (key, value) in dictionary {
                assert!(dictionary.get(key).is_some());
                write_string(key, out);
                write(value, out);
            }
            out.push(b'e');
        }
    }
}

fn write_string(octets: &[u8], out: &mut Vec<u8>) {
    out.extend(format!("{}:", octets.len()).bytes());
    out.extend(octets);
}

fn read_announce_again(reply: &AnnounceReply<'_>) {
    let peers = reply.peers.iter().count();
    if let Peers::Compact { v4, v6 } = reply.peers {
        let v6 = v6.unwrap_or_default();
        assert_eq!(peers, v4.len() / 6 + v6.len() / 18);
        if v4.len() % 6 + v6.len() % 18 > 0 {
            // A torn peer is read over, and never written.
            return;
        }
    }
    let mut encoded = Vec::new();
    reply.encode(&mut encoded);
    assert_eq!(AnnounceReply::decode(&encoded), Ok(Answer::Reply(*reply)));
}

fn read_scrape_again(reply: &ScrapeReply<'_>) {
    // Of an info hash that is there twice, either will do.
    let entries: BTreeMap<_, _> = reply.entries().collect();
    let mut encoded = Vec::new();
    let mut writer = ScrapeReply::begin(&mut encoded);
    for (info_hash, counts) in &entries {
        writer.entry(&mut encoded, info_hash, *counts);
    }
    writer.end(&mut encoded, reply.min_request_interval_secs());
    let Ok(Answer::Reply(again)) = ScrapeReply::decode(&encoded) else {
        panic!("{} is no reply", encoded.escape_ascii());
    };
    assert!(again.entries().eq(entries));
    let interval = again.min_request_interval_secs();
    assert_eq!(interval, reply.min_request_interval_secs());
}

fn read_failure_again(failure: &Failure<'_>) {
    let mut encoded = Vec::new();
    failure.encode(&mut encoded);
    let again = AnnounceReply::decode(&encoded);
    assert_eq!(again, Ok(Answer::Failure(*failure)));
}
