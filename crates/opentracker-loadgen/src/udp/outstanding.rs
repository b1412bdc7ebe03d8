//! Requests that wait for their answers.

use crate::tally::Kind;

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// The socket that it left from.
    pub(super) channel: usize,
    /// The number of the peer that it was made for.
    pub(super) peer: u64,
    /// When it was sent, or was due: nanoseconds of the run's clock.
    pub(super) since: u64,
}

/// Up to a fixed number of requests, found by their transaction ids.
///
/// A transaction id is the number of a slot and, above it, how often the slot was used, so that
/// the answer to a request that was given up is not taken for that of its successor.
#[derive(Debug)]
pub(super) struct Outstanding {
    slots: Vec<Slot>,
    /// Free slots; the one that was used last is used next, since the cache still has it.
    free: Vec<u32>,
    slot_bits: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    transaction: u32,
    entry: Option<Entry>,
}

impl Outstanding {
    /// Makes room for so many requests.
    pub(super) fn new(capacity: u32) -> Self {
        let slot = |transaction| Slot {
            transaction,
            entry: None,
        };
        Self {
            slots: (0..capacity).map(slot).collect(),
            free: (0..capacity).rev().collect(),
            slot_bits: u32::BITS - capacity.saturating_sub(1).leading_zeros(),
        }
    }

    /// Number of requests that wait.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Adds a request and returns its transaction id; `None` if there is no room.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<u32> {
        let slot = &mut self.slots[index(self.free.pop()?)];
        slot.entry = Some(entry);
        Some(slot.transaction)
    }

    /// Takes the request with this transaction id, if it still waits.
    pub(super) fn remove(&mut self, transaction: u32) -> Option<Entry> {
        let number = transaction & ((1 << self.slot_bits) - 1);
        let slot = self.slots.get_mut(index(number))?;
        if slot.transaction != transaction {
            return None;
        }
        let entry = slot.entry.take()?;
        slot.transaction = transaction.wrapping_add(1 << self.slot_bits);
        self.free.push(number);
        Some(entry)
    }

    /// Takes all requests that have waited since before `limit`, and hands them to `lost`.
    pub(super) fn expire(&mut self, limit: u64, mut lost: impl FnMut(Entry)) {
        if self.free.len() == self.slots.len() {
            return;
        }
        for number in 0..self.slots.len() {
            let slot = self.slots[number];
            if slot.entry.is_some_and(|entry| entry.since < limit)
                && let Some(entry) = self.remove(slot.transaction)
            {
                lost(entry);
            }
        }
    }
}

fn index(number: u32) -> usize {
    usize::try_from(number).expect("an index has 32 bits at least")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(peer: u64, since: u64) -> Entry {
        Entry {
            kind: Kind::Announce,
            channel: 0,
            peer,
            since,
        }
    }

    #[test]
    fn requests_are_found_once_by_their_transaction() {
        let mut outstanding = Outstanding::new(3);
        let ids: Vec<u32> = (0..3)
            .map(|peer| outstanding.insert(entry(peer, 0)).unwrap())
            .collect();
        assert_eq!(outstanding.insert(entry(9, 0)), None);
        assert_eq!(outstanding.len(), 3);
        assert_eq!(outstanding.remove(ids[1]), Some(entry(1, 0)));
        assert_eq!(outstanding.remove(ids[1]), None);
        // The slot is used again under another id.
        let next = outstanding.insert(entry(7, 0)).unwrap();
        assert_ne!(next, ids[1]);
        assert_eq!(outstanding.remove(ids[1]), None);
        assert_eq!(outstanding.remove(next), Some(entry(7, 0)));
        for strange in [3, 4, u32::MAX] {
            assert_eq!(outstanding.remove(strange), None);
        }
        assert_eq!(outstanding.len(), 2);
    }

    #[test]
    fn what_waits_too_long_is_given_up() {
        let mut outstanding = Outstanding::new(4);
        let ids: Vec<u32> = (0..4)
            .map(|peer| outstanding.insert(entry(peer, 10 * peer)).unwrap())
            .collect();
        let mut lost = Vec::new();
        outstanding.expire(20, |entry| lost.push(entry.peer));
        assert_eq!(lost, [0, 1]);
        assert_eq!(outstanding.remove(ids[0]), None);
        assert_eq!(outstanding.remove(ids[2]), Some(entry(2, 20)));
        outstanding.expire(u64::MAX, |entry| lost.push(entry.peer));
        assert_eq!(lost, [0, 1, 3]);
        assert_eq!(outstanding.len(), 0);
    }

    #[test]
    fn one_slot_is_enough() {
        let mut outstanding = Outstanding::new(1);
        for round in 0..1_000 {
            let id = outstanding.insert(entry(round, 0)).unwrap();
            assert_eq!(outstanding.insert(entry(0, 0)), None);
            assert_eq!(outstanding.remove(id), Some(entry(round, 0)));
        }
    }
}
