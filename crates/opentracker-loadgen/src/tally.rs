//! What a thread counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use hdrhistogram::Histogram;
use serde::Serialize;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A connection id (UDP alone).
    Connect,
    /// Peers.
    Announce,
    /// The counts of swarms.
    Scrape,
}

/// A number for each kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct ByKind {
    pub(crate) connect: u64,
    pub(crate) announce: u64,
    pub(crate) scrape: u64,
}

impl ByKind {
    /// Counts one.
    pub(crate) const fn count(&mut self, kind: Kind) {
        match kind {
            Kind::Connect => self.connect += 1,
            Kind::Announce => self.announce += 1,
            Kind::Scrape => self.scrape += 1,
        }
    }

    /// The sum over all kinds.
    pub(crate) const fn total(&self) -> u64 {
        self.connect + self.announce + self.scrape
    }

    fn add(&mut self, other: &Self) {
        self.connect += other.connect;
        self.announce += other.announce;
        self.scrape += other.scrape;
    }
}

/// What a thread has counted since the warm-up.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// Requests that left.
    pub(crate) sent: ByKind,
    /// Requests that got what they asked for.
    pub(crate) answered: ByKind,
    /// Requests that got a refusal, by its text.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Requests without an answer in time.
    pub(crate) lost: u64,
    /// Answers to no request that still waits: late or twice.
    pub(crate) stray: u64,
    /// Answers that cannot be understood, or answer something else.
    pub(crate) malformed: u64,
    /// Requests that the system did not take.
    pub(crate) unsent: u64,
    /// Requests that were sent again, since a kept connection had ended before it took them.
    pub(crate) resent: u64,
    /// TCP connections that were opened.
    pub(crate) connections: u64,
    /// TCP connections that could not be opened or broke.
    pub(crate) broken: u64,
    /// Packets of the cluster protocol that left.
    pub(crate) packets: u64,
    /// Records in them.
    pub(crate) records: u64,
    /// Peers in the answers to announces.
    pub(crate) peers: u64,
    /// Octets of the answers, without the headers below UDP or TCP.
    pub(crate) octets: u64,
    /// Nanoseconds from when a request was sent, or was due, to its answer.
    pub(crate) latency: Histogram<u64>,
    /// The sum of these.
    pub(crate) latency_sum: u64,
    /// Nanoseconds in which there was nothing to do.
    pub(crate) idle: u64,
    /// Nanoseconds from the end of the warm-up to the end of the run.
    pub(crate) elapsed: u64,
}

/// Latencies are kept with three digits from 100 ns to two minutes.
const LATENCY_RANGE: (u64, u64) = (100, 120_000_000_000);
const LATENCY_DIGITS: u8 = 3;

/// The most texts of refusals that are told apart, since a tracker chooses them.
const MAX_ERROR_TEXTS: usize = 32;

/// Octets of a refusal's text that are kept.
const MAX_ERROR_OCTETS: usize = 100;

impl Tally {
    /// Starts at zero.
    pub(crate) fn new() -> Self {
        let (low, high) = LATENCY_RANGE;
        Self {
            sent: ByKind::default(),
            answered: ByKind::default(),
            errors: BTreeMap::new(),
            lost: 0,
            stray: 0,
            malformed: 0,
            unsent: 0,
            resent: 0,
            connections: 0,
            broken: 0,
            packets: 0,
            records: 0,
            peers: 0,
            octets: 0,
            latency: Histogram::new_with_bounds(low, high, LATENCY_DIGITS)
                .expect("the bounds are constants in order"),
            latency_sum: 0,
            idle: 0,
            elapsed: 0,
        }
    }

    /// Counts what every answer has.
    pub(crate) fn answer(&mut self, octets: usize, latency: u64) {
        self.octets += octets as u64;
        self.latency.saturating_record(latency);
        self.latency_sum += latency;
    }

    /// Counts a refusal; other texts than the first [`MAX_ERROR_TEXTS`] count together.
    pub(crate) fn error(&mut self, text: &[u8]) {
        let text = &text[..text.len().min(MAX_ERROR_OCTETS)];
        let text = String::from_utf8_lossy(text);
        if let Some(count) = self.errors.get_mut(text.as_ref()) {
            *count += 1;
        } else if self.errors.len() < MAX_ERROR_TEXTS {
            self.errors.insert(text.into_owned(), 1);
        } else {
            *self.errors.entry("(other texts)".to_owned()).or_default() += 1;
        }
    }

    /// Answers and refusals.
    pub(crate) fn replies(&self) -> u64 {
        self.answered.total() + self.refusals()
    }

    /// Refusals of all texts.
    pub(crate) fn refusals(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds what another thread counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sent.add(&other.sent);
        self.answered.add(&other.answered);
        for (text, count) in &other.errors {
            *self.errors.entry(text.clone()).or_default() += count;
        }
        self.lost += other.lost;
        self.stray += other.stray;
        self.malformed += other.malformed;
        self.unsent += other.unsent;
        self.resent += other.resent;
        self.connections += other.connections;
        self.broken += other.broken;
        self.packets += other.packets;
        self.records += other.records;
        self.peers += other.peers;
        self.octets += other.octets;
        self.latency
            .add(&other.latency)
            .expect("all histograms have the same bounds");
        self.latency_sum += other.latency_sum;
        self.idle += other.idle;
        self.elapsed = self.elapsed.max(other.elapsed);
    }
}

/// What the progress line shows of a thread, written by that thread alone.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    latency_sum: AtomicU64,
}

/// A reading of gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reading {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    /// Refusals and whatever else is no answer, except what is lost.
    pub(crate) failed: u64,
    pub(crate) lost: u64,
    pub(crate) latency_sum: u64,
}

impl Gauge {
    /// Shows a tally.
    pub(crate) fn publish(&self, tally: &Tally) {
        let refusals = if tally.errors.is_empty() {
            0
        } else {
            tally.refusals()
        };
        for (gauge, value) in [
            (&self.sent, tally.sent.total()),
            (&self.answered, tally.answered.total()),
            (&self.failed, refusals + tally.malformed + tally.broken),
            (&self.lost, tally.lost),
            (&self.latency_sum, tally.latency_sum),
        ] {
            gauge.store(value, Ordering::Relaxed);
        }
    }

    /// Adds up gauges.
    pub(crate) fn read_all(gauges: &[Self]) -> Reading {
        let sum = |field: fn(&Self) -> &AtomicU64| -> u64 {
            gauges
                .iter()
                .map(|gauge| field(gauge).load(Ordering::Relaxed))
                .sum()
        };
        Reading {
            sent: sum(|gauge| &gauge.sent),
            answered: sum(|gauge| &gauge.answered),
            failed: sum(|gauge| &gauge.failed),
            lost: sum(|gauge| &gauge.lost),
            latency_sum: sum(|gauge| &gauge.latency_sum),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let mut a = Tally::new();
        a.sent.count(Kind::Announce);
        a.answered.count(Kind::Announce);
        a.answer(146, 1_000);
        a.error(b"no");
        a.elapsed = 7;
        let mut b = Tally::new();
        b.sent.count(Kind::Scrape);
        b.answered.count(Kind::Scrape);
        b.answer(20, 3_000);
        b.error(b"no");
        b.error(b"never");
        b.elapsed = 5;
        a.merge(&b);
        assert_eq!((a.sent.total(), a.answered.total()), (2, 2));
        assert_eq!((a.octets, a.latency_sum, a.elapsed), (166, 4_000, 7));
        assert_eq!(a.latency.len(), 2);
        assert_eq!((a.refusals(), a.replies()), (3, 5));
        assert_eq!(a.errors["no"], 2);
    }

    #[test]
    fn the_texts_of_refusals_are_bounded() {
        let mut tally = Tally::new();
        for number in 0..1_000 {
            tally.error(format!("{number} {}", "x".repeat(500)).as_bytes());
        }
        tally.error(&[0xff; 10]);
        assert_eq!(tally.errors.len(), MAX_ERROR_TEXTS + 1);
        assert_eq!(tally.refusals(), 1_001);
        assert!(
            tally
                .errors
                .keys()
                .all(|text| text.len() <= MAX_ERROR_OCTETS)
        );
    }

    #[test]
    fn gauges_show_the_latest() {
        let gauges = [Gauge::default(), Gauge::default()];
        let mut tally = Tally::new();
        for _ in 0..3 {
            tally.sent.count(Kind::Announce);
        }
        tally.answered.count(Kind::Announce);
        tally.answer(1, 500);
        tally.lost = 1;
        tally.error(b"no");
        gauges[0].publish(&tally);
        gauges[1].publish(&tally);
        gauges[1].publish(&tally);
        assert_eq!(
            Gauge::read_all(&gauges),
            Reading {
                sent: 6,
                answered: 2,
                failed: 2,
                lost: 2,
                latency_sum: 1_000,
            }
        );
    }
}
