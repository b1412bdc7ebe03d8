//! Requests, written into the buffer of a connection.

use opentracker_types::{Event, InfoHash};
use rand::rngs::SmallRng;

use crate::args::HttpArgs;
use crate::population::Population;
use crate::tally::Kind;

/// Writes requests.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    population: Population,
    announce_start: Vec<u8>,
    /// From `numwant` on, since nothing in it depends on the peer.
    announce_end: Vec<u8>,
    scrape_start: Vec<u8>,
    scrape_end: Vec<u8>,
    scrape_hashes: u32,
}

/// What a leecher has left.
const LEFT: &[u8] = b"1073741824";

impl Writer {
    /// Makes requests for a target of this name.
    pub(super) fn new(args: &HttpArgs, host: &str, population: Population) -> Self {
        let connection = if args.close {
            "Connection: close\r\n"
        } else {
            ""
        };
        let end = format!(
            " HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}/{}\r\n{connection}\r\n",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION"),
        );
        Self {
            population,
            announce_start: format!("GET {}?info_hash=", args.announce_path).into(),
            announce_end: format!("&compact=1&numwant={}{end}", args.mix.numwant).into(),
            scrape_start: format!("GET {}", args.scrape_path).into(),
            scrape_end: end.into(),
            scrape_hashes: args.mix.scrape_hashes,
        }
    }

    /// Appends a request by the peer of a number.
    pub(super) fn write(
        &self,
        output: &mut Vec<u8>,
        kind: Kind,
        peer: u64,
        event: Event,
        random: &mut SmallRng,
    ) {
        match kind {
            Kind::Announce => self.announce(output, peer, event),
            Kind::Scrape | Kind::Connect => self.scrape(output, random),
        }
    }

    fn announce(&self, output: &mut Vec<u8>, number: u64, event: Event) {
        let peer = self.population.peer(number);
        output.extend_from_slice(&self.announce_start);
        escape(output, self.population.info_hash(peer.torrent).as_bytes());
        output.extend_from_slice(b"&peer_id=");
        escape(output, peer.id.as_bytes());
        output.extend_from_slice(b"&port=");
        output.extend_from_slice(itoa::Buffer::new().format(peer.port).as_bytes());
        output.extend_from_slice(b"&uploaded=0&downloaded=0&left=");
        output.extend_from_slice(if peer.is_seeder { b"0" } else { LEFT });
        if event == Event::Stopped {
            output.extend_from_slice(b"&event=stopped");
        }
        output.extend_from_slice(&self.announce_end);
    }

    fn scrape(&self, output: &mut Vec<u8>, random: &mut SmallRng) {
        output.extend_from_slice(&self.scrape_start);
        for index in 0..self.scrape_hashes {
            let torrent = self.population.draw_torrent(random);
            let info_hash: InfoHash = self.population.info_hash(torrent);
            output.push(if index == 0 { b'?' } else { b'&' });
            output.extend_from_slice(b"info_hash=");
            escape(output, info_hash.as_bytes());
        }
        output.extend_from_slice(&self.scrape_end);
    }
}

/// Percent-encodes what RFC 3986 does not leave unreserved, as clients do.
fn escape(output: &mut Vec<u8>, octets: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &octet in octets {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            output.push(octet);
        } else {
            let (high, low) = (usize::from(octet >> 4), usize::from(octet & 15));
            output.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rand::SeedableRng;

    use super::*;
    use crate::args::{Arguments, Command, PopulationArgs};

    fn writer(options: &[&str]) -> (Writer, Population) {
        let arguments = ["loadgen", "http", "tracker.example:80"]
            .iter()
            .chain(options);
        let Command::Http(args) = Arguments::parse_from(arguments).command else {
            panic!("not the command http");
        };
        let population = PopulationArgs {
            torrents: 9,
            peers: 10,
            zipf: None,
            seeders: 1.0,
            seed: 1,
        };
        let population = Population::new(&population, 1, 1).unwrap();
        (Writer::new(&args, "x", population.clone()), population)
    }

    fn text(writer: &Writer, kind: Kind, event: Event) -> String {
        let mut output = b"before ".to_vec();
        writer.write(&mut output, kind, 6, event, &mut SmallRng::seed_from_u64(1));
        String::from_utf8(output).unwrap()
    }

    fn escaped(octets: &[u8]) -> String {
        let mut output = Vec::new();
        escape(&mut output, octets);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn an_announce_says_what_the_population_says() {
        let (writer, population) = writer(&["--numwant", "7"]);
        let hash = population.info_hash(population.peer(6).torrent);
        let id = population.peer(6).id;
        assert_eq!(
            text(&writer, Kind::Announce, Event::None),
            format!(
                "before GET /announce?info_hash={}&peer_id={}&port=7&uploaded=0&downloaded=0&left=0\
                 &compact=1&numwant=7 HTTP/1.1\r\nHost: x\r\nUser-Agent: opentracker-loadgen/{}\r\n\r\n",
                escaped(hash.as_bytes()),
                escaped(id.as_bytes()),
                env!("CARGO_PKG_VERSION"),
            )
        );
        let stopped = text(&writer, Kind::Announce, Event::Stopped);
        assert!(
            stopped.contains("&left=0&event=stopped&compact=1"),
            "{stopped}"
        );
    }

    #[test]
    fn a_scrape_asks_for_torrents_of_the_population() {
        let (writer, population) =
            writer(&["--scrape-hashes", "2", "--close", "--scrape-path", "/s"]);
        let text = text(&writer, Kind::Scrape, Event::None);
        let (path, rest) = text.split_once(" HTTP/1.1\r\n").unwrap();
        let hashes: Vec<&str> = path
            .strip_prefix("before GET /s?info_hash=")
            .unwrap()
            .split("&info_hash=")
            .collect();
        assert_eq!(hashes.len(), 2);
        let known: Vec<String> = (0..9)
            .map(|torrent| escaped(population.info_hash(torrent).as_bytes()))
            .collect();
        assert!(
            hashes
                .iter()
                .all(|hash| known.iter().any(|known| known == hash))
        );
        assert!(rest.ends_with("\r\nConnection: close\r\n\r\n"), "{rest}");
    }

    #[test]
    fn octets_are_escaped_as_clients_do() {
        assert_eq!(escaped(b"aZ09-._~ %/\x00\xff"), "aZ09-._~%20%25%2F%00%FF");
    }
}
