use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use opentracker_core::{ClientList, HashList, Networks};
use opentracker_types::{InfoHash, PeerId};

/// Octets of a line that are looked at.
const MAX_LINE: usize = 256;

/// The texts of access lists, against a reader of them that is as simple as can be.
///
/// The first octet chooses the list.
pub fn lists(octets: &[u8]) {
    let Some((choice, text)) = octets.split_first() else {
        return;
    };
    match choice % 3 {
        0 => info_hashes(text),
        1 => clients(text),
        _ => networks(text),
    }
}

fn info_hashes(text: &[u8]) {
    let (list, skipped) = HashList::read(text, text.len() as u64).unwrap();
    let parsed: Vec<_> = lines(text).map(info_hash).collect();
    let listed: BTreeSet<_> = parsed.iter().flatten().copied().collect();
    assert_eq!(skipped.lines(), wrong(&parsed));
    assert_eq!(list.len(), listed.len());

    // Half of them, taken off and put on again.
    let half: HashList = listed.iter().copied().step_by(2).collect();
    let mut other = list.clone();
    other.remove(&half);
    for info_hash in &listed {
        assert!(list.contains(info_hash));
        assert_ne!(other.contains(info_hash), half.contains(info_hash));
        let mut neighbour = *info_hash.as_bytes();
        neighbour[19] ^= 1;
        let neighbour = InfoHash::new(neighbour);
        assert_eq!(list.contains(&neighbour), listed.contains(&neighbour));
    }
    assert_eq!(other.len(), listed.len() - half.len());
    other.add(&half);
    assert_eq!(other, list);
}

fn info_hash(line: &[u8]) -> Option<InfoHash> {
    let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit());
    let digits: String = digits.map(|&octet| char::from(octet)).collect();
    matches!(digits.len(), 40 | 64).then(|| digits[..40].parse().unwrap())
}

fn clients(text: &[u8]) {
    let (list, skipped) = ClientList::read(text).unwrap();
    let parsed: Vec<_> = lines(text).map(prefix).collect();
    assert_eq!(skipped.lines(), wrong(&parsed));
    let prefixes: Vec<_> = parsed.into_iter().flatten().collect();
    let is_listed = |id: &[u8; 20]| prefixes.iter().any(|prefix| id.starts_with(prefix));
    for prefix in &prefixes {
        for (fill, flipped) in [(0, 0), (0xff, 0), (0, 1), (0xff, 0x80)] {
            let mut id = [fill; 20];
            id[..prefix.len()].copy_from_slice(prefix);
            id[prefix.len() - 1] ^= flipped;
            assert_eq!(list.contains(&PeerId::new(id)), is_listed(&id), "{id:x?}");
        }
    }
    let outermost = |prefix: &Vec<u8>| {
        let begins = |other: &&Vec<u8>| prefix.starts_with(other) && *other != prefix;
        prefixes.iter().find(begins).is_none()
    };
    let outermost: BTreeSet<_> = prefixes.iter().filter(|one| outermost(one)).collect();
    assert_eq!(list.len(), outermost.len());
}

fn prefix(line: &[u8]) -> Option<Vec<u8>> {
    let word = line.split(u8::is_ascii_whitespace).next().unwrap();
    let mut prefix = Vec::new();
    let mut rest = word;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        prefix.push(match octet {
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                let value = |digit: u8| char::from(digit).to_digit(16);
                u8::try_from(16 * value(digits[0])? + value(digits[1])?).unwrap()
            }
            _ if octet.is_ascii_graphic() => octet,
            _ => return None,
        });
    }
    (1..=20).contains(&prefix.len()).then_some(prefix)
}

fn networks(text: &[u8]) {
    let (list, skipped) = Networks::read(text).unwrap();
    let parsed: Vec<_> = lines(text).map(network).collect();
    assert_eq!(skipped.lines(), wrong(&parsed));
    let networks: Vec<_> = parsed.into_iter().flatten().collect();
    let is_listed = |ip: IpAddr| networks.iter().any(|network| holds(network, ip));
    for network in &networks {
        let (first, last) = (network.network(), network.broadcast());
        for ip in [first, before(first), last, after(last)] {
            assert_eq!(list.contains(ip), is_listed(ip), "{ip} in {networks:?}");
        }
    }
    assert_eq!(list.is_empty(), networks.is_empty());
    assert!(list.len() <= networks.len());
    assert_eq!(list, Networks::new(networks.iter().rev().copied()));
}

fn network(line: &[u8]) -> Option<IpNet> {
    let ends = |octet: &u8| octet.is_ascii_whitespace() || b"#;,".contains(octet);
    let word = str::from_utf8(line.split(ends).next().unwrap()).ok()?;
    let address = || word.parse::<IpAddr>().ok().map(IpNet::from);
    word.parse().ok().or_else(address)
}

/// An IPv4 address is in networks of IPv4, and in those of IPv6 that hold nothing but its like.
fn holds(network: &IpNet, ip: IpAddr) -> bool {
    match (network, ip.to_canonical()) {
        (IpNet::V4(network), IpAddr::V4(ip)) => network.contains(&ip),
        (IpNet::V6(network), IpAddr::V6(ip)) => network.contains(&ip),
        (IpNet::V6(network), IpAddr::V4(ip)) => {
            let is_mapped = network.addr().to_ipv4_mapped().is_some();
            is_mapped && network.prefix_len() >= 96 && network.contains(&ip.to_ipv6_mapped())
        }
        (IpNet::V4(_), IpAddr::V6(_)) => false,
    }
}

fn before(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits().wrapping_sub(1)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits().wrapping_sub(1)).into(),
    }
}

fn after(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits().wrapping_add(1)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits().wrapping_add(1)).into(),
    }
}

/// The lines that are neither empty nor a comment.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|&octet| octet == b'\n').enumerate();
    let lines = lines.map(|(number, line)| {
        let line = &line[..line.len().min(MAX_LINE)];
        let without_mark = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 0);
        without_mark.unwrap_or(line).trim_ascii_start()
    });
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

fn wrong<T>(parsed: &[Option<T>]) -> u64 {
    parsed.iter().filter(|entry| entry.is_none()).count() as u64
}
