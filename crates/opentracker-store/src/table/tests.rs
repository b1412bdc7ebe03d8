use super::*;
use crate::cell::Cell4;
use opentracker_types::Scope;
use std::collections::BTreeMap;

const KEYS: PeerKeys = PeerKeys {
    mask: 0x1234_5678_9abc_def0,
    factor: 0x9e37_79b9_7f4a_7c15,
};

const CLASS: Class = Class {
    scope: Scope::Global,
    seeding: false,
};

fn peer(number: u32) -> Cell4 {
    let [a, b, c, d] = number.to_be_bytes();
    Cell4::from_octets([10, a, b, c, 0x80 | d >> 1, d, 0, 0])
}

/// Each cell stands as near behind its home as those before it allow, and hashes ascend.
fn check(table: &Table<Cell4>, keys: &PeerKeys) {
    let (mut before, mut next, mut region) = (0, 0, 0);
    let mut peers = 0;
    for slot in 0..table.capacity() {
        let cell = table.slot(slot);
        if cell.is_vacant() {
            continue;
        }
        let hash = cell.hash(keys);
        assert!(hash >= before, "out of order");
        before = hash;
        let (home, end) = table.path(hash);
        if end != region {
            // What is before the old pages does not push back what is in them.
            (region, next) = (end, 0);
        }
        assert_eq!(slot, home.max(next), "a hole before a cell");
        next = slot + 1;
        peers += 1;
    }
    assert_eq!(peers, table.len());
}

#[test]
fn holds_what_was_put_in_and_not_taken_out() {
    // With the second keys all peers have the same hash.
    let same = PeerKeys { mask: 1, factor: 0 };
    for (keys, peers, steps) in [(KEYS, 3000, 90_000), (same, 300, 3000)] {
        let mut table = Table::new(CLASS);
        let mut model = BTreeMap::new();
        let mut state = 1_u32;
        let mut was_moving = [false; 2];
        for step in 0..steps {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Grow for a while, then shrink, so that the table moves both ways.
            let growing = step / (steps / 6) % 2 == 0;
            let number = (state >> 16) % peers;
            let cell = peer(number);
            match table.find(&cell, &keys) {
                Some(slot) => {
                    assert!(model.contains_key(&number));
                    if !growing || state & 7 == 0 {
                        assert!(table.remove(slot, &keys).is_same_peer(&cell));
                        table.fit(&keys);
                        model.remove(&number);
                    }
                }
                None => {
                    assert!(!model.contains_key(&number));
                    if growing || state & 7 == 0 {
                        let slot = table.insert(cell, &keys);
                        assert!(table.slot(slot).is_same_peer(&cell));
                        model.insert(number, ());
                    }
                }
            }
            assert_eq!(table.len(), model.len());
            was_moving[usize::from(growing)] |= table.is_moving();
            if step % 64 == 0 {
                check(&table, &keys);
            }
        }
        for number in 0..peers {
            let found = table.find(&peer(number), &keys).is_some();
            assert_eq!(found, model.contains_key(&number));
        }
        assert_eq!(was_moving, [true; 2]);
    }
}

#[test]
fn a_new_peer_moves_few_others_of_a_large_table() {
    let mut table = Table::new(CLASS);
    let moved = |table: &Table<Cell4>| match &table.storage {
        Storage::Moving(moving) => {
            let (new, _) = moving.pages();
            Some(
                new.iter()
                    .flat_map(|page| page.iter())
                    .filter(|cell| !cell.is_vacant())
                    .count(),
            )
        }
        _ => None,
    };
    let mut moves = 0;
    for number in 0..3000 {
        let before = moved(&table);
        table.insert(peer(number), &KEYS);
        if let (Some(before), Some(after)) = (before, moved(&table)) {
            assert!(after <= before + moving::STEP_CELLS + 2);
            moves += 1;
        }
    }
    assert!(moves > 300);
}

#[test]
fn a_range_of_hashes_is_visited_and_thinned_out_while_cells_move() {
    let mut table = Table::new(CLASS);
    let mut number = 0;
    let mut seen = 0;
    while seen < 40 {
        table.insert(peer(number), &KEYS);
        number += 1;
        if !table.is_moving() {
            continue;
        }
        seen += 1;
        let (from, to) = (seen << 26, ((seen + 5) << 26) - 1);
        let is_in = |cell: &Cell4| (from..=to).contains(&cell.hash(&KEYS));
        let all: Vec<_> = table.cells().copied().collect();
        let mut visited = 0;
        table.for_each_hashed(from..=to, &KEYS, |cell| {
            assert!(is_in(cell));
            visited += 1;
        });
        assert_eq!(visited, all.iter().filter(|cell| is_in(cell)).count());
        let is_odd = |cell: &Cell4| cell.octets()[5] % 2 == 1;
        table.retain(from..=to, &KEYS, is_odd);
        check(&table, &KEYS);
        for cell in &all {
            let stays = !is_in(cell) || is_odd(cell);
            assert_eq!(table.find(cell, &KEYS).is_some(), stays);
        }
    }
}

#[test]
fn searches_are_short_for_regular_peers_and_poor_keys() {
    let keys = [
        KEYS,
        PeerKeys {
            mask: 0x5a5a_5a5a_5a5a_5a5a,
            factor: 0x5a5a_5a5a_5a5a_5a5b,
        },
    ];
    for keys in keys {
        let mut table = Table::new(CLASS);
        for number in 0..20_000_u32 {
            // Seven consecutive ports on consecutive addresses.
            let [_, a, b, c] = (number / 7).to_be_bytes();
            let port = (number % 7).to_be_bytes()[3];
            table.insert(Cell4::from_octets([32, a, b, c, 4, port, 0, 0]), &keys);
        }
        let steps: usize = (0..table.capacity())
            .filter(|&slot| !table.slot(slot).is_vacant())
            .map(|slot| slot - table.path(table.slot(slot).hash(&keys)).0)
            .sum();
        // Linear probing at a load of 29/32 takes five steps on the average.
        assert!(steps < 6 * table.len(), "{steps} steps");
    }
}

#[test]
fn keeps_between_a_quarter_and_nearly_full() {
    let mut table = Table::new(CLASS);
    for number in 0..10_000 {
        table.insert(peer(number), &KEYS);
        let is_small = table.capacity() <= ONE_BLOCK * PAGE_LEN;
        assert!(is_small || table.len() * 32 <= table.capacity() * 31);
    }
    assert!(table.heap_octets() < 10_000 * 11);
    for number in 0..9_990 {
        let slot = table.find(&peer(number), &KEYS).unwrap();
        table.remove(slot, &KEYS);
        table.fit(&KEYS);
        // On its way to fewer slots it has more for a while.
        assert!(table.capacity() <= STEP || table.len() * 6 >= table.capacity());
    }
}
