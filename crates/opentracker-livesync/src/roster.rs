use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use opentracker_core::Applied;
use opentracker_scrape_sync::Standing;
use opentracker_types::TrackerId;

use crate::Counter;

/// How many addresses are on the roster. While it is full of addresses that were heard within
/// [`SIBLING_LIFETIME`], packets of a further one are dropped.
pub const MAX_SOURCES: usize = 256;

/// How many siblings of one address are on the roster. A further one takes the place of the one
/// of the same address that was silent the longest, so that who changes its id with every packet
/// pushes nobody out but itself.
pub const MAX_SIBLINGS_PER_SOURCE: usize = 8;

/// Packets taken from one address in a second, whatever ids are in them. Who sends more, by fault
/// or by malice, cannot keep this tracker from its clients: 20,000 packets are a million
/// announces.
pub const MAX_PACKETS_PER_SECOND: u32 = 20_000;

/// How long a sibling is remembered after its last packet.
pub const SIBLING_LIFETIME: Duration = Duration::from_secs(10 * 60);

const SECOND: Duration = Duration::from_secs(1);

/// Another instance of the cluster, as far as its packets tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sibling {
    /// What it calls itself.
    pub id: TrackerId,
    /// Where its last packet came from.
    pub address: SocketAddr,
    /// When its last packet came.
    pub heard_at: Instant,
    /// What scrape sync knows of it.
    pub standing: Standing,
    /// Packets of it that were taken.
    pub packets: u64,
    /// Packets of it that were beyond what its address may send.
    pub dropped_packets: u64,
    /// Records of it that were applied.
    pub applied_records: u64,
    /// Records of it that were not applied.
    pub dropped_records: u64,
}

impl Sibling {
    fn new(id: TrackerId, address: SocketAddr, now: Instant) -> Self {
        Self {
            id,
            address,
            heard_at: now,
            standing: Standing::default(),
            packets: 0,
            dropped_packets: 0,
            applied_records: 0,
            dropped_records: 0,
        }
    }

    /// Returns how many torrents it serves by its last beacon, if it has beaconed.
    pub fn claimed_torrents(&self) -> Option<u64> {
        self.standing.claim.map(|claim| claim.torrents)
    }

    /// Counts what became of records of it.
    pub(crate) const fn count(&mut self, records: &Applied) {
        self.applied_records += records.applied;
        self.dropped_records += records.dropped();
    }
}

/// The siblings, by the address that they send from: an id is easily made up, an address of the
/// listed networks is not.
#[derive(Debug, Default)]
pub(crate) struct Roster(BTreeMap<IpAddr, Address>);

/// What comes from one address.
#[derive(Debug)]
struct Address {
    /// At most [`MAX_SIBLINGS_PER_SOURCE`].
    siblings: Vec<Sibling>,
    heard_at: Instant,
    second: Instant,
    in_second: u32,
}

impl Roster {
    /// Notes a packet, and returns whose it is.
    ///
    /// # Errors
    ///
    /// Why the packet is not taken, as it is counted: its source is beyond its rate, or new while
    /// the roster is full.
    pub(crate) fn hear(
        &mut self,
        id: TrackerId,
        address: SocketAddr,
        now: Instant,
    ) -> Result<&mut Sibling, Counter> {
        let ip = address.ip().to_canonical();
        if !self.0.contains_key(&ip) && !self.make_room(now) {
            return Err(Counter::RosterFull);
        }
        let source = self.0.entry(ip).or_insert_with(|| Address::new(now));
        source.heard_at = now;
        let known = source.siblings.iter().position(|sibling| sibling.id == id);
        if !source.is_within_rate(now) {
            if let Some(place) = known {
                source.siblings[place].dropped_packets += 1;
            }
            return Err(Counter::Rate);
        }
        let place = known.unwrap_or_else(|| source.enter(Sibling::new(id, address, now)));
        let sibling = &mut source.siblings[place];
        sibling.address = address;
        sibling.heard_at = now;
        sibling.packets += 1;
        Ok(sibling)
    }

    /// Tells whether somebody on the roster has an id.
    pub(crate) fn has(&self, id: TrackerId) -> bool {
        self.siblings().any(|sibling| sibling.id == id)
    }

    /// Returns those who are remembered, by id.
    pub(crate) fn remembered(&self, now: Instant) -> Vec<Sibling> {
        let is_remembered =
            |sibling: &&Sibling| now.saturating_duration_since(sibling.heard_at) < SIBLING_LIFETIME;
        let mut siblings: Vec<_> = self.siblings().filter(is_remembered).cloned().collect();
        siblings.sort_by_key(|sibling| (sibling.id, sibling.address));
        siblings
    }

    /// Returns how all of them stand in scrape sync.
    pub(crate) fn standings(&mut self) -> impl Iterator<Item = (TrackerId, &mut Standing)> {
        let siblings = self.0.values_mut().flat_map(|source| &mut source.siblings);
        siblings.map(|sibling| (sibling.id, &mut sibling.standing))
    }

    fn siblings(&self) -> impl Iterator<Item = &Sibling> {
        self.0.values().flat_map(|source| &source.siblings)
    }

    /// Makes room for one more source; returns whether there is.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.0.len() < MAX_SOURCES {
            return true;
        }
        let silent = self.0.iter().min_by_key(|(_, source)| source.heard_at);
        let gone = silent
            .filter(|(_, source)| {
                now.saturating_duration_since(source.heard_at) >= SIBLING_LIFETIME
            })
            .map(|(ip, _)| *ip);
        gone.is_some_and(|ip| self.0.remove(&ip).is_some())
    }
}

impl Address {
    const fn new(now: Instant) -> Self {
        Self {
            siblings: Vec::new(),
            heard_at: now,
            second: now,
            in_second: 0,
        }
    }

    /// Counts a packet, and tells whether the source has sent no more in this second than it may.
    fn is_within_rate(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second) >= SECOND {
            self.second = now;
            self.in_second = 0;
        }
        self.in_second = self.in_second.saturating_add(1);
        self.in_second <= MAX_PACKETS_PER_SECOND
    }

    /// Enters a sibling, if need be in the place of another; returns where.
    fn enter(&mut self, sibling: Sibling) -> usize {
        if self.siblings.len() < MAX_SIBLINGS_PER_SOURCE {
            self.siblings.push(sibling);
            return self.siblings.len() - 1;
        }
        let places = self.siblings.iter().enumerate();
        let (place, _) = places
            .min_by_key(|(_, sibling)| sibling.heard_at)
            .expect("a full list has places");
        self.siblings[place] = sibling;
        place
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has to start at some time"
)]
mod tests {
    use super::*;

    const ALICE: TrackerId = TrackerId::new([1; 4]);

    fn id(number: u32) -> TrackerId {
        TrackerId::new(number.to_be_bytes())
    }

    fn address(number: usize) -> SocketAddr {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        SocketAddr::from(([10, 0, high, low], 9696))
    }

    #[test]
    fn a_storm_is_cut_off_until_the_next_second() {
        let mut roster = Roster::default();
        let now = Instant::now();
        for _ in 0..MAX_PACKETS_PER_SECOND {
            roster.hear(ALICE, address(1), now).unwrap();
        }
        assert_eq!(
            roster.hear(ALICE, address(1), now).err(),
            Some(Counter::Rate)
        );
        assert!(roster.hear(ALICE, address(2), now).is_ok(), "others go on");
        let sibling = &roster.remembered(now)[0];
        assert_eq!(sibling.packets, u64::from(MAX_PACKETS_PER_SECOND));
        assert_eq!(sibling.dropped_packets, 1);
        assert!(roster.hear(ALICE, address(1), now + SECOND).is_ok());
    }

    #[test]
    fn whoever_changes_its_id_with_every_packet_is_limited_and_pushes_nobody_out() {
        let mut roster = Roster::default();
        let start = Instant::now();
        for host in 1..=9 {
            let _ = roster.hear(id(host), address(host as usize), start);
        }
        let mut taken = 0;
        for number in 0..3 * MAX_PACKETS_PER_SECOND {
            // The port does not matter either.
            let port = u16::try_from(number % 65_536).unwrap();
            let from = SocketAddr::new(address(10).ip(), port);
            taken += u32::from(roster.hear(id(1000 + number), from, start).is_ok());
        }
        assert_eq!(taken, MAX_PACKETS_PER_SECOND);
        for host in 1..=9 {
            assert!(roster.has(id(host)), "{host}");
        }
        assert_eq!(roster.siblings().count(), 9 + MAX_SIBLINGS_PER_SOURCE);
    }

    #[test]
    fn of_one_source_the_longest_silent_gives_way() {
        let mut roster = Roster::default();
        let start = Instant::now();
        let most = u32::try_from(MAX_SIBLINGS_PER_SOURCE).unwrap();
        for number in 0..=most {
            let at = start + number * SECOND;
            let _ = roster.hear(id(number), address(1), at);
            if number == 3 {
                let _ = roster.hear(id(0), address(1), at);
            }
        }
        assert!(roster.has(id(0)), "heard again since");
        assert!(!roster.has(id(1)));
        assert!(roster.has(id(most)));
    }

    #[test]
    fn a_full_roster_refuses_and_forgets_nobody() {
        let mut roster = Roster::default();
        let start = Instant::now();
        for number in 0..MAX_SOURCES {
            let at = start + Duration::from_millis(number as u64);
            assert!(roster.hear(ALICE, address(number), at).is_ok());
        }
        let late = start + SIBLING_LIFETIME - Duration::from_millis(1);
        let more = address(MAX_SOURCES);
        assert_eq!(
            roster.hear(ALICE, more, late).err(),
            Some(Counter::RosterFull)
        );
        assert_eq!(roster.0.len(), MAX_SOURCES);
        let first = address(0).ip();
        assert!(roster.0.contains_key(&first));
        assert!(roster.hear(ALICE, more, start + SIBLING_LIFETIME).is_ok());
        assert!(!roster.0.contains_key(&first), "silent for a lifetime");
        assert_eq!(roster.0.len(), MAX_SOURCES);
    }

    #[test]
    fn two_with_one_id_are_two() {
        let mut roster = Roster::default();
        let now = Instant::now();
        for host in [2, 1] {
            assert!(roster.hear(ALICE, address(host), now).is_ok());
        }
        let siblings = roster.remembered(now);
        let addresses: Vec<_> = siblings.iter().map(|sibling| sibling.address).collect();
        assert_eq!(addresses, [address(1), address(2)]);
        assert_eq!(roster.remembered(now + SIBLING_LIFETIME), []);
    }
}
