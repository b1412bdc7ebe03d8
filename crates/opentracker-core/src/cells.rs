//! Numbers that one thread adds to and others read.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Numbers of a cache line.
const LINE: usize = 8;

/// A cache line of numbers, lest two threads write to one.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; LINE]);

/// The numbers of one thread. Only their owner adds, so adding is a plain load and store.
#[derive(Debug)]
pub(crate) struct Cells(Box<[Line]>);

impl Cells {
    pub(crate) fn new(len: usize) -> Self {
        Self((0..len.div_ceil(LINE)).map(|_| Line::default()).collect())
    }

    #[inline]
    pub(crate) fn add(&self, index: usize, number: u64) {
        let cell = self.cell(index);
        let sum = cell.load(Ordering::Relaxed).wrapping_add(number);
        cell.store(sum, Ordering::Relaxed);
    }

    pub(crate) fn get(&self, index: usize) -> u64 {
        self.cell(index).load(Ordering::Relaxed)
    }

    #[inline]
    fn cell(&self, index: usize) -> &AtomicU64 {
        &self.0[index / LINE].0[index % LINE]
    }
}
