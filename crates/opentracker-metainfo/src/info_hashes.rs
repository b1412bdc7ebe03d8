use opentracker_http_wire::DecodeError;
use opentracker_http_wire::bencode::{self, Dictionary, Value};
use opentracker_types::InfoHash;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The version of the info dictionary that BEP 52 describes.
const VERSION_2: i64 = 2;

/// The info hashes of a torrent, at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoHashes {
    /// That of version 1 (BEP 3).
    pub v1: Option<InfoHash>,
    /// That of version 2 (BEP 52), cut to what trackers see of it.
    pub v2: Option<InfoHash>,
}

/// Why a file is no torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetainfoError {
    /// It is not bencode, or nests deeper than [`InfoHashes::MAX_DEPTH`].
    #[error(transparent)]
    Bencode(#[from] DecodeError),
    /// There is no info dictionary.
    #[error("no dictionary under the key \"info\"")]
    NoInfo,
    /// A key that must be there once is there twice, so that nobody can say what the torrent is.
    #[error("the key {key:?} is there twice")]
    Repeated {
        /// The key.
        key: &'static str,
    },
    /// It is of a version after 2.
    #[error("meta version {0} is not known")]
    UnknownVersion(i64),
    /// The info dictionary describes a torrent of no version.
    #[error("neither \"pieces\" nor a \"file tree\" of meta version 2")]
    NoPieces,
}

impl InfoHashes {
    /// How deep lists and dictionaries may nest: each folder of a file tree is a level.
    pub const MAX_DEPTH: usize = 128;

    /// Reads a `.torrent` file, and hashes its info dictionary as it stands there. The order of
    /// its keys does not matter, for clients do not look at it either.
    ///
    /// # Errors
    ///
    /// Fails if it is no torrent, or one of a version that is not known.
    pub fn of(torrent: &[u8]) -> Result<Self, MetainfoError> {
        let torrent = bencode::decode_to_depth(torrent, Self::MAX_DEPTH)?;
        let torrent = torrent.as_dictionary().ok_or(MetainfoError::NoInfo)?;
        let info = sole(torrent, "info")?.and_then(Value::as_dictionary);
        let info = info.ok_or(MetainfoError::NoInfo)?;
        let version = sole(info, "meta version")?.map(Value::as_integer);
        let is_v2 = match version {
            None => false,
            Some(Some(VERSION_2)) => true,
            Some(version) => return Err(MetainfoError::UnknownVersion(version.unwrap_or(0))),
        };
        let has_pieces = sole(info, "pieces")?.is_some_and(|value| value.as_string().is_some());
        let has_tree =
            sole(info, "file tree")?.is_some_and(|value| value.as_dictionary().is_some());
        let hashes = Self {
            v1: has_pieces.then(|| InfoHash::new(hash::<Sha1, 20>(info))),
            v2: (is_v2 && has_tree).then(|| InfoHash::from_v2(&hash::<Sha256, 32>(info))),
        };
        match hashes.iter().next() {
            Some(_) => Ok(hashes),
            None => Err(MetainfoError::NoPieces),
        }
    }

    /// Goes through the info hashes, of which there are one or two.
    pub fn iter(&self) -> impl Iterator<Item = InfoHash> + use<> {
        self.v1.into_iter().chain(self.v2)
    }
}

/// Looks up a key that may not be there twice.
fn sole<'a>(
    dictionary: Dictionary<'a>,
    key: &'static str,
) -> Result<Option<Value<'a>>, MetainfoError> {
    let mut found = dictionary
        .iter()
        .filter(|(name, _)| *name == key.as_bytes());
    let (first, second) = (found.next(), found.next());
    match second {
        None => Ok(first.map(|(_, value)| value)),
        Some(_) => Err(MetainfoError::Repeated { key }),
    }
}

/// Hashes a dictionary as it stands there.
fn hash<D: Digest, const N: usize>(dictionary: Dictionary<'_>) -> [u8; N]
where
    [u8; N]: From<sha2::digest::Output<D>>,
{
    let hash = D::new().chain_update(b"d");
    let hash = hash.chain_update(dictionary.as_bytes()).chain_update(b"e");
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIECES: &str = "6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    const TREE: &str = "9:file treed1:ad0:d6:lengthi1eeee12:meta versioni2e";

    // Made by sha1sum and sha256sum of the info dictionaries below.
    const V1: &str = "4de9b0e9855b349178fb7a42f37dc0f2fac3018d";
    const V2: &str = "5172350fabf8b840480749aab4e3d10b5dac565a";
    const HYBRID_V1: &str = "abe533b69b0822a8e183ec64a3c41d7b94d5190a";
    const HYBRID_V2: &str = "ead75d03fe47f8cc033b43576eee376fe56419c1";

    fn of(torrent: &str) -> Result<InfoHashes, MetainfoError> {
        InfoHashes::of(torrent.as_bytes())
    }

    fn hex(hash: Option<InfoHash>) -> String {
        hash.map(|hash| hash.to_string()).unwrap_or_default()
    }

    #[test]
    fn each_version_has_its_hash() {
        let rest = "6:lengthi1e4:name1:a12:piece lengthi16384e";
        let v1 = of(&format!("d4:infod{rest}{PIECES}ee")).unwrap();
        assert_eq!(hex(v1.v1), V1);
        assert_eq!(v1.v2, None);
        let v2 = of(&format!("d4:infod{TREE}4:name1:a12:piece lengthi16384eee")).unwrap();
        assert_eq!((v2.v1, hex(v2.v2).as_str()), (None, V2));
        let hybrid = format!("d8:announce3:url4:infod{TREE}{rest}{PIECES}e5:zzzzzi1ee");
        let hybrid = of(&hybrid).unwrap();
        assert_eq!(hex(hybrid.v1), HYBRID_V1);
        assert_eq!(hex(hybrid.v2), HYBRID_V2);
        assert_eq!(hybrid.iter().count(), 2);
    }

    #[test]
    fn what_is_no_torrent_says_why() {
        for (torrent, said) in [
            ("", "the input ends too early, at octet 0"),
            ("hello", "not a bencoded value at octet 0"),
            ("i1e", "no dictionary under the key \"info\""),
            ("de", "no dictionary under the key \"info\""),
            ("d4:info1:xe", "no dictionary under the key \"info\""),
            ("d4:infodee ", "more than one value at octet 10"),
            ("d4:infode4:infodee", "the key \"info\" is there twice"),
            (
                "d4:infodee",
                "neither \"pieces\" nor a \"file tree\" of meta version 2",
            ),
            (
                "d4:infod6:piecesi1eee",
                "neither \"pieces\" nor a \"file tree\" of meta version 2",
            ),
            (
                "d4:infod9:file treedeee",
                "neither \"pieces\" nor a \"file tree\" of meta version 2",
            ),
            (
                "d4:infod12:meta versioni3e6:pieces0:ee",
                "meta version 3 is not known",
            ),
            (
                "d4:infod12:meta version1:26:pieces0:ee",
                "meta version 0 is not known",
            ),
        ] {
            assert_eq!(of(torrent).unwrap_err().to_string(), said, "{torrent}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| {
            let tree = format!("{}{}", "d1:a".repeat(depth) + "de", "e".repeat(depth));
            of(&format!("d4:infod9:file tree{tree}12:meta versioni2eee"))
        };
        // The torrent, its info dictionary and the innermost dictionary are levels, too.
        assert!(nested(InfoHashes::MAX_DEPTH - 3).is_ok());
        for depth in [InfoHashes::MAX_DEPTH - 2, 100_000] {
            let said = nested(depth).unwrap_err().to_string();
            assert!(said.starts_with("nested too deep"), "{said}");
        }
    }

    proptest! {
        #[test]
        fn no_octets_break_it(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = InfoHashes::of(&octets);
        }

        /// A torrent with some octets changed is read or refused; if its info dictionary is as it
        /// was, so are its hashes.
        #[test]
        fn a_torrent_with_errors_is_read_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            length in any::<prop::sample::Index>(),
        ) {
            let info = format!("d{TREE}6:lengthi1e4:name1:a12:piece lengthi16384e{PIECES}e");
            let torrent = format!("d8:announce3:url4:info{info}5:zzzzzi1ee");
            let right = of(&torrent).unwrap();
            let mut octets = torrent.clone().into_bytes();
            for (at, octet) in changes {
                let at = at.index(octets.len());
                octets[at] = octet;
            }
            let start = torrent.find(&info).unwrap();
            let is_whole = octets[start..][..info.len()] == *info.as_bytes();
            if let Ok(hashes) = InfoHashes::of(&octets) {
                prop_assert!(hashes.iter().count() > 0);
                prop_assert!(!is_whole || hashes == right);
            }
            let cut = length.index(torrent.len());
            prop_assert!(InfoHashes::of(&torrent.as_bytes()[..cut]).is_err());
        }
    }
}
