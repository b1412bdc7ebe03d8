//! The rules of docs/livesync.md, Scrape sync, each by name.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use opentracker_livesync_wire::{Beacon, Inquire, ScrapeTell};
use opentracker_scrape_sync::{
    Inquiry, MAX_INQUIRIES, MAX_NEEDS_ENDED, MAX_TELL_BACK, Output, ScrapeSync, Settings, Standing,
};
use opentracker_types::{InfoHash, TrackerId};

use crate::start;

mod being_new;
mod telling_back;
mod telling_in_vain;

const INTERVAL: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_nanos(1);

const US: TrackerId = TrackerId::new([0x80, 0, 0, 0]);
const ALICE: TrackerId = TrackerId::new([1; 4]);
const BOB: TrackerId = TrackerId::new([2; 4]);
const ZOE: TrackerId = TrackerId::new([0xff; 4]);

mod beaconing {
    use super::*;

    #[test]
    fn begins_after_the_first_delay_and_goes_on_every_interval() {
        let (mut us, begin) = machine(100);
        let first = begin + Settings::default().first_beacon_delay;
        assert_eq!(us.poll_timeout(), Some(first));
        us.handle_timeout(first - MOMENT);
        assert_eq!(outputs(&mut us), []);
        for beacon in 0..3 {
            let due = first + beacon * INTERVAL;
            assert_eq!(us.poll_timeout(), Some(due));
            us.handle_timeout(due);
            assert_eq!(outputs(&mut us), [our_beacon(100)]);
        }
    }

    #[test]
    fn says_the_present_number() {
        let (mut us, begin) = machine(100);
        us.handle_timeout(begin + Settings::default().first_beacon_delay);
        us.handle_torrents(101);
        assert_eq!(outputs(&mut us), [our_beacon(101)]);
    }

    #[test]
    fn rests_while_our_tell_runs() {
        let (mut us, begin) = machine(100);
        let due = begin + Settings::default().first_beacon_delay;
        us.handle_inquire(&inquire_from(ALICE), due - MOMENT);
        us.handle_timeout(due);
        assert!(!outputs(&mut us).contains(&our_beacon(100)));
        us.handle_tell_end(begin);
        us.handle_timeout(due + MOMENT);
        assert_eq!(outputs(&mut us), [our_beacon(100)]);
    }

    #[test]
    fn rests_for_an_interval_after_a_tell_was_heard() {
        let (mut us, begin) = machine(100);
        let due = begin + Settings::default().first_beacon_delay;
        let heard = due - INTERVAL / 2;
        us.handle_tell(ALICE, heard);
        us.handle_timeout(due);
        assert_eq!(outputs(&mut us), []);
        assert_eq!(us.poll_timeout(), Some(heard + INTERVAL));
        us.handle_timeout(heard + INTERVAL);
        assert_eq!(outputs(&mut us), [our_beacon(100)]);
    }
}

/// Whoever tells for ever silences nobody for ever.
#[test]
fn a_beacon_waits_no_longer_than_a_tell_may_take() {
    let (mut us, begin) = machine(100);
    let due = begin + Settings::default().first_beacon_delay;
    let latest = due + Settings::default().longest_tell + INTERVAL;
    let mut now = due - INTERVAL;
    while now < latest {
        us.handle_tell(ALICE, now);
        us.handle_timeout(now);
        assert_eq!(outputs(&mut us), []);
        now += Duration::from_secs(1);
    }
    us.handle_timeout(latest);
    assert_eq!(outputs(&mut us), [our_beacon(100)]);
}

mod inquiring {
    use super::*;

    #[test]
    fn needs_an_instance_that_we_are_behind_of() {
        for (ours, theirs, is_needed) in [
            (0, 0, false),
            (0, 1, true),
            (74, 100, true),
            (75, 100, false),
            (200, 100, false),
            (u64::MAX / 2, u64::MAX, true),
        ] {
            let (mut us, begin) = machine(ours);
            us.handle_beacon(&beacon_from(ALICE, theirs), begin);
            let inquiry = us.inquiry();
            assert_eq!(inquiry != Inquiry::NotNeeded, is_needed, "{ours}/{theirs}");
        }
    }

    #[test]
    fn waits_two_intervals_from_the_first_beacon_that_counts() {
        let (mut us, begin) = machine(80);
        us.handle_beacon(&beacon_from(ALICE, 90), begin);
        let since = begin + INTERVAL / 2;
        us.handle_beacon(&beacon_from(BOB, 300), since);
        us.handle_beacon(&beacon_from(BOB, 300), since + INTERVAL);
        let until = since + 2 * INTERVAL;
        assert_eq!(us.inquiry(), Inquiry::Waiting { since, until });
        us.handle_timeout(until - MOMENT);
        assert_eq!(outputs(&mut us), []);
        assert_eq!(us.poll_timeout(), Some(until));
        us.handle_timeout(until);
        assert_eq!(outputs(&mut us), [our_inquire(BOB)]);
    }

    #[test]
    fn asks_only_the_one_with_the_most_torrents() {
        let (mut us, begin) = machine(0);
        for (sender, torrents) in [(ALICE, 300), (ZOE, 500), (BOB, 400)] {
            us.handle_beacon(&beacon_from(sender, torrents), begin);
        }
        us.handle_timeout(begin + 2 * INTERVAL);
        assert_eq!(outputs(&mut us), [our_inquire(ZOE)]);
    }

    #[test]
    fn asks_the_least_id_of_equals() {
        for order in [[ALICE, BOB, ZOE], [ZOE, BOB, ALICE], [BOB, ALICE, ZOE]] {
            let (mut us, begin) = machine(0);
            for sender in order {
                us.handle_beacon(&beacon_from(sender, 300), begin);
            }
            us.handle_timeout(begin + 2 * INTERVAL);
            assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
        }
    }

    #[test]
    fn passes_over_an_instance_that_no_longer_beacons() {
        let (mut us, begin) = machine(300);
        us.handle_beacon(&beacon_from(ZOE, 301), begin);
        us.handle_torrents(0);
        let since = begin + INTERVAL;
        us.handle_beacon(&beacon_from(ALICE, 200), since);
        us.handle_timeout(since + 2 * INTERVAL);
        assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
    }

    #[test]
    fn is_over_when_we_have_caught_up() {
        let (mut us, begin) = machine(0);
        us.handle_beacon(&beacon_from(ALICE, 300), begin);
        us.handle_torrents(290);
        us.handle_timeout(begin + 2 * INTERVAL);
        assert_eq!(outputs(&mut us), []);
        assert_eq!(us.inquiry(), Inquiry::NotNeeded);

        let asked = begin + 5 * INTERVAL;
        let mut us = asking(ALICE, asked);
        us.handle_torrents(290);
        us.handle_timeout(asked + INTERVAL);
        assert_eq!(outputs(&mut us), []);
        assert_eq!(us.inquiry(), Inquiry::NotNeeded);
    }

    #[test]
    fn asks_the_same_again_while_no_tell_is_heard() {
        let asked = start();
        let mut us = asking(ALICE, asked);
        // Another that has more by now changes nothing: one need has one target.
        us.handle_beacon(&beacon_from(BOB, 500), asked + MOMENT);
        us.handle_timeout(asked + INTERVAL - MOMENT);
        assert_eq!(outputs(&mut us), []);
        for again in 1..u32::from(MAX_INQUIRIES) {
            us.handle_timeout(asked + again * INTERVAL);
            assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
        }
    }

    #[test]
    fn gives_up_after_three_inquiries_until_the_next_beacon() {
        let asked = start();
        let mut us = asking(ALICE, asked);
        let given_up = ask_in_vain(&mut us, asked);
        assert_eq!(us.inquiry(), Inquiry::NotNeeded);
        us.handle_beacon(&beacon_from(ALICE, 300), given_up);
        us.handle_timeout(given_up + 2 * INTERVAL);
        assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
    }

    #[test]
    fn asks_one_that_was_given_up_after_all_others() {
        let asked = start();
        let mut us = asking(ALICE, asked);
        let mut now = ask_in_vain(&mut us, asked);
        // Nobody answers, so they take turns, though Alice always has more.
        for target in [BOB, ALICE, BOB] {
            us.handle_beacon(&beacon_from(ALICE, 300), now);
            us.handle_beacon(&beacon_from(BOB, 200), now);
            now += 2 * INTERVAL;
            us.handle_timeout(now);
            assert_eq!(outputs(&mut us), [our_inquire(target)]);
            now = ask_in_vain(&mut us, now);
        }
        // A tell of hers clears her name.
        us.handle_tell(ALICE, now);
        us.handle_beacon(&beacon_from(ALICE, 300), now);
        us.handle_beacon(&beacon_from(BOB, 200), now);
        us.handle_timeout(now + 2 * INTERVAL);
        assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
    }

    #[test]
    fn is_over_when_any_tell_is_heard() {
        let (mut waiting, begin) = machine(0);
        waiting.handle_beacon(&beacon_from(ALICE, 300), begin);
        for mut us in [waiting, asking(ALICE, begin)] {
            let heard = begin + INTERVAL / 2;
            us.handle_tell(BOB, heard);
            assert_eq!(us.inquiry(), Inquiry::NotNeeded);
            us.handle_timeout(begin + 3 * INTERVAL);
            assert_eq!(outputs(&mut us), []);
            // A later beacon begins a new need, with its own time to wait.
            let later = begin + 4 * INTERVAL;
            us.handle_beacon(&beacon_from(ALICE, 300), later);
            us.handle_timeout(later + 2 * INTERVAL);
            assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
        }
    }

    /// Returns when the last inquiry of three has gone unanswered.
    fn ask_in_vain(us: &mut Instance, first_asked: Instant) -> Instant {
        let mut now = first_asked;
        for _ in 0..MAX_INQUIRIES {
            now += INTERVAL;
            us.handle_timeout(now);
            outputs(us);
        }
        now
    }

    /// Returns an instance without torrents that has just inquired one with 300.
    fn asking(target: TrackerId, asked: Instant) -> Instance {
        let begin = asked - 2 * INTERVAL;
        let mut us = Instance::new(Settings::default(), begin);
        us.handle_peers_known();
        us.handle_beacon(&beacon_from(target, 300), begin);
        us.handle_timeout(asked);
        assert_eq!(outputs(&mut us), [our_inquire(target)]);
        us
    }
}

mod answering {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);
    const NEXT: Output = Output::TellNext { packets: 10 };

    #[test]
    fn tells_a_budget_of_packets_each_tick() {
        let (mut us, begin) = machine(100_000);
        let inquire = inquire_from(ALICE);
        assert!(us.handle_inquire(&inquire, begin));
        assert_eq!(outputs(&mut us), [Output::StartTell, NEXT]);
        for tick in 1..5 {
            assert_eq!(us.poll_timeout(), Some(begin + tick * TICK));
            us.handle_timeout(begin + tick * TICK - MOMENT);
            assert_eq!(outputs(&mut us), []);
            us.handle_timeout(begin + tick * TICK);
            assert_eq!(outputs(&mut us), [NEXT]);
        }
        us.handle_tell_end(begin);
        assert!(!us.is_telling());
        us.handle_timeout(begin + 5 * TICK);
        assert_eq!(outputs(&mut us), []);
    }

    #[test]
    fn ends_within_five_minutes_however_much_there_is() {
        // 30 000 portions are five minutes.
        for (packets, portion) in [(0, 10), (300_000, 10), (300_001, 11), (3_000_000, 100)] {
            let (mut us, begin) = machine(100_000);
            us.handle_inquire(&inquire_from(ALICE), begin);
            assert_eq!(us.poll_output(), Some(Output::StartTell));
            us.handle_tell_size(packets);
            for tick in 0..2 {
                us.handle_timeout(begin + tick * TICK);
                let next = Output::TellNext { packets: portion };
                assert_eq!(outputs(&mut us), [next]);
            }
            // The next one is of another size.
            us.handle_tell_end(begin + TICK);
            us.handle_inquire(&inquire_from(ALICE), begin + TICK + INTERVAL);
            assert_eq!(outputs(&mut us), [Output::StartTell, NEXT]);
        }
    }

    #[test]
    fn is_not_slowed_by_a_timer_that_is_a_little_late() {
        let (mut us, begin) = machine(100_000);
        us.handle_inquire(&inquire_from(ALICE), begin);
        outputs(&mut us);
        for tick in 1..10 {
            let due = begin + tick * TICK;
            assert_eq!(us.poll_timeout(), Some(due));
            us.handle_timeout(due + TICK / 2);
            assert_eq!(outputs(&mut us), [NEXT]);
        }
    }

    #[test]
    fn makes_up_for_no_missed_tick() {
        let (mut us, begin) = machine(100_000);
        us.handle_inquire(&inquire_from(ALICE), begin);
        outputs(&mut us);
        let late = begin + 50 * TICK;
        us.handle_timeout(late);
        us.handle_timeout(late);
        assert_eq!(outputs(&mut us), [NEXT]);
        assert_eq!(us.poll_timeout(), Some(late + TICK));
    }

    #[test]
    fn is_not_changed_by_an_inquiry_during_a_tell() {
        let (mut us, begin) = machine(100_000);
        us.handle_inquire(&inquire_from(ALICE), begin);
        outputs(&mut us);
        for sender in [ALICE, BOB] {
            let before = us.poll_timeout();
            assert!(!us.handle_inquire(&inquire_from(sender), begin + MOMENT));
            assert_eq!(outputs(&mut us), []);
            assert_eq!(us.poll_timeout(), before);
        }
    }

    #[test]
    fn rests_for_an_interval_after_a_tell_of_its_own() {
        let (mut us, begin) = machine(100);
        us.handle_inquire(&inquire_from(ALICE), begin);
        assert_eq!(outputs(&mut us), [Output::StartTell, NEXT]);
        let end = begin + TICK;
        us.handle_tell_end(end);
        let before = us.clone();
        for wait in [Duration::ZERO, INTERVAL / 2, INTERVAL - MOMENT] {
            for sender in [ALICE, BOB] {
                assert!(!us.handle_inquire(&inquire_from(sender), end + wait));
            }
            assert_eq!(us.machine, before.machine, "nothing changes");
        }
        assert!(us.handle_inquire(&inquire_from(BOB), end + INTERVAL));
        assert_eq!(outputs(&mut us), [Output::StartTell, NEXT]);
    }

    #[test]
    fn rests_after_telling_back_too() {
        let (mut us, begin) = machine(100);
        us.handle_tell(ALICE, begin);
        us.handle_record(InfoHash::new([1; 20]), true);
        let told = us.poll_timeout().unwrap();
        us.handle_timeout(told);
        assert_eq!(outputs(&mut us).len(), 1);
        assert!(!us.handle_inquire(&inquire_from(ALICE), told + INTERVAL - MOMENT));
        assert!(us.handle_inquire(&inquire_from(ALICE), told + INTERVAL));
    }

    #[test]
    fn goes_by_its_new_id() {
        let (mut us, begin) = machine(100);
        us.handle_id(ZOE);
        assert!(!us.handle_inquire(&inquire_from(ALICE), begin));
        let (sender, target) = (ALICE, ZOE);
        assert!(us.handle_inquire(&Inquire { sender, target }, begin));
    }

    #[test]
    fn compares_the_target_with_our_id_and_not_the_sender() {
        let (mut us, begin) = machine(100);
        let (sender, target) = (ALICE, BOB);
        assert!(!us.handle_inquire(&Inquire { sender, target }, begin));
        assert_eq!(outputs(&mut us), []);
    }

    #[test]
    fn goes_on_beside_the_tell_of_another() {
        let (mut us, begin) = machine(100_000);
        us.handle_inquire(&inquire_from(ALICE), begin);
        outputs(&mut us);
        us.handle_tell(BOB, begin + MOMENT);
        us.handle_timeout(begin + TICK);
        assert_eq!(outputs(&mut us), [NEXT]);
    }
}

#[test]
fn a_need_outlives_that_its_target_is_forgotten() {
    let (mut us, begin) = machine(0);
    us.handle_beacon(&beacon_from(ALICE, 300), begin);
    us.handle_timeout(begin + 2 * INTERVAL);
    assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
    us.siblings.clear();
    us.handle_timeout(begin + 3 * INTERVAL);
    assert_eq!(outputs(&mut us), [our_inquire(ALICE)]);
}

#[test]
fn settings_of_zero_do_not_spin() {
    let settings = Settings {
        first_beacon_delay: Duration::ZERO,
        beacon_interval: Duration::ZERO,
        tick: Duration::ZERO,
        packets_per_tick: 0,
        ..Settings::default()
    };
    let mut now = start();
    let mut us = Instance::new(settings, now);
    us.handle_inquire(&inquire_from(ALICE), now);
    assert!(outputs(&mut us).contains(&Output::TellNext { packets: 1 }));
    for _ in 0..10 {
        let next = us.poll_timeout().unwrap();
        assert!(next > now);
        now = next;
        us.handle_timeout(now);
        outputs(&mut us);
    }
}

/// A machine with the list that its driver keeps.
#[derive(Debug, Clone)]
struct Instance {
    machine: ScrapeSync,
    siblings: BTreeMap<TrackerId, Standing>,
}

impl Instance {
    fn new(settings: Settings, now: Instant) -> Self {
        Self {
            machine: ScrapeSync::new(US, settings, now),
            siblings: BTreeMap::new(),
        }
    }

    fn handle_beacon(&mut self, beacon: &Beacon, now: Instant) {
        let standing = self.siblings.entry(beacon.sender).or_default();
        self.machine.handle_beacon(beacon, standing, now);
    }

    fn handle_tell(&mut self, sender: TrackerId, now: Instant) {
        let standing = self.siblings.entry(sender).or_default();
        self.machine.handle_tell(sender, standing, now);
    }

    fn handle_told_peers(&mut self, sender: TrackerId, now: Instant) {
        let standing = self.siblings.entry(sender).or_default();
        self.machine.handle_told_peers(sender, standing, now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        let siblings = self.siblings.iter_mut();
        let siblings = siblings.map(|(id, standing)| (*id, standing));
        self.machine.handle_timeout(siblings, now);
    }
}

impl Deref for Instance {
    type Target = ScrapeSync;

    fn deref(&self) -> &ScrapeSync {
        &self.machine
    }
}

impl DerefMut for Instance {
    fn deref_mut(&mut self) -> &mut ScrapeSync {
        &mut self.machine
    }
}

/// An instance that has just started, and knows peers.
fn machine(torrents: u64) -> (Instance, Instant) {
    let (mut us, begin) = newcomer(torrents);
    us.handle_peers_known();
    (us, begin)
}

/// An instance that has just started.
fn newcomer(torrents: u64) -> (Instance, Instant) {
    let begin = start();
    let mut us = Instance::new(Settings::default(), begin);
    us.handle_torrents(torrents);
    (us, begin)
}

fn outputs(us: &mut Instance) -> Vec<Output> {
    std::iter::from_fn(|| us.poll_output()).collect()
}

fn our_beacon(torrents: u64) -> Output {
    Output::Beacon(beacon_from(US, torrents))
}

fn our_inquire(target: TrackerId) -> Output {
    let sender = US;
    Output::Inquire(Inquire { sender, target })
}

fn beacon_from(sender: TrackerId, torrents: u64) -> Beacon {
    Beacon { sender, torrents }
}

/// An inquiry of us.
fn inquire_from(sender: TrackerId) -> Inquire {
    let target = US;
    Inquire { sender, target }
}
