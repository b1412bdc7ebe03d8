//! Files that were whole once.

use opentracker_snapshot::{OpenError, Report};

use crate::{BLOCK_HEAD, FILE_HEAD, Swarm, blocks, read, small_file};

/// The swarms that are there, by the number that all octets of an info hash are; each is complete.
fn numbers(swarms: &[Swarm]) -> Vec<u8> {
    let number = |(torrent, _): &Swarm| torrent.info_hash.as_bytes()[0];
    swarms.iter().map(number).collect()
}

/// Peers of each block of the file, by its number.
fn peers_of_blocks(file: &[u8]) -> Vec<u64> {
    let blocks = blocks(file);
    let alone = |number: usize| {
        let before = blocks[number].start;
        let mut only = file[..FILE_HEAD].to_vec();
        only.extend(&file[before..blocks[number].end]);
        let (_, report) = read(&only).unwrap();
        assert_eq!(report.lost_blocks, number as u64);
        report.found.peers
    };
    (0..blocks.len()).map(alone).collect()
}

#[test]
fn each_octet_that_is_wrong_costs_its_block_alone() {
    let file = small_file();
    let (whole, report) = read(&file).unwrap();
    assert!(report.is_whole());
    assert_eq!(numbers(&whole), [1, 2, 3]);
    let blocks = blocks(&file);
    let peers = peers_of_blocks(&file);
    assert_eq!(peers.iter().sum::<u64>(), 24_000);
    for at in 0..file.len() {
        for flipped in [0x01, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= flipped;
            let (_, report) = read(&damaged).unwrap();
            let hit = blocks.iter().position(|block| block.contains(&at));
            let lost = hit.map_or(0..FILE_HEAD, |block| blocks[block].clone());
            assert_eq!(report.lost_octets, lost.len() as u64, "{at}: {report:?}");
            assert!(!report.is_whole(), "{at}");
            let end = blocks.len() - 1;
            let lost_peers = hit.map_or(0, |block| peers[block]);
            assert_eq!(report.found.peers, 24_000 - lost_peers, "{at}");
            assert_eq!(report.written.is_none(), hit == Some(end), "{at}");
            let lost_blocks = u64::from(hit.is_some_and(|block| block != end));
            assert_eq!(report.lost_blocks, lost_blocks, "{at}: {report:?}");
            assert_eq!(report.created, Some(crate::CREATED));
        }
    }
}

#[test]
fn a_file_that_was_cut_is_known_by_that() {
    let file = small_file();
    let blocks = blocks(&file);
    let peers = peers_of_blocks(&file);
    assert!(matches!(read(&[]), Err(OpenError::NotSnapshot)));
    for len in 1..file.len() {
        let (_, report) = read(&file[..len]).unwrap();
        assert!(!report.is_whole() && report.written.is_none(), "{len}");
        let is_whole = |number: &usize| blocks[*number].end <= len;
        let whole: Vec<_> = (0..blocks.len()).filter(is_whole).collect();
        let expected: u64 = whole.iter().map(|&number| peers[number]).sum();
        assert_eq!(report.found.peers, expected, "{len}: {report:?}");
        let end = whole.last().map_or(FILE_HEAD, |&last| blocks[last].end);
        let rest = if len < FILE_HEAD { len } else { len - end };
        assert_eq!(report.lost_octets, rest as u64, "{len}");
    }
}

#[test]
fn blocks_that_are_missing_double_or_swapped() {
    let file = small_file();
    let blocks = blocks(&file);
    let with = |order: &[usize]| -> Report {
        let mut mixed = file[..FILE_HEAD].to_vec();
        for &number in order {
            mixed.extend(&file[blocks[number].clone()]);
        }
        read(&mixed).unwrap().1
    };
    assert!(with(&[0, 1, 2, 3]).is_whole());
    let without = with(&[0, 2, 3]);
    assert_eq!((without.lost_blocks, without.lost_octets), (1, 0));
    let double = with(&[0, 1, 1, 2, 3]);
    assert_eq!(double.lost_octets, blocks[1].len() as u64);
    assert_eq!(double.found, double.written.unwrap());
    let swapped = with(&[1, 0, 2, 3]);
    assert_eq!(swapped.lost_blocks, 1);
    assert_eq!(swapped.lost_octets, blocks[0].len() as u64);
    let behind_the_end = with(&[0, 1, 2, 3, 2]);
    assert_eq!(behind_the_end.lost_octets, blocks[2].len() as u64);
    for report in [without, double, swapped, behind_the_end] {
        assert!(!report.is_whole(), "{report:?}");
    }
}

#[test]
fn octets_between_blocks_are_passed_over() {
    let file = small_file();
    let blocks = blocks(&file);
    // Among them beginnings of markers, and a head without what it promises.
    let head = &file[blocks[1].start..blocks[1].start + BLOCK_HEAD];
    for foreign in [&[0; 200_000][..], b"\xa7OT\xa7OTB\xa7", head] {
        for block in &blocks {
            let mut damaged = file[..block.start].to_vec();
            damaged.extend(foreign);
            damaged.extend(&file[block.start..]);
            let (swarms, report) = read(&damaged).unwrap();
            assert_eq!(numbers(&swarms), [1, 2, 3]);
            assert_eq!(report.lost_octets, foreign.len() as u64);
            assert_eq!(report.found.peers, 24_000);
            assert_eq!(report.lost_blocks, 0);
        }
    }
}
