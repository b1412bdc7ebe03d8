use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use siphasher::sip::SipHasher24;

/// How far the clocks of a cluster's nodes may be apart.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(30);

/// The keys of connection ids (BEP 15), which are issued and checked without keeping any state. The
/// first key issues, all are accepted.
///
/// An id is a keyed MAC over the client's address, without the port, and the number of a time slot.
/// Its two lowest bits are the slot's. So they tell which of the slots that are accepted (the one
/// before, the current one, and the next one, for clocks differ) an id is from, and one MAC a key
/// checks it.
#[derive(Clone)]
pub struct ConnectionKeys {
    first: [u8; 16],
    others: Box<[[u8; 16]]>,
}

impl ConnectionKeys {
    /// Takes the key that issues, and others that are accepted.
    pub fn new(first: [u8; 16], others: impl IntoIterator<Item = [u8; 16]>) -> Self {
        Self {
            first,
            others: others.into_iter().collect(),
        }
    }

    /// Returns the id of a client in a slot.
    pub(crate) fn issue(&self, client: IpAddr, slot: Slot) -> u64 {
        issue(&self.first, client, slot)
    }

    /// Tells whether an id was issued to a client in this slot or a neighbour of it.
    pub(crate) fn accepts(&self, id: u64, client: IpAddr, slot: Slot) -> bool {
        let Some(slot) = slot.of_id(id) else {
            return false;
        };
        let fits = |key: &[u8; 16]| issue(key, client, slot) == id;
        fits(&self.first) || self.others.iter().any(fits)
    }
}

impl fmt::Debug for ConnectionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionKeys({})", 1 + self.others.len())
    }
}

/// A span of time in which connection ids are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u64);

impl Slot {
    /// Returns which of this slot and its neighbours an id can be from.
    fn of_id(self, id: u64) -> Option<Self> {
        let previous = self.0.wrapping_sub(1);
        let after_previous = id.wrapping_sub(previous) & 3;
        (after_previous < 3).then_some(Self(previous.wrapping_add(after_previous)))
    }
}

/// The division of time into slots.
#[derive(Debug)]
pub(crate) struct Slots {
    start: Instant,
    /// Milliseconds that had passed at the start since what slots are counted from.
    passed: AtomicU64,
    width_ms: u64,
}

impl Slots {
    /// Divides the time since `start`, in slots as long as an id is good for at least.
    pub(crate) fn since(start: Instant, lifetime: Duration) -> Self {
        Self {
            start,
            passed: AtomicU64::new(0),
            // A second or more, and whole seconds.
            width_ms: millis(lifetime.max(Duration::from_millis(1))).div_ceil(1000) * 1000,
        }
    }

    /// Divides unix time instead, which is what [`Self::set_clock`] says. A slot is so much wider
    /// that an id is good for its lifetime at a node whose clock is so much ahead or behind.
    pub(crate) fn of_unix_time(self) -> Self {
        Self {
            width_ms: self.width_ms + millis(CLOCK_TOLERANCE),
            ..self
        }
    }

    /// Says how much time has passed at `now` since 1970.
    pub(crate) fn set_clock(&self, now: Instant, since_1970: Duration) {
        let passed = millis(since_1970).saturating_sub(self.since_start(now));
        self.passed.store(passed, Ordering::Relaxed);
    }

    /// Returns the slot that `now` lies in. It changes rarely: read it once for a batch of packets.
    pub(crate) fn at(&self, now: Instant) -> Slot {
        let passed = self.passed.load(Ordering::Relaxed);
        Slot(passed.wrapping_add(self.since_start(now)) / self.width_ms)
    }

    fn since_start(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.start))
    }
}

fn issue(key: &[u8; 16], client: IpAddr, slot: Slot) -> u64 {
    mac(key, client, slot) & !3 | slot.0 & 3
}

/// One function for all of its users: SipHash is inlined into it then, for lengths that are known.
#[inline(never)]
fn mac(key: &[u8; 16], client: IpAddr, slot: Slot) -> u64 {
    let sip = SipHasher24::new_with_key(key);
    let slot = slot.0.to_le_bytes();
    match client.to_canonical() {
        IpAddr::V4(ip) => {
            // Seven octets are one block of SipHash; 2²⁴ slots of a second last for 194 days.
            let mut message = [0; 7];
            message[..4].copy_from_slice(&ip.octets());
            message[4..].copy_from_slice(&slot[..3]);
            sip.hash(&message)
        }
        IpAddr::V6(ip) => {
            let mut message = [0; 24];
            message[..16].copy_from_slice(&ip.octets());
            message[16..].copy_from_slice(&slot);
            sip.hash(&message)
        }
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1000 + u64::from(duration.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(240);

    fn slots() -> (Slots, Instant) {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        (Slots::since(start, LIFETIME), start)
    }

    #[test]
    fn an_id_is_good_for_one_lifetime_at_least_and_two_at_most() {
        let (slots, start) = slots();
        let keys = ConnectionKeys::new([1; 16], []);
        let client = "192.0.2.1".parse().unwrap();
        for issued in [0, 1, 239, 240, 250, 479, 480] {
            let id = keys.issue(client, slots.at(start + Duration::from_secs(issued)));
            for later in 0..1000 {
                let slot = slots.at(start + Duration::from_secs(issued + later));
                let accepted = keys.accepts(id, client, slot);
                if later <= 240 {
                    assert!(accepted, "issued at {issued}, {later} s later");
                } else if later > 480 {
                    assert!(!accepted, "issued at {issued}, {later} s later");
                }
            }
        }
    }

    #[test]
    fn an_id_belongs_to_one_address_whatever_its_form() {
        let (slots, start) = slots();
        let slot = slots.at(start);
        let keys = ConnectionKeys::new([1; 16], []);
        for client in ["192.0.2.1", "2001:db8::1"] {
            let client = client.parse().unwrap();
            let id = keys.issue(client, slot);
            assert!(keys.accepts(id, client, slot));
            assert!(!keys.accepts(id, "192.0.2.2".parse().unwrap(), slot));
            for bit in 0..64 {
                assert!(!keys.accepts(id ^ 1 << bit, client, slot), "bit {bit}");
            }
            assert!(!ConnectionKeys::new([2; 16], []).accepts(id, client, slot));
        }
        let id = keys.issue("192.0.2.1".parse().unwrap(), slot);
        assert!(keys.accepts(id, "::ffff:192.0.2.1".parse().unwrap(), slot));
    }

    #[test]
    fn a_lifetime_is_rounded_up_to_a_second() {
        let (_, start) = slots();
        for (lifetime_ms, width_ms) in [(0, 1000), (1000, 1000), (240_500, 241_000)] {
            let slots = Slots::since(start, Duration::from_millis(lifetime_ms));
            assert_eq!(slots.width_ms, width_ms);
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let keys = ConnectionKeys::new([0xab; 16], [[0xcd; 16]]);
        assert_eq!(format!("{keys:?}"), "ConnectionKeys(2)");
    }
}
