use std::time::{Duration, Instant};

/// Packets taken from one sender in a second: one id with a seal, one address without, whatever ids
/// are in them. Who sends more, by fault or by malice, cannot keep this tracker from its clients:
/// 20,000 packets are a million announces.
pub const MAX_PACKETS_PER_SECOND: u32 = 20_000;

const SECOND: Duration = Duration::from_secs(1);

/// How many packets of a sender came in this second.
#[derive(Debug)]
pub(crate) struct Pace {
    second: Instant,
    in_second: u32,
}

impl Pace {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            second: now,
            in_second: 0,
        }
    }

    /// Counts a packet, and tells whether the sender has sent no more in this second than it may.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second) >= SECOND {
            self.second = now;
            self.in_second = 0;
        }
        self.in_second = self.in_second.saturating_add(1);
        self.in_second <= MAX_PACKETS_PER_SECOND
    }
}
