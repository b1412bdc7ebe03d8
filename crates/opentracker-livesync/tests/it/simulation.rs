//! Clusters of 2 to 32 trackers, on one carrier or many, with relays and nodes of the C program, go
//! through loss, doubling, disorder, delay, cut datagrams, partitions, restarts, wrong clocks and a
//! change of keys, and are in sync again when these are over (docs/cluster.md, What is guaranteed).
//!
//! Each run is determined by its seed. A failure prints it, and `OPENTRACKER_SIMULATION_SEED=7`
//! runs that one alone; `OPENTRACKER_SIMULATION_SEEDS=100000` runs more than usual.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use opentracker_core::{Settings, Timing};
use opentracker_peer_sync as peer_sync;
use opentracker_scrape_sync as scrape_sync;
use opentracker_types::InfoHash;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::layout::Layout;
use crate::machine::{Machine, Times};
use crate::network::Conditions;
use crate::world::{ESTABLISHED, World, archived, is_lively};

const MINUTE: Duration = Duration::from_secs(60);

/// How many seeds are run when nobody says otherwise.
const SEEDS: u64 = 10_000;

#[test]
fn a_cluster_recovers_from_all_that_networks_do() {
    if let Some(seed) = variable("OPENTRACKER_SIMULATION_SEED") {
        return recover(seed);
    }
    let seeds = variable("OPENTRACKER_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    recover(seed);
                }
            });
        }
    });
}

/// When all but one restart at once, each of them asks once, all ask the same, and it tells once.
#[test]
fn many_newcomers_make_no_storm() {
    // A tell of them takes several ticks, and so outlasts the way of an inquiry.
    const TORRENTS: u16 = 2000;
    let times = times();
    let mut world = World::new(1, Layout::lan(32), times.clone());
    world.network.conditions = Conditions::LAN;
    for number in 0..TORRENTS {
        world.complete_at(ESTABLISHED, archived(number));
    }
    // Between two beacons, so that nobody asks for one that is no more.
    world.run_for(times.scrape_sync.first_beacon_delay + 3 * MINUTE + MINUTE / 2);
    let (inquiries, tells) = (world.inquiries(), world.tells());
    for number in 1..world.len() {
        world.restart(number);
    }
    world.run_for(3 * times.scrape_sync.beacon_interval + MINUTE);
    let newcomers = world.len() as u64 - 1;
    let inquiries = world.inquiries() - inquiries;
    assert!((1..=newcomers).contains(&inquiries), "{inquiries}");
    let torrents = world.machine(ESTABLISHED).torrents(world.now);
    assert_eq!(world.tells() - tells, torrents as u64, "once");
    let downloads = downloads(&world, world.machine(ESTABLISHED));
    // Most clients have not come back yet.
    let peers = world.peers();
    for machine in world.machines() {
        assert_eq!(self::downloads(&world, machine), downloads);
        assert_eq!(machine.peers(world.now), peers);
    }
}

/// Two that have drawn one id hear that of each other, draw another, and miss nothing from then on.
#[test]
fn two_with_one_id_part_and_hear_each_other() {
    let times = times();
    let mut world = World::new(2, Layout::lan(3), times.clone());
    world.network.conditions = Conditions::LAN;
    world.give_id(1, ESTABLISHED);
    assert_eq!(world.machine(1).id(), world.machine(ESTABLISHED).id());
    world.come(1, archived(7));
    world.come(ESTABLISHED, archived(8));
    world.run_for(times.peer_sync.max_delay + MINUTE);
    let ids: Vec<_> = world.machines().map(Machine::id).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[2] != ids[0]);
    for (number, unheard_of) in [(1, 1000), (ESTABLISHED, 1001)] {
        world.come(number, archived(unheard_of));
    }
    world.run_for(times.peer_sync.max_delay + MINUTE);
    for machine in world.machines() {
        let downloads = downloads(&world, machine);
        for unheard_of in [1000, 1001] {
            assert_eq!(downloads.get(&archived(unheard_of)), Some(&1));
        }
    }
}

/// One cluster and its troubles.
fn recover(seed: u64) {
    let _named = Named(seed);
    let times = if seed % 100 == 99 {
        Times::default()
    } else {
        times()
    };
    let machines = match seed % 50 {
        0 => 17 + usize::try_from(seed / 50 % 16).unwrap(),
        1..=12 => 6 + usize::try_from(seed / 50 % 11).unwrap(),
        _ => 2 + usize::try_from(seed % 4).unwrap(),
    };
    let Settings {
        interval, jitter, ..
    } = times.settings;
    let layout = Layout::draw(machines, &mut StdRng::seed_from_u64(!seed));
    let mut world = World::new(seed, layout, times.clone());
    world.run_for(MINUTE);
    world.make_trouble();
    let percent = u32::try_from(world.draw(100)).unwrap();
    world.run_for(2 * interval + interval * percent / 100);
    world.heal();

    // Each client has come back once, and what was told of it has arrived.
    let settled = interval + jitter + world.reach();
    world.run_for(settled);
    let peers = world.peers();
    for machine in world.machines() {
        let known = machine.peers(world.now);
        for (peer, is_seeder) in &peers {
            assert_eq!(known.get(peer), Some(is_seeder), "{peer:?}");
        }
    }

    // And those that left without a word that arrived have timed out.
    world.run_for((times.peer_timeout + 3 * MINUTE).saturating_sub(settled));
    for machine in world.machines() {
        assert_eq!(machine.peers(world.now), peers);
    }

    if seed.is_multiple_of(4) {
        ask_in_trouble(&mut world);
    }
    learn_counts(&mut world);
    world.run_for(settled);
    for (number, machine) in world.machines().enumerate() {
        assert_eq!(machine.peers(world.now), peers);
        world.check_drops(number);
    }
}

/// A newcomer asks while the network is bad, so that it hears a part of what it is told, or nothing.
/// When that is over, it asks again as long as it is behind.
fn ask_in_trouble(world: &mut World) {
    let times = world.times.scrape_sync;
    if !restart_one(world) {
        return;
    }
    world.spoil();
    world.run_for(times.first_beacon_delay + 3 * times.beacon_interval);
    world.heal();
    let is_behind = |world: &World| {
        let torrents = |machine: &Machine| machine.totals(world.now).torrents;
        let most = world.speaking().map(torrents).max();
        world.speaking().any(|machine| {
            times
                .inquire_threshold
                .is_behind(torrents(machine), most.unwrap())
        })
    };
    for _ in 0..rounds(world.len()) {
        if !is_behind(world) {
            return;
        }
        world.run_for(times.beacon_interval);
    }
    assert!(!is_behind(world), "one is behind for ever");
}

/// Restarts one of those that speak scrape sync, and tells whether there is one beside the established
/// one.
fn restart_one(world: &mut World) -> bool {
    let is_newcomer = |&number: &usize| number != ESTABLISHED && world.layout.speaks(number);
    let newcomers: Vec<_> = (0..world.len()).filter(is_newcomer).collect();
    if newcomers.is_empty() {
        return false;
    }
    let place = world.draw(newcomers.len());
    world.restart(newcomers[place]);
    true
}

/// A newcomer asks, and all that speak scrape sync learn the largest counts of all of them.
fn learn_counts(world: &mut World) {
    if !restart_one(world) {
        return;
    }
    let mut largest = BTreeMap::new();
    for machine in world.speaking() {
        for (torrent, count) in downloads(world, machine) {
            let most = largest.entry(torrent).or_insert(0);
            *most = count.max(*most);
        }
    }
    let times = world.times.scrape_sync;
    world.run_for(times.first_beacon_delay);
    for _ in 0..rounds(world.len()) {
        let knows = |machine| knows(&downloads(world, machine), &largest);
        if world.speaking().all(knows) {
            break;
        }
        world.run_for(times.beacon_interval);
    }
    for machine in world.speaking() {
        let known = downloads(world, machine);
        assert!(knows(&known, &largest), "{known:?} are not {largest:?}");
    }
}

/// Tells whether a machine has the largest counts. Where it has forgotten a torrent of a single
/// client with that, and the one that tells has too, it does not hear of it again.
fn knows(known: &BTreeMap<InfoHash, u64>, largest: &BTreeMap<InfoHash, u64>) -> bool {
    largest.iter().all(|(torrent, most)| {
        let count = known.get(torrent);
        count == Some(most) || count.is_none() && is_lively(torrent)
    })
}

/// Beacon intervals that a cluster takes from a beacon until all have the largest counts: two to
/// wait, one to hear the tell, and up to three for each that knows better, one after the other.
fn rounds(machines: usize) -> u32 {
    3 + 3 * u32::try_from(machines).unwrap()
}

fn downloads(world: &World, machine: &Machine) -> BTreeMap<InfoHash, u64> {
    let mut downloads = machine.downloads(world.now);
    downloads.retain(|_, count| *count > 0);
    downloads
}

/// An eighth of the usual intervals, so that a run is short. The others leave room for what is not
/// shorter: a peer is told of with an age that is up to two minutes too long, and what a node of the C
/// program tells may come back to it three quarters of a minute later.
fn times() -> Times {
    Times::new(4 * MINUTE, MINUTE / 2, 8 * MINUTE, MINUTE, 3 * MINUTE)
}

impl Times {
    fn new(
        interval: Duration,
        jitter: Duration,
        peer_timeout: Duration,
        renew_boundary: Duration,
        first_beacon_delay: Duration,
    ) -> Self {
        Self {
            settings: Settings {
                interval,
                jitter,
                timing: Timing::new(peer_timeout, 24 * 60 * MINUTE, renew_boundary)
                    .with_interval(interval),
                ..Settings::default()
            },
            peer_timeout,
            peer_sync: peer_sync::Settings::default(),
            scrape_sync: scrape_sync::Settings {
                first_beacon_delay,
                ..scrape_sync::Settings::default()
            },
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::new(
            30 * MINUTE,
            3 * MINUTE,
            45 * MINUTE,
            10 * MINUTE,
            30 * MINUTE,
        )
    }
}

/// Says which seed has failed.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to see this again: OPENTRACKER_SIMULATION_SEED={}", self.0);
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("the variable is a number"))
}
