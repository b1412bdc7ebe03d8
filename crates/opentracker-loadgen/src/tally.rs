//! What a thread counts.

use std::collections::BTreeMap;

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

/// What became of requests; the names are those of the report.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counts {
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
}

/// What a thread has counted since the warm-up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) counts: Counts,
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
    pub(crate) latency: Latency,
    /// Nanoseconds in which there was nothing to do.
    pub(crate) idle: u64,
    /// Nanoseconds from the end of the warm-up to the end of the run.
    pub(crate) elapsed: u64,
}

/// Nanoseconds from when requests were sent, or were due, to their answers.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
    pub(crate) histogram: Histogram<u64>,
    pub(crate) sum: u64,
}

impl Default for Latency {
    fn default() -> Self {
        // Three digits from 100 ns to two minutes.
        let histogram = Histogram::new_with_bounds(100, 120_000_000_000, 3);
        Self {
            histogram: histogram.expect("the bounds are constants in order"),
            sum: 0,
        }
    }
}

/// The most texts of refusals that are told apart, since a tracker chooses them.
const MAX_ERROR_TEXTS: usize = 32;

/// Octets of a refusal's text that are kept.
const MAX_ERROR_OCTETS: usize = 100;

impl Counts {
    /// Counts a refusal; other texts than the first [`MAX_ERROR_TEXTS`] count together.
    pub(crate) fn error(&mut self, text: &[u8]) {
        let text = String::from_utf8_lossy(&text[..text.len().min(MAX_ERROR_OCTETS)]);
        if let Some(count) = self.errors.get_mut(text.as_ref()) {
            *count += 1;
        } else if self.errors.len() < MAX_ERROR_TEXTS {
            self.errors.insert(text.into_owned(), 1);
        } else {
            *self.errors.entry("(other texts)".to_owned()).or_default() += 1;
        }
    }

    /// Refusals of all texts.
    pub(crate) fn refusals(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Answers and refusals.
    pub(crate) fn replies(&self) -> u64 {
        self.answered.total() + self.refusals()
    }

    fn add(&mut self, other: &Self) {
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
    }
}

impl Tally {
    /// Counts what every answer has.
    pub(crate) fn answer(&mut self, octets: usize, latency: u64) {
        self.octets += octets as u64;
        self.latency.histogram.saturating_record(latency);
        self.latency.sum += latency;
    }

    /// Adds what another thread counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.connections += other.connections;
        self.broken += other.broken;
        self.packets += other.packets;
        self.records += other.records;
        self.peers += other.peers;
        self.octets += other.octets;
        self.latency
            .histogram
            .add(&other.latency.histogram)
            .expect("all histograms have the same bounds");
        self.latency.sum += other.latency.sum;
        self.idle += other.idle;
        self.elapsed = self.elapsed.max(other.elapsed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let mut a = Tally::default();
        a.counts.sent.count(Kind::Announce);
        a.counts.answered.count(Kind::Announce);
        a.answer(146, 1_000);
        a.counts.error(b"no");
        a.elapsed = 7;
        let mut b = Tally::default();
        b.counts.sent.count(Kind::Scrape);
        b.counts.answered.count(Kind::Scrape);
        b.answer(20, 3_000);
        b.counts.error(b"no");
        b.counts.error(b"never");
        b.elapsed = 5;
        a.add(&b);
        let counts = &a.counts;
        assert_eq!((counts.sent.total(), counts.answered.total()), (2, 2));
        assert_eq!((a.octets, a.latency.sum, a.elapsed), (166, 4_000, 7));
        assert_eq!(a.latency.histogram.len(), 2);
        assert_eq!((counts.refusals(), counts.replies()), (3, 5));
        assert_eq!(counts.errors["no"], 2);
    }

    #[test]
    fn the_texts_of_refusals_are_bounded() {
        let mut counts = Counts::default();
        for number in 0..1_000 {
            counts.error(format!("{number} {}", "x".repeat(500)).as_bytes());
        }
        counts.error(&[0xff; 10]);
        assert_eq!(counts.errors.len(), MAX_ERROR_TEXTS + 1);
        assert_eq!(counts.refusals(), 1_001);
        let mut texts = counts.errors.keys();
        assert!(texts.all(|text| text.len() <= MAX_ERROR_OCTETS));
    }
}
