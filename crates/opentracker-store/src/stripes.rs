use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Deref, DerefMut};

use dashmap::DashMap;
use dashmap::mapref::one::RefMut;

use crate::bucket::Bucket;
use crate::usage::{Change, Usage};

/// Locks of a store; 16 buckets share one.
const LOCKS: usize = 256;

/// All buckets behind a striped lock: each belongs to one of a few hundred locks, so that threads
/// seldom meet and a lock costs little memory.
///
/// It is a [`DashMap`] from the number of a bucket to the bucket, which is just such a lock: a word
/// on a cache line of its own that spins a little before it parks a thread, over a map that never
/// changes here. It does not map torrents, because a map that grows moves all of its entries at
/// once while announces wait; `docs/architecture.md` says more.
#[derive(Debug)]
pub(crate) struct Stripes {
    buckets: DashMap<u16, Bucket, BuildHasherDefault<SpreadNumber>>,
    /// One less than the number of buckets, a power of two.
    mask: u16,
    usage: Usage,
}

/// A bucket that is locked for writing. What has come or gone is added up when it is dropped.
pub(crate) struct Writing<'a> {
    bucket: RefMut<'a, u16, Bucket>,
    usage: &'a Usage,
}

impl Stripes {
    /// Makes so many empty buckets, rounded up to a power of two from 2 to 32,768.
    pub(crate) fn new(buckets: u16) -> Self {
        let count = buckets.clamp(2, 1 << 15).next_power_of_two();
        let buckets = DashMap::with_capacity_and_hasher_and_shard_amount(
            usize::from(count),
            BuildHasherDefault::default(),
            LOCKS.min(usize::from(count)),
        );
        for number in 0..count {
            buckets.insert(number, Bucket::default());
        }
        Self {
            buckets,
            mask: count - 1,
            usage: Usage::default(),
        }
    }

    /// Number of buckets.
    pub(crate) const fn count(&self) -> u16 {
        self.mask + 1
    }

    /// The number of the bucket that a hash belongs to.
    ///
    /// Bits from 40 on choose the bucket: inside it the index takes positions from the low bits
    /// and tags from those between.
    pub(crate) fn number(&self, hash: u64) -> u16 {
        let [_, _, _, _, _, low, high, _] = hash.to_le_bytes();
        u16::from_le_bytes([low, high]) & self.mask
    }

    /// Locks a bucket for reading.
    #[inline]
    pub(crate) fn read(&self, number: u16) -> impl Deref<Target = Bucket> {
        self.buckets.get(&number).expect("every bucket is there")
    }

    /// Locks a bucket for writing.
    #[inline]
    pub(crate) fn write(&self, number: u16) -> Writing<'_> {
        let bucket = self.buckets.get_mut(&number);
        Writing {
            bucket: bucket.expect("every bucket is there"),
            usage: &self.usage,
        }
    }

    /// What there is in all buckets.
    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Locks one bucket after the other for reading, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = impl Deref<Target = Bucket>> {
        self.buckets.iter()
    }
}

impl Deref for Writing<'_> {
    type Target = Bucket;

    #[inline]
    fn deref(&self) -> &Bucket {
        &self.bucket
    }
}

impl DerefMut for Writing<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Bucket {
        &mut self.bucket
    }
}

impl Drop for Writing<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.bucket.change != Change::default() {
            self.usage.add(std::mem::take(&mut self.bucket.change));
        }
    }
}

/// Spreads the numbers of buckets over the locks. The numbers come from a keyed hash already.
#[derive(Debug, Default, Clone, Copy)]
struct SpreadNumber(u64);

impl Hasher for SpreadNumber {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.write_u16(u16::from(octet));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
