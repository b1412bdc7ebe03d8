//! How many requests of one prefix are served: a token bucket for each.
//!
//! A bucket is written down as the time at which it will be full: every token that is taken moves
//! that further away, and a bucket that is full is not worth remembering. So a bucket that is new,
//! or was forgotten, is full.
//!
//! The table is of a fixed size, however many prefixes there are. A prefix has its place among
//! [`WAYS`] others, chosen by a keyed hash, so that nobody can choose whose neighbour he is; when
//! these are all there, the fullest bucket makes room.

use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use opentracker_types::Prefix;
use siphasher::sip::SipHasher13;

use crate::access::Networks;

/// Prefixes that have a bucket at the most; the table takes 26 MB.
pub const MAX_PREFIXES: usize = 1 << 20;

/// Prefixes that share a lock and are looked at for each request.
const WAYS: usize = 8;

/// How many requests of one prefix are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// A bucket gets a token in this time.
    pub token_interval: Duration,
    /// Tokens of a full bucket.
    pub burst: u32,
    /// Networks that are never limited.
    pub exempt: Networks,
}

/// A prefix whose requests are not all served as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limited {
    /// The prefix.
    pub prefix: Prefix,
    /// What a request of it would get.
    pub step: Step,
    /// How long until its bucket is full, if it sends nothing.
    pub full_in: Duration,
}

/// What a prefix gets that sends too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Twice the interval.
    Slowed,
    /// Refusals.
    Refused,
    /// No answer.
    Silent,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It is served.
    Served,
    /// It is served, and the client is asked to come more seldom: less than half of its tokens are
    /// left.
    Slowed,
    /// It is refused: there will be a token after this time.
    Refused(Duration),
    /// It is not answered: as many were refused already as a bucket has tokens, and of these each
    /// token that came since makes good one.
    Silent,
}

/// The buckets of all prefixes, shared by all threads.
#[derive(Debug)]
pub(crate) struct RateTable {
    sets: Box<[Mutex<[Bucket; WAYS]>]>,
    hasher: SipHasher13,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// [`Prefix::number`]; 0: nobody's.
    prefix: u64,
    /// When it will be full, in nanoseconds since the start.
    full_at: u64,
    /// Requests that were refused, less one for each token since: never more than a bucket has
    /// tokens.
    refused: u32,
}

impl RateTable {
    /// Makes a table of so many buckets, all of them full. The key must be nobody else's knowledge.
    pub(crate) fn new(prefixes: usize, key: [u8; 16]) -> Self {
        Self {
            sets: (0..prefixes.div_ceil(WAYS))
                .map(|_| Mutex::default())
                .collect(),
            hasher: SipHasher13::new_with_key(&key),
        }
    }

    /// Octets of memory that it takes, however many prefixes are in it.
    pub(crate) fn heap_octets(&self) -> u64 {
        size_of_val(&*self.sets) as u64
    }

    /// Takes a token for a request; `now` is the time since the start.
    pub(crate) fn take(&self, ip: IpAddr, rate: &Rate, now: Duration) -> Pace {
        if rate.exempt.contains(ip) {
            return Pace::Served;
        }
        let prefix = Prefix::of(ip).number();
        let mut set = self
            .set(prefix)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = set.iter_mut().position(|bucket| bucket.prefix == prefix);
        let index = known.unwrap_or_else(|| {
            let fullest = (0..WAYS).min_by_key(|&index| set[index].full_at);
            let index = fullest.expect("there are ways");
            set[index] = Bucket {
                prefix,
                ..Bucket::default()
            };
            index
        });
        set[index].take(rate, nanos(now))
    }

    /// Returns the prefixes that are over the rate, the furthest first.
    pub(crate) fn limited(&self, rate: &Rate, most: usize, now: Duration) -> Vec<Limited> {
        let mut found = Vec::new();
        for set in &self.sets {
            let set = *set.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(
                set.iter()
                    .filter_map(|bucket| bucket.limited(rate, nanos(now))),
            );
            if found.len() >= 2 * most.max(WAYS) {
                keep_furthest(&mut found, most);
            }
        }
        keep_furthest(&mut found, most);
        found
    }

    fn set(&self, prefix: u64) -> &Mutex<[Bucket; WAYS]> {
        let hash = u128::from(self.hasher.hash(&prefix.to_le_bytes()));
        let index = (hash * self.sets.len() as u128) >> 64;
        &self.sets[usize::try_from(index).expect("less than their number")]
    }
}

impl Bucket {
    /// Says what the next request would get, if it is not just served.
    fn limited(mut self, rate: &Rate, now: u64) -> Option<Limited> {
        let prefix = Prefix::from_number(self.prefix)?;
        let full_in = self.full_at.saturating_sub(now);
        let step = match self.take(rate, now) {
            Pace::Served => return None,
            Pace::Slowed => Step::Slowed,
            Pace::Refused(_) => Step::Refused,
            Pace::Silent => Step::Silent,
        };
        Some(Limited {
            prefix,
            step,
            full_in: Duration::from_nanos(full_in),
        })
    }

    fn take(&mut self, rate: &Rate, now: u64) -> Pace {
        let token = nanos(rate.token_interval);
        let capacity = token.saturating_mul(rate.burst.into());
        // What a higher rate or a smaller burst has made too far is no longer owed.
        self.full_at = self.full_at.min(now.saturating_add(capacity));
        let missing = self.full_at.saturating_sub(now) + token;
        if missing > capacity {
            if self.refused >= rate.burst {
                return Pace::Silent;
            }
            self.refused += 1;
            return Pace::Refused(Duration::from_nanos(missing - capacity));
        }
        self.full_at = now + missing;
        self.refused = self.refused.min(rate.burst).saturating_sub(1);
        if missing > capacity / 2 {
            Pace::Slowed
        } else {
            Pace::Served
        }
    }
}

fn keep_furthest(found: &mut Vec<Limited>, most: usize) {
    found.sort_unstable_by_key(|limited| Reverse((limited.step, limited.full_in)));
    found.truncate(most);
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(burst: u32) -> Rate {
        Rate {
            token_interval: SECOND,
            burst,
            exempt: Networks::default(),
        }
    }

    fn ip(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn a_bucket_runs_dry_in_three_steps_and_fills_again() {
        let table = RateTable::new(64, [0; 16]);
        let rate = rate(4);
        let take = |millis| table.take(ip(1), &rate, Duration::from_millis(millis));
        let wait = |millis| Pace::Refused(Duration::from_millis(millis));
        let empties = |at| {
            assert_eq!([take(at), take(at)], [Pace::Served, Pace::Served]);
            assert_eq!([take(at), take(at)], [Pace::Slowed, Pace::Slowed]);
        };
        empties(0);
        assert_eq!(take(0), wait(1000));
        assert_eq!([take(400), take(999)], [wait(600), wait(1)]);
        assert_eq!([take(999), take(999)], [wait(1), Pace::Silent]);
        assert_eq!(take(1000), Pace::Slowed, "a token is there");
        assert_eq!(take(1000), wait(1000), "and one refusal is forgotten");
        assert_eq!([take(1000), take(1999)], [Pace::Silent, Pace::Silent]);
        // Who sends too much for long gets a refusal a token, however many it sends.
        let answered = |step: Pace| step != Pace::Silent;
        let answers = (2000..12_000).filter(|&at| answered(take(at))).count();
        assert_eq!(answers, 20, "of ten seconds");
        empties(10_000_000);
    }

    #[test]
    fn a_prefix_does_not_feel_the_others() {
        let table = RateTable::new(MAX_PREFIXES / 64, [1; 16]);
        let rate = rate(2);
        for number in 1..1000 {
            for _ in 0..10 {
                table.take(ip(number), &rate, SECOND);
            }
            assert_eq!(table.take(ip(number), &rate, SECOND), Pace::Silent);
        }
        assert_eq!(table.take(ip(5000), &rate, SECOND), Pace::Served);
        let of = |host: u128| Ipv6Addr::from_bits(0x2001_0db8 << 96 | host).into();
        for host in [1 << 64, 2 << 64] {
            assert_ne!(table.take(of(host), &rate, SECOND), Pace::Silent);
        }
        let same = table.take(of(3), &rate, SECOND);
        assert!(matches!(same, Pace::Refused(_)), "one /56: {same:?}");
        assert_eq!(table.take(of(1 << 72), &rate, SECOND), Pace::Served);
    }

    #[test]
    fn when_the_table_is_full_the_fullest_makes_room() {
        let table = RateTable::new(WAYS, [2; 16]);
        let rate = rate(10);
        // The later ones have taken more.
        for number in 1..=8 {
            for _ in 0..number {
                table.take(ip(number), &rate, SECOND);
            }
        }
        table.take(ip(99), &rate, SECOND);
        let set = table.sets[0].lock().unwrap();
        let there = |number| {
            let prefix = Prefix::of(ip(number)).number();
            set.iter().any(|bucket| bucket.prefix == prefix)
        };
        assert!(!there(1) && (2..=8).all(there) && there(99));
    }

    #[test]
    fn who_is_exempt_is_not_even_remembered() {
        let table = RateTable::new(WAYS, [3; 16]);
        let rate = Rate {
            exempt: Networks::new(["0.0.0.0/24".parse().unwrap()]),
            ..rate(1)
        };
        assert!((0..9).all(|_| table.take(ip(7), &rate, SECOND) == Pace::Served));
        assert!(
            table.sets[0]
                .lock()
                .unwrap()
                .iter()
                .all(|bucket| bucket.prefix == 0)
        );
        table.take(ip(256), &rate, SECOND);
        assert_ne!(table.take(ip(256), &rate, SECOND), Pace::Served);
    }

    #[test]
    fn another_rate_forgives_what_it_would_not_have_counted() {
        let table = RateTable::new(WAYS, [4; 16]);
        let slow = Rate {
            token_interval: 3600 * SECOND,
            ..rate(100)
        };
        for _ in 0..100 {
            table.take(ip(1), &slow, SECOND);
        }
        let wait = table.take(ip(1), &rate(2), SECOND);
        assert_eq!(wait, Pace::Refused(SECOND));
        assert_eq!(table.take(ip(1), &rate(2), 2 * SECOND), Pace::Slowed);
    }
}
