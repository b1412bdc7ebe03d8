use std::sync::Arc;

use opentracker_livesync_wire::{Key, KeyName, Keys, PacketBuf, SealedPacket, Stamp};
use opentracker_types::TrackerId;
use rand::{Rng, RngExt};

/// The one place that seals, so that numbers leave in order.
#[derive(Debug)]
pub(crate) struct Sealer {
    keys: Arc<Keys>,
    /// The number of our first packet.
    first: u32,
    /// How many numbers were given out.
    given: u64,
    /// How many packets of others were taken by each key that is in force.
    taken: Vec<(KeyName, u64)>,
}

impl Sealer {
    pub(crate) fn new(keys: Arc<Keys>, rng: &mut impl Rng) -> Self {
        Self {
            first: rng.random(),
            given: 0,
            taken: counts(&keys, &[]),
            keys,
        }
    }

    pub(crate) fn set_keys(&mut self, keys: Arc<Keys>) {
        self.taken = counts(&keys, &self.taken);
        self.keys = keys;
    }

    /// Seals a packet, at a time in unix seconds.
    ///
    /// # Panics
    ///
    /// Panics if the packet has no room for a seal: whoever fills one leaves it.
    pub(crate) fn seal(&mut self, packet: &mut PacketBuf, time: u32) {
        let number = self.first.wrapping_add(low_half(self.given));
        self.given += 1;
        packet
            .seal(Stamp { time, number }, self.keys.first())
            .expect("packets are filled up to where a seal begins");
    }

    /// Tells whether we have given out a number since our start.
    pub(crate) fn has_given(&self, number: u32) -> bool {
        u64::from(number.wrapping_sub(self.first)) < self.given
    }

    /// Counts a packet that was taken by a key.
    pub(crate) fn count(&mut self, key: KeyName) {
        let mut taken = self.taken.iter_mut();
        if let Some((_, packets)) = taken.find(|(name, _)| *name == key) {
            *packets += 1;
        }
    }

    /// Returns how many packets were taken by each key that is in force.
    pub(crate) fn taken(&self) -> &[(KeyName, u64)] {
        &self.taken
    }

    /// Returns the packet whose seal fits one of the keys, and which. `last` says which one a sender
    /// used last, which is tried first.
    pub(crate) fn open<'a>(
        &self,
        datagram: &'a [u8],
        last: impl FnOnce(TrackerId) -> Option<KeyName>,
    ) -> Option<(SealedPacket<'a>, KeyName)> {
        let packet = SealedPacket::split(datagram)?;
        let last = last(packet.sender());
        let is_last = |key: &&Key| Some(key.name()) == last;
        let likely = self.keys.iter().filter(is_last);
        let others = self.keys.iter().filter(|key| !is_last(key));
        let key = likely.chain(others).find(|key| packet.fits(key))?;
        Some((packet, key.name()))
    }
}

const fn low_half(number: u64) -> u32 {
    (number & 0xffff_ffff) as u32
}

/// Makes the counts of keys, going on from those that were before.
fn counts(keys: &Keys, before: &[(KeyName, u64)]) -> Vec<(KeyName, u64)> {
    let count = |key: &Key| {
        let known = before.iter().find(|(name, _)| *name == key.name());
        (key.name(), known.map_or(0, |(_, packets)| *packets))
    };
    keys.iter().map(count).collect()
}
