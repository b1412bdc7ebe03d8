//! Asks the processor for a cache line before it is needed. The only unsafe code of this crate: an
//! announce into a million torrents waits for memory longer than it computes.
#![expect(unsafe_code, reason = "there is no safe way to prefetch")]

/// What a batch is prefetched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A peer is entered.
    Enter,
    /// A peer is entered, and others are handed to it.
    EnterAndSelect,
}

/// Where something lies in memory, to be asked for when it may be somewhere else already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(usize);

impl Place {
    /// Nothing is asked for.
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) fn of<T>(value: &T) -> Self {
        Self(core::ptr::from_ref(value).addr())
    }

    /// Begins to load the cache line; never faults and changes nothing, whatever is there by now.
    #[inline]
    pub(crate) fn prefetch(self) {
        #[cfg(target_arch = "x86_64")]
        {
            use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: SSE is part of x86-64, and a prefetch may be given any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::without_provenance(self.0)) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = self.0;
    }
}

/// Begins to load what a reference points to.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    Place::of(value).prefetch();
}

/// Begins to load all that a slice holds.
#[inline]
pub(crate) fn prefetch_all<T>(values: &[T]) {
    /// Octets of a cache line of every processor that this is worth anything on.
    const LINE: usize = 64;
    let step = (LINE / size_of::<T>().max(1)).max(1);
    values.iter().step_by(step).for_each(prefetch);
}
