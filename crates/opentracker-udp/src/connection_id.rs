use std::net::IpAddr;
use std::time::{Duration, Instant};

use siphasher::sip::SipHasher24;

/// Issues and checks the connection ids of the UDP protocol (BEP 15) without keeping any state.
///
/// An id is a keyed MAC over the client's address, without the port, and the number of a time
/// slot. The current and the previous slot are accepted, so an id is good for one to two
/// lifetimes. The lowest bit tells an even from an odd slot, and so one MAC suffices to check an
/// id.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionIds {
    key: [u8; 16],
    start: Instant,
    lifetime: Duration,
}

impl ConnectionIds {
    /// Makes an issuer from a key, which must come from the system's randomness, the time that
    /// slots are counted from, and how long an id is good for at least (one second or more).
    pub(crate) fn new(key: [u8; 16], start: Instant, lifetime: Duration) -> Self {
        Self {
            key,
            start,
            lifetime: lifetime.max(Duration::from_secs(1)),
        }
    }

    /// Returns the number of the slot that `now` lies in. It changes rarely: read it once for a
    /// batch of packets.
    pub(crate) fn slot(&self, now: Instant) -> Slot {
        let elapsed = now.saturating_duration_since(self.start);
        Slot(elapsed.as_secs() / self.lifetime.as_secs())
    }

    /// Returns the id of a client in a slot.
    pub(crate) fn issue(&self, client: IpAddr, slot: Slot) -> u64 {
        self.mac(client, slot) & !1 | slot.0 & 1
    }

    /// Tells whether an id was issued to a client in this slot or the one before.
    pub(crate) fn accepts(&self, id: u64, client: IpAddr, slot: Slot) -> bool {
        let issued = if id & 1 == slot.0 & 1 {
            slot
        } else if let Some(previous) = slot.0.checked_sub(1) {
            Slot(previous)
        } else {
            return false;
        };
        self.issue(client, issued) == id
    }

    fn mac(&self, client: IpAddr, slot: Slot) -> u64 {
        let sip = SipHasher24::new_with_key(&self.key);
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
}

/// A span of time in which connection ids are the same; see [`ConnectionIds::slot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u64);

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(240);

    fn ids() -> (ConnectionIds, Instant) {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        (ConnectionIds::new([1; 16], start, LIFETIME), start)
    }

    #[test]
    fn an_id_is_good_for_one_lifetime_at_least_and_two_at_most() {
        let (ids, start) = ids();
        let client = "192.0.2.1".parse().unwrap();
        for issued in [0, 1, 239, 240, 250, 479, 480] {
            let id = ids.issue(client, ids.slot(start + Duration::from_secs(issued)));
            for later in 0..1000 {
                let slot = ids.slot(start + Duration::from_secs(issued + later));
                let accepted = ids.accepts(id, client, slot);
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
        let (ids, start) = ids();
        let slot = ids.slot(start);
        let id = ids.issue("192.0.2.1".parse().unwrap(), slot);
        assert!(ids.accepts(id, "::ffff:192.0.2.1".parse().unwrap(), slot));
        assert!(!ids.accepts(id, "192.0.2.2".parse().unwrap(), slot));
        assert!(!ids.accepts(id ^ 2, "192.0.2.1".parse().unwrap(), slot));
        let other_key = ConnectionIds::new([2; 16], start, LIFETIME);
        assert!(!other_key.accepts(id, "192.0.2.1".parse().unwrap(), slot));
    }

    #[test]
    fn the_first_slot_has_no_predecessor() {
        let (ids, start) = ids();
        let client = "2001:db8::1".parse().unwrap();
        assert!(!ids.accepts(1, client, ids.slot(start)));
    }
}
