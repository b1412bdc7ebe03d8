use std::collections::HashSet;
use std::hash::BuildHasher;
use std::net::IpAddr;

use ipnet::IpNet;
use opentracker_types::{InfoHash, ParseHexError};
use siphasher::sip::SipHasher13;

/// Which torrents are served: those on the allow list, if there is one, less those on the deny
/// list.
#[derive(Debug, Default)]
pub struct AccessLists {
    /// Only these are served; `None`: all.
    pub allow: Option<HashList>,
    /// These are never served, whatever the allow list says; `None`: none.
    pub deny: Option<HashList>,
}

impl AccessLists {
    pub(crate) fn verdict(&self, info_hash: &InfoHash) -> Verdict {
        if self
            .deny
            .as_ref()
            .is_some_and(|list| list.contains(info_hash))
        {
            Verdict::Denied
        } else if self
            .allow
            .as_ref()
            .is_some_and(|list| !list.contains(info_hash))
        {
            Verdict::NotAllowed
        } else {
            Verdict::Served
        }
    }

    /// Tells whether a torrent is served.
    pub fn serves(&self, info_hash: &InfoHash) -> bool {
        self.verdict(info_hash) == Verdict::Served
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Served,
    Denied,
    NotAllowed,
}

/// A set of info hashes, read from text.
#[derive(Debug, Clone)]
pub struct HashList {
    hashes: HashSet<InfoHash, KeyedHasher>,
}

impl HashList {
    /// Parses a list: one info hash of 40 hexadecimal digits a line; empty lines, and what follows
    /// a `#`, are ignored. `key` keys the hash function and should come from the system's
    /// randomness.
    ///
    /// # Errors
    ///
    /// The first line that is not an info hash, by its number from 1.
    pub fn parse(text: &str, key: [u8; 16]) -> Result<Self, ParseListError> {
        let mut hashes = HashSet::with_hasher(KeyedHasher(key));
        for (index, line) in text.lines().enumerate() {
            let entry = line.split('#').next().unwrap_or_default().trim();
            if !entry.is_empty() {
                let hash = entry.parse().map_err(|cause| ParseListError {
                    line: index + 1,
                    cause,
                })?;
                hashes.insert(hash);
            }
        }
        hashes.shrink_to_fit();
        Ok(Self { hashes })
    }

    /// Tells whether a torrent is on the list.
    pub fn contains(&self, info_hash: &InfoHash) -> bool {
        self.hashes.contains(info_hash)
    }

    /// Returns the number of torrents on the list.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Tells whether the list is empty. An empty allow list serves nothing.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

/// Why a text is not a list of info hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {cause}")]
pub struct ParseListError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: ParseHexError,
}

/// Networks that share a right, like reading the statistics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Makes the set of all addresses in any of the networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Tells whether an address is in one of the networks; an IPv4-mapped IPv6 address counts as
    /// IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Tells whether there is no network in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// SipHash with a fixed key. Lists of private trackers hold what users upload.
#[derive(Clone, Copy)]
struct KeyedHasher([u8; 16]);

impl BuildHasher for KeyedHasher {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

impl std::fmt::Debug for KeyedHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyedHasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: InfoHash = InfoHash::new([0xaa; 20]);
    const B: InfoHash = InfoHash::new([0xbb; 20]);

    fn list(text: &str) -> HashList {
        HashList::parse(text, [0; 16]).unwrap()
    }

    #[test]
    fn lists_have_comments_blanks_and_either_case() {
        let text = format!(
            "# head\n\n  {A}  # tail\r\n{}\n",
            B.to_string().to_uppercase()
        );
        let list = list(&text);
        assert_eq!(list.len(), 2);
        assert!(list.contains(&A) && list.contains(&B));
    }

    #[test]
    fn list_errors_name_the_line() {
        let error = HashList::parse(&format!("{A}\nhello\n"), [0; 16]).unwrap_err();
        assert_eq!(error.line, 2);
        assert_eq!(
            error.to_string(),
            "line 2: 40 hexadecimal digits are expected, this has 5 octets"
        );
    }

    #[test]
    fn deny_wins_over_allow() {
        let lists = AccessLists {
            allow: Some(list(&format!("{A}\n{B}"))),
            deny: Some(list(&B.to_string())),
        };
        assert_eq!(lists.verdict(&A), Verdict::Served);
        assert_eq!(lists.verdict(&B), Verdict::Denied);
        assert_eq!(
            lists.verdict(&InfoHash::new([0xcc; 20])),
            Verdict::NotAllowed
        );
        assert!(AccessLists::default().serves(&A));
        let nothing = AccessLists {
            allow: Some(list("")),
            deny: None,
        };
        assert!(!nothing.serves(&A));
    }

    #[test]
    fn networks_hold_mapped_addresses() {
        let networks = Networks::new(["10.0.0.0/8".parse().unwrap()]);
        assert!(networks.contains("10.1.2.3".parse().unwrap()));
        assert!(networks.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!networks.contains("fd00::1".parse().unwrap()));
    }
}
