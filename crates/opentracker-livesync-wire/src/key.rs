use core::fmt;

use hkdf::{Hkdf, HkdfExtract};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Octets of a tag: the first half of HMAC-SHA-256.
pub const TAG_LEN: usize = 16;

/// What a cluster's nodes derive from a secret that they share (section "Keys" of
/// `docs/livesync.md`): one key for the tags of sealed packets, one for those of messages about browsers, one
/// for connection ids, and a name that all go by in logs and figures.
///
/// `Debug` shows the name alone. What tags are made from is overwritten when it is dropped.
#[derive(Clone)]
pub struct Key {
    name: KeyName,
    connection_key: [u8; 16],
    /// HMAC after its key, so that a packet costs none of that again.
    seal: Hmac<Sha256>,
    /// The same for messages about browsers.
    webtorrent_seal: Hmac<Sha256>,
}

impl Key {
    /// Derives the keys from a secret of any length, by HKDF-SHA-256 (RFC 5869) without a salt.
    pub fn derive(secret: &[u8]) -> Self {
        let mut extract = HkdfExtract::new(None);
        extract.input_ikm(secret);
        Self::from_extract(extract)
    }

    /// Returns the name, which says nothing of the key.
    pub const fn name(&self) -> KeyName {
        self.name
    }

    /// Returns the key of connection ids.
    pub const fn connection_key(&self) -> [u8; 16] {
        self.connection_key
    }

    /// Returns the tag of a packet, from all octets that stand before the tag.
    pub fn tag(&self, octets: &[u8]) -> [u8; TAG_LEN] {
        tag(&self.seal, octets)
    }

    /// Tells whether `tag` is the tag of a packet, in a time that does not depend on where the two
    /// begin to differ.
    pub fn verify(&self, octets: &[u8], tag: &[u8; TAG_LEN]) -> bool {
        verify(&self.seal, octets, tag)
    }

    /// Returns the tag of a message about browsers (section "Browsers" of `docs/livesync.md`).
    pub fn webtorrent_tag(&self, octets: &[u8]) -> [u8; TAG_LEN] {
        tag(&self.webtorrent_seal, octets)
    }

    /// Tells whether `tag` is the tag of a message about browsers, as [`Self::verify`] does of a packet.
    pub fn verify_webtorrent(&self, octets: &[u8], tag: &[u8; TAG_LEN]) -> bool {
        verify(&self.webtorrent_seal, octets, tag)
    }

    pub(crate) fn from_extract(extract: HkdfExtract<Sha256>) -> Self {
        let (_, hkdf) = extract.finalize();
        let seal = |info| {
            let key = expand::<32>(&hkdf, info);
            Hmac::new_from_slice(&key).expect("HMAC takes keys of any length")
        };
        Self {
            name: KeyName(expand(&hkdf, b"opentracker key name v1")),
            connection_key: expand(&hkdf, b"opentracker connection id v1"),
            seal: seal(b"opentracker livesync seal v1"),
            webtorrent_seal: seal(b"opentracker webtorrent seal v1"),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name)
    }
}

/// The name of a [`Key`], derived from it as the key itself is: eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName([u8; 4]);

impl KeyName {
    /// Makes a name of its octets.
    pub const fn new(octets: [u8; 4]) -> Self {
        Self(octets)
    }

    /// Returns the octets.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyName({self})")
    }
}

fn tag(seal: &Hmac<Sha256>, octets: &[u8]) -> [u8; TAG_LEN] {
    let tag = seal.clone().chain_update(octets).finalize();
    *tag.as_bytes().first_chunk().expect("SHA-256 has 32 octets")
}

fn verify(seal: &Hmac<Sha256>, octets: &[u8], tag: &[u8; TAG_LEN]) -> bool {
    let expected = seal.clone().chain_update(octets);
    expected.verify_truncated_left(tag).is_ok()
}

fn expand<const N: usize>(hkdf: &Hkdf<Sha256>, info: &[u8]) -> [u8; N] {
    let mut derived = [0; N];
    hkdf.expand(info, &mut derived)
        .expect("HKDF gives up to 255 times the octets of a hash");
    derived
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::ToString;

    use super::*;

    /// The key and the packet of `docs/livesync.md`.
    fn vector() -> (Key, [u8; 40]) {
        let secret: [u8; 32] = core::array::from_fn(|octet| u8::try_from(octet).unwrap());
        let packet = *b"\x0b\xad\xf0\x0d\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01\x2c\
            \x69\x25\xb9\x80\x00\x00\x00\x07\
            \xfd\x05\xf8\xc6\x31\x73\xb9\x5f\x25\x66\xbd\x7d\xbf\x42\xc0\x0a";
        (Key::derive(&secret), packet)
    }

    #[test]
    fn a_key_gives_what_the_specification_says() {
        let (key, _) = vector();
        assert_eq!(key.name().to_string(), "3f83247a");
        let connection_key = 0x7096_69ea_1e21_3589_2f7a_bcaf_2cbe_6c5a_u128;
        assert_eq!(key.connection_key(), connection_key.to_be_bytes());
        let seal = *b"\x13\x83\xc5\x9e\x52\x10\x02\x3e\xe3\xef\xd2\x7f\x5f\xf5\xbf\xe1\
            \x27\x4b\xd4\xbe\x23\x2b\x24\x70\x82\xde\x78\x11\x0e\xb1\x1f\x2c";
        let same = Hmac::<Sha256>::new_from_slice(&seal).unwrap();
        let tag = same.chain_update(b"any").finalize();
        assert_eq!(tag.as_bytes()[..TAG_LEN], key.tag(b"any"));
        let webtorrent_seal = *b"\x84\x99\x5a\x90\xe8\x18\x7d\x30\x37\x2e\xb1\x06\x36\xac\x50\xb5\
            \x51\xfc\x0f\x0f\x0b\x8a\x40\xe6\xb8\xdd\xea\x67\x0a\xf6\x33\x5e";
        let same = Hmac::<Sha256>::new_from_slice(&webtorrent_seal).unwrap();
        let tag = same.chain_update(b"any").finalize();
        let tag = tag.as_bytes().first_chunk().unwrap();
        assert_eq!(*tag, key.webtorrent_tag(b"any"));
        assert!(key.verify_webtorrent(b"any", tag));
        assert!(!key.verify(b"any", tag), "it is of no packet");
    }

    #[test]
    fn a_beacon_gets_the_tag_of_the_specification() {
        let (key, packet) = vector();
        let (sealed, tag) = packet.split_last_chunk().unwrap();
        assert_eq!(key.tag(sealed), *tag);
        assert!(key.verify(sealed, tag));
    }

    #[test]
    fn a_tag_fits_its_own_key_and_octets_alone() {
        let (key, packet) = vector();
        let (sealed, tag) = packet.split_last_chunk().unwrap();
        assert!(!Key::derive(&[1; 32]).verify(sealed, tag));
        assert!(!key.verify(&sealed[1..], tag));
        for bit in 0..packet.len() * 8 {
            let mut forged = packet;
            forged[bit / 8] ^= 1 << (bit % 8);
            let (sealed, tag) = forged.split_last_chunk().unwrap();
            assert!(!key.verify(sealed, tag), "bit {bit}");
        }
    }

    #[test]
    fn a_key_shows_its_name_alone() {
        let (key, _) = vector();
        assert_eq!(format!("{key:?}"), "Key(3f83247a)");
        let zeros = KeyName::new([0, 0, 0, 7]);
        assert_eq!(format!("{zeros:?}"), "KeyName(00000007)");
    }
}
