//! The rings over which frames change hands, one writer and one reader each.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::memory::Shared;

/// A ring: where it is in its mapping.
#[derive(Debug)]
struct Ring<const DOUBLES: usize> {
    shared: Shared,
    producer: usize,
    consumer: usize,
    flags: usize,
    entries: usize,
    mask: u32,
}

/// What this process writes and the kernel reads; an entry is so many numbers of 64 bits.
#[derive(Debug)]
pub(crate) struct Producer<const DOUBLES: usize> {
    ring: Ring<DOUBLES>,
    /// Entries that were ever written.
    written: u32,
    /// Entries that the kernel had read when it was last looked at.
    read: u32,
}

/// What the kernel writes and this process reads.
#[derive(Debug)]
pub(crate) struct Consumer<const DOUBLES: usize> {
    ring: Ring<DOUBLES>,
    read: u32,
    written: u32,
}

impl<const DOUBLES: usize> Ring<DOUBLES> {
    fn map(
        socket: BorrowedFd<'_>,
        place: libc::off_t,
        offsets: &libc::xdp_ring_offset,
        entries: u32,
    ) -> io::Result<Self> {
        let [producer, consumer, flags, start] = [
            offsets.producer,
            offsets.consumer,
            offsets.flags,
            offsets.desc,
        ]
        .map(|offset| usize::try_from(offset).unwrap_or(usize::MAX));
        let count = usize::try_from(entries).expect("32 bits");
        let octets = start + count * DOUBLES * size_of::<u64>();
        Ok(Self {
            shared: Shared::map(socket, place, octets)?,
            producer: producer / size_of::<u32>(),
            consumer: consumer / size_of::<u32>(),
            flags: flags / size_of::<u32>(),
            entries: start / size_of::<u64>(),
            mask: entries - 1,
        })
    }

    fn word(&self, place: usize) -> &AtomicU32 {
        &self.shared.words()[place]
    }

    fn size(&self) -> u32 {
        self.mask + 1
    }

    /// Where an entry begins, among the numbers of 64 bits.
    fn entry(&self, number: u32) -> usize {
        let number = usize::try_from(number & self.mask).expect("32 bits");
        self.entries + DOUBLES * number
    }
}

impl<const DOUBLES: usize> Producer<DOUBLES> {
    pub(crate) fn map(
        socket: BorrowedFd<'_>,
        place: libc::off_t,
        offsets: &libc::xdp_ring_offset,
        entries: u32,
    ) -> io::Result<Self> {
        Ok(Self {
            ring: Ring::map(socket, place, offsets, entries)?,
            written: 0,
            read: 0,
        })
    }

    /// How many entries there is room for.
    pub(crate) fn room(&mut self) -> u32 {
        self.read = self.ring.word(self.ring.consumer).load(Ordering::Acquire);
        self.ring.size() - self.written.wrapping_sub(self.read)
    }

    /// Writes an entry, which the kernel does not see before [`Self::publish`]; says whether there was
    /// room.
    pub(crate) fn push(&mut self, entry: [u64; DOUBLES]) -> bool {
        if self.written.wrapping_sub(self.read) == self.ring.size() && self.room() == 0 {
            return false;
        }
        let start = self.ring.entry(self.written);
        let places = &self.ring.shared.doubles()[start..start + DOUBLES];
        for (place, number) in places.iter().zip(entry) {
            place.store(number, Ordering::Relaxed);
        }
        self.written = self.written.wrapping_add(1);
        true
    }

    /// Lets the kernel see what was written.
    pub(crate) fn publish(&self) {
        let producer = self.ring.word(self.ring.producer);
        producer.store(self.written, Ordering::Release);
    }

    /// Whether the kernel wants to be told of it.
    pub(crate) fn wants_wakeup(&self) -> bool {
        let flags = self.ring.word(self.ring.flags).load(Ordering::Relaxed);
        flags & libc::XDP_RING_NEED_WAKEUP != 0
    }
}

impl<const DOUBLES: usize> Consumer<DOUBLES> {
    pub(crate) fn map(
        socket: BorrowedFd<'_>,
        place: libc::off_t,
        offsets: &libc::xdp_ring_offset,
        entries: u32,
    ) -> io::Result<Self> {
        Ok(Self {
            ring: Ring::map(socket, place, offsets, entries)?,
            read: 0,
            written: 0,
        })
    }

    /// Takes the next entry, if there is one. The kernel does not use its place again before
    /// [`Self::release`].
    pub(crate) fn pop(&mut self) -> Option<[u64; DOUBLES]> {
        if self.read == self.written {
            let producer = self.ring.word(self.ring.producer);
            self.written = producer.load(Ordering::Acquire);
            if self.read == self.written {
                return None;
            }
        }
        let start = self.ring.entry(self.read);
        let places = &self.ring.shared.doubles()[start..start + DOUBLES];
        let mut entry = [0; DOUBLES];
        for (number, place) in entry.iter_mut().zip(places) {
            *number = place.load(Ordering::Relaxed);
        }
        self.read = self.read.wrapping_add(1);
        Some(entry)
    }

    /// Gives the places back of what was taken.
    pub(crate) fn release(&self) {
        let consumer = self.ring.word(self.ring.consumer);
        consumer.store(self.read, Ordering::Release);
    }
}
