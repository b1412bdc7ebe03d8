//! The torrents of a bucket, one after the other in blocks of one size.
//!
//! Thousands of buckets grow side by side. Were each one array, every growth would leave a hole
//! that is too small for the next, and small allocations would settle in it. Blocks of one size
//! fit into each other's holes, and so do the last ones, which grow to that size by doubling: how
//! far a bucket is in that differs, while all have about the same number of blocks.

use opentracker_types::InfoHash;

use crate::clock::Minute;
use crate::downloads::Downloads;
use crate::prefetch::Place;
use crate::torrent::Torrent;
use crate::usage::{allocated, allocated_aligned};

/// Torrents of a block: four kibioctets. To begin at a cache line costs each block one more.
const BLOCK: usize = 64;

/// Torrents of a block to begin with.
const FIRST: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Blocks {
    /// All but the last have [`BLOCK`] torrents.
    blocks: Vec<Box<[Torrent]>>,
    len: usize,
}

impl Blocks {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Torrent> {
        self.blocks
            .iter()
            .flat_map(|block| block.iter())
            .take(self.len)
    }

    pub(crate) fn get(&self, at: usize) -> &Torrent {
        debug_assert!(at < self.len);
        &self.blocks[at / BLOCK][at % BLOCK]
    }

    /// Returns the place of what [`Self::get`] reads on its way to the torrent.
    pub(crate) fn place_of_block(&self, at: usize) -> Place {
        let block = self.blocks.get(at / BLOCK);
        block.map_or(Place::NONE, Place::of)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> &mut Torrent {
        debug_assert!(at < self.len);
        &mut self.blocks[at / BLOCK][at % BLOCK]
    }

    pub(crate) fn push(&mut self, torrent: Torrent) {
        if self.len == self.capacity() {
            self.grow();
        }
        self.len += 1;
        *self.get_mut(self.len - 1) = torrent;
    }

    /// Removes the torrent at a position and returns it; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, at: usize) -> Torrent {
        let mut removed = std::mem::replace(self.get_mut(self.len - 1), vacant());
        self.len -= 1;
        if at < self.len {
            std::mem::swap(self.get_mut(at), &mut removed);
        }
        // One empty block is kept, so that a torrent that comes and goes does not allocate.
        self.shrink(self.len.div_ceil(BLOCK) + 1);
        removed
    }

    /// Gives the memory of empty blocks back.
    pub(crate) fn fit(&mut self) {
        self.shrink(self.len.div_ceil(BLOCK));
    }

    /// Octets on the heap, without those of the swarms.
    pub(crate) fn heap_octets(&self) -> usize {
        let octets = |torrents| allocated_aligned(torrents * size_of::<Torrent>());
        let blocks = match &*self.blocks {
            [full @ .., last] => full.len() * octets(BLOCK) + octets(last.len()),
            [] => 0,
        };
        blocks + allocated(self.blocks.capacity() * size_of::<Box<[Torrent]>>())
    }

    fn shrink(&mut self, blocks: usize) {
        if self.blocks.len() > blocks {
            self.blocks.truncate(blocks);
            self.blocks.shrink_to_fit();
        }
    }

    fn capacity(&self) -> usize {
        match &*self.blocks {
            [full @ .., last] => full.len() * BLOCK + last.len(),
            [] => 0,
        }
    }

    /// Doubles the last block, or adds one when it is full.
    fn grow(&mut self) {
        let torrents = match self.blocks.pop_if(|last| last.len() < BLOCK) {
            Some(last) => {
                let mut torrents = Vec::with_capacity(last.len() * 2);
                torrents.extend(last);
                torrents
            }
            None => Vec::with_capacity(FIRST),
        };
        self.blocks.reserve_exact(1);
        self.blocks.push(filled(torrents));
    }
}

/// Fills up with vacant torrents.
fn filled(mut torrents: Vec<Torrent>) -> Box<[Torrent]> {
    torrents.resize_with(torrents.capacity(), vacant);
    torrents.into_boxed_slice()
}

fn vacant() -> Torrent {
    let info_hash = InfoHash::new([0; InfoHash::LEN]);
    Torrent::new(info_hash, Downloads::NONE, Minute::new(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torrent(number: usize) -> Torrent {
        let mut info_hash = [0; InfoHash::LEN];
        info_hash[..8].copy_from_slice(&number.to_le_bytes());
        Torrent::new(InfoHash::new(info_hash), Downloads::NONE, Minute::new(0))
    }

    #[test]
    fn torrents_keep_their_places_while_blocks_come_and_go() {
        let mut blocks = Blocks::default();
        let mut model: Vec<InfoHash> = Vec::new();
        for step in 0..20 * BLOCK {
            // Grow to some blocks, then shrink to none, and again.
            if (step / (5 * BLOCK)).is_multiple_of(2) {
                blocks.push(torrent(step));
                model.push(torrent(step).info_hash);
            } else {
                let at = step * 7 % model.len();
                assert_eq!(blocks.swap_remove(at).info_hash, model.swap_remove(at));
            }
            if step % 3 == 0 {
                blocks.fit();
            }
            assert_eq!(blocks.len(), model.len());
            let (_, full) = blocks.blocks.split_last().unwrap_or((&Box::default(), &[]));
            assert!(full.iter().all(|block| block.len() == BLOCK));
            let hashes = blocks.iter().map(|torrent| torrent.info_hash);
            assert!(hashes.eq(model.iter().copied()));
            assert!((0..model.len()).all(|at| blocks.get(at).info_hash == model[at]));
        }
        blocks.fit();
        assert_eq!((blocks.len(), blocks.blocks.len()), (0, 0));
    }
}
