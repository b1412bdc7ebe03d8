use opentracker_types::InfoHash;
use sha1_smol::Sha1;

use crate::bencode::Value;

/// Octets of a piece.
const PIECE_LEN: usize = 32 * 1024;

/// A torrent of one file of random octets.
///
/// It is marked private (BEP 27): the clients then learn of one another from its tracker and
/// from nothing else, whatever else they have switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torrent {
    file_name: String,
    payload: Vec<u8>,
    metainfo: Vec<u8>,
    info_hash: InfoHash,
}

impl Torrent {
    /// Makes a torrent of `octets` octets that follow from the seed, announced at `announce_url`.
    pub fn random(seed: u64, octets: usize, announce_url: &str) -> Self {
        let file_name = format!("random-{seed}.bin");
        let payload = random_octets(seed, octets);
        let pieces: Vec<u8> = payload
            .chunks(PIECE_LEN)
            .flat_map(|piece| Sha1::from(piece).digest().bytes())
            .collect();
        let info = Value::dictionary([
            ("length", integer(octets)),
            ("name", Value::text(&file_name)),
            ("piece length", integer(PIECE_LEN)),
            ("pieces", Value::Bytes(pieces)),
            ("private", Value::Integer(1)),
        ]);
        let info_hash = InfoHash::new(Sha1::from(info.encode()).digest().bytes());
        let metainfo =
            Value::dictionary([("announce", Value::text(announce_url)), ("info", info)]).encode();
        Self {
            file_name,
            payload,
            metainfo,
            info_hash,
        }
    }

    /// Returns the name of the file that the torrent describes.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// Returns that file's content.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the content of the `.torrent` file (BEP 3).
    pub fn metainfo(&self) -> &[u8] {
        &self.metainfo
    }

    /// Returns the info hash.
    pub fn info_hash(&self) -> InfoHash {
        self.info_hash
    }
}

fn integer(value: usize) -> Value {
    Value::Integer(value.try_into().expect("a length fits 63 bits"))
}

/// Draws octets from `SplitMix64`, which is enough to make no two pieces alike.
fn random_octets(seed: u64, octets: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    };
    let mut payload = Vec::with_capacity(octets + 8);
    while payload.len() < octets {
        payload.extend_from_slice(&next());
    }
    payload.truncate(octets);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_torrent_again() {
        let url = "udp://10.0.0.1:6969/announce";
        assert_eq!(Torrent::random(1, 100, url), Torrent::random(1, 100, url));
        let (one, other) = (Torrent::random(1, 100, url), Torrent::random(2, 100, url));
        assert_ne!(one.payload(), other.payload());
        assert_ne!(one.info_hash(), other.info_hash());
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // The first two outputs for the seed 0 of the generator's reference implementation.
        let mut golden = 0xe220_a839_7b1d_cdaf_u64.to_le_bytes().to_vec();
        golden.extend_from_slice(&0x6e78_9e6a_a1b9_65f4_u64.to_le_bytes());
        assert_eq!(random_octets(0, 16), golden);
        assert_eq!(random_octets(0, 13), golden[..13]);
    }

    #[test]
    fn the_metainfo_describes_the_payload() {
        let torrent = Torrent::random(7, 2 * PIECE_LEN + 1, "http://10.0.0.1:6969/announce");
        let metainfo = Value::decode(torrent.metainfo()).expect("it is bencoded");
        assert_eq!(
            metainfo.get("announce"),
            Some(&Value::text("http://10.0.0.1:6969/announce"))
        );
        let info = metainfo.get("info").expect("it has an info dictionary");
        assert_eq!(info.get("length"), Some(&Value::Integer(65537)));
        assert_eq!(info.get("name"), Some(&Value::text(torrent.file_name())));
        assert_eq!(info.get("private"), Some(&Value::Integer(1)));
        let pieces = info
            .get("pieces")
            .and_then(Value::as_bytes)
            .expect("it has piece hashes");
        assert_eq!(pieces.len(), 3 * 20);
        let last = Sha1::from(&torrent.payload()[2 * PIECE_LEN..])
            .digest()
            .bytes();
        assert_eq!(pieces[40..], last);
        let hash = Sha1::from(info.encode()).digest().bytes();
        assert_eq!(torrent.info_hash().as_bytes(), &hash);
    }
}
