//! Files that no writer has written.

use opentracker_snapshot::{MAX_CONTENT, OpenError};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{CREATED, FILE_HEAD, peer, read, small_file};

fn with_sum(mut head: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&head);
    head.extend(sum.to_be_bytes());
    head
}

fn file_head(version: u32) -> Vec<u8> {
    let mut head = b"\x89OTS\r\n\x1a\n".to_vec();
    head.extend(version.to_be_bytes());
    head.extend(CREATED.to_be_bytes());
    with_sum(head)
}

/// A block with right checksums around whatever content.
fn block(kind: u8, number: u32, content_len: usize, packed: &[u8]) -> Vec<u8> {
    let len = |octets: usize| u32::try_from(octets).unwrap().to_be_bytes();
    let mut head = b"\xa7OTB".to_vec();
    head.extend([kind, 0, 0, 0]);
    head.extend(number.to_be_bytes());
    head.extend(CREATED.to_be_bytes());
    head.extend(len(content_len));
    head.extend(len(packed.len()));
    head.extend(crc32fast::hash(packed).to_be_bytes());
    let mut block = with_sum(head);
    block.extend(packed);
    block
}

fn packed(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 1).unwrap()
}

#[test]
fn a_newer_version_is_refused_by_name() {
    let mut file = small_file();
    file.splice(..FILE_HEAD, file_head(7));
    let error = read(&file).unwrap_err();
    assert!(matches!(error, OpenError::Newer { version: 7 }));
    assert_eq!(
        error.to_string(),
        "snapshot of version 7, this program reads 1"
    );
}

#[test]
fn other_files_are_no_snapshots() {
    for other in [&b""[..], b"x", b"[udp]\nlisten = []\n", &[0; 1_000_000]] {
        let error = read(other).unwrap_err();
        assert!(matches!(error, OpenError::NotSnapshot), "{error}");
    }
}

#[test]
fn blocks_of_kinds_to_come_are_passed_over() {
    let mut file = file_head(1);
    // Of a torrent and nothing else.
    let mut part = [0; 42];
    part[..20].fill(0xab);
    file.extend(block(200, 0, 5000, &packed(&[0; 5000])));
    file.extend(block(1, 1, part.len(), &packed(&part)));
    file.extend(block(201, 2, 0, &packed(&[])));
    let mut totals = [0; 16];
    totals[7] = 1;
    file.extend(block(0, 3, totals.len(), &packed(&totals)));
    let (swarms, report) = read(&file).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.blocks, report.unknown), (4, 2));
    assert_eq!(swarms.len(), 1);
}

#[test]
fn few_octets_do_not_become_many() {
    // Of 64 MiB, said and unsaid, and one octet more than is said.
    let bomb = packed(&vec![0; 64 << 20]);
    let more = packed(&[0; 43]);
    for (content_len, packed) in [(64 << 20, &bomb), (MAX_CONTENT, &bomb), (42, &more)] {
        let mut file = file_head(1);
        file.extend(block(1, 0, content_len, packed));
        file.extend(block(0, 1, 16, &self::packed(&[0; 16])));
        let (swarms, report) = read(&file).unwrap();
        assert!(swarms.is_empty());
        assert_eq!(report.lost_blocks, 1, "{content_len}");
        assert!(report.lost_octets > 36 && report.written.is_some());
    }
}

#[test]
fn content_that_is_not_well_formed_is_lost() {
    let mut part = [0; 42];
    part[39] = 1;
    for content in [&[0; 41][..], &part, &[0; 85]] {
        let mut file = file_head(1);
        file.extend(block(1, 0, content.len(), &packed(content)));
        file.extend(block(0, 1, 16, &packed(&[0; 16])));
        let (swarms, report) = read(&file).unwrap();
        assert!(swarms.is_empty());
        assert_eq!((report.lost_blocks, report.blocks), (1, 1));
    }
    let mut file = file_head(1);
    file.extend(block(0, 0, 15, &packed(&[0; 15])));
    assert_eq!(read(&file).unwrap().1.written, None);
}

proptest! {
    #[test]
    fn octets_of_any_kind_do_no_harm(octets in vec(any::<u8>(), 0..5000)) {
        read(&octets).ok();
        read(&[file_head(1), octets].concat()).unwrap();
    }

    #[test]
    fn blocks_of_any_content_do_no_harm(contents in vec((0..4_u8, vec(any::<u8>(), 0..300)), 0..20)) {
        let mut file = file_head(1);
        for (number, (kind, content)) in (0..).zip(&contents) {
            file.extend(block(*kind, number, content.len(), &packed(content)));
            file.extend(block(*kind, number, content.len(), content));
        }
        read(&file).unwrap();
    }

    #[test]
    fn damage_of_any_kind_loses_nothing_but_blocks(
        at in 0..1000_usize, removed in 0..1000_usize, more in vec(any::<u8>(), 0..200),
    ) {
        let mut file = small_file();
        let at = at.min(file.len());
        let end = (at + removed).min(file.len());
        file.splice(at..end, more);
        if let Ok((swarms, _)) = read(&file) {
            for (torrent, peers) in swarms {
                let number = torrent.info_hash.as_bytes()[0];
                prop_assert_eq!(torrent, crate::torrent(number));
                prop_assert!(peers.iter().all(|&one| one == peer(number.into())));
            }
        }
    }
}
