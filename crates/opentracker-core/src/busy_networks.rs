//! Which networks announce most, and which announce too often, by the announces of the
//! [sample](crate::sampler).
//!
//! The counts are of a sliding window of one announce interval, in which every peer announces about
//! once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;

/// Networks that a thread counts in each list at most. When there are more, the lesser half gives
/// way: whoever makes more than two of this many announces certainly stays.
const MAX_NETWORKS: usize = 1024;

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

/// Adds the counts of several threads up.
#[derive(Debug, Default)]
pub(crate) struct Sums([BTreeMap<IpAddr, u64>; 3]);

impl Sums {
    pub(crate) fn ranked(self) -> BusyNetworks {
        let [coarse, fine, early] = self.0.map(ranked);
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
pub(crate) struct Recent {
    began: Instant,
    current: [List; 3],
    last: [List; 3],
}

impl Recent {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            current: Default::default(),
            last: Default::default(),
        }
    }

    /// Begins another window if it is time.
    pub(crate) fn turn(&mut self, now: Instant, window: Duration) {
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

    /// Counts announces of a network, which came too early or not.
    pub(crate) fn add(&mut self, ip: IpAddr, is_early: bool, announces: u64) {
        let [coarse, fine, early] = &mut self.current;
        coarse.add(network(ip, BusyNetworks::COARSE), announces);
        fine.add(network(ip, BusyNetworks::FINE), announces);
        if is_early {
            early.add(network(ip, BusyNetworks::FINE), announces);
        }
    }

    /// Adds what is within one window of now: of the last window the part that it still covers, as
    /// if its announces had been spread evenly.
    pub(crate) fn add_to(&self, sums: &mut Sums, now: Instant, window: Duration) {
        let left = window.saturating_sub(now.saturating_duration_since(self.began));
        let share = |count: u64| {
            let part = u128::from(count) * left.as_millis();
            u64::try_from(part.div_ceil(window.as_millis().max(1))).unwrap_or(u64::MAX)
        };
        for ((sum, current), last) in sums.0.iter_mut().zip(&self.current).zip(&self.last) {
            for (&network, counted) in &current.counts {
                *sum.entry(network).or_default() += counted.surely();
            }
            for (&network, counted) in &last.counts {
                *sum.entry(network).or_default() += share(counted.surely());
            }
            sum.retain(|_, count| *count > 0);
        }
    }
}

/// The networks that were counted most, like the space-saving algorithm has them: bounded, whatever
/// comes.
#[derive(Debug, Default)]
struct List {
    counts: BTreeMap<IpAddr, Counted>,
    /// None that gave way was counted more often.
    dropped: u64,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    /// At most so often.
    count: u64,
    /// So much of it is what the network may have been counted before it came to stay.
    maybe: u64,
}

impl Counted {
    fn surely(self) -> u64 {
        self.count - self.maybe
    }
}

impl List {
    fn add(&mut self, network: IpAddr, announces: u64) {
        let maybe = self.dropped;
        let first = Counted {
            count: maybe,
            maybe,
        };
        self.counts.entry(network).or_insert(first).count += announces;
        if self.counts.len() > MAX_NETWORKS {
            self.drop_half();
        }
    }

    /// Drops the half that was counted least, and all that were counted as often as the most of
    /// these.
    fn drop_half(&mut self) {
        let mut counts: Vec<_> = self.counts.values().map(|counted| counted.count).collect();
        let (_, &mut median, _) = counts.select_nth_unstable(MAX_NETWORKS / 2);
        self.counts.retain(|_, counted| counted.count > median);
        self.dropped = median;
    }
}

fn network(ip: IpAddr, (v4, v6): (u8, u8)) -> IpAddr {
    let length = if ip.is_ipv4() { v4 } else { v6 };
    let network = IpNet::new(ip, length).expect("an address has more bits");
    network.network()
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests need any instant to count from"
)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(1800);

    fn ip(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn net(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn busy(recent: &Recent, now: Instant) -> BusyNetworks {
        let mut sums = Sums::default();
        recent.add_to(&mut sums, now, WINDOW);
        sums.ranked()
    }

    #[test]
    fn networks_of_all_sizes() {
        let now = Instant::now();
        let mut recent = Recent::new(now);
        for (address, is_early) in [
            ("192.0.2.1", false),
            ("192.0.2.130", true),
            ("192.0.2.2", false),
            ("2001:db8::1", false),
            ("2001:db8:0:1::1", true),
        ] {
            recent.add(net(address), is_early, 10);
        }
        let busy = busy(&recent, now);
        assert_eq!(
            busy.coarse,
            [(net("192.0.2.0"), 30), (net("2001:db8::"), 20)]
        );
        assert_eq!(
            busy.fine,
            [
                (net("192.0.2.0"), 20),
                (net("192.0.2.128"), 10),
                (net("2001:db8::"), 10),
                (net("2001:db8:0:1::"), 10),
            ]
        );
        assert_eq!(
            busy.early,
            [(net("192.0.2.128"), 10), (net("2001:db8:0:1::"), 10)]
        );
    }

    #[test]
    fn what_was_counted_fades_within_two_windows() {
        let start = Instant::now();
        let mut recent = Recent::new(start);
        recent.add(ip(0x0100_0000), false, 90);
        for (windows, expected) in [(0.5, 90), (1.0, 90), (1.5, 45), (1.9, 9), (2.0, 0)] {
            let now = start + WINDOW.mul_f64(windows);
            recent.turn(now, WINDOW);
            let busy = busy(&recent, now);
            let count = busy.coarse.first().map_or(0, |&(_, count)| count);
            assert_eq!(count, expected, "{windows}");
        }
    }

    #[test]
    fn the_heavy_stay_and_nobody_is_blamed_for_others() {
        let now = Instant::now();
        let mut recent = Recent::new(now);
        for number in 0..20_000 {
            recent.add(ip(number << 8), false, 1);
            recent.add(ip(0xfe00_0000), false, 1);
        }
        let busy = busy(&recent, now);
        assert!(busy.coarse.len() <= MAX_NETWORKS);
        assert_eq!(busy.coarse[0], (net("254.0.0.0"), 20_000));
        assert!(busy.coarse[1..].iter().all(|&(_, count)| count == 1));
    }
}
