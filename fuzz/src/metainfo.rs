use opentracker_http_wire::bencode;
use opentracker_metainfo::InfoHashes;

/// Files of torrents.
pub fn metainfo(torrent: &[u8]) {
    let Ok(hashes) = InfoHashes::of(torrent) else {
        return;
    };
    assert!((1..=2).contains(&hashes.iter().count()));
    let decoded = bencode::decode_to_depth(torrent, InfoHashes::MAX_DEPTH).unwrap();
    let info = decoded.as_dictionary().unwrap().get(b"info").unwrap();
    let info = info.as_dictionary().unwrap().as_bytes();
    // Whatever else is in the file, the info dictionary alone is what is hashed.
    let alone = [b"d4:infod", info, b"ee"].concat();
    assert_eq!(InfoHashes::of(&alone), Ok(hashes));
    let with_more = [b"d4:infod1:~0:", info, b"ee"].concat();
    assert_ne!(InfoHashes::of(&with_more), Ok(hashes));
}
