/// The slots of an open-addressing table with linear probing, counted round: what the index of
/// torrents and the tables of peers have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ring {
    slots: usize,
}

impl Ring {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots }
    }

    /// Where a hash is looked for first. It is scaled to the number of slots instead of masked, so
    /// that need not be a power of two.
    #[inline]
    pub(crate) fn home(self, hash: u32) -> usize {
        let scaled = u64::from(hash) * self.slots as u64;
        usize::try_from(scaled >> 32).expect("less than the number of slots")
    }

    #[inline]
    pub(crate) fn next(self, slot: usize) -> usize {
        if slot + 1 == self.slots { 0 } else { slot + 1 }
    }

    /// Steps from one slot forward to another.
    pub(crate) fn distance(self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.slots - from
        }
    }

    /// Whether what stands at `slot`, and belongs at `home`, may move to a hole before it: probing
    /// from its home passes the hole.
    pub(crate) fn may_fill(self, hole: usize, slot: usize, home: usize) -> bool {
        self.distance(home, slot) >= self.distance(hole, slot)
    }
}
