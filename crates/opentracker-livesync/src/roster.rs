use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use opentracker_scrape_sync::Standing;
use opentracker_types::TrackerId;

use crate::pace::Pace;
use crate::{Counter, Sibling, Source};

/// How many addresses are on the roster. While it is full of addresses that were heard within
/// [`SIBLING_LIFETIME`], packets of a further one are dropped.
pub const MAX_SOURCES: usize = 256;

/// How many siblings of one address are on the roster. A further one takes the place of the one
/// of the same address that was silent the longest, so that who changes its id with every packet
/// pushes nobody out but itself.
pub const MAX_SIBLINGS_PER_SOURCE: usize = 8;

/// How long a sibling is remembered after its last packet.
pub const SIBLING_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The siblings that seal nothing, by the address that they send from: an id is easily made up, an
/// address of the listed networks is not.
#[derive(Debug, Default)]
pub(crate) struct Roster(BTreeMap<IpAddr, Address>);

/// What comes from one address.
#[derive(Debug)]
struct Address {
    /// At most [`MAX_SIBLINGS_PER_SOURCE`].
    siblings: Vec<Sibling>,
    heard_at: Instant,
    pace: Pace,
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
        source: Source,
        now: Instant,
    ) -> Result<&mut Sibling, Counter> {
        // Of a carrier that knows no addresses, all come from one.
        let ip = source.address.map_or(Ipv4Addr::UNSPECIFIED.into(), |from| {
            from.ip().to_canonical()
        });
        if !self.0.contains_key(&ip) && !self.make_room(now) {
            return Err(Counter::RosterFull);
        }
        let from = self.0.entry(ip).or_insert_with(|| Address::new(now));
        from.heard_at = now;
        let known = from.siblings.iter().position(|sibling| sibling.id == id);
        if !from.pace.take(now) {
            if let Some(place) = known {
                from.siblings[place].dropped_packets += 1;
            }
            return Err(Counter::Rate);
        }
        let place = known.unwrap_or_else(|| from.enter(Sibling::new(id, now)));
        let sibling = &mut from.siblings[place];
        sibling.hear(source, now);
        Ok(sibling)
    }

    /// Tells whether somebody on the roster has an id.
    pub(crate) fn has(&self, id: TrackerId) -> bool {
        self.siblings().any(|sibling| sibling.id == id)
    }

    /// Returns how all of them stand in scrape sync.
    pub(crate) fn standings(&mut self) -> impl Iterator<Item = (TrackerId, &mut Standing)> {
        let siblings = self.0.values_mut().flat_map(|source| &mut source.siblings);
        siblings.map(|sibling| (sibling.id, &mut sibling.standing))
    }

    pub(crate) fn siblings(&self) -> impl Iterator<Item = &Sibling> {
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
            pace: Pace::new(now),
        }
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
    use crate::pace::MAX_PACKETS_PER_SECOND;

    const SECOND: Duration = Duration::from_secs(1);
    const ALICE: TrackerId = TrackerId::new([1; 4]);

    fn id(number: u32) -> TrackerId {
        TrackerId::new(number.to_be_bytes())
    }

    fn address(number: usize) -> Source {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        Source::group(([10, 0, high, low], 9696).into())
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
        let sibling = roster.siblings().next().unwrap();
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
            let mut from = address(10);
            from.address.as_mut().unwrap().set_port(port);
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
        let first = address(0).address.unwrap().ip();
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
        let addresses: Vec<_> = roster.siblings().map(|sibling| sibling.address).collect();
        assert_eq!(addresses, [address(1).address, address(2).address]);
    }
}
