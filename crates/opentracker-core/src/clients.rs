//! Which software announces, by the beginning of its peer id.
//!
//! Peer ids are made in several ways (BEP 20). Most begin with a dash, two characters for the
//! software, its version and another dash: `-qB5030-`, which is the way of Azureus. That of Shadow
//! begins with a letter and up to five digits of the version, filled up with dashes, and then three
//! dashes: `T03I-----`. That of mainline is `M7-10-5--`. Some have their own.
//!
//! The names are from BEP 20, from the page on the specification at wiki.theory.org, and from what the
//! programs themselves send or publish: Transmission and libtorrent have lists of others, too.

use opentracker_types::{AnnounceRequest, PeerId};

use crate::counters::CounterSet;

crate::counters! {
    /// Software that announces, as far as its peer ids tell: some of them are told apart, and the
    /// rest is counted together. An estimate from a sample, if announces come fast.
    pub enum Client {
        "opentracker_client_announces_total" announces "Announces by the software that the peer id names, estimated from a sample." ["client"] {
            /// Ares Galaxy.
            Ares ["Ares"],
            /// aria2.
            Aria2 ["aria2"],
            /// Baidu Netdisk.
            BaiduNetdisk ["Baidu Netdisk"],
            /// BiglyBT.
            BiglyBt ["BiglyBT"],
            /// BitComet.
            BitComet ["BitComet"],
            /// Bitflu.
            Bitflu ["Bitflu"],
            /// BitLord.
            BitLord ["BitLord"],
            /// BitSpirit.
            BitSpirit ["BitSpirit"],
            /// BitTornado.
            BitTornado ["BitTornado"],
            /// BitTorrent, of old times (mainline) and of today.
            BitTorrent ["BitTorrent"],
            /// CTorrent and Enhanced CTorrent.
            CTorrent ["CTorrent"],
            /// Deluge.
            Deluge ["Deluge"],
            /// FlashGet.
            FlashGet ["FlashGet"],
            /// Folx.
            Folx ["Folx"],
            /// Free Download Manager.
            FreeDownloadManager ["Free Download Manager"],
            /// FrostWire.
            FrostWire ["FrostWire"],
            /// The Go library of anacrolix.
            AnacrolixTorrent ["anacrolix/torrent"],
            /// Halite.
            Halite ["Halite"],
            /// KTorrent and KGet.
            KTorrent ["KTorrent"],
            /// Programs with the libtorrent of Arvid Norberg that do not say which they are.
            Libtorrent ["libtorrent"],
            /// MediaGet.
            MediaGet ["MediaGet"],
            /// MLDonkey.
            MlDonkey ["MLDonkey"],
            /// MonoTorrent.
            MonoTorrent ["MonoTorrent"],
            /// PicoTorrent.
            PicoTorrent ["PicoTorrent"],
            /// qBittorrent.
            QBittorrent ["qBittorrent"],
            /// QQDownload.
            QqDownload ["QQDownload"],
            /// rqbit.
            Rqbit ["rqbit"],
            /// rTorrent, and others with the libTorrent of rakshasa.
            RTorrent ["rTorrent"],
            /// Shareaza.
            Shareaza ["Shareaza"],
            /// Tixati.
            Tixati ["Tixati"],
            /// Transmission.
            Transmission ["Transmission"],
            /// Tribler.
            Tribler ["Tribler"],
            /// tTorrent.
            TTorrent ["tTorrent"],
            /// µTorrent, on all systems.
            UTorrent ["uTorrent"],
            /// Vuze, which was Azureus.
            Vuze ["Vuze"],
            /// WebTorrent and WebTorrent Desktop.
            WebTorrent ["WebTorrent"],
            /// Xfplay.
            Xfplay ["Xfplay"],
            /// Xunlei, also called Thunder.
            Xunlei ["Xunlei"],
            /// Any other, and those that do not say.
            Other ["other"],
        }
    }
}

/// Ways in which peer ids of one software begin. The first that fits counts.
const BEGINNINGS: [(&[u8], Client); 58] = [
    (b"-qB", Client::QBittorrent),
    (b"-TR", Client::Transmission),
    (b"-UT", Client::UTorrent),
    (b"-UE", Client::UTorrent),
    (b"-UM", Client::UTorrent),
    (b"-UW", Client::UTorrent),
    (b"-lt", Client::RTorrent),
    (b"-DE", Client::Deluge),
    (b"-LT", Client::Libtorrent),
    (b"-BT", Client::BitTorrent),
    (b"-AZ", Client::Vuze),
    (b"-BI", Client::BiglyBt),
    (b"-BC", Client::BitComet),
    (b"exbc", Client::BitComet),
    (b"-XL", Client::Xunlei),
    (b"-SD", Client::Xunlei),
    (b"TIX", Client::Tixati),
    (b"-TX", Client::Tixati),
    (b"A2-", Client::Aria2),
    (b"-A2", Client::Aria2),
    (b"-KT", Client::KTorrent),
    (b"-KG", Client::KTorrent),
    (b"-WW", Client::WebTorrent),
    (b"-WD", Client::WebTorrent),
    (b"-GT", Client::AnacrolixTorrent),
    (b"-rQ", Client::Rqbit),
    (b"-FD", Client::FreeDownloadManager),
    (b"-MG", Client::MediaGet),
    (b"-FL", Client::Folx),
    (b"-FW", Client::FrostWire),
    (b"-FG", Client::FlashGet),
    (b"-TL", Client::Tribler),
    (b"-tT", Client::TTorrent),
    (b"-PI", Client::PicoTorrent),
    (b"-BL", Client::BitLord),
    (b"-BN", Client::BaiduNetdisk),
    (b"-BF", Client::Bitflu),
    (b"-SP", Client::BitSpirit),
    (b"-QD", Client::QqDownload),
    (b"-XF", Client::Xfplay),
    (b"-SZ", Client::Shareaza),
    (b"-S~", Client::Shareaza),
    (b"-ML", Client::MlDonkey),
    (b"-MO", Client::MonoTorrent),
    (b"-HL", Client::Halite),
    (b"-CD", Client::CTorrent),
    (b"-CT", Client::CTorrent),
    (b"-AG", Client::Ares),
    (b"-A~", Client::Ares),
    (b"M3-", Client::BitTorrent),
    (b"M4-", Client::BitTorrent),
    (b"M5-", Client::BitTorrent),
    (b"M6-", Client::BitTorrent),
    (b"M7-", Client::BitTorrent),
    (b"M8-", Client::BitTorrent),
    (b"T0", Client::BitTornado),
    (b"S5", Client::BitTornado),
    (b"R", Client::Tribler),
];

impl Client {
    /// Returns its name; `other` for any other.
    pub const fn name(self) -> &'static str {
        Self::FAMILIES[0].series[self as usize][0]
    }

    /// Tells which software an announce is from.
    pub(crate) fn of_request(request: &AnnounceRequest) -> Self {
        request.peer_id.as_ref().map_or(Self::Other, Self::of)
    }

    /// Tells which software makes peer ids like this one.
    pub fn of(peer_id: &PeerId) -> Self {
        let octets = peer_id.as_bytes();
        let mut known = BEGINNINGS.iter();
        let found = known.find(|(beginning, _)| octets.starts_with(beginning));
        match found {
            Some(&(beginning, client)) => {
                // A letter or two are too little to go by.
                let is_certain = beginning.len() > 2 || is_shadow_style(octets);
                if is_certain { client } else { Self::Other }
            }
            None => Self::Other,
        }
    }
}

/// Tells whether a peer id that begins with a letter goes on as those of Shadow do.
fn is_shadow_style(octets: &[u8; PeerId::LEN]) -> bool {
    let is_digit = |octet: &u8| octet.is_ascii_alphanumeric() || b".-".contains(octet);
    octets[1..6].iter().all(is_digit) && octets[6..9] == *b"---"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(beginning: &str) -> Client {
        let mut octets = [0xff; PeerId::LEN];
        octets[..beginning.len()].copy_from_slice(beginning.as_bytes());
        Client::of(&PeerId::new(octets))
    }

    #[test]
    fn software_is_known_by_its_peer_ids() {
        for (beginning, client) in [
            ("-qB5030-", Client::QBittorrent),
            ("-TR410Z-", Client::Transmission),
            ("-UT355W-", Client::UTorrent),
            ("-lt0F01-", Client::RTorrent),
            ("-LT20B0-", Client::Libtorrent),
            ("-DE220s-", Client::Deluge),
            ("A2-1-37-0-", Client::Aria2),
            ("TIX0328-", Client::Tixati),
            ("M7-10-5--", Client::BitTorrent),
            ("T03I-----", Client::BitTornado),
            ("R34------", Client::Tribler),
            ("exbc\u{1}\u{2}", Client::BitComet),
        ] {
            assert_eq!(of(beginning), client, "{beginning}");
        }
    }

    #[test]
    fn each_has_a_name() {
        assert_eq!(Client::Ares.name(), "Ares");
        assert_eq!(Client::Other.name(), "other");
    }

    #[test]
    fn what_only_looks_like_it_is_other() {
        for beginning in [
            "",
            "-",
            "-q",
            "-QB5030-",
            "qB5030",
            "T03I--abc",
            "Rabcdefghij",
            "M7",
        ] {
            assert_eq!(of(beginning), Client::Other, "{beginning}");
        }
    }

    #[test]
    fn no_beginning_hides_another() {
        for (number, (beginning, _)) in BEGINNINGS.iter().enumerate() {
            let mut before = BEGINNINGS[..number].iter();
            let hidden = before.find(|(earlier, _)| beginning.starts_with(earlier));
            assert_eq!(hidden, None);
        }
    }
}
