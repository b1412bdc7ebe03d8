//! `kill -9` at moments that a seed has drawn, under load.
//!
//! | sentence | tests |
//! |---|---|
//! | `kill -9` at any moment loses at most `interval`; no file is ever half | `kills_at_any_moment_lose_an_interval_at_most` |

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker, eventually};
use crate::snapshot_file::{self, leechers, now, swarm};

/// Trackers that are killed side by side, and how often each is.
const TRACKERS: u64 = 8;
const KILLS: u64 = 25;

/// Between two snapshots: the least that can be configured.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest time between a start and a kill.
const LONGEST: Duration = Duration::from_millis(2500);

/// The large swarm that is there from the beginning.
const LARGE: [u8; 20] = [0xab; 20];
const LARGE_PEERS: u16 = 60_000;

/// How many of the latest announces are asked for after a kill.
const ASKED: usize = 700;

struct Victim {
    place: Setup,
    path: PathBuf,
    random: u64,
    /// The info hashes announced so far, each with the second in which it was certainly known.
    announced: Vec<([u8; 20], u64)>,
    kills_in_a_write: u32,
}

#[test]
fn kills_at_any_moment_lose_an_interval_at_most() {
    let victims = (1..=TRACKERS).map(|seed| thread::spawn(move || Victim::new(seed).live()));
    let victims: Vec<_> = victims.collect();
    // All have ended before one of them can fail the test, and with them their trackers.
    let lives: Vec<_> = victims.into_iter().map(thread::JoinHandle::join).collect();
    let lives: Vec<_> = lives.into_iter().map(Result::unwrap).collect();
    let announced: usize = lives.iter().map(|victim| victim.announced.len()).sum();
    let in_a_write: u32 = lives.iter().map(|victim| victim.kills_in_a_write).sum();
    eprintln!("{announced} announces, {in_a_write} kills in a write");
    assert!(in_a_write > 0, "no kill has hit a write");
}

impl Victim {
    fn new(seed: u64) -> Self {
        let place = Setup::new();
        let path = place.path("swarms");
        let large = swarm(LARGE, leechers([198, 51, 100, 1], LARGE_PEERS));
        fs::write(&path, snapshot_file::encode(1, now(), &[large])).unwrap();
        Self {
            place,
            path,
            random: seed,
            announced: Vec::new(),
            kills_in_a_write: 0,
        }
    }

    fn live(mut self) -> Self {
        for number in 0..KILLS {
            let moment = LONGEST.mul_f64(self.draw());
            let mut tracker = match number % 4 {
                // Some of them hit the start, and some a write.
                0 => {
                    let tracker = self.setup().start_without_waiting();
                    thread::sleep(moment / 8);
                    tracker
                }
                1 => {
                    let tracker = self.start();
                    eventually("a write", || self.is_being_written());
                    tracker
                }
                _ => {
                    let tracker = self.start();
                    self.announce_for(&tracker, moment);
                    tracker
                }
            };
            tracker.signal("KILL");
            tracker.wait();
            self.kills_in_a_write += u32::from(self.is_being_written());
        }
        let mut tracker = self.start();
        tracker.stop("TERM");
        assert_eq!(self.names(), ["swarms", "swarms.trends"]);
        self
    }

    fn setup(&self) -> Setup {
        let mut setup = Setup::udp();
        setup
            .set("snapshot.path", self.path.to_str().unwrap())
            .set("snapshot.interval", "1s");
        setup
    }

    /// Announces one peer of each of many torrents.
    fn announce_for(&mut self, tracker: &Tracker, time: Duration) {
        let client = Client::of(tracker.udp());
        let (begin, first) = (Instant::now(), now());
        while begin.elapsed() < time {
            let number = self.announced.len() as u64;
            let mut info_hash = [0x11; 20];
            info_hash[..8].copy_from_slice(&number.to_be_bytes());
            client.announce(&Announce::new(info_hash, 1000));
            self.announced.push((info_hash, now()));
        }
        if begin.elapsed() > 2 * INTERVAL {
            eventually("a snapshot since", || {
                snapshot_file::said_to_be_created(&self.path) >= first
            });
        }
    }

    /// Starts it: the file is whole, and what was known before it was made is there.
    fn start(&mut self) -> Tracker {
        let created = snapshot_file::created(&self.path);
        let leftovers = self.leftovers();
        let tracker = self.setup().start();
        let log = tracker.log().join("\n");
        assert!(!log.contains("damaged"), "{log}");
        let still_there = self.leftovers();
        assert!(!leftovers.iter().any(|name| still_there.contains(name)));
        let client = Client::of(tracker.udp());
        let large = client.scrape(&[LARGE])[0];
        assert_eq!(large.leechers, u32::from(LARGE_PEERS));
        // In its last second they may have come later.
        let known = self
            .announced
            .partition_point(|(_, second)| *second < created);
        let asked = &self.announced[known.saturating_sub(ASKED)..known];
        for hashes in asked.chunks(70) {
            let hashes: Vec<_> = hashes.iter().map(|(info_hash, _)| *info_hash).collect();
            let counts = client.scrape(&hashes);
            assert!(
                counts.iter().all(|counts| counts.leechers == 1),
                "{counts:?}"
            );
        }
        // What was lost with the last kill may be announced again.
        self.announced.truncate(known);
        tracker
    }

    fn is_being_written(&self) -> bool {
        !self.leftovers().is_empty()
    }

    fn leftovers(&self) -> Vec<String> {
        let mut names = self.names();
        names.retain(|name| name.ends_with(".tmp"));
        names
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.place.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// Draws a number from 0 to 1 (xorshift64*).
    fn draw(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let drawn = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        drawn as f64 / (1_u64 << 53) as f64
    }
}
