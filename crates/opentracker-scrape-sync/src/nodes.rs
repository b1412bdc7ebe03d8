use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Instant;

use opentracker_types::TrackerId;

use crate::InquireThreshold;

/// How many instances of a cluster are remembered. One more takes the place of the one that was
/// heard of the longest ago.
pub const MAX_NODES: usize = 64;

/// Another instance of the cluster, as far as its packets tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// What it calls itself.
    pub id: TrackerId,
    /// Where its last packet came from, if the driver said so.
    pub source: Option<SocketAddr>,
    /// When its last packet came.
    pub heard_at: Instant,
    /// What its last beacon said.
    pub claim: Option<Claim>,
    /// How many times in a row it was given up because its tell was not heard.
    pub given_up: u32,
}

/// What a beacon claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// How many torrents the instance serves.
    pub torrents: u64,
    /// When the beacon came.
    pub at: Instant,
}

/// The other instances, never more than [`MAX_NODES`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Nodes(Vec<Node>);

impl Nodes {
    /// Notes that a packet of `id` came, and returns what is known of it.
    pub(crate) fn hear(
        &mut self,
        id: TrackerId,
        source: Option<SocketAddr>,
        now: Instant,
    ) -> &mut Node {
        let place = match self.find(id) {
            Ok(place) => place,
            Err(place) => self.insert(place, id, now),
        };
        let node = &mut self.0[place];
        node.source = source;
        node.heard_at = now;
        node
    }

    /// Returns what the last beacon of `id` claimed, if it is remembered.
    pub(crate) fn claim(&self, id: TrackerId) -> Option<Claim> {
        self.0[self.find(id).ok()?].claim
    }

    /// Notes that `id` was asked in vain.
    pub(crate) fn give_up(&mut self, id: TrackerId) {
        if let Ok(place) = self.find(id) {
            let node = &mut self.0[place];
            node.given_up = node.given_up.saturating_add(1);
        }
    }

    /// Returns the instance to inquire: of those that have beaconed since `since`, and that an
    /// instance with `ours` torrents is behind of, the one with the most torrents.
    ///
    /// One that was given up comes after all that were given up less often, so that an instance
    /// that never answers cannot keep us from asking another. Between equals the least id wins,
    /// so that two instances that have heard the same beacons ask the same.
    pub(crate) fn best(
        &self,
        since: Instant,
        ours: u64,
        threshold: InquireThreshold,
    ) -> Option<TrackerId> {
        self.0
            .iter()
            .filter_map(|node| Some((node, node.claim?)))
            .filter(|(_, claim)| claim.at >= since && threshold.is_behind(ours, claim.torrents))
            .max_by_key(|(node, claim)| (Reverse(node.given_up), claim.torrents, Reverse(node.id)))
            .map(|(node, _)| node.id)
    }

    pub(crate) fn as_slice(&self) -> &[Node] {
        &self.0
    }

    /// Returns the place of `id`, or else the place where it belongs.
    fn find(&self, id: TrackerId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |node| node.id)
    }

    /// Inserts a new instance at the place where it belongs, which it returns; where the table is
    /// full another goes, and the place may be one before.
    fn insert(&mut self, place: usize, id: TrackerId, now: Instant) -> usize {
        let mut place = place;
        if self.0.len() == MAX_NODES {
            let longest_silent = (0..MAX_NODES)
                .min_by_key(|&place| self.0[place].heard_at)
                .expect("the table has places");
            self.0.remove(longest_silent);
            place -= usize::from(longest_silent < place);
        }
        let node = Node {
            id,
            source: None,
            heard_at: now,
            claim: None,
            given_up: 0,
        };
        self.0.insert(place, node);
        place
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has to start at some time"
    )]
    fn the_longest_silent_makes_room() {
        let start = Instant::now();
        let mut nodes = Nodes::default();
        for second in 0..=MAX_NODES as u64 {
            let at = start + Duration::from_secs(second);
            nodes.hear(id(second), None, at);
            if second == 10 {
                nodes.hear(id(0), None, at);
            }
        }
        assert_eq!(nodes.as_slice().len(), MAX_NODES);
        assert!(nodes.find(id(0)).is_ok(), "heard again since");
        assert!(nodes.find(id(1)).is_err());
        assert!(nodes.find(id(MAX_NODES as u64)).is_ok());
        assert!(nodes.as_slice().is_sorted_by_key(|node| node.id));
    }

    fn id(number: u64) -> TrackerId {
        TrackerId::new(u32::try_from(number).unwrap().to_le_bytes())
    }
}
