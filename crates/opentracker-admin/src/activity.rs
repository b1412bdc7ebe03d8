//! What the tracker has done since its start, as the API says it.

use opentracker_api::{
    Activity, ClientCount, Clients, Latency, Memory, PeerCounts, ReplyCount, RequestCount, Swarms,
};
use opentracker_core::{Client, Counter as Core, CounterRegistry, CounterSet, Totals};
use opentracker_http::Counter as Http;
use opentracker_udp::Counter as Udp;
use opentracker_webtorrent::Counter as Web;

use crate::snapshot::Snapshot;

/// The family that holds how long requests took; who serves them declares it.
const DURATION: &str = "opentracker_request_duration_seconds";

/// The family that counts what the rules refused, by reason.
const REFUSALS: &str = "opentracker_refused_total";

/// Returns what was done until a time, in milliseconds since 1970.
pub(crate) fn activity(
    snapshot: &Snapshot<'_>,
    resident_octets: Option<u64>,
    time_ms: u64,
) -> Activity {
    Activity {
        time_ms,
        uptime_secs: snapshot.uptime_secs,
        requests: requests(snapshot.counters),
        replies: replies(snapshot.counters),
        latency: latency(snapshot.counters),
        downloads: snapshot.get(Core::Completed),
        swarms: swarms(&snapshot.totals),
        memory: memory(snapshot, resident_octets),
    }
}

/// Returns which software announces.
pub(crate) fn clients(counters: &CounterRegistry) -> Clients {
    let mut clients = Vec::new();
    for sums in counters.families() {
        if !Client::FAMILIES.contains(sums.family) {
            continue;
        }
        for series in sums.family.series {
            let announces = sums.sum(series);
            if let (&[name], 1..) = (*series, announces) {
                let name = name.to_owned();
                clients.push(ClientCount { name, announces });
            }
        }
    }
    clients.sort_by_key(|client| std::cmp::Reverse(client.announces));
    Clients { clients }
}

/// Returns what is kept.
pub(crate) fn swarms(totals: &Totals) -> Swarms {
    let peers = &totals.peers;
    Swarms {
        torrents: totals.torrents,
        seeders: PeerCounts {
            ipv4: peers.v4_seeders,
            ipv6: peers.v6_seeders,
            webtorrent: peers.web_seeders,
        },
        leechers: PeerCounts {
            ipv4: peers.v4_leechers,
            ipv6: peers.v6_leechers,
            webtorrent: peers.web_leechers,
        },
    }
}

/// Returns what that takes.
pub(crate) fn memory(snapshot: &Snapshot<'_>, resident_octets: Option<u64>) -> Memory {
    Memory {
        swarms_octets: snapshot.swarms_octets,
        resident_octets,
        limit_octets: snapshot.limit_octets,
    }
}

fn requests(counters: &CounterRegistry) -> Vec<RequestCount> {
    let count = |protocol: &str, kind: &str, total| RequestCount {
        protocol: protocol.to_owned(),
        kind: kind.to_owned(),
        total,
    };
    vec![
        count("udp", "connect", counters.sum_of(&Udp::CONNECTS)),
        count("udp", "announce", counters.sum_of(&Udp::ANNOUNCES)),
        count("udp", "scrape", counters.sum_of(&Udp::SCRAPES)),
        count("http", "announce", counters.sum_of(&Http::ANNOUNCES)),
        count("http", "scrape", counters.sum_of(&Http::SCRAPES)),
        count("webtorrent", "announce", counters.sum(Web::Announce)),
        count("webtorrent", "scrape", counters.sum(Web::Scrape)),
    ]
}

/// Returns how many announces the rules refused, for whatever reason.
pub(crate) fn refusals(counters: &CounterRegistry) -> u64 {
    let families = counters.families().into_iter();
    let refusals = families.filter(|sums| sums.family.name == REFUSALS);
    let sums = refusals
        .flat_map(|sums| sums.sums)
        .flat_map(|(_, sums)| sums);
    sums.sum()
}

fn replies(counters: &CounterRegistry) -> Vec<ReplyCount> {
    let udp = counters.sum_of(&Udp::ANNOUNCES) + counters.sum_of(&Udp::SCRAPES);
    let http = counters.sum_of(&Http::ANNOUNCES) + counters.sum_of(&Http::SCRAPES);
    let web = counters.sum(Web::Announce) + counters.sum(Web::Scrape);
    let web_malformed = counters.sum_of(&Web::MALFORMED);
    let udp_malformed = counters.sum_of(&Udp::MALFORMED);
    let http_malformed = counters.sum_of(&Http::MALFORMED);
    let refusals = counters.families().into_iter();
    let refusals = refusals.filter(|sums| sums.family.name == REFUSALS);
    let mut replies = vec![("served", udp + http + web)];
    replies.extend(refusals.flat_map(|sums| {
        let reasons = sums.family.series.iter();
        reasons.filter_map(move |reason| Some((*reason.first()?, sums.sum(reason))))
    }));
    replies.extend([
        ("rate", counters.sum(Core::RefusedRate)),
        ("silent", counters.sum(Core::Silenced)),
        ("connection_id", counters.sum(Udp::BadConnectionId)),
        ("malformed", udp_malformed + http_malformed + web_malformed),
        ("proxy", counters.sum(Http::SilentProxy)),
        ("not_sent", counters.sum(Udp::SendFailed)),
    ]);
    let reply = |(kind, total): (&str, u64)| ReplyCount {
        kind: kind.to_owned(),
        total,
    };
    replies.into_iter().map(reply).collect()
}

fn latency(counters: &CounterRegistry) -> Vec<Latency> {
    let histograms = counters.histograms().into_iter();
    let durations = histograms.filter(|sums| sums.family.name == DURATION);
    let latency = durations.map(|sums| Latency {
        protocol: sums.value.to_owned(),
        count: sums.count(),
        sum_secs: sums.sum_secs(),
        buckets: sums.buckets().collect(),
    });
    latency.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentracker_core::{HistogramFamily, PerKind};
    use opentracker_types::TrackerId;

    use super::*;

    static FAMILY: HistogramFamily = HistogramFamily {
        name: DURATION,
        help: "",
        label: "protocol",
    };

    fn snapshot(counters: &CounterRegistry) -> Snapshot<'_> {
        Snapshot {
            totals: Totals {
                torrents: 1,
                peers: PerKind {
                    v4_seeders: 2,
                    v4_leechers: 3,
                    v6_seeders: 4,
                    v6_leechers: 5,
                    web_seeders: 6,
                    web_leechers: 7,
                },
            },
            counters,
            swarms_octets: 9000,
            limit_octets: Some(10_000),
            uptime_secs: 6,
            peer_timeout: 45,
            version: "1.2.3",
            tracker_id: TrackerId::new([0, 0, 1, 2]),
        }
    }

    #[test]
    fn counters_become_activity() {
        let counters = CounterRegistry::default();
        let listener = "udp://[::]:6969".into();
        let udp = counters.register_for(&listener);
        udp.add(Udp::AnnounceV4, 5);
        udp.add(Udp::AnnounceV6, 2);
        udp.add(Udp::ConnectV6, 3);
        udp.add(Udp::TooShort, 4);
        let http = counters.register_for(&listener);
        http.add(Http::ScrapeV4, 6);
        http.add(Http::BadPort, 8);
        let core = counters.register();
        let web = counters.register();
        web.add(Web::Announce, 2);
        web.add(Web::BadJson, 1);
        core.add(Core::RefusedMemory, 9);
        core.add(Core::Silenced, 11);
        core.add(Core::Completed, 10);
        let durations = counters.register_histogram(&FAMILY, "udp");
        durations.observe(Duration::from_micros(30), 7);
        let activity = activity(&snapshot(&counters), Some(4096), 123);
        let requests: Vec<_> = activity
            .requests
            .iter()
            .map(|count| (&*count.protocol, &*count.kind, count.total))
            .collect();
        assert_eq!(
            requests,
            [
                ("udp", "connect", 3),
                ("udp", "announce", 7),
                ("udp", "scrape", 0),
                ("http", "announce", 0),
                ("http", "scrape", 6),
                ("webtorrent", "announce", 2),
                ("webtorrent", "scrape", 0),
            ]
        );
        let replies = activity.replies.iter().filter(|reply| reply.total > 0);
        let replies: Vec<_> = replies.map(|reply| (&*reply.kind, reply.total)).collect();
        assert_eq!(
            replies,
            [
                ("served", 15),
                ("memory", 9),
                ("silent", 11),
                ("malformed", 13)
            ]
        );
        assert_eq!(activity.latency.len(), 1);
        assert_eq!(activity.latency[0].count, 7);
        assert_eq!(activity.latency[0].buckets[5], (5e-5, 7));
        assert_eq!(activity.downloads, 10);
        assert_eq!(activity.swarms.leechers.ipv6, 5);
        assert_eq!(activity.memory.limit_octets, Some(10_000));
        assert_eq!((activity.time_ms, activity.uptime_secs), (123, 6));
    }

    #[test]
    fn the_most_frequent_client_comes_first() {
        let counters = CounterRegistry::default();
        let seen = counters.register();
        seen.add(Client::Other, 3);
        seen.add(Client::Transmission, 5);
        counters.register().add(Client::Other, 1);
        let clients = clients(&counters).clients;
        let clients: Vec<_> = clients
            .iter()
            .map(|client| (&*client.name, client.announces))
            .collect();
        assert_eq!(clients, [("Transmission", 5), ("other", 4)]);
    }
}
