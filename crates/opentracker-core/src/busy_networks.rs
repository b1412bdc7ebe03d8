//! Which networks announce most, and which announce too often: estimated from a sample.
//!
//! Each thread looks at one announce a millisecond at most, which stands for all since the one
//! before. So a tracker of up to a thousand announces a second and thread counts each, and a
//! busier one pays no more. The counts are of a sliding window of one announce interval, in which
//! every peer announces about once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

/// Networks that a thread counts in each list. A network with more than this part of all announces
/// is certainly among them; when a list is full, the least gives way.
const MAX_NETWORKS: usize = 512;

/// Time between two announces that a thread looks at.
const SAMPLE_EVERY: Duration = Duration::from_millis(1);

/// The networks that announced most within about one interval, each with the number of its
/// announces, the busiest first. A network is its first address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusyNetworks {
    /// By [`Self::COARSE`].
    pub coarse: Vec<(IpAddr, u64)>,
    /// By [`Self::FINE`].
    pub fine: Vec<(IpAddr, u64)>,
    /// By [`Self::FINE`], of the announces that came sooner than the peer had been asked to.
    pub early: Vec<(IpAddr, u64)>,
}

impl BusyNetworks {
    /// Bits of an IPv4 and an IPv6 network: what logs show of an address.
    pub const COARSE: (u8, u8) = (24, 48);
    /// Bits of an IPv4 and an IPv6 network: a few customers, or one.
    pub const FINE: (u8, u8) = (28, 64);
}

/// One announce, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) ip: IpAddr,
    /// It came sooner than it was asked to.
    pub(crate) is_early: bool,
}

/// One thread's eye on its announces.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// When the thread looks at the next announce.
    due: Instant,
    /// Announces since the last that it looked at.
    passed: u64,
    sample: Arc<Mutex<Sample>>,
}

impl Sampler {
    /// Takes note of an announce; `look` says what there is to see if it is one of the sample.
    #[inline]
    pub(crate) fn note(&mut self, now: Instant, window: Duration, look: impl FnOnce() -> Seen) {
        self.passed += 1;
        if now >= self.due {
            self.take(now, window, look());
        }
    }

    #[cold]
    fn take(&mut self, now: Instant, window: Duration, seen: Seen) {
        self.due = now + SAMPLE_EVERY;
        // While somebody reads it, the next announce of the sample stands for this one, too.
        if let Ok(mut sample) = self.sample.try_lock() {
            sample.turn(now, window);
            sample.add(seen, std::mem::take(&mut self.passed));
        }
    }
}

/// The samples of all threads.
#[derive(Debug, Default)]
pub(crate) struct Samples(Mutex<Vec<Arc<Mutex<Sample>>>>);

impl Samples {
    /// Makes the sampler of one more thread. Its sample is read on after the thread has ended.
    pub(crate) fn register(&self, now: Instant) -> Sampler {
        let sample = Arc::new(Mutex::new(Sample::new(now)));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&sample));
        Sampler {
            due: now,
            passed: 0,
            sample,
        }
    }

    /// Adds the samples up.
    pub(crate) fn sum(&self, now: Instant, window: Duration) -> BusyNetworks {
        let mut sums = [(); 3].map(|()| BTreeMap::new());
        for sample in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let mut sample = sample.lock().unwrap_or_else(PoisonError::into_inner);
            sample.turn(now, window);
            sample.add_to(&mut sums, now, window);
        }
        let [coarse, fine, early] = sums.map(ranked);
        BusyNetworks {
            coarse,
            fine,
            early,
        }
    }
}

fn ranked(counts: BTreeMap<IpAddr, u64>) -> Vec<(IpAddr, u64)> {
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    ranked
}

/// One thread's announces by network: of the window that runs, and of the one before.
#[derive(Debug)]
struct Sample {
    began: Instant,
    current: [List; 3],
    last: [List; 3],
}

impl Sample {
    fn new(began: Instant) -> Self {
        Self {
            began,
            current: Default::default(),
            last: Default::default(),
        }
    }

    /// Begins another window if it is time.
    fn turn(&mut self, now: Instant, window: Duration) {
        let age = now.saturating_duration_since(self.began);
        if age < window {
            return;
        }
        self.last = std::mem::take(&mut self.current);
        self.began += window;
        if age >= 2 * window {
            self.last = Default::default();
            self.began = now;
        }
    }

    fn add(&mut self, seen: Seen, weight: u64) {
        let [coarse, fine, early] = &mut self.current;
        coarse.add(network(seen.ip, BusyNetworks::COARSE), weight);
        fine.add(network(seen.ip, BusyNetworks::FINE), weight);
        if seen.is_early {
            early.add(network(seen.ip, BusyNetworks::FINE), weight);
        }
    }

    /// Adds what is within one window of now: of the last window the part that it still covers, as
    /// if its announces had been spread evenly.
    fn add_to(&self, sums: &mut [BTreeMap<IpAddr, u64>; 3], now: Instant, window: Duration) {
        let left = window.saturating_sub(now.saturating_duration_since(self.began));
        let share = |count: u64| {
            let part = u128::from(count) * left.as_millis();
            u64::try_from(part.div_ceil(window.as_millis().max(1))).unwrap_or(u64::MAX)
        };
        for ((sum, current), last) in sums.iter_mut().zip(&self.current).zip(&self.last) {
            for (&network, counted) in &current.0 {
                *sum.entry(network).or_default() += counted.surely();
            }
            for (&network, counted) in &last.0 {
                *sum.entry(network).or_default() += share(counted.surely());
            }
            sum.retain(|_, count| *count > 0);
        }
    }
}

/// The networks that were counted most, by the space-saving algorithm: bounded, whatever comes.
#[derive(Debug, Default)]
struct List(BTreeMap<IpAddr, Counted>);

#[derive(Debug, Clone, Copy)]
struct Counted {
    /// At most so often.
    count: u64,
    /// So much of it may have been counted for the networks whose place this one took.
    inherited: u64,
}

impl Counted {
    fn surely(self) -> u64 {
        self.count - self.inherited
    }
}

impl List {
    fn add(&mut self, network: IpAddr, weight: u64) {
        if let Some(counted) = self.0.get_mut(&network) {
            counted.count += weight;
            return;
        }
        let mut inherited = 0;
        if self.0.len() >= MAX_NETWORKS {
            let least = self.0.iter().min_by_key(|(_, counted)| counted.count);
            if let Some((&network, counted)) = least {
                inherited = counted.count;
                self.0.remove(&network);
            }
        }
        let counted = Counted {
            count: inherited + weight,
            inherited,
        };
        self.0.insert(network, counted);
    }
}

fn network(ip: IpAddr, (v4, v6): (u8, u8)) -> IpAddr {
    let length = if ip.is_ipv4() { v4 } else { v6 };
    let network = IpNet::new(ip, length).expect("an address has more bits");
    network.network()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1800);

    fn ip(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn seen(ip: IpAddr) -> Seen {
        Seen {
            ip,
            is_early: false,
        }
    }

    fn net(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_counts_if_they_come_one_a_millisecond() {
        let samples = Samples::default();
        let start = Instant::now();
        let mut sampler = samples.register(start);
        let mut now = start;
        for (address, is_early) in [
            ("192.0.2.1", false),
            ("192.0.2.130", true),
            ("192.0.2.2", false),
            ("2001:db8::1", false),
            ("2001:db8:0:1::1", true),
        ] {
            let ip = address.parse().unwrap();
            sampler.note(now, WINDOW, || Seen { ip, is_early });
            now += SAMPLE_EVERY;
        }
        let busy = samples.sum(now, WINDOW);
        assert_eq!(busy.coarse, [(net("192.0.2.0"), 3), (net("2001:db8::"), 2)]);
        assert_eq!(
            busy.fine,
            [
                (net("192.0.2.0"), 2),
                (net("192.0.2.128"), 1),
                (net("2001:db8::"), 1),
                (net("2001:db8:0:1::"), 1),
            ]
        );
        assert_eq!(
            busy.early,
            [(net("192.0.2.128"), 1), (net("2001:db8:0:1::"), 1)]
        );
    }

    #[test]
    fn of_those_that_come_faster_one_stands_for_all() {
        let samples = Samples::default();
        let now = Instant::now();
        let mut sampler = samples.register(now);
        for _ in 0..100 {
            sampler.note(now, WINDOW, || seen(ip(0x0100_0000)));
        }
        let counts = |now| samples.sum(now, WINDOW).coarse;
        assert_eq!(counts(now), [(net("1.0.0.0"), 1)]);
        let now = now + SAMPLE_EVERY;
        sampler.note(now, WINDOW, || seen(ip(0x0200_0000)));
        assert_eq!(counts(now), [(net("2.0.0.0"), 100), (net("1.0.0.0"), 1)]);
    }

    #[test]
    fn threads_are_added_up() {
        let samples = Samples::default();
        let now = Instant::now();
        for _ in 0..3 {
            let mut sampler = samples.register(now);
            sampler.note(now, WINDOW, || seen(ip(0x0100_0000)));
        }
        let busy = samples.sum(now, WINDOW);
        assert_eq!(busy.coarse, [(net("1.0.0.0"), 3)]);
    }

    #[test]
    fn what_was_counted_fades_within_two_windows() {
        let samples = Samples::default();
        let start = Instant::now();
        let mut sampler = samples.register(start);
        for number in 0..90 {
            let now = start + number * SAMPLE_EVERY;
            sampler.note(now, WINDOW, || seen(ip(0x0100_0000)));
        }
        for (windows, expected) in [(0.5, 90), (1.0, 90), (1.5, 45), (1.9, 9), (2.0, 0)] {
            let busy = samples.sum(start + WINDOW.mul_f64(windows), WINDOW);
            let count = busy.coarse.first().map_or(0, |&(_, count)| count);
            assert_eq!(count, expected, "{windows}");
        }
    }

    #[test]
    fn the_heavy_stay_and_nobody_is_blamed_for_others() {
        let samples = Samples::default();
        let mut now = Instant::now();
        let mut sampler = samples.register(now);
        for number in 0..20_000_u32 {
            let crowd = ip(number << 8);
            let heavy = ip(0xfe00_0000);
            for address in [crowd, heavy] {
                sampler.note(now, WINDOW, || seen(address));
                now += SAMPLE_EVERY;
            }
        }
        let busy = samples.sum(now, WINDOW);
        assert!(busy.coarse.len() <= MAX_NETWORKS);
        assert_eq!(busy.coarse[0], (net("254.0.0.0"), 20_000));
        assert!(busy.coarse[1..].iter().all(|&(_, count)| count == 1));
    }
}
