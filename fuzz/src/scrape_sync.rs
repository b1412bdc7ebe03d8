use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use opentracker_livesync_wire::{Beacon, Inquire, ScrapeTell};
use opentracker_scrape_sync::{
    MAX_INQUIRIES, MAX_NEEDS_ENDED, MAX_TELL_BACK, Output, ScrapeSync, Settings, Standing,
};
use opentracker_types::{InfoHash, TrackerId};

use crate::input::Input;

/// The machine of scrape sync as a sequence of events, against the rules of docs/livesync.md, Scrape
/// sync, written down once more.
pub fn scrape_sync(octets: &[u8]) {
    let mut input = Input::new(octets);
    let mut pair = Pair::new();
    while pair.event(&mut input).is_some() {}
}

/// The machine and its reference, which hear the same.
struct Pair {
    machine: ScrapeSync,
    standings: BTreeMap<TrackerId, Standing>,
    reference: Reference,
}

impl Pair {
    fn new() -> Self {
        let (id, now) = (TrackerId::new([0x80; 4]), Instant::now());
        Self {
            machine: ScrapeSync::new(id, Settings::default(), now),
            standings: BTreeMap::new(),
            reference: Reference::new(id, now),
        }
    }

    fn event(&mut self, input: &mut Input<'_>) -> Option<()> {
        let Self {
            machine,
            standings,
            reference,
        } = self;
        let now = reference.now;
        let mut owed = Vec::new();
        match input.octet()? % 12 {
            0 => {
                let torrents = input.octet()?.into();
                machine.handle_torrents(torrents);
                reference.torrents = torrents;
            }
            1 => {
                let [sender, torrents] = input.array()?;
                let (sender, torrents) = (id(sender), torrents.into());
                let standing = standings.entry(sender).or_default();
                machine.handle_beacon(&Beacon { sender, torrents }, standing, now);
                reference.hear_beacon(sender, torrents);
            }
            2 | 3 => {
                let [sender, target] = input.array()?;
                let sender = id(sender);
                let target = if target & 1 == 0 {
                    reference.id
                } else {
                    id(target)
                };
                let starts = machine.handle_inquire(&Inquire { sender, target }, now);
                assert_eq!(starts, reference.hear_inquiry(target, &mut owed));
            }
            4 => {
                let [sender, records] = input.array()?;
                let sender = id(sender);
                machine.handle_tell(sender, standings.entry(sender).or_default(), now);
                reference.hear_tell(sender);
                for _ in 0..records % 32 {
                    let [torrent, comparison] = input.array()?;
                    let ours_is_larger = comparison & 1 == 1;
                    // Many at once, up to what a portion and a memory hold.
                    for number in 0..if comparison >= 0xf0 { 200 } else { 1 } {
                        let info_hash = InfoHash::new([torrent ^ number; 20]);
                        machine.handle_record(info_hash, ours_is_larger);
                        reference.compare(info_hash, ours_is_larger);
                    }
                }
            }
            5 => {
                machine.handle_tell_end(now);
                reference.end_tell();
            }
            6 => {
                let new = TrackerId::new([input.octet()?; 4]);
                machine.handle_id(new);
                reference.id = new;
            }
            10 => {
                let sender = id(input.octet()?);
                machine.handle_told_peers(sender, standings.entry(sender).or_default(), now);
                reference.new_until = None;
                reference.hear_tell(sender);
            }
            11 => {
                let packets = u64::from(input.number()?) * 1000;
                machine.handle_tell_size(packets);
                reference.tell_packets = packets;
            }
            7 => reference.now += Duration::from_millis(10 * u64::from(input.number()?)),
            late => {
                if late == 8 {
                    reference.now = now.max(machine.poll_timeout().unwrap_or(now));
                }
                let known = standings.iter_mut().map(|(id, standing)| (*id, standing));
                machine.handle_timeout(known, reference.now);
                reference.time_out(&mut owed);
                let next = machine.poll_timeout();
                assert!(next.is_none_or(|next| next > reference.now), "it spins");
            }
        }
        let outputs: Vec<_> = std::iter::from_fn(|| machine.poll_output()).collect();
        assert_eq!(outputs, owed);
        assert_eq!(machine.poll_timeout(), reference.due());
        Some(())
    }
}

fn id(number: u8) -> TrackerId {
    TrackerId::new([number % 16; 4])
}

/// What an instance knows, as the document has it.
struct Reference {
    id: TrackerId,
    now: Instant,
    torrents: u64,
    settings: Settings,
    beacon_due: Instant,
    /// What the last beacon of each said, and when.
    claims: BTreeMap<TrackerId, (u64, Instant)>,
    given_up: BTreeMap<TrackerId, u32>,
    /// How many needs the tells of each have ended since we were behind of nobody.
    needs_ended: BTreeMap<TrackerId, u8>,
    /// Until when we know no peers.
    new_until: Option<Instant>,
    need: Option<Need>,
    /// When the next portion of the tell that runs is due, and whether it is one of everything.
    tell: Option<(Instant, bool)>,
    /// How many packets a tell of everything has.
    tell_packets: u64,
    tell_heard: Option<Instant>,
    pause_ends: Option<Instant>,
    known_better: BTreeSet<InfoHash>,
    waits_one_more: bool,
}

#[derive(Clone, Copy)]
struct Need {
    since: Instant,
    due: Instant,
    /// Who was inquired, and how often.
    asked: Option<(TrackerId, u8)>,
}

impl Reference {
    fn new(id: TrackerId, now: Instant) -> Self {
        let settings = Settings::default();
        Self {
            id,
            now,
            torrents: 0,
            settings,
            beacon_due: now + settings.first_beacon_delay,
            claims: BTreeMap::new(),
            given_up: BTreeMap::new(),
            needs_ended: BTreeMap::new(),
            new_until: Some(now + settings.first_beacon_delay),
            need: None,
            tell: None,
            tell_packets: 0,
            tell_heard: None,
            pause_ends: None,
            known_better: BTreeSet::new(),
            waits_one_more: false,
        }
    }

    fn is_behind(&self, theirs: u64) -> bool {
        let is_new = self.new_until.is_some_and(|until| self.now < until);
        // The default, three quarters.
        is_new && theirs > 0 || 4 * self.torrents < 3 * theirs
    }

    fn hear_beacon(&mut self, sender: TrackerId, torrents: u64) {
        self.claims.insert(sender, (torrents, self.now));
        if self.need.is_none() && self.is_behind(torrents) {
            self.need = Some(Need {
                since: self.now,
                due: self.now + 2 * self.settings.beacon_interval,
                asked: None,
            });
        }
    }

    fn hear_inquiry(&mut self, target: TrackerId, owed: &mut Vec<Output>) -> bool {
        let rests = self.pause_ends.is_some_and(|end| self.now < end);
        if target != self.id || self.tell.is_some() || rests {
            return false;
        }
        self.tell = Some((self.now + self.settings.tick, true));
        self.tell_packets = 0;
        self.known_better.clear();
        owed.push(Output::StartTell);
        owed.push(self.portion());
        true
    }

    fn portion(&self) -> Output {
        // A thousand a second, or as many as end it within five minutes of a hundred ticks a second.
        let packets = self.tell_packets.div_ceil(30_000).max(10);
        let packets = packets.try_into().unwrap();
        Output::TellNext { packets }
    }

    fn hear_tell(&mut self, sender: TrackerId) {
        let needs_ended = self.needs_ended.entry(sender).or_default();
        if *needs_ended < MAX_NEEDS_ENDED {
            self.given_up.remove(&sender);
            *needs_ended += u8::from(self.need.take().is_some());
        }
        self.tell_heard = Some(self.now);
        if matches!(self.tell, Some((_, false))) {
            self.end_any_tell();
            self.waits_one_more = sender < self.id;
        }
    }

    fn compare(&mut self, info_hash: InfoHash, ours_is_larger: bool) {
        if !ours_is_larger {
            self.known_better.remove(&info_hash);
        } else if self.known_better.len() < MAX_TELL_BACK {
            self.known_better.insert(info_hash);
        }
    }

    fn end_tell(&mut self) {
        if matches!(self.tell, Some((_, true))) {
            self.end_any_tell();
        }
    }

    fn end_any_tell(&mut self) {
        self.tell = None;
        self.pause_ends = Some(self.now + self.settings.beacon_interval);
    }

    fn time_out(&mut self, owed: &mut Vec<Output>) {
        let need = self.need.filter(|need| need.due <= self.now);
        let beacons = self.beacon_at().is_some_and(|due| due <= self.now);
        if (need.is_some() || beacons) && !self.is_behind_of_somebody() {
            self.needs_ended.clear();
        }
        if let Some(need) = need {
            self.need = self.next_need(need);
            if let Some((target, _)) = self.need.and_then(|need| need.asked) {
                let sender = self.id;
                owed.push(Output::Inquire(Inquire { sender, target }));
            }
        }
        if beacons {
            self.beacon_due = self.now + self.settings.beacon_interval;
            owed.push(Output::Beacon(Beacon {
                sender: self.id,
                torrents: self.torrents,
            }));
        }
        if self.tell_at().is_some_and(|due| due <= self.now) {
            let next = self.now + self.settings.tick;
            if let Some((due, true)) = &mut self.tell {
                let on_time = *due + self.settings.tick;
                *due = if on_time > self.now { on_time } else { next };
                owed.push(self.portion());
            } else {
                owed.push(Output::TellBack(self.take_back()));
                self.tell = Some((next, false));
                if self.known_better.is_empty() {
                    self.end_any_tell();
                }
            }
        }
    }

    /// Of somebody that has beaconed within the longest silence and two intervals.
    fn is_behind_of_somebody(&self) -> bool {
        let since = self.longest_quiet() + 2 * self.settings.beacon_interval;
        let mut claims = self.claims.values();
        claims.any(|(torrents, at)| self.now < *at + since && self.is_behind(*torrents))
    }

    /// What others may tell at most is silence for five minutes, and an interval after that.
    fn longest_quiet(&self) -> Duration {
        Duration::from_secs(5 * 60) + self.settings.beacon_interval
    }

    fn take_back(&mut self) -> Vec<InfoHash> {
        self.waits_one_more = false;
        let packets = usize::try_from(self.settings.packets_per_tick).unwrap();
        let most = packets * ScrapeTell::MAX_RECORDS;
        let told: Vec<_> = self.known_better.iter().copied().take(most).collect();
        told.iter()
            .for_each(|info_hash| assert!(self.known_better.remove(info_hash)));
        told
    }

    /// What becomes of a need when its time has come; `None`: it is over.
    fn next_need(&mut self, need: Need) -> Option<Need> {
        let asked = match need.asked {
            None => (self.best(need.since)?, 1),
            Some((target, times)) => {
                let claimed = self.claims.get(&target).map(|(torrents, _)| *torrents);
                if claimed.is_some_and(|claimed| !self.is_behind(claimed)) {
                    return None;
                }
                if times == MAX_INQUIRIES {
                    *self.given_up.entry(target).or_default() += 1;
                    return None;
                }
                (target, times + 1)
            }
        };
        Some(Need {
            due: self.now + self.settings.beacon_interval,
            asked: Some(asked),
            ..need
        })
    }

    /// Of those that have beaconed since, and that we are behind of: the one that was given up
    /// least often, of these the one with the most torrents, of these the least id.
    fn best(&self, since: Instant) -> Option<TrackerId> {
        let heard = self
            .claims
            .iter()
            .filter(|(_, (torrents, at))| *at >= since && self.is_behind(*torrents));
        let rank = |id: &TrackerId, torrents: u64| {
            (
                self.given_up.get(id).copied().unwrap_or(0),
                u64::MAX - torrents,
                *id,
            )
        };
        let ranked = heard.map(|(id, (torrents, _))| rank(id, *torrents));
        ranked.min().map(|(.., id)| id)
    }

    /// Not while a tell of ours runs, and not within an interval of one that was heard.
    fn beacon_at(&self) -> Option<Instant> {
        let heard = self.tell_heard.map(|at| at + self.settings.beacon_interval);
        let latest = self.beacon_due + self.longest_quiet();
        let at = heard.map_or(self.beacon_due, |heard| self.beacon_due.max(heard));
        let at = at.min(latest);
        self.tell.is_none().then_some(at)
    }

    /// When the next portion goes: of the tell that runs, or of a tell back, which waits.
    fn tell_at(&self) -> Option<Instant> {
        if let Some((due, _)) = self.tell {
            return Some(due);
        }
        if self.known_better.is_empty() {
            return None;
        }
        let interval = self.settings.beacon_interval;
        let place = f64::from(u32::from_be_bytes(*self.id.as_bytes())) / 2_f64.powi(32);
        let more = if self.waits_one_more {
            interval
        } else {
            Duration::ZERO
        };
        let at = self.tell_heard? + interval + more + interval.mul_f64(place);
        Some(self.pause_ends.map_or(at, |end| at.max(end)))
    }

    fn due(&self) -> Option<Instant> {
        let need = self.need.map(|need| need.due);
        [need, self.beacon_at(), self.tell_at()]
            .into_iter()
            .flatten()
            .min()
    }
}
