//! Which addresses and ports frames are taken for: a hash table that the program reads and this
//! process writes, in memory that both have.
//!
//! It is no hash map of BPF: to change one of those takes bpf(2), and on kernels before 5.19 a
//! capability, which a tracker that serves has given up.

use std::net::{IpAddr, SocketAddr};

/// Octets of the whole table.
pub(crate) const TABLE_OCTETS: usize = HEAD_OCTETS + BUCKETS * BUCKET_OCTETS;
/// The address of the interface comes first.
pub(crate) const HEAD_OCTETS: usize = 8;
pub(crate) const BUCKET_OCTETS: usize = BUCKET_ENTRIES * ENTRY_OCTETS;
pub(crate) const BUCKET_ENTRIES: usize = 4;
pub(crate) const ENTRY_OCTETS: usize = 4 * ENTRY_WORDS;
pub(crate) const ENTRY_WORDS: usize = 5;
/// The word of an entry that has the port and the version of IP, and is never 0.
pub(crate) const PORT_WORD: usize = 4;
pub(crate) const BUCKET_BITS: u32 = 10;
const BUCKETS: usize = 1 << BUCKET_BITS;

/// What a hash is multiplied with for each word, and at its end.
pub(crate) const EACH: u32 = 31;
pub(crate) const LAST: u32 = 0x9e37_79b1;

/// The version of IP, as it stands beside the port.
pub(crate) const VERSION_SHIFT: u32 = 16;

/// The words of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table(Vec<u32>);

impl Table {
    /// Makes a table of an interface with this address, for these; returns how many had no room
    /// besides.
    pub(crate) fn new(
        link: [u8; 6],
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> (Self, usize) {
        let mut words = vec![0; TABLE_OCTETS / 4];
        let [a, b, c, d, e, f] = link;
        words[0] = u32::from_ne_bytes([a, b, c, d]);
        words[1] = u32::from_ne_bytes([e, f, 0, 0]);
        let mut left_out = 0;
        for address in addresses {
            let entry = entry(address);
            let start = (HEAD_OCTETS + bucket(entry) * BUCKET_OCTETS) / 4;
            let mut places = words[start..start + BUCKET_OCTETS / 4].chunks_exact_mut(ENTRY_WORDS);
            match places.find(|place| place[PORT_WORD] == 0 || **place == entry) {
                Some(place) => place.copy_from_slice(&entry),
                None => left_out += 1,
            }
        }
        (Self(words), left_out)
    }

    pub(crate) fn words(&self) -> &[u32] {
        &self.0
    }
}

/// Address and port as the program loads them from a frame.
fn entry(address: SocketAddr) -> [u32; ENTRY_WORDS] {
    let port = u32::from(address.port().to_be());
    match address.ip() {
        IpAddr::V4(ip) => {
            let ip = u32::from_ne_bytes(ip.octets());
            [ip, 0, 0, 0, port | 4 << VERSION_SHIFT]
        }
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            let (words, _) = octets.as_chunks();
            let word = |place: usize| u32::from_ne_bytes(words[place]);
            [
                word(0),
                word(1),
                word(2),
                word(3),
                port | 6 << VERSION_SHIFT,
            ]
        }
    }
}

fn bucket(entry: [u32; ENTRY_WORDS]) -> usize {
    let hash = entry.into_iter().fold(0_u32, |hash, word| {
        hash.wrapping_mul(EACH).wrapping_add(word)
    });
    let hash = hash.wrapping_mul(LAST) >> (32 - BUCKET_BITS);
    usize::try_from(hash).expect("ten bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_addresses_as_hosts_have_find_room() {
        let of_net = |last: u16| -> [SocketAddr; 2] {
            let [high, low] = last.to_be_bytes();
            [
                ([10, 0, high, low], 6969).into(),
                ([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 6969).into(),
            ]
        };
        let (table, left_out) = Table::new([1; 6], (0..256).flat_map(of_net));
        assert_eq!(left_out, 0);
        assert_eq!(table.words().len() * 4, TABLE_OCTETS);
        // An address that is there twice needs one place, and those beyond the room are counted.
        let many = std::iter::repeat_n(SocketAddr::from(([1; 4], 1)), 100);
        assert_eq!(Table::new([1; 6], many).1, 0);
        assert!(Table::new([1; 6], (0..4096).flat_map(of_net)).1 >= 4096);
    }

    #[test]
    fn a_table_follows_from_what_is_in_it() {
        let addresses = ["192.0.2.1:6969", "[2001:db8::1]:80"].map(|text| text.parse().unwrap());
        let table = |addresses: &[SocketAddr]| Table::new([2; 6], addresses.iter().copied()).0;
        assert_eq!(table(&addresses), table(&addresses));
        assert_ne!(table(&addresses), table(&addresses[1..]));
    }
}
