//! What each node of the cluster sent, and how much of it in this second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opentracker_scrape_sync::MAX_NODES;
use opentracker_types::TrackerId;

/// Packets taken from one node in a second. A node that sends more, by fault or by malice, cannot
/// keep this tracker from its clients: 20,000 packets are a million announces.
pub(super) const MAX_PACKETS_PER_NODE_AND_SECOND: u32 = 20_000;

const SECOND: Duration = Duration::from_secs(1);

/// What the nodes sent. Never more than [`MAX_NODES`] of them; a further one takes the place of
/// the one that was silent the longest.
#[derive(Debug, Default)]
pub(super) struct Tallies(BTreeMap<TrackerId, Tally>);

/// What one node sent.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) packets: u64,
    pub(super) applied: u64,
    pub(super) dropped: u64,
    heard_at: Instant,
    second: Instant,
    in_second: u32,
}

impl Tallies {
    /// Notes a packet of a node.
    pub(super) fn hear(&mut self, id: TrackerId, now: Instant) -> &mut Tally {
        if self.0.len() >= MAX_NODES && !self.0.contains_key(&id) {
            let silent = self.0.iter().min_by_key(|(_, tally)| tally.heard_at);
            let silent = silent.map(|(id, _)| *id);
            silent.and_then(|id| self.0.remove(&id));
        }
        let tally = self.0.entry(id).or_insert(Tally {
            packets: 0,
            applied: 0,
            dropped: 0,
            heard_at: now,
            second: now,
            in_second: 0,
        });
        tally.heard_at = now;
        tally.packets += 1;
        tally
    }

    /// Returns the tally of a node that is remembered.
    pub(super) fn of(&mut self, id: TrackerId) -> Option<&mut Tally> {
        self.0.get_mut(&id)
    }
}

impl Tally {
    /// Tells whether the node has sent no more in this second than it may, the packet that was
    /// just noted included.
    pub(super) fn is_within_rate(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second) >= SECOND {
            self.second = now;
            self.in_second = 0;
        }
        self.in_second = self.in_second.saturating_add(1);
        self.in_second <= MAX_PACKETS_PER_NODE_AND_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> TrackerId {
        TrackerId::new(u32::try_from(number).unwrap().to_be_bytes())
    }

    #[test]
    fn a_storm_is_cut_off_until_the_next_second() {
        let mut tallies = Tallies::default();
        let now = Instant::now();
        for _ in 0..MAX_PACKETS_PER_NODE_AND_SECOND {
            assert!(tallies.hear(id(1), now).is_within_rate(now));
        }
        assert!(!tallies.hear(id(1), now).is_within_rate(now));
        assert!(tallies.hear(id(2), now).is_within_rate(now), "others go on");
        let later = now + SECOND;
        assert!(tallies.hear(id(1), later).is_within_rate(later));
    }

    #[test]
    fn the_silent_make_room() {
        let mut tallies = Tallies::default();
        let start = Instant::now();
        for number in 0..=MAX_NODES {
            let at = start + Duration::from_millis(number as u64);
            tallies.hear(id(number), at);
        }
        assert_eq!(tallies.0.len(), MAX_NODES);
        assert!(!tallies.0.contains_key(&id(0)));
    }
}
