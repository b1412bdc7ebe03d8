//! What statistics and metrics are made from.

use std::time::Instant;

use opentracker_core::{CounterRegistry, CounterSet, Habit, Totals, Tracker};
use opentracker_http::Counter as Http;
use opentracker_types::TrackerId;
use opentracker_udp::Counter as Udp;

use crate::counters::Counter as Pages;

/// Minutes after which a peer is gone in the C program: readers of its pages expect that many.
const C_PEER_TIMEOUT: u8 = 45;

/// The state of the tracker at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot<'a> {
    pub(crate) totals: Totals,
    pub(crate) counters: &'a CounterRegistry,
    /// Octets of memory that torrents and peers take.
    pub(crate) swarms_octets: u64,
    /// What these are bounded by, if they are.
    pub(crate) limit_octets: Option<u64>,
    pub(crate) uptime_secs: u64,
    /// Minutes after which a peer that has not announced is gone.
    pub(crate) peer_timeout: u8,
    pub(crate) version: &'a str,
    pub(crate) tracker_id: TrackerId,
}

impl<'a> Snapshot<'a> {
    /// Takes it now, of a tracker of this version that calls itself so at present.
    pub(crate) fn take(tracker: &'a Tracker, version: &'a str, tracker_id: TrackerId) -> Self {
        let now = Instant::now();
        let settings = &tracker.rules().settings;
        let limit_octets = settings.limits.octets;
        Self {
            totals: tracker.totals(now),
            counters: tracker.counters(),
            swarms_octets: tracker.heap_octets(),
            limit_octets: Some(limit_octets).filter(|&octets| octets < u64::MAX),
            uptime_secs: now.saturating_duration_since(tracker.start()).as_secs(),
            peer_timeout: settings.timing.peer_timeout_minutes(),
            version,
            tracker_id,
        }
    }

    /// Returns a sum over all threads.
    pub(crate) fn get(&self, counter: impl CounterSet) -> u64 {
        self.counters.sum(counter)
    }

    /// Returns a sum of a crate that this one does not know, by its family and the values of its
    /// labels; 0 if nobody counts it.
    fn named(&self, family: &str, labels: &[&str]) -> u64 {
        let families = self.counters.families();
        let of_name = families.iter().filter(|sums| sums.family.name == family);
        of_name.map(|sums| sums.sum(labels)).sum()
    }

    /// HTTP connections that the announce threads accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.named("opentracker_http_connections_total", &[])
    }

    /// Announces of siblings in the cluster that were applied.
    pub(crate) fn live_sync_applied(&self) -> u64 {
        self.named("opentracker_livesync_records_total", &["announce", "in"])
    }

    /// Datagrams that were answered with what they asked for, scrapes aside.
    pub(crate) fn udp_successes(&self) -> u64 {
        self.counters.sum_of(&Udp::ANNOUNCES) + self.counters.sum_of(&Udp::CONNECTS)
    }

    /// Announces over HTTP that were answered with peers.
    pub(crate) fn http_announces(&self) -> u64 {
        self.counters.sum_of(&Http::ANNOUNCES)
    }

    /// Requests with a parameter that is missing or wrong, of whatever kind.
    pub(crate) fn bad_parameters(&self) -> u64 {
        let of_clients = [Http::BadInfoHash, Http::BadPort, Http::BadParameter];
        self.counters.sum_of(&of_clients) + self.get(Pages::BadMode)
    }

    /// Requests that cannot be understood, whatever they ask for.
    pub(crate) fn bad_requests(&self) -> u64 {
        self.counters.sum_of(&[
            Http::BadHead,
            Http::BadHost,
            Http::BadBody,
            Http::SilentProxy,
            Http::BadMethod,
            Http::Timeout,
            Http::HeadTooLarge,
        ]) + self.counters.sum_of(&[
            Pages::BadHead,
            Pages::BadHost,
            Pages::BadBody,
            Pages::BadMethod,
            Pages::NotAcceptable,
            Pages::Timeout,
            Pages::HeadTooLarge,
        ])
    }

    /// How many announces of known peers came so many minutes after the one before. The last minute
    /// stands for all later ones, too.
    pub(crate) fn renewals(&self) -> Vec<u64> {
        let minutes = self.peer_timeout.max(C_PEER_TIMEOUT);
        let mut renewals: Vec<_> = (0..=u8::MAX)
            .map(|minute| self.get(Habit::RenewedAfter(minute)))
            .collect();
        let later = renewals.split_off(usize::from(minutes));
        if let Some(last) = renewals.last_mut() {
            *last += later.iter().sum::<u64>();
        }
        renewals
    }

    /// Requests of those without the right to them.
    pub(crate) fn forbidden(&self) -> u64 {
        self.counters.sum_of(&[Pages::Forbidden, Pages::Foreign])
    }

    /// Requests for what there is not.
    pub(crate) fn not_found(&self) -> u64 {
        self.get(Http::NotFound) + self.get(Pages::NotFound)
    }

    /// Connections that found no slot.
    pub(crate) fn overloaded(&self) -> u64 {
        self.named("opentracker_http_connections_closed_total", &["new"])
            + self.get(Pages::Overloaded)
    }
}
