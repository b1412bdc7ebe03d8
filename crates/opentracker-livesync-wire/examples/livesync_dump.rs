//! Prints live-sync packets. Each line of the files that are named, or of standard input, is a
//! datagram in hexadecimal digits; spaces and colons between them are skipped, `#` begins a
//! comment.
//!
//! `echo 0badf00d00000001000000000000012c | cargo run -p opentracker-livesync-wire --example livesync_dump`

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use opentracker_livesync_wire::{LiveRecord, Packet};

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = std::env::args_os().skip(1).peekable();
    if files.peek().is_none() {
        return dump_lines(io::stdin().lock());
    }
    files.try_for_each(|file| dump_lines(BufReader::new(File::open(file)?)))
}

fn dump_lines(lines: impl BufRead) -> Result<(), Box<dyn Error>> {
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line?;
        let digits = line.split('#').next().unwrap_or_default();
        let datagram = octets(digits).ok_or_else(|| format!("line {number}: not octets"))?;
        if !datagram.is_empty() {
            dump(&datagram);
        }
    }
    Ok(())
}

fn octets(digits: &str) -> Option<Vec<u8>> {
    let values: Option<Vec<u32>> = digits
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .map(|c| c.to_digit(16))
        .collect();
    let (pairs, rest) = values.as_deref()?.as_chunks();
    let octets = pairs
        .iter()
        .map(|[high, low]| u8::try_from(high << 4 | low).ok());
    rest.is_empty().then(|| octets.collect())?
}

fn dump(datagram: &[u8]) {
    let packet = match Packet::decode(datagram) {
        Ok(packet) => packet,
        Err(error) => return println!("not a packet of live sync: {error}"),
    };
    let sender = packet.sender();
    match packet {
        Packet::SyncLive(live) => live.records().for_each(|record| print(sender, &record)),
        Packet::SyncLive6(live) => live.records().for_each(|record| print(sender, &record)),
        Packet::Beacon(beacon) => println!("{sender} BEACON {} torrents", beacon.torrents),
        Packet::Inquire(inquire) => println!("{sender} INQUIRE asks {}", inquire.target),
        Packet::ScrapeTell(tell) => tell.records().for_each(|record| {
            println!(
                "{sender} SCRAPE_TELL {} {} downloads, last announced {} min ago",
                record.info_hash, record.downloads, record.age_minutes
            );
        }),
    }
}

fn print(sender: impl std::fmt::Display, record: &LiveRecord) {
    let LiveRecord {
        info_hash,
        peer,
        flags,
        age,
        ..
    } = record;
    match age {
        None => println!("{sender} LIVE {info_hash} {peer} {flags}"),
        Some(age) => println!("{sender} TOLD {info_hash} {peer} {flags}, announced {age} ago"),
    }
}
