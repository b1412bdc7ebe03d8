//! A sample of the announces, for what is too costly to be counted each time: how clients behave.
//!
//! Each thread looks at one announce a millisecond at most, which stands for all since the one
//! before. So a tracker of up to a thousand announces a second and thread counts each, a busier
//! one estimates, and no announce pays for it.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::busy_networks::{BusyNetworks, Recent, Sums};
use crate::clients::Client;
use crate::counters::{CounterRegistry, Counters};
use crate::habits::Habit;
use crate::rules::Settings;
use crate::sync::Mutex;

/// Time between two announces that a thread looks at.
const EVERY: Duration = Duration::from_millis(1);

/// What there is to see of an announce.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) ip: IpAddr,
    /// The software that its peer id names.
    pub(crate) client: Client,
    /// Peers that it is to get.
    pub(crate) wanted: usize,
    /// Minutes since the peer's announce before; `None`: it was not known.
    pub(crate) renewed_after: Option<u8>,
}

/// One thread's eye on its announces.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// When it looks at the next announce.
    due: Instant,
    /// Announces since the last that it looked at.
    passed: u64,
    habits: Counters<Habit>,
    clients: Counters<Client>,
    networks: Arc<Mutex<Recent>>,
}

impl Sampler {
    /// Takes note of an announce of a peer that stays. `see` is called if it is looked at.
    #[inline]
    pub(crate) fn note(&mut self, now: Instant, settings: &Settings, see: impl FnOnce() -> Seen) {
        self.passed += 1;
        if now >= self.due {
            self.look(see(), now, settings);
        }
    }

    #[cold]
    fn look(&mut self, seen: Seen, now: Instant, settings: &Settings) {
        self.due = now + EVERY;
        // While somebody reads it, the next announce stands for this one, too.
        let Ok(mut networks) = self.networks.try_lock() else {
            return;
        };
        let announces = std::mem::take(&mut self.passed);
        self.clients.add(seen.client, announces);
        self.habits.add(Habit::wanted(seen.wanted), announces);
        if let Some(minutes) = seen.renewed_after {
            self.habits.add(Habit::RenewedAfter(minutes), announces);
        }
        let is_early = seen
            .renewed_after
            .is_some_and(|minutes| is_early(minutes, settings));
        networks.turn(now, settings.interval);
        networks.add(seen.ip, is_early, announces);
    }
}

/// Tells whether a client came back sooner than it was asked to. Within a minute it may have had
/// something to report, or reached us in two ways.
fn is_early(minutes: u8, settings: &Settings) -> bool {
    minutes > 0 && u64::from(minutes) * 60 < settings.min_interval.as_secs()
}

/// The samples of all threads.
#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<Vec<Arc<Mutex<Recent>>>>);

impl Samples {
    /// Makes the sampler of one more thread. What it saw is read on after the thread has ended.
    pub(crate) fn register(&self, counters: &CounterRegistry, now: Instant) -> Sampler {
        let networks = Arc::new(Mutex::new(Recent::new(now)));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&networks));
        Sampler {
            due: now,
            passed: 0,
            habits: counters.register(),
            clients: counters.register(),
            networks,
        }
    }

    pub(crate) fn busy_networks(&self, now: Instant, window: Duration) -> BusyNetworks {
        let mut sums = Sums::default();
        for networks in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let mut networks = networks.lock().unwrap_or_else(PoisonError::into_inner);
            networks.turn(now, window);
            networks.add_to(&mut sums, now, window);
        }
        sums.ranked()
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests need any instant to count from"
)]
mod tests {
    use super::*;

    fn seen(last: u8) -> Seen {
        Seen {
            ip: [192, 0, last, 1].into(),
            client: Client::RTorrent,
            wanted: 50,
            renewed_after: Some(7),
        }
    }

    #[test]
    fn of_announces_that_come_fast_one_stands_for_all() {
        let (samples, counters) = (Samples::default(), CounterRegistry::default());
        let settings = Settings::default();
        let start = Instant::now();
        let mut sampler = samples.register(&counters, start);
        for _ in 0..100 {
            sampler.note(start, &settings, || seen(1));
        }
        let counts = |now| {
            let busy = samples.busy_networks(now, settings.interval);
            let counts = busy.coarse.iter().map(|&(_, count)| count);
            counts.collect::<Vec<_>>()
        };
        assert_eq!(counts(start), [1]);
        sampler.note(start + EVERY, &settings, || seen(2));
        assert_eq!(counts(start + EVERY), [100, 1]);
        assert_eq!(counters.sum(Habit::Wanted(50)), 101);
        assert_eq!(counters.sum(Habit::RenewedAfter(7)), 101);
        assert_eq!(counters.sum(Client::RTorrent), 101);
        assert_eq!(counters.sum(Client::Other), 0);
    }

    #[test]
    fn threads_are_added_up() {
        let (samples, counters) = (Samples::default(), CounterRegistry::default());
        let settings = Settings::default();
        let now = Instant::now();
        for _ in 0..3 {
            samples
                .register(&counters, now)
                .note(now, &settings, || seen(1));
        }
        let busy = samples.busy_networks(now, settings.interval);
        assert_eq!(busy.early, [([192, 0, 1, 0].into(), 3)]);
        assert_eq!(counters.sum(Habit::RenewedAfter(7)), 3);
    }
}
