//! Packets of live sync from the words of a command line.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use opentracker_livesync_wire::{
    Beacon, Inquire, LiveRecord, LiveWriter, MAX_PACKET, ScrapeTellWriter, TellRecord,
};
use opentracker_types::{InfoHash, PeerFlags, TrackerId};

/// What to send.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// An announce: SYNC_LIVE for an IPv4 peer, SYNC_LIVE6 for an IPv6 peer.
    Live(Live),
    /// How many torrents there are: BEACON.
    Beacon {
        /// The number.
        torrents: u64,
    },
    /// A question for all torrents of a tracker: INQUIRE.
    Inquire {
        /// The id of the tracker, 8 hexadecimal digits.
        #[arg(value_parser = parse_id)]
        target: TrackerId,
    },
    /// The download count of a torrent: SCRAPE_TELL.
    Tell {
        /// The torrent, 40 hexadecimal digits.
        info_hash: InfoHash,
        /// Its download count.
        downloads: u64,
        /// Minutes since it was last announced.
        #[arg(long, default_value_t = 0)]
        age: u32,
    },
    /// Any octets.
    Hex {
        /// The datagram in hexadecimal digits.
        octets: String,
    },
    /// A file with a datagram a line in hexadecimal digits; `#` begins a comment.
    File {
        /// The file.
        path: PathBuf,
    },
}

/// An announce.
#[derive(Debug, Args)]
pub(crate) struct Live {
    /// The torrent, 40 hexadecimal digits.
    info_hash: InfoHash,
    /// The peer's address and port, like `198.51.100.7:6881` or `[2001:db8::7]:6881`.
    peer: SocketAddr,
    /// The peer has everything.
    #[arg(long)]
    seeding: bool,
    /// It has just completed the download; counts only with --seeding.
    #[arg(long)]
    completed: bool,
    /// It goes away.
    #[arg(long)]
    stopped: bool,
    /// Send an IPv4 peer as SYNC_LIVE6, as C nodes from 2024 on do.
    #[arg(long)]
    mapped: bool,
}

/// Returns the datagrams to send in the name of a tracker.
pub(crate) fn datagrams(what: &What, sender: TrackerId) -> Result<Vec<Vec<u8>>> {
    let datagram = match what {
        What::Live(live) => live.encode(sender)?,
        What::Beacon { torrents } => {
            let torrents = *torrents;
            Beacon { sender, torrents }.encode().to_vec()
        }
        What::Inquire { target } => {
            let target = *target;
            Inquire { sender, target }.encode().to_vec()
        }
        What::Tell {
            info_hash,
            downloads,
            age,
        } => {
            let mut writer = ScrapeTellWriter::new(sender);
            writer.push(&TellRecord::new(*info_hash, *age, *downloads))?;
            writer.take().as_bytes().to_vec()
        }
        What::Hex { octets } => parse_hex(octets)?,
        What::File { path } => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            return parse_lines(&text).with_context(|| path.display().to_string());
        }
    };
    Ok(vec![datagram])
}

/// Parses the id of a tracker.
pub(crate) fn parse_id(text: &str) -> Result<TrackerId> {
    let octets = parse_hex(text)?;
    let octets = octets.as_slice().try_into();
    octets
        .map(TrackerId::new)
        .context("an id has 8 hexadecimal digits")
}

impl Live {
    fn encode(&self, sender: TrackerId) -> Result<Vec<u8>> {
        let flags = [
            (self.seeding, PeerFlags::SEEDING),
            (self.completed, PeerFlags::COMPLETED),
            (self.stopped, PeerFlags::STOPPED),
        ];
        let flags = flags.into_iter().filter(|(is_set, _)| *is_set);
        let flags = flags.fold(PeerFlags::NONE, |all, (_, flag)| all.with(flag));
        let record = LiveRecord::new(self.info_hash, self.peer.into(), flags);
        let mut writer = if record.peer.is_ipv4() && !self.mapped {
            LiveWriter::sync_live(sender)
        } else {
            LiveWriter::sync_live6(sender)
        };
        writer.push(&record)?;
        Ok(writer.take().as_bytes().to_vec())
    }
}

fn parse_lines(text: &str) -> Result<Vec<Vec<u8>>> {
    let mut datagrams = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let digits = line.split('#').next().unwrap_or_default().trim();
        if !digits.is_empty() {
            let octets = parse_hex(digits).with_context(|| format!("line {number}"))?;
            datagrams.push(octets);
        }
    }
    Ok(datagrams)
}

/// Parses octets in hexadecimal digits, with spaces between them or without.
fn parse_hex(text: &str) -> Result<Vec<u8>> {
    let mut digits = Vec::new();
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        digits.push(digit.with_context(|| format!("{c:?} is not a hexadecimal digit"))?);
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    ensure!(rest.is_empty(), "the number of hexadecimal digits is odd");
    if pairs.len() > MAX_PACKET {
        bail!(
            "{} octets are more than the {MAX_PACKET} that a packet has",
            pairs.len()
        );
    }
    Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use opentracker_livesync_wire::Packet;

    use super::*;

    const ID: TrackerId = TrackerId::new(*b"ctl!");
    const TORRENT: InfoHash = InfoHash::new([7; InfoHash::LEN]);

    fn live(peer: &str, mapped: bool) -> What {
        What::Live(Live {
            info_hash: TORRENT,
            peer: peer.parse().unwrap(),
            seeding: true,
            completed: false,
            stopped: true,
            mapped,
        })
    }

    fn only(what: &What) -> Vec<u8> {
        let mut datagrams = datagrams(what, ID).unwrap();
        assert_eq!(datagrams.len(), 1);
        datagrams.remove(0)
    }

    #[test]
    fn announces_take_the_form_of_their_family() {
        for (peer, mapped, is_v6) in [
            ("198.51.100.7:6881", false, false),
            ("198.51.100.7:6881", true, true),
            ("[2001:db8::7]:6881", false, true),
        ] {
            let octets = only(&live(peer, mapped));
            let record = match Packet::decode(&octets).unwrap() {
                Packet::SyncLive(live) if !is_v6 => live.records().next(),
                Packet::SyncLive6(live) if is_v6 => live.records().next(),
                other => panic!("{other:?}"),
            };
            let record = record.unwrap();
            assert_eq!(SocketAddr::from(record.peer).to_string(), peer);
            assert_eq!(record.flags, PeerFlags::SEEDING.with(PeerFlags::STOPPED));
        }
    }

    #[test]
    fn each_kind_decodes_as_itself() {
        let beacon = only(&What::Beacon { torrents: 5 });
        let torrents = 5;
        let decoded = Packet::decode(&beacon).unwrap();
        assert_eq!(
            decoded,
            Packet::Beacon(Beacon {
                sender: ID,
                torrents
            })
        );
        let target = TrackerId::new([1, 2, 3, 4]);
        let inquire = only(&What::Inquire { target });
        let decoded = Packet::decode(&inquire).unwrap();
        assert_eq!(decoded, Packet::Inquire(Inquire { sender: ID, target }));
        let tell = only(&What::Tell {
            info_hash: TORRENT,
            downloads: 9,
            age: 2,
        });
        let Packet::ScrapeTell(tell) = Packet::decode(&tell).unwrap() else {
            panic!("{tell:?}");
        };
        let record = tell.records().next().unwrap();
        assert_eq!((record.downloads, record.age_minutes), (9, 2));
    }

    #[test]
    fn hexadecimal_octets() {
        assert_eq!(parse_hex("00fF 10").unwrap(), [0, 255, 16]);
        assert!(parse_hex("0").unwrap_err().to_string().contains("odd"));
        assert!(parse_hex("0g").is_err());
        assert!(parse_hex(&"00".repeat(MAX_PACKET + 1)).is_err());
        assert_eq!(
            parse_id("0badf00d").unwrap().as_bytes(),
            &[0xb, 0xad, 0xf0, 0xd]
        );
        assert!(parse_id("0badf0").is_err());
        let lines = parse_lines("# two\n01 02 # a\n\n03\n").unwrap();
        assert_eq!(lines, [vec![1, 2], vec![3]]);
        let error = parse_lines("01\n0x\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2");
    }
}
