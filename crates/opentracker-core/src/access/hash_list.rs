use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use opentracker_types::InfoHash;

use super::lines::{self, Skipped};

/// Octets of the shortest line that is an entry: 40 digits and the end of the line.
const MIN_LINE: u64 = 41;

/// Changes that are kept beside the sorted hashes before all are sorted anew.
const MAX_CHANGES: usize = 1 << 16;

/// A set of info hashes, read from text.
///
/// It takes about 21 octets an entry. A look-up is a binary search among some twenty neighbours;
/// hashes that were chosen to be neighbours make it a few steps longer. A clone shares the
/// entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashList {
    sorted: Arc<Sorted>,
    /// What differs from `sorted`: whether the hash is on the list.
    changes: BTreeMap<InfoHash, bool>,
}

impl HashList {
    /// Reads a list, a line at a time. `octets` is the length of the text, 0 if it is not known;
    /// with it the list takes no more memory while it is read than afterwards.
    ///
    /// An entry is 40 hexadecimal digits, then the end of the line or anything that is no such
    /// digit, which is a note; of 64 digits, a version 2 hash, the first 40 count, as clients send
    /// them (BEP 52). Empty lines, lines that begin with `#`, and a byte order mark are ignored.
    /// Other lines are skipped.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read(text: impl BufRead, octets: u64) -> io::Result<(Self, Skipped)> {
        let mut hashes = Vec::new();
        let entries = usize::try_from(octets / MIN_LINE + 1).unwrap_or_default();
        // The length may be a false one. Then the memory grows as the entries come.
        hashes.try_reserve_exact(entries).ok();
        let skipped = lines::read(text, |line| {
            let info_hash = parse(line);
            hashes.extend(info_hash);
            info_hash.is_some()
        })?;
        Ok((hashes.into(), skipped))
    }

    /// Tells whether a torrent is on the list.
    pub fn contains(&self, info_hash: &InfoHash) -> bool {
        if !self.changes.is_empty()
            && let Some(&is_listed) = self.changes.get(info_hash)
        {
            return is_listed;
        }
        self.sorted.contains(info_hash)
    }

    /// Puts the entries of another list on this one.
    pub fn add(&mut self, others: &Self) {
        self.change(others, true);
    }

    /// Takes the entries of another list off this one.
    pub fn remove(&mut self, others: &Self) {
        self.change(others, false);
    }

    /// Returns the number of torrents on the list.
    pub fn len(&self) -> usize {
        let added = self.changes.values().filter(|&&is_listed| is_listed);
        let added = added.count();
        let removed = self.changes.len() - added;
        self.sorted.hashes.len() + added - removed
    }

    /// Tells whether the list is empty. An empty allow list serves nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the octets that the entries have on the heap, but for those that were added or
    /// removed since the list was read.
    pub fn heap_octets(&self) -> usize {
        size_of_val(&*self.sorted.hashes) + size_of_val(&*self.sorted.starts)
    }

    fn iter(&self) -> impl Iterator<Item = InfoHash> {
        let kept = self.sorted.hashes.iter();
        let kept = kept.filter(|hash| !self.changes.contains_key(hash));
        let added = self.changes.iter().filter(|(_, is_listed)| **is_listed);
        kept.chain(added.map(|(hash, _)| hash)).copied()
    }

    fn change(&mut self, others: &Self, is_listed: bool) {
        for info_hash in others.iter() {
            if self.sorted.contains(&info_hash) == is_listed {
                self.changes.remove(&info_hash);
            } else {
                self.changes.insert(info_hash, is_listed);
            }
        }
        if self.changes.len() > MAX_CHANGES {
            *self = self.iter().collect();
        }
    }
}

impl From<Vec<InfoHash>> for HashList {
    fn from(hashes: Vec<InfoHash>) -> Self {
        Self {
            sorted: Arc::new(Sorted::new(hashes)),
            changes: BTreeMap::new(),
        }
    }
}

impl FromIterator<InfoHash> for HashList {
    fn from_iter<I: IntoIterator<Item = InfoHash>>(hashes: I) -> Self {
        Vec::from_iter(hashes).into()
    }
}

/// Reads the info hash that a line begins with.
fn parse(line: &[u8]) -> Option<InfoHash> {
    let is_digit = |octet: &&u8| octet.is_ascii_hexdigit();
    match line.iter().take_while(is_digit).count() {
        40 | 64 => str::from_utf8(&line[..40]).ok()?.parse().ok(),
        _ => None,
    }
}

/// Hashes in their order.
#[derive(Debug, PartialEq, Eq)]
struct Sorted {
    hashes: Box<[InfoHash]>,
    /// Where the hashes begin that have the same first bits; one more for the end of the last.
    starts: Box<[usize]>,
}

/// Hashes with the same first bits, on average, if they are as random as they should be.
const NEIGHBOURS: usize = 16;

impl Sorted {
    fn new(mut hashes: Vec<InfoHash>) -> Self {
        // The first octets nearly always decide, and numbers are compared faster than octets.
        hashes.sort_unstable_by(|a, b| first_bits(a, 64).cmp(&first_bits(b, 64)).then(a.cmp(b)));
        hashes.dedup();
        let hashes = hashes.into_boxed_slice();
        let bits = (hashes.len() / NEIGHBOURS).checked_ilog2().unwrap_or(0);
        let mut starts = vec![0; (1 << bits) + 1];
        for hash in &hashes {
            starts[bucket(hash, bits) + 1] += 1;
        }
        let mut start = 0;
        for count in &mut starts {
            start += *count;
            *count = start;
        }
        Self {
            hashes,
            starts: starts.into(),
        }
    }

    fn contains(&self, info_hash: &InfoHash) -> bool {
        let bits = (self.starts.len() - 1).ilog2();
        let bucket = bucket(info_hash, bits);
        let neighbours = self.starts[bucket]..self.starts[bucket + 1];
        self.hashes[neighbours].binary_search(info_hash).is_ok()
    }
}

impl Default for Sorted {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

fn bucket(info_hash: &InfoHash, bits: u32) -> usize {
    // There are fewer buckets than hashes in memory.
    usize::try_from(first_bits(info_hash, bits)).unwrap_or_default()
}

/// Returns the first bits of a hash, up to 64, as a number.
fn first_bits(info_hash: &InfoHash, bits: u32) -> u64 {
    let (first, _) = info_hash.as_bytes().split_first_chunk().expect("20 octets");
    u64::from_be_bytes(*first)
        .checked_shr(64 - bits)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: InfoHash = InfoHash::new([0xaa; 20]);
    const B: InfoHash = InfoHash::new([0xbb; 20]);

    fn read(text: impl AsRef<[u8]>) -> (HashList, Skipped) {
        let text = text.as_ref();
        HashList::read(text, text.len() as u64).unwrap()
    }

    /// Different hashes that are as random as need be.
    fn hashes(count: u32) -> Vec<InfoHash> {
        let hash = |number: u32| {
            let mut octets = [0; 20];
            for (place, octets) in octets.chunks_exact_mut(4).enumerate() {
                let salted = number.wrapping_add(0x1555_5555 * u32::try_from(place).unwrap());
                let mixed = salted.wrapping_mul(0x9e37_79b1);
                octets.copy_from_slice(&mixed.to_be_bytes());
            }
            InfoHash::new(octets)
        };
        (0..count).map(hash).collect()
    }

    #[test]
    fn an_entry_is_forty_digits_and_perhaps_a_note() {
        for note in [
            "",
            " debian.iso",
            "\tdebian.iso",
            ";notice 7",
            "#x",
            "  # x",
            ",x",
            "\r",
        ] {
            for digits in [A.to_string(), A.to_string().to_uppercase()] {
                let (list, skipped) = read(format!("  {digits}{note}\n{B}{note}"));
                assert!(list.contains(&A) && list.contains(&B), "{note:?}");
                assert_eq!((list.len(), skipped.lines()), (2, 0), "{note:?}");
            }
        }
    }

    #[test]
    fn of_a_version_2_hash_the_first_forty_digits_count() {
        let (list, skipped) = read(format!("{A}{}\n{B}", "0".repeat(24)));
        assert!(list.contains(&A) && list.contains(&B));
        assert_eq!((list.len(), skipped.lines()), (2, 0));
    }

    #[test]
    fn comments_blanks_marks_and_encodings_do_not_matter() {
        let text = format!("\u{feff}{A}\r\n\r\n\n# head\n   \n  # tail\n{B} ").into_bytes();
        let text = [&text, &b"caf\xe9 \xff\xfe\n# \xe9\n"[..]].concat();
        let (list, skipped) = read(text);
        assert!(list.contains(&A) && list.contains(&B));
        assert_eq!((list.len(), skipped.lines()), (2, 0));
    }

    #[test]
    fn other_lines_are_skipped_and_named() {
        let short = &A.to_string()[..39];
        let text = format!("{A}\nhello\n{short}\n{A}0\n{}0\n{B}\n", "0".repeat(64));
        let (list, skipped) = read(&text);
        assert_eq!(list.len(), 2);
        assert_eq!(
            skipped.to_string(),
            "4 lines are no entries and were skipped: lines 2, 3, 4, 5"
        );
        let (_, skipped) = read("x\n".repeat(9));
        assert_eq!(
            skipped.to_string(),
            "9 lines are no entries and were skipped: lines 1, 2, 3, 4, 5, …"
        );
        let (_, skipped) = read("\nx");
        assert_eq!(
            skipped.to_string(),
            "1 line is no entry and was skipped: line 2"
        );
    }

    #[test]
    fn a_line_may_be_of_any_length() {
        let (list, skipped) = read(format!(
            "{A} {}\n{B}\n{}",
            "x".repeat(9999),
            "y".repeat(9999)
        ));
        assert_eq!((list.len(), skipped.lines()), (2, 1));
        for length in 250..260 {
            let note = "x".repeat(length - 40);
            let (list, skipped) = read(format!("{A}\t{note}\n{B}\n"));
            assert_eq!((list.len(), skipped.lines()), (2, 0), "{length}");
        }
    }

    #[test]
    fn a_length_that_is_not_true_does_no_harm() {
        for octets in [0, 1, 1 << 60, u64::MAX] {
            let text = format!("{A}\n{B}\n");
            let (list, _) = HashList::read(text.as_bytes(), octets).unwrap();
            assert_eq!(list.len(), 2);
        }
    }

    #[test]
    fn exactly_the_entries_are_found() {
        for count in [0, 1, 2, 15, 16, 31, 32, 33, 1000, 4097] {
            let all = hashes(2 * count);
            let (on, off) = all.split_at(count as usize);
            let list: HashList = on.iter().chain(on).copied().collect();
            assert_eq!(list.len(), on.len(), "twice is once");
            assert!(on.iter().all(|hash| list.contains(hash)), "{count}");
            assert!(!off.iter().any(|hash| list.contains(hash)), "{count}");
        }
    }

    #[test]
    fn chosen_neighbours_are_found() {
        let hash = |number: u32| {
            let mut octets = [0xee; 20];
            octets[16..].copy_from_slice(&number.to_be_bytes());
            InfoHash::new(octets)
        };
        let list: HashList = (0..1000).map(hash).collect();
        assert!((0..1000).all(|number| list.contains(&hash(number))));
        assert!(!list.contains(&hash(1000)));
    }

    #[test]
    fn a_million_entries_take_at_most_24_octets_each() {
        let count = 1_000_000;
        let list: HashList = hashes(count).into();
        assert_eq!(list.len(), count as usize);
        let octets = list.heap_octets();
        assert!(octets <= 24 * list.len(), "{octets}");
    }

    #[test]
    fn entries_come_and_go() {
        let all = hashes(100);
        let (first, second) = all.split_at(50);
        let mut list: HashList = first.iter().copied().collect();
        let before = list.clone();
        let second_list: HashList = second.iter().copied().collect();
        list.add(&second_list);
        list.add(&second_list);
        assert_eq!(list.len(), 100);
        assert!(all.iter().all(|hash| list.contains(hash)));
        list.remove(&before);
        list.remove(&before);
        assert_eq!(list.len(), 50);
        assert!(!first.iter().any(|hash| list.contains(hash)));
        assert!(second.iter().all(|hash| list.contains(hash)));
        list.remove(&second_list);
        assert!(list.is_empty());
        list.add(&before);
        assert_eq!(list, before);
    }

    #[test]
    fn many_changes_are_sorted_in() {
        let all = hashes(2 * u32::try_from(MAX_CHANGES).unwrap() + 2);
        let (first, second) = all.split_at(all.len() / 2);
        let mut list: HashList = first.iter().copied().collect();
        list.add(&second.iter().copied().collect());
        assert_eq!(list.len(), all.len());
        assert!(list.changes.is_empty());
        list.remove(&first.iter().copied().collect());
        assert_eq!(list, second.iter().copied().collect());
    }
}
