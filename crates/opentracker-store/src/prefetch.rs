//! Asks the processor for a cache line before it is needed. The only unsafe code of this crate: an
//! announce into a million torrents waits for memory longer than it computes.
#![expect(unsafe_code, reason = "there is no safe way to prefetch")]

/// Begins to load what a reference points to; never faults and changes nothing.
#[inline]
pub(crate) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86-64, and a prefetch may be given any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
