use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use siphasher::sip::SipHasher13;

use crate::connection_id::{ConnectionKeys, Slot, Slots};

/// What all threads share of their clients: the keys of connection ids, and who was told lately
/// that an id is bad.
///
/// An id is good for its lifetime at least, at whoever has a key that fits and slots of the same
/// time: this run alone, or every node of a cluster (section "Connection ids" of
/// `docs/livesync.md`).
#[derive(Debug)]
pub struct Connections {
    keys: Arc<ArcSwap<ConnectionKeys>>,
    slots: Slots,
    told: Told,
}

/// The keys as one thread sees them: looking whether they are still the same costs next to nothing.
pub(crate) type SeenKeys = Cache<Arc<ArcSwap<ConnectionKeys>>, Arc<ConnectionKeys>>;

impl Connections {
    /// Makes connection ids from a key, which must come from the system's randomness, the time
    /// that slots are counted from, and how long an id is good for at least (one second or more).
    pub fn new(key: [u8; 16], start: Instant, lifetime: Duration) -> Self {
        Self {
            keys: Arc::new(ArcSwap::from_pointee(ConnectionKeys::new(key, []))),
            slots: Slots::since(start, lifetime),
            told: Told::new(key, start),
        }
    }

    /// Makes ids that are good at every node that has these keys, the same lifetime, and a clock
    /// that is 30 s ahead or behind at most. The clock has to be set with [`Self::set_clock`],
    /// before the first request and then each second, for it may be mended.
    #[must_use]
    pub fn shared(self, keys: ConnectionKeys) -> Self {
        self.set_keys(keys);
        Self {
            slots: self.slots.of_unix_time(),
            ..self
        }
    }

    /// Replaces the keys; every thread sees them with its next request.
    pub fn set_keys(&self, keys: ConnectionKeys) {
        self.keys.store(Arc::new(keys));
    }

    /// Says how much time has passed at `now` since 1970; for shared ids alone.
    pub fn set_clock(&self, now: Instant, since_1970: Duration) {
        self.slots.set_clock(now, since_1970);
    }

    /// Returns the keys for one more thread.
    pub(crate) fn keys(&self) -> SeenKeys {
        Cache::new(Arc::clone(&self.keys))
    }

    /// Returns the slot that `now` lies in.
    pub(crate) fn slot(&self, now: Instant) -> Slot {
        self.slots.at(now)
    }

    /// Tells whether a client may be told that its id is bad, which it is at most once in
    /// [`TELL_INTERVAL`]: some answer each error with the same request at once.
    pub(crate) fn may_tell(&self, client: IpAddr, now: Instant) -> bool {
        self.told.note(client, now)
    }
}

/// How long an address that was sent an error is not sent another.
pub(crate) const TELL_INTERVAL: Duration = Duration::from_secs(30);

/// Addresses that are remembered for having been sent an error.
pub(crate) const MAX_TOLD: usize = 1 << 14;

/// Places that an address can have; the oldest entry among them gives way.
const WAYS: usize = 4;

/// Addresses that were sent an error, and when.
///
/// A forged address is noted like any other: it costs its owner one error packet, and the error
/// that would tell him that his own id is bad, nothing else. Threads may race for a place; then an
/// error more is sent.
#[derive(Debug)]
struct Told {
    key: [u8; 16],
    start: Instant,
    /// In the low half the seconds since the start plus one, 0 being vacant; in the high half a
    /// hash of the address.
    places: Box<[[AtomicU64; WAYS]]>,
}

impl Told {
    fn new(key: [u8; 16], start: Instant) -> Self {
        Self {
            key,
            start,
            places: (0..MAX_TOLD / WAYS).map(|_| Default::default()).collect(),
        }
    }

    /// Notes an address; says whether it was not there.
    fn note(&self, address: IpAddr, now: Instant) -> bool {
        let hash = self.hash(address);
        let tag = hash & !u64::from(u32::MAX);
        let second = now.saturating_duration_since(self.start).as_secs() & 0x7fff_ffff;
        let set = usize::try_from(hash & 0xffff).unwrap_or(0) % self.places.len();
        let mut oldest = (u64::MAX, 0);
        for (way, place) in self.places[set].iter().enumerate() {
            let entry = place.load(Ordering::Relaxed);
            let noted_at = entry & u64::from(u32::MAX);
            let is_fresh = noted_at > 0 && second < noted_at - 1 + TELL_INTERVAL.as_secs();
            if is_fresh && entry - noted_at == tag {
                return false;
            }
            oldest = oldest.min((if is_fresh { noted_at } else { 0 }, way));
        }
        self.places[set][oldest.1].store(tag | (second + 1), Ordering::Relaxed);
        true
    }

    fn hash(&self, address: IpAddr) -> u64 {
        let sip = SipHasher13::new_with_key(&self.key);
        match address.to_canonical() {
            IpAddr::V4(ip) => sip.hash(&ip.octets()),
            IpAddr::V6(ip) => sip.hash(&ip.octets()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn told() -> (Told, Instant) {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        (Told::new([1; 16], start), start)
    }

    #[test]
    fn an_address_is_told_once_in_thirty_seconds() {
        let (told, start) = told();
        let at = |secs| start + Duration::from_secs(secs);
        let client = "192.0.2.1".parse().unwrap();
        assert!(told.note(client, at(0)));
        for secs in [0, 1, 29] {
            assert!(!told.note(client, at(secs)), "{secs}");
        }
        assert!(!told.note("::ffff:192.0.2.1".parse().unwrap(), at(29)));
        assert!(told.note("192.0.2.2".parse().unwrap(), at(29)), "another");
        assert!(told.note(client, at(30)));
        assert!(!told.note(client, at(59)));
        assert!(told.note(client, at(100)));
    }

    #[test]
    fn a_flood_of_addresses_forgets_the_oldest() {
        let (told, start) = told();
        for number in 0..100_000 {
            told.note(Ipv4Addr::from_bits(number).into(), start);
        }
        let second = start + Duration::from_secs(1);
        let client = "192.0.2.1".parse().unwrap();
        assert!(told.note(client, second));
        assert!(!told.note(client, second));
    }
}
