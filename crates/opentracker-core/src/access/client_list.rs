use std::io::{self, BufRead};
use std::sync::Arc;

use opentracker_types::PeerId;

use super::lines::{self, Skipped};

/// Clients, told by what their peer ids begin with. A clone shares the entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientList {
    /// Sorted, and none of them begins with another.
    prefixes: Arc<[Box<[u8]>]>,
}

impl ClientList {
    /// Reads a list, a prefix a line: `-XL0012-`.
    ///
    /// A prefix is printable ASCII up to the first space, 20 octets at the most; what follows is a
    /// note. `%xx` stands for any octet, and so do `%20`, `%23` and `%25` for a space, a `#` at
    /// the start of a line, and `%`. Empty lines, lines that begin with `#`, and a byte order
    /// mark are ignored. Other lines are skipped.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    pub fn read(text: impl BufRead) -> io::Result<(Self, Skipped)> {
        let mut prefixes = Vec::new();
        let skipped = lines::read(text, |line| {
            let prefix = parse(line);
            let is_entry = prefix.is_some();
            prefixes.extend(prefix);
            is_entry
        })?;
        Ok((Self::new(prefixes), skipped))
    }

    fn new(mut prefixes: Vec<Box<[u8]>>) -> Self {
        prefixes.sort_unstable();
        // The one that is kept comes first, and means the other as well.
        prefixes.dedup_by(|next, kept| next.starts_with(kept));
        Self {
            prefixes: prefixes.into(),
        }
    }

    /// Tells whether a client is on the list.
    pub fn contains(&self, peer_id: &PeerId) -> bool {
        let id = peer_id.as_bytes().as_slice();
        // Between a prefix and what begins with it stands nothing else that begins with it.
        let after = self.prefixes.partition_point(|prefix| **prefix <= *id);
        let nearest = self.prefixes[..after].last();
        nearest.is_some_and(|prefix| id.starts_with(prefix))
    }

    /// Returns the number of prefixes, of which none begins with another.
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Returns the octets that the entries have on the heap.
    pub fn heap_octets(&self) -> usize {
        let octets: usize = self.prefixes.iter().map(|prefix| prefix.len()).sum();
        size_of_val(&*self.prefixes) + octets
    }

    /// Tells whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }
}

/// Reads the prefix that a line begins with.
fn parse(line: &[u8]) -> Option<Box<[u8]>> {
    let mut prefix = Vec::new();
    let mut rest = line.iter();
    while let Some(&octet) = rest.next() {
        match octet {
            b'%' => {
                let digits = [*rest.next()?, *rest.next()?];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                let digits = str::from_utf8(&digits).ok()?;
                prefix.push(u8::from_str_radix(digits, 16).ok()?);
            }
            octet if octet.is_ascii_whitespace() => break,
            octet if octet.is_ascii_graphic() => prefix.push(octet),
            _ => return None,
        }
    }
    let fits = (1..=PeerId::LEN).contains(&prefix.len());
    fits.then(|| prefix.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (ClientList, u64) {
        let (list, skipped) = ClientList::read(text.as_bytes()).unwrap();
        (list, skipped.lines())
    }

    fn contains(list: &ClientList, start: &[u8]) -> bool {
        let mut id = [b'x'; 20];
        id[..start.len()].copy_from_slice(start);
        list.contains(&PeerId::new(id))
    }

    #[test]
    fn prefixes_notes_and_escapes() {
        let text = "\u{feff}-XL0012- Thunder\r\n# a comment\n\n  -SD\n%2D%61B\n%23x\n%00%ff\n%25%20\ta note\n";
        let (list, skipped) = read(text);
        assert_eq!((list.len(), skipped), (6, 0));
        for listed in [
            b"-XL0012-".as_slice(),
            b"-SD0100-",
            b"-aB",
            b"#x",
            b"\x00\xff",
            b"% ",
        ] {
            assert!(contains(&list, listed), "{listed:?}");
        }
        for other in [b"-XL0013-".as_slice(), b"-xl0012-", b"-S", b"", b"\x00\xfe"] {
            assert!(!contains(&list, other), "{other:?}");
        }
    }

    #[test]
    fn other_lines_are_skipped() {
        let long = "x".repeat(20);
        let (list, skipped) = read(&format!(
            "%\n%4\n%zz\n%+1\n\u{e9}\n-\u{7f}\n{long}x\n{long}\n"
        ));
        assert_eq!((list.len(), skipped), (1, 7));
        assert!(contains(&list, long.as_bytes()));
    }

    #[test]
    fn the_shorter_of_two_counts() {
        let (list, _) = read("-AB1\n-A\n-AB\n-A\n-B\n-AZ\n");
        assert_eq!(list.len(), 2);
        assert!(contains(&list, b"-AB1") && contains(&list, b"-AA") && contains(&list, b"-B"));
        assert!(!contains(&list, b"-@") && !contains(&list, b"-C"));
        assert!(ClientList::default().is_empty());
        assert!(!contains(&ClientList::default(), b"-A"));
    }
}
