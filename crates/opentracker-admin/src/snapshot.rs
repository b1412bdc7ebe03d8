//! What statistics and metrics are made from.

use opentracker_core::{CounterRegistry, CounterSet, Totals};
use opentracker_http::Counter as Http;
use opentracker_types::TrackerId;
use opentracker_udp::Counter as Udp;

use crate::counters::Counter as Pages;

/// The state of the tracker at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot<'a> {
    pub(crate) totals: Totals,
    pub(crate) counters: &'a CounterRegistry,
    /// Octets of memory that torrents and peers take.
    pub(crate) swarms_octets: u64,
    pub(crate) uptime_secs: u64,
    pub(crate) version: &'a str,
    pub(crate) tracker_id: TrackerId,
}

impl Snapshot<'_> {
    /// Returns a sum over all threads.
    pub(crate) fn get(&self, counter: impl CounterSet) -> u64 {
        self.counters.sum(counter)
    }

    /// Returns a sum of a crate that this one does not know, by its family and the values of its
    /// labels; 0 if nobody counts it.
    fn named(&self, family: &str, labels: &[&str]) -> u64 {
        let families = self.counters.families();
        let of_name = families.iter().filter(|(known, _)| known.name == family);
        let series = of_name.flat_map(|(family, sums)| family.series.iter().zip(sums));
        series
            .filter(|(values, _)| **values == labels)
            .map(|(_, sum)| sum)
            .sum()
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
        self.counters.sum_of(&[Udp::Announce, Udp::Connect])
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
            Pages::Timeout,
            Pages::HeadTooLarge,
        ])
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
