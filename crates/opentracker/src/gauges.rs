//! What the metrics show of the parts that the operator plane does not know.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use opentracker_admin::Gauge;
use opentracker_core::{ClientList, HashList, Networks, Tracker};

use crate::certificates::Https;
use crate::reload::ReloadStatus;

/// Seconds since 1970, as Prometheus has times.
pub(crate) fn unix_secs(time: SystemTime) -> f64 {
    let since_1970 = time.duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default().as_secs_f64()
}

/// Returns the gauges of a tracker that starts now.
pub(crate) fn of_tracker(tracker: &Arc<Tracker>) -> Vec<Gauge> {
    let start = unix_secs(SystemTime::now());
    let of_memory = Arc::clone(tracker);
    let of_limit = Arc::clone(tracker);
    let of_lists = Arc::clone(tracker);
    vec![
        Gauge::new(
            "opentracker_start_time_seconds",
            "When the tracker began to serve, in seconds since the unix epoch.",
            move || Some(start),
        ),
        Gauge::with_label(
            "opentracker_memory_bytes",
            "Memory by part: torrents and peers, the rates of prefixes, access lists.",
            "part",
            move || memory(&of_memory),
        ),
        Gauge::new(
            "opentracker_memory_limit_bytes",
            "Bound on the memory of torrents and peers, which is limits.memory, if it is set.",
            move || {
                let octets = of_limit.rules().settings.limits.octets;
                (octets < u64::MAX).then_some(octets as f64)
            },
        ),
        Gauge::with_label(
            "opentracker_list_entries",
            "Entries of the access lists that there are.",
            "list",
            move || list_entries(&of_lists),
        ),
    ]
}

/// Returns the gauge of certificates.
pub(crate) fn of_certificates(https: &Arc<Https>) -> Gauge {
    let https = Arc::clone(https);
    let ends = move || {
        let ends = https.ends().into_iter();
        ends.map(|(name, end)| (name, unix_secs(end))).collect()
    };
    Gauge::with_label(
        "opentracker_tls_certificate_expiry_timestamp_seconds",
        "When the certificate of a host name expires, in seconds since the unix epoch.",
        "name",
        ends,
    )
}

/// Returns the gauges of reloads.
pub(crate) fn of_reloads(reloads: &Arc<ReloadStatus>) -> Vec<Gauge> {
    let (succeeded, success) = (Arc::clone(reloads), Arc::clone(reloads));
    vec![
        Gauge::new(
            "opentracker_config_last_reload_successful",
            "Whether the latest reload, or the start, took over all files.",
            move || Some(f64::from(u8::from(succeeded.has_succeeded()))),
        ),
        Gauge::new(
            "opentracker_config_last_reload_success_timestamp_seconds",
            "When all files were taken over for the last time, in seconds since the unix epoch.",
            move || Some(unix_secs(success.last_success())),
        ),
    ]
}

fn memory(tracker: &Tracker) -> Vec<(&'static str, f64)> {
    let lists = tracker.rules().lists.heap_octets();
    vec![
        ("swarms", tracker.heap_octets() as f64),
        ("rates", tracker.rate_octets() as f64),
        ("lists", lists as f64),
    ]
}

fn list_entries(tracker: &Tracker) -> Vec<(&'static str, f64)> {
    let lists = &tracker.rules().lists;
    let hashes = |list: &Option<HashList>| list.as_ref().map(HashList::len);
    let entries = [
        ("allow", hashes(&lists.allow)),
        ("deny", hashes(&lists.deny)),
        ("blocked", Some(hashes(&lists.blocked).unwrap_or(0))),
        (
            "deny_clients",
            lists.deny_clients.as_ref().map(ClientList::len),
        ),
        (
            "deny_networks",
            lists.deny_networks.as_ref().map(Networks::len),
        ),
    ];
    let there = entries.into_iter();
    there
        .filter_map(|(list, entries)| Some((list, entries? as f64)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opentracker_core::Rules;
    use opentracker_types::InfoHash;

    use super::*;

    #[test]
    fn lists_that_there_are_have_entries_and_memory() {
        let mut rules = Rules::default();
        rules.lists.deny = Some([InfoHash::new([1; 20])].into_iter().collect());
        rules.lists.deny_networks = Some(Networks::default());
        let tracker = Tracker::new(rules, Instant::now(), &mut rand::rng());
        assert_eq!(
            list_entries(&tracker),
            [("deny", 1.0), ("blocked", 0.0), ("deny_networks", 0.0)]
        );
        let memory = memory(&tracker);
        assert_eq!(memory[1], ("rates", 0.0), "there is no rate");
        assert!(memory[2].0 == "lists" && memory[2].1 >= 20.0, "{memory:?}");
    }
}
