//! The configuration format of the C program: a key and a value on each line.
//!
//! As there, `#` begins a comment at the start of a line only, whatever octets follow it; what
//! follows an address and a space does not count; and a text goes to the end of its line.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::findings::nearest;
use super::keys::{Key, keys};

/// A line that is neither empty nor a comment.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: usize,
    pub(super) word: String,
    pub(super) meaning: Meaning,
}

#[derive(Debug)]
pub(super) enum Meaning {
    /// Keys take a value, or, if `add` says so, a further one.
    Set {
        keys: Vec<&'static Key>,
        value: String,
        add: bool,
    },
    /// The C program knows the key, but nothing here answers to it: why.
    LeftOut(String),
    /// The key is unknown.
    Unknown(String),
    /// The value cannot be read.
    Wrong(&'static str),
}

/// First parts of the C program's keys.
const FAMILIES: [&str; 5] = ["listen.", "access.", "tracker.", "livesync.", "batchsync."];

/// The key that opens both listeners.
const BOTH: &str = "listen.tcp_udp";

const LISTENERS: [&str; 3] = [BOTH, "listen.tcp", "listen.udp"];

/// A key of the samples that came with the C program until 2014.
const BATCHSYNC: &str = "batchsync.cluster.admin_ip";

const DEFAULT_PORT: u16 = 6969;
const CLUSTER_PORT: u16 = 9696;

/// Tells the C program's format from TOML: its first word is one of its dotted keys, and what
/// follows does not make it a dotted key of TOML.
pub(super) fn is_c_style(octets: &[u8]) -> bool {
    let first = lines(octets).next();
    first.is_some_and(|(_, line)| {
        let text = String::from_utf8_lossy(line);
        let (word, rest) = split(&text);
        FAMILIES.iter().any(|family| word.starts_with(family))
            && !word.contains('=')
            && !rest.starts_with('=')
    })
}

/// Reads a configuration, line by line.
pub(super) fn read(octets: &[u8]) -> Vec<Line> {
    let mut seen = BTreeSet::new();
    let mut read = Vec::new();
    for (number, line) in lines(octets) {
        let text = String::from_utf8_lossy(line);
        let (word, argument) = split(&text);
        if LISTENERS.contains(&word) && seen.insert(BOTH) {
            // The first listener replaces the defaults of both protocols.
            let keys = with_c_names(&["listen.tcp", "listen.udp"]);
            seen.extend(keys.iter().map(|key| key.path()));
            let (value, add) = (String::new(), false);
            read.push(Line {
                number,
                word: word.to_owned(),
                meaning: Meaning::Set { keys, value, add },
            });
        }
        let meaning = match &text {
            _ if argument.is_empty() => Meaning::Wrong("a value is missing after the key"),
            Cow::Owned(_) => Meaning::Wrong("the value is not UTF-8"),
            _ => meaning(word, argument, &mut seen),
        };
        read.push(Line {
            number,
            word: word.to_owned(),
            meaning,
        });
    }
    read
}

fn meaning(word: &str, argument: &str, seen: &mut BTreeSet<&'static str>) -> Meaning {
    let keys = match word {
        BOTH => with_c_names(&["listen.tcp", "listen.udp"]),
        BATCHSYNC => {
            let reason = "trackers exchange nothing over HTTP: see [livesync]";
            return Meaning::LeftOut(reason.to_owned());
        }
        _ => with_c_names(&[word]),
    };
    let Some(key) = keys.first() else {
        return Meaning::Unknown(unknown(word));
    };
    let value = if key.is_text {
        argument.to_owned()
    } else {
        let (value, _) = split(argument);
        match word {
            _ if LISTENERS.contains(&word) => with_port(value, DEFAULT_PORT),
            "livesync.cluster.listen" => with_port(value, CLUSTER_PORT),
            _ => value.to_owned(),
        }
    };
    let add = !seen.insert(key.path());
    Meaning::Set { keys, value, add }
}

fn with_c_names(names: &[&str]) -> Vec<&'static Key> {
    keys()
        .filter(|key| key.c_name.is_some_and(|name| names.contains(&name)))
        .collect()
}

fn unknown(word: &str) -> String {
    let names = keys().filter_map(|key| key.c_name).chain([BOTH]);
    match nearest(word, names) {
        Some(near) => format!("unknown key: did you mean `{near}`?"),
        None => "unknown key: docs/configuration.md lists those of the C program".to_owned(),
    }
}

/// Completes an address that stands without a port.
fn with_port(text: &str, port: u16) -> String {
    let alone = text.trim_start_matches('[').trim_end_matches(']');
    match alone.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port).to_string(),
        Err(_) => text.to_owned(),
    }
}

/// Lines of substance, with their numbers.
fn lines(octets: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = octets
        .split(|&octet| octet == b'\n')
        .map(<[u8]>::trim_ascii);
    (1..)
        .zip(lines)
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

fn split(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_tells() {
        for text in [
            "listen.udp 0.0.0.0\n",
            "\n  \n# a = b\n\taccess.whitelist x\n",
            "tracker.redirect_url https://a.example/?a=b\n[udp]\n",
            "access.blacklist\n",
            "# \u{fffd}\nlivesync.cluster.node_ip 1.2.3.4\n",
        ] {
            assert!(is_c_style(text.as_bytes()), "{text}");
        }
        assert!(is_c_style(b"# caf\xe9 = \nlisten.udp 0.0.0.0\n"));
        for text in [
            "",
            "# nothing\n",
            "[udp]\n",
            "udp.workers = 2\n",
            "udp.workers=2\n",
            "access.stats = []\n",
            "access.stats=[\"::1\", \"10.0.0.1\"]\n",
            "listen = [\"a\"]\n",
        ] {
            assert!(!is_c_style(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn addresses_may_lack_their_port() {
        assert_eq!(with_port("0.0.0.0", 6969), "0.0.0.0:6969");
        assert_eq!(with_port("2001:db8::1", 6969), "[2001:db8::1]:6969");
        assert_eq!(with_port("[2001:db8::1]", 6969), "[2001:db8::1]:6969");
        assert_eq!(with_port("[2001:db8::1]:1", 6969), "[2001:db8::1]:1");
        assert_eq!(with_port("nowhere", 6969), "nowhere");
    }

    /// The table of docs/migrating.md has each key of the C program with the keys that it sets here,
    /// or says that it is left out; and each is taken with its example.
    #[test]
    fn the_keys_of_the_c_program_are_documented() {
        const DOCUMENT: &str = include_str!("../../../../docs/migrating.md");
        let (_, table) = DOCUMENT.split_once("<!-- keys -->").unwrap();
        let rows = table.trim_start().lines().skip(2);
        let mut documented = BTreeSet::new();
        for row in rows.take_while(|line| line.starts_with("| `")) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let [_, line, fate, ..] = cells[..] else {
                panic!("{row}");
            };
            let line = line.trim_matches('`');
            let (word, _) = split(line);
            documented.insert(word.to_owned());
            match &read(line.as_bytes()).last().expect("a line").meaning {
                Meaning::Set { keys, .. } => {
                    for key in keys {
                        assert!(fate.contains(&format!("`{}`", key.path())), "{row}");
                    }
                }
                Meaning::LeftOut(_) => assert!(fate.starts_with("left out"), "{row}"),
                other => panic!("{row}: {other:?}"),
            }
        }
        let known = keys().filter_map(|key| key.c_name).chain([BOTH, BATCHSYNC]);
        let known: BTreeSet<_> = known.map(str::to_owned).collect();
        assert_eq!(documented, known);
    }
}
