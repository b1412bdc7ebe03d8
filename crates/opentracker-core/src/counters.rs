use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

macro_rules! counters {
    ($($name:ident $metric:literal $labels:literal $help:literal,)*) => {
        /// What is counted, each with its metric, its labels and its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        #[non_exhaustive]
        pub enum Counter {
            $(#[doc = $help] $name,)*
        }

        impl Counter {
            /// All counters; those of one metric stand together.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the name of the metric, in the form of Prometheus.
            pub const fn metric(self) -> &'static str {
                match self { $(Self::$name => $metric,)* }
            }

            /// Returns the labels that tell it from others of the metric, as `name="value"`
            /// pairs; may be empty.
            pub const fn labels(self) -> &'static str {
                match self { $(Self::$name => $labels,)* }
            }

            /// Returns what is counted, in words.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help,)* }
            }
        }
    };
}

counters! {
    UdpConnect "opentracker_udp_requests_total" r#"action="connect""# "Connects answered over UDP.",
    UdpAnnounce "opentracker_udp_requests_total" r#"action="announce""# "Announces answered with peers over UDP.",
    UdpScrape "opentracker_udp_requests_total" r#"action="scrape""# "Scrapes answered over UDP.",
    UdpReceived "opentracker_udp_datagrams_total" r#"direction="in""# "Datagrams received.",
    UdpSent "opentracker_udp_datagrams_total" r#"direction="out""# "Datagrams sent.",
    UdpError "opentracker_udp_errors_total" "" "Error packets sent.",
    UdpBadConnectionId "opentracker_udp_dropped_total" r#"reason="connection_id""# "Requests without a valid connection id.",
    UdpDroppedShort "opentracker_udp_dropped_total" r#"reason="short""# "Datagrams too short for their action.",
    UdpDroppedMagic "opentracker_udp_dropped_total" r#"reason="magic""# "Connects without the protocol's magic number.",
    UdpDroppedAction "opentracker_udp_dropped_total" r#"reason="action""# "Datagrams with an unknown action.",
    UdpDroppedScrape "opentracker_udp_dropped_total" r#"reason="scrape""# "Scrapes without a whole info hash.",
    UdpDroppedSource "opentracker_udp_dropped_total" r#"reason="source""# "Datagrams from an address or port that cannot be answered.",
    UdpDroppedSend "opentracker_udp_dropped_total" r#"reason="send""# "Replies that the system did not take.",
    HttpAccepted "opentracker_http_connections_total" "" "Connections accepted.",
    HttpAnnounce "opentracker_http_requests_total" r#"path="announce""# "Announces answered with peers over HTTP.",
    HttpScrape "opentracker_http_requests_total" r#"path="scrape""# "Scrapes answered over HTTP.",
    HttpFullScrape "opentracker_http_requests_total" r#"path="full_scrape""# "Full scrapes answered over HTTP.",
    HttpStats "opentracker_http_requests_total" r#"path="stats""# "Statistics, metrics and pages answered.",
    HttpRedirect "opentracker_http_errors_total" r#"status="302""# "Redirects sent.",
    HttpBadHead "opentracker_http_errors_total" r#"status="400",kind="head""# "Heads that are not HTTP.",
    HttpBadBody "opentracker_http_errors_total" r#"status="400",kind="body""# "Requests with a body.",
    HttpBadForwarding "opentracker_http_errors_total" r#"status="400",kind="forwarding""# "Requests whose forwarding headers contradict each other.",
    HttpBadInfoHash "opentracker_http_errors_total" r#"status="400",kind="info_hash""# "Queries with a missing or malformed info_hash.",
    HttpBadPort "opentracker_http_errors_total" r#"status="400",kind="port""# "Queries with a missing or malformed port.",
    HttpBadLeft "opentracker_http_errors_total" r#"status="400",kind="left""# "Queries with a malformed left.",
    HttpBadMode "opentracker_http_errors_total" r#"status="400",kind="mode""# "Requests for statistics of an unknown mode.",
    HttpForbidden "opentracker_http_errors_total" r#"status="403""# "Requests from networks without the right to them.",
    HttpNotFound "opentracker_http_errors_total" r#"status="404""# "Requests for unknown paths.",
    HttpBadMethod "opentracker_http_errors_total" r#"status="405""# "Requests with another method than GET or HEAD.",
    HttpTimeout "opentracker_http_errors_total" r#"status="408""# "Heads that did not arrive in time.",
    HttpHeadTooLarge "opentracker_http_errors_total" r#"status="431""# "Heads that are too large.",
    HttpOverloaded "opentracker_http_errors_total" r#"status="503""# "Connections closed at once because there were too many.",
    FullScrapeOctets "opentracker_full_scrape_octets_total" "" "Octets of full scrapes sent.",
    LiveSyncSent "opentracker_livesync_packets_total" r#"direction="out""# "Live-sync packets sent.",
    LiveSyncReceived "opentracker_livesync_packets_total" r#"direction="in""# "Live-sync packets received.",
    LiveSyncTold "opentracker_livesync_records_total" r#"kind="announce",direction="out""# "Announces told to the cluster.",
    LiveSyncApplied "opentracker_livesync_records_total" r#"kind="announce",direction="in""# "Announces of siblings applied.",
    LiveSyncDownloadsTold "opentracker_livesync_records_total" r#"kind="downloads",direction="out""# "Download counts told to the cluster.",
    LiveSyncDownloadsApplied "opentracker_livesync_records_total" r#"kind="downloads",direction="in""# "Download counts of siblings applied.",
    LiveSyncDroppedOwn "opentracker_livesync_dropped_total" r#"reason="own""# "Packets with our own id.",
    LiveSyncDroppedStranger "opentracker_livesync_dropped_total" r#"reason="stranger""# "Packets from addresses that are not in livesync.nodes.",
    LiveSyncDroppedHeader "opentracker_livesync_dropped_total" r#"reason="header""# "Packets shorter than their header.",
    LiveSyncDroppedType "opentracker_livesync_dropped_total" r#"reason="type""# "Packets of an unknown type.",
    LiveSyncDroppedLength "opentracker_livesync_dropped_total" r#"reason="length""# "Packets of a length that their type cannot have.",
    LiveSyncDroppedEmpty "opentracker_livesync_dropped_total" r#"reason="no_record""# "Packets without a whole record.",
    LiveSyncDroppedRate "opentracker_livesync_dropped_total" r#"reason="rate""# "Packets beyond what one node may send in a second.",
    LiveSyncDroppedAccess "opentracker_livesync_dropped_total" r#"reason="access""# "Records of torrents that are not served here.",
    LiveSyncDroppedAddress "opentracker_livesync_dropped_total" r#"reason="address""# "Records of addresses that cannot be a peer's.",
    LiveSyncDroppedSend "opentracker_livesync_dropped_total" r#"reason="send""# "Packets that the system did not take.",
    LiveSyncDroppedDialect "opentracker_livesync_dropped_total" r#"reason="dialect""# "Announces that the dialect has no packet for.",
    Completed "opentracker_completed_total" "" "Downloads reported as completed, once per peer.",
    Stopped "opentracker_stopped_total" "" "Peers that said goodbye.",
    RefusedDenied "opentracker_refused_total" r#"reason="denied""# "Announces for torrents on the deny list.",
    RefusedNotAllowed "opentracker_refused_total" r#"reason="not_allowed""# "Announces for torrents that are not on the allow list.",
    RefusedAddress "opentracker_refused_total" r#"reason="address""# "Announces from addresses or ports that cannot be a peer's.",
    RefusedFullScrape "opentracker_refused_total" r#"reason="full_scrape""# "Scrapes of all torrents by those without the right to them, or when too many were under way.",
}

/// The counters of one thread.
///
/// Only that thread adds, so adding is a plain load and store; anybody may read.
#[derive(Debug)]
#[repr(align(128))]
pub struct Counters([AtomicU64; Counter::ALL.len()]);

impl Counters {
    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    /// Adds one.
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds a number.
    pub fn add(&self, counter: Counter, number: u64) {
        let cell = &self.0[counter as usize];
        cell.store(
            cell.load(Ordering::Relaxed).wrapping_add(number),
            Ordering::Relaxed,
        );
    }

    fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize].load(Ordering::Relaxed)
    }
}

/// The counters of all threads, summed on reading.
#[derive(Debug, Default)]
pub struct CounterRegistry(Mutex<Vec<Arc<Counters>>>);

impl CounterRegistry {
    /// Makes the counters of one more thread. They count on after the thread has ended.
    pub fn register(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::new());
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&counters));
        counters
    }

    /// Returns the sum over all threads.
    pub fn sum(&self, counter: Counter) -> u64 {
        let threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        threads
            .iter()
            .fold(0, |sum: u64, thread| sum.wrapping_add(thread.get(counter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sums_over_threads() {
        let registry = CounterRegistry::default();
        let (one, two) = (registry.register(), registry.register());
        one.count(Counter::UdpAnnounce);
        two.add(Counter::UdpAnnounce, 5);
        drop(two);
        assert_eq!(registry.sum(Counter::UdpAnnounce), 6);
        assert_eq!(registry.sum(Counter::UdpScrape), 0);
    }

    #[test]
    fn metrics_stand_together_and_labels_tell_them_apart() {
        let mut seen = BTreeSet::new();
        let mut finished = BTreeSet::new();
        let mut current = "";
        for counter in Counter::ALL {
            assert!(seen.insert((counter.metric(), counter.labels())));
            if counter.metric() != current {
                assert!(finished.insert(counter.metric()), "{}", counter.metric());
                current = counter.metric();
            }
        }
    }
}
