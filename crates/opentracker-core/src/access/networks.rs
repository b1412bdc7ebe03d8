use std::cmp::Reverse;
use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::lines::{self, Skipped};

/// Networks that share a right, like reading the statistics, or the lack of one.
///
/// A look-up is a binary search among few neighbours, so that a hundred thousand of them do. A
/// clone shares them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<Families>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Families {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Networks {
    /// Makes the set of all addresses in any of the networks. A network of IPv4-mapped IPv6
    /// addresses counts as IPv4.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match canonical(network) {
                IpNet::V4(network) => {
                    v4.push((network.network().to_bits(), network.broadcast().to_bits()));
                }
                IpNet::V6(network) => {
                    v6.push((network.network().to_bits(), network.broadcast().to_bits()));
                }
            }
        }
        Self(Arc::new(Families {
            v4: Ranges::new(v4),
            v6: Ranges::new(v6),
        }))
    }

    /// Reads a list, a network or an address a line: `192.0.2.0/24`, `2001:db8::1`.
    ///
    /// It ends at the first space, `#`, `;` or `,`; what follows is a note. Empty lines, lines that begin
    /// with `#`, and a byte order mark are ignored. Other lines are skipped.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read(text: impl BufRead) -> io::Result<(Self, Skipped)> {
        let mut networks = Vec::new();
        let skipped = lines::read(text, |line| {
            let network = parse(line);
            networks.extend(network);
            network.is_some()
        })?;
        Ok((Self::new(networks), skipped))
    }

    /// Tells whether an address is in one of the networks; an IPv4-mapped IPv6 address counts as
    /// IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.0.v4.contains(ip.to_bits()),
            IpAddr::V6(ip) => self.0.v6.contains(ip.to_bits()),
        }
    }

    /// Tells whether every address of the same family is in one of the networks.
    pub fn contains_all_like(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(_) => self.0.v4.is_one((0, u32::MAX)),
            IpAddr::V6(_) => self.0.v6.is_one((0, u128::MAX)),
        }
    }

    /// Returns the number of networks, of which none lies in another.
    pub fn len(&self) -> usize {
        self.0.v4.firsts.len() + self.0.v6.firsts.len()
    }

    /// Returns the octets that the networks have on the heap.
    pub fn heap_octets(&self) -> usize {
        self.0.v4.heap_octets() + self.0.v6.heap_octets()
    }

    /// Tells whether there is no network in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Reads the network that a line begins with.
fn parse(line: &[u8]) -> Option<IpNet> {
    let ends = |octet: &u8| octet.is_ascii_whitespace() || b"#;,".contains(octet);
    let end = line.iter().position(ends).unwrap_or(line.len());
    let text = str::from_utf8(&line[..end]).ok()?;
    let network = text.parse().ok();
    network.or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn canonical(network: IpNet) -> IpNet {
    const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
    match (network, network.addr().to_canonical()) {
        (IpNet::V6(v6), IpAddr::V4(ip)) if MAPPED.contains(&v6) => {
            let network = Ipv4Net::new(ip, v6.prefix_len() - MAPPED.prefix_len());
            network.map_or(IpNet::V6(v6), IpNet::V4)
        }
        _ => network,
    }
}

/// Ranges of addresses as numbers, in their order, of which no two overlap.
#[derive(Debug, PartialEq, Eq)]
struct Ranges<N> {
    firsts: Box<[N]>,
    lasts: Box<[N]>,
    /// How many begin below each value of the first bits; one more for all of them.
    starts: Box<[usize]>,
}

/// The most of the first bits: their table is as large as a small part of a cache.
const MAX_BITS: u32 = 16;

trait Number: Copy + Ord {
    /// Returns the first bits, up to [`MAX_BITS`], as a number.
    fn first_bits(self, bits: u32) -> usize;
}

impl Number for u32 {
    fn first_bits(self, bits: u32) -> usize {
        self.checked_shr(Self::BITS - bits)
            .map_or(0, |bits| bits as usize)
    }
}

impl Number for u128 {
    fn first_bits(self, bits: u32) -> usize {
        let first = u32::try_from(self >> (Self::BITS - u32::BITS)).expect("the upper 32 bits");
        first.first_bits(bits)
    }
}

impl<N: Number> Ranges<N> {
    fn heap_octets(&self) -> usize {
        size_of_val(&*self.firsts) + size_of_val(&*self.lasts) + size_of_val(&*self.starts)
    }

    /// Makes them of the ranges of networks: of two, one lies in the other or neither does.
    fn new(mut ranges: Vec<(N, N)>) -> Self {
        ranges.sort_unstable_by_key(|&(first, last)| (first, Reverse(last)));
        ranges.dedup_by(|(_, last), (_, outer)| *last <= *outer);
        let (firsts, lasts): (Vec<_>, Vec<_>) = ranges.into_iter().unzip();
        let bits = firsts
            .len()
            .checked_ilog2()
            .map_or(0, |bits| bits.min(MAX_BITS));
        let mut starts = vec![0; (1 << bits) + 1];
        for first in &firsts {
            starts[first.first_bits(bits) + 1] += 1;
        }
        let mut start = 0;
        for count in &mut starts {
            start += *count;
            *count = start;
        }
        Self {
            firsts: firsts.into(),
            lasts: lasts.into(),
            starts: starts.into(),
        }
    }

    fn contains(&self, number: N) -> bool {
        let bits = (self.starts.len() - 1).ilog2();
        let bucket = number.first_bits(bits);
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        let neighbours = &self.firsts[start..end];
        let after = start + neighbours.partition_point(|&first| first <= number);
        self.lasts[..after]
            .last()
            .is_some_and(|&last| number <= last)
    }

    fn is_one(&self, (first, last): (N, N)) -> bool {
        self.firsts.first() == Some(&first) && self.lasts.first() == Some(&last)
    }
}

impl<N: Number> Default for Ranges<N> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn networks(texts: &[&str]) -> Networks {
        Networks::new(texts.iter().map(|text| text.parse().unwrap()))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        for list in [["10.0.0.0/8"], ["::ffff:10.0.0.0/104"]] {
            let networks = networks(&list);
            for inside in ["10.1.2.3", "::ffff:10.1.2.3", "10.255.255.255", "10.0.0.0"] {
                assert!(networks.contains(ip(inside)), "{list:?} {inside}");
            }
            for outside in ["11.0.0.0", "9.255.255.255", "fd00::1", "::a01:203"] {
                assert!(!networks.contains(ip(outside)), "{list:?} {outside}");
            }
        }
        // A wider one is more than IPv4.
        let wider = networks(&["::/64"]);
        assert!(wider.contains(ip("::1")) && !wider.contains(ip("10.0.0.1")));
    }

    #[test]
    fn everybody_of_a_family() {
        let some = networks(&["0.0.0.0/0", "10.0.0.0/8", "2001:db8::/32"]);
        assert!(some.contains_all_like(ip("192.0.2.1")));
        assert!(!some.contains_all_like(ip("2001:db8::1")));
        assert!(networks(&["::/0"]).contains_all_like(ip("::1")));
        let none = Networks::default();
        assert!(none.is_empty() && !none.contains_all_like(ip("::1")));
        assert!(!none.contains(ip("::1")) && !none.contains(ip("192.0.2.1")));
    }

    #[test]
    fn a_list_in_text() {
        let text = "\u{feff}192.0.2.0/24\r\n# x\n\n 198.51.100.7 ; SBL1\n2001:db8::/32;x\n\
                    203.0.113.9/24,x\nhost.example\n192.0.2.0/33\n;x\n192.0.2.64/26\n";
        let (networks, skipped) = Networks::read(text.as_bytes()).unwrap();
        assert_eq!(networks.len(), 4, "one lies in another");
        assert_eq!(
            skipped.to_string(),
            "3 lines are no entries and were skipped: lines 7, 8, 9"
        );
        for inside in ["192.0.2.255", "198.51.100.7", "2001:db8:f::", "203.0.113.0"] {
            assert!(networks.contains(ip(inside)), "{inside}");
        }
        assert!(!networks.contains(ip("198.51.100.8")));
    }

    proptest! {
        #[test]
        fn exactly_what_one_of_them_holds(
            nets in prop::collection::vec((any::<[u8; 2]>(), 0_u8..=32), 0..40),
            ips in prop::collection::vec(any::<[u8; 2]>(), 50),
            is_v6: bool,
        ) {
            let address = |[a, b]: [u8; 2]| {
                let octets = [a & 3, b, a, b];
                let [high, low] = [[octets[0], octets[1]], [octets[2], octets[3]]].map(u16::from_be_bytes);
                if is_v6 {
                    IpAddr::from([high, low, 0, 0, 0, 0, 0, low])
                } else {
                    IpAddr::from(octets)
                }
            };
            let nets: Vec<IpNet> = nets
                .into_iter()
                .map(|(octets, length)| IpNet::new(address(octets), length).unwrap())
                .collect();
            let set = Networks::new(nets.iter().copied());
            let ends = nets.iter().flat_map(|net| [net.network(), net.broadcast()]);
            for ip in ips.into_iter().map(address).chain(ends) {
                let ip = ip.to_canonical();
                prop_assert_eq!(set.contains(ip), nets.iter().any(|net| net.contains(&ip)));
            }
        }
    }
}
