//! What goes wrong in a cluster, and what its operator does meanwhile.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use opentracker_livesync::{Keys, MAX_CLOCK_DIFFERENCE_SECS};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::{ARCHIVED, ESTABLISHED, SECOND, World, archived};
use crate::network::Conditions;

/// The file of keys before it is changed, and after each of the three steps.
pub(super) static KEYS: LazyLock<[Arc<Keys>; 4]> = LazyLock::new(|| {
    let (old, new) = ("0".repeat(64), "1".repeat(64));
    let files = [
        old.clone(),
        format!("{old}\n{new}"),
        format!("{new}\n{old}"),
        new,
    ];
    files.map(|file| Arc::new(Keys::parse(&file).unwrap()))
});

/// How far the keys of a cluster are changed, machine by machine.
#[derive(Debug)]
pub(super) struct KeyChange {
    step: usize,
    /// The machines that have this step before them.
    left: Vec<usize>,
    pub(super) at: Instant,
    /// The longest time from one machine to the next.
    pace: Duration,
}

impl World {
    /// Lets things go wrong, and perhaps the keys be changed in the middle of it.
    pub(crate) fn make_trouble(&mut self) {
        self.trouble_at = Some(self.now);
        if self.layout.has_secret && self.rng.random_bool(0.5) {
            let all = 3 * u32::try_from(self.machines.len()).unwrap();
            let wait = 2 * self.times.settings.interval;
            self.key_change = Some(KeyChange {
                step: 0,
                left: Vec::new(),
                at: self.now + wait.mul_f64(self.rng.random()),
                pace: SECOND.mul_f64(self.rng.random_range(1.0..900.0)) / all,
            });
        }
    }

    /// Makes the network bad.
    pub(crate) fn spoil(&mut self) {
        self.network.conditions = Conditions::bad(&mut self.rng);
    }

    /// Ends all trouble: machines are up, the network is whole, and what it held back has arrived
    /// when this returns.
    pub(crate) fn heal(&mut self) {
        self.trouble_at = None;
        self.network.heal();
        for slot in &mut self.machines {
            slot.up_at = slot.up_at.map(|_| self.now);
            if let Some(machine) = &mut slot.machine {
                machine.clock_secs = slot.clock_secs;
            }
        }
        self.run_for(Conditions::MOST_DELAY + self.reach());
    }

    /// Lets something go wrong, and says when the next does.
    pub(super) fn trouble(&mut self) {
        self.trouble_at = Some(self.now + SECOND.mul_f64(self.rng.random_range(5.0..120.0)));
        match self.rng.random_range(0..5) {
            0 => self.network.part(&mut self.rng),
            1 => self.spoil(),
            2 => {
                let number = self.draw(self.machines.len());
                if number != ESTABLISHED {
                    self.stop(number);
                    let down = SECOND.mul_f64(self.rng.random_range(0.0..180.0));
                    self.machines[number].up_at = Some(self.now + down);
                }
            }
            3 if self.layout.has_secret => self.set_clock(),
            _ => {
                let home = self.draw(self.machines.len());
                let number = self.rng.random_range(0..ARCHIVED);
                self.complete_at(home, archived(number));
            }
        }
    }

    /// Sets the clock of a machine wrong, or right.
    fn set_clock(&mut self) {
        let number = self.draw(self.machines.len());
        let slot = &mut self.machines[number];
        let wrong = i64::from(MAX_CLOCK_DIFFERENCE_SECS) + self.rng.random_range(40..4000);
        let ahead = *[wrong, -wrong, 0].choose(&mut self.rng).unwrap();
        if let Some(machine) = &mut slot.machine {
            machine.clock_secs = slot.clock_secs.strict_add_signed(ahead);
            self.had_wrong_clock |= ahead != 0;
        }
    }

    /// Goes on with the change of keys: one more machine takes the present step, or all have.
    pub(super) fn change_keys(&mut self) {
        let Some(change) = &mut self.key_change else {
            return;
        };
        if let Some(number) = change.left.pop() {
            let slot = &mut self.machines[number];
            slot.step = change.step;
            if let Some(machine) = &mut slot.machine {
                machine.set_keys(Arc::clone(&KEYS[slot.step]));
            }
            change.at += change.pace.mul_f64(self.rng.random());
        } else if change.step + 1 < KEYS.len() {
            change.step += 1;
            let sealing = (0..self.machines.len()).filter(|&n| !self.layout.places[n].is_c);
            change.left = sealing.collect();
            change.left.shuffle(&mut self.rng);
            // What the old key has sealed is under way when nobody seals with it any more.
            if change.step == KEYS.len() - 1 {
                change.at += self.layout.longest_way() * Conditions::MOST_DELAY;
            }
        } else {
            self.key_change = None;
        }
    }
}
