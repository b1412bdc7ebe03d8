//! Whether the kernel's clock is held right.
#![expect(
    unsafe_code,
    reason = "adjtimex has no safe form in the libraries that we use"
)]

use std::mem;

/// What the kernel says of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// Somebody (NTP, PTP, the hypervisor) holds it.
    pub(super) is_synchronised: bool,
    /// How far off it may be at the most, in microseconds.
    pub(super) max_error_micros: i64,
}

impl Clock {
    /// Asks the kernel; `None`: it does not say.
    pub(super) fn read() -> Option<Self> {
        // SAFETY: a `timex` is numbers alone, so all its octets may be 0.
        let mut timex: libc::timex = unsafe { mem::zeroed() };
        // SAFETY: the pointer is to a `timex` that lives until the call returns. Without a mode
        // the call only reads.
        let state = unsafe { libc::adjtimex(&raw mut timex) };
        let is_synchronised = state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
        (state >= 0).then_some(Self {
            is_synchronised,
            max_error_micros: timex.maxerror,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers() {
        let clock = Clock::read().unwrap();
        assert!(clock.max_error_micros >= 0, "{clock:?}");
    }
}
