//! The metrics, in the text format of Prometheus, version 0.0.4.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use opentracker_core::{FamilySums, HistogramFamily, HistogramSums, LISTENER_LABEL, Totals};

use crate::cluster::{Cluster, ClusterCarrier, ClusterNode};
use crate::gauge::Gauge;
use crate::process::Process;
use crate::snapshot::Snapshot;

/// The content type of the format.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Appends all metrics.
pub(crate) fn put(
    snapshot: &Snapshot<'_>,
    cluster: Option<&Cluster>,
    process: &Process,
    gauges: &[Gauge],
    out: &mut Vec<u8>,
) {
    let mut text = Text(out);
    text.put_tracker(snapshot);
    if let Some(cluster) = cluster {
        text.put_cluster(cluster);
    }
    text.put_process(process);
    for gauge in gauges {
        text.put_gauges(gauge);
    }
    for family in snapshot.counters.families() {
        text.put_counters(&family);
    }
    let mut before = None;
    for histogram in snapshot.counters.histograms() {
        let name = histogram.family.name;
        if before.replace(name) != Some(name) {
            text.put_head(name, "histogram", histogram.family.help);
        }
        text.put_histogram(&histogram);
    }
}

struct Text<'a>(&'a mut Vec<u8>);

impl Text<'_> {
    fn put_tracker(&mut self, snapshot: &Snapshot<'_>) {
        let Totals { torrents, peers } = snapshot.totals;
        let name = "opentracker_build_info";
        self.put_head(name, "gauge", "The program, by version.");
        self.put_sample(name, &["version"], &[snapshot.version], 1);
        let name = "opentracker_instance_info";
        let help = "This run of the program, by the id that it has in a cluster.";
        self.put_head(name, "gauge", help);
        let id = snapshot.tracker_id.to_string();
        self.put_sample(name, &["tracker_id"], &[&id], 1);
        self.put_gauge(
            "opentracker_torrents",
            "Torrents, those without peers included.",
            Some(torrents),
        );
        let name = "opentracker_peers";
        self.put_head(name, "gauge", "Peers in all swarms, by family and role.");
        for (family, role, peers) in [
            ("ipv4", "seeder", peers.v4_seeders),
            ("ipv4", "leecher", peers.v4_leechers),
            ("ipv6", "seeder", peers.v6_seeders),
            ("ipv6", "leecher", peers.v6_leechers),
            ("webtorrent", "seeder", peers.web_seeders),
            ("webtorrent", "leecher", peers.web_leechers),
        ] {
            self.put_sample(name, &["family", "role"], &[family, role], peers);
        }
    }

    fn put_cluster(&mut self, cluster: &Cluster) {
        self.put_gauge(
            "opentracker_cluster_joined",
            "Whether the tracker takes part in the cluster.",
            Some(u8::from(cluster.is_joined)),
        );
        self.put_gauge(
            "opentracker_cluster_nodes",
            "Other nodes of the cluster that are known.",
            Some(cluster.nodes.len()),
        );
        self.put_nodes(
            cluster,
            "opentracker_cluster_node_silent_seconds",
            "Seconds since a node of the cluster was heard.",
            |node| node.heard_ago.map(secs),
        );
        self.put_nodes(
            cluster,
            "opentracker_cluster_node_lag_seconds",
            "How much later the packets of a node come by the slowest of its carriers.",
            |node| node.lag.map(secs),
        );
        self.put_nodes(
            cluster,
            "opentracker_cluster_node_torrents",
            "Torrents that a node of the cluster says it has.",
            |node| node.torrents,
        );
        self.put_nodes(
            cluster,
            "opentracker_cluster_node_split",
            "Whether a node of the cluster goes on by one carrier and has fallen silent on another.",
            |node| Some(u8::from(node.is_split)),
        );
        self.put_nodes(
            cluster,
            "opentracker_cluster_node_clock_ahead_seconds",
            "How far the clock of a node of the cluster is ahead of this one's.",
            |node| node.clock_ahead_secs,
        );
        self.put_carriers(cluster);
    }

    fn put_carriers(&mut self, cluster: &Cluster) {
        type Value = fn(&ClusterCarrier) -> usize;
        let gauges: [(&str, &str, Value); 3] = [
            (
                "opentracker_cluster_carrier_up",
                "Whether packets can go by a carrier of the cluster.",
                |carrier| usize::from(carrier.is_up),
            ),
            (
                "opentracker_cluster_carrier_destinations",
                "Addresses or servers that a carrier sends to.",
                |carrier| carrier.destinations,
            ),
            (
                "opentracker_cluster_carrier_waiting",
                "Packets that wait to be sent by a carrier.",
                |carrier| carrier.waiting,
            ),
        ];
        for (name, help, value) in gauges {
            self.put_head(name, "gauge", help);
            for carrier in &cluster.carriers {
                self.put_sample(name, &["carrier"], &[carrier.name], value(carrier));
            }
        }
        type Directions = fn(&ClusterCarrier) -> [(&'static str, u64); 2];
        let counters: [(&str, &str, Directions); 2] = [
            (
                "opentracker_cluster_carrier_packets_total",
                "Packets by carrier and direction; to three addresses, each counts three times.",
                |carrier| [("in", carrier.received), ("out", carrier.sent)],
            ),
            (
                "opentracker_cluster_carrier_bytes_total",
                "Bytes of packets by carrier and direction, seals included, without headers around.",
                |carrier| {
                    [
                        ("in", carrier.received_octets),
                        ("out", carrier.sent_octets),
                    ]
                },
            ),
        ];
        for (name, help, directions) in counters {
            self.put_head(name, "counter", help);
            for carrier in &cluster.carriers {
                for (direction, count) in directions(carrier) {
                    let labels = [carrier.name, direction];
                    self.put_sample(name, &["carrier", "direction"], &labels, count);
                }
            }
        }
        let name = "opentracker_cluster_carrier_dropped_total";
        self.put_head(
            name,
            "counter",
            "Packets that a carrier has dropped, by reason.",
        );
        for carrier in &cluster.carriers {
            for (reason, packets) in [
                ("send", carrier.send_errors),
                ("queue", carrier.dropped),
                ("tell_queue", carrier.dropped_tells),
                ("backlog", carrier.backlog),
            ] {
                let labels = [carrier.name, reason];
                self.put_sample(name, &["carrier", "reason"], &labels, packets);
            }
        }
        let name = "opentracker_cluster_sealed_packets_total";
        self.put_head(
            name,
            "counter",
            "Packets of others that were taken, by the name of the key that they were sealed with.",
        );
        for (key, packets) in &cluster.packets_by_key {
            self.put_sample(name, &["key"], &[key], packets);
        }
    }

    fn put_nodes<T: Display>(
        &mut self,
        cluster: &Cluster,
        name: &str,
        help: &str,
        value: impl Fn(&ClusterNode) -> Option<T>,
    ) {
        let known = |node| Some((node, value(node)?));
        for (number, (node, value)) in cluster.nodes.iter().filter_map(known).enumerate() {
            if number == 0 {
                self.put_head(name, "gauge", help);
            }
            let id = node
                .tracker_id
                .map_or_else(String::new, |id| id.to_string());
            let address = node
                .address
                .map_or_else(String::new, |address| address.to_string());
            let labels = &[&*address, &*id];
            self.put_sample(name, &["address", "tracker_id"], labels, value);
        }
    }

    /// What the libraries of Prometheus tell of a process, under the same names.
    fn put_process(&mut self, process: &Process) {
        if let Some(cpu) = process.cpu {
            let name = "process_cpu_seconds_total";
            let help = "Total user and system CPU time spent in seconds.";
            self.put_head(name, "counter", help);
            self.put_sample(name, &[], &[], secs(cpu));
        }
        self.put_gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            process.resident_octets,
        );
        self.put_gauge(
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            process.virtual_octets,
        );
        self.put_gauge(
            "process_open_fds",
            "Number of open file descriptors.",
            process.open_fds,
        );
        self.put_gauge(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            process.max_fds,
        );
        self.put_gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            process.start.map(secs),
        );
    }

    /// Appends a family of a single sample, if its value is known.
    fn put_gauge(&mut self, name: &str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.put_head(name, "gauge", help);
            self.put_sample(name, &[], &[], value);
        }
    }

    fn put_gauges(&mut self, gauge: &Gauge) {
        let figures = gauge.look();
        if !figures.is_empty() {
            self.put_head(gauge.name, "gauge", gauge.help);
        }
        for (value, figure) in figures {
            self.put_sample(gauge.name, gauge.label.as_slice(), &[&value], figure);
        }
    }

    fn put_counters(&mut self, sums: &FamilySums) {
        let family = sums.family;
        self.put_head(family.name, "counter", family.help);
        for (listener, sums) in &sums.sums {
            let label = listener.iter().map(|_| LISTENER_LABEL);
            let labels: Vec<_> = family.labels.iter().copied().chain(label).collect();
            for (values, sum) in family.series.iter().zip(sums) {
                let values: Vec<_> = values.iter().copied().chain(listener.as_deref()).collect();
                self.put_sample(family.name, &labels, &values, sum);
            }
        }
    }

    fn put_histogram(&mut self, sums: &HistogramSums) {
        let HistogramFamily { name, label, .. } = sums.family;
        let bucket = format!("{name}_bucket");
        for (bound, count) in sums.buckets() {
            let bound = bound.to_string();
            self.put_sample(&bucket, &[label, "le"], &[sums.value, &bound], count);
        }
        let count = sums.count();
        self.put_sample(&bucket, &[label, "le"], &[sums.value, "+Inf"], count);
        let sum = sums.sum_secs();
        self.put_sample(&format!("{name}_sum"), &[label], &[sums.value], sum);
        self.put_sample(&format!("{name}_count"), &[label], &[sums.value], count);
    }

    fn put_head(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}")
            .expect("a Vec takes everything");
    }

    fn put_sample(&mut self, name: &str, labels: &[&str], values: &[&str], value: impl Display) {
        self.0.extend_from_slice(name.as_bytes());
        for (number, (label, value)) in labels.iter().zip(values).enumerate() {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let before = if number == 0 { '{' } else { ',' };
            write!(self.0, "{before}{label}=\"{value}\"").expect("a Vec takes everything");
        }
        let after = if labels.is_empty() { "" } else { "}" };
        writeln!(self.0, "{after} {value}").expect("a Vec takes everything");
    }
}

fn secs(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentracker_core::{Counter as Core, CounterRegistry, PerKind};
    use opentracker_http::Counter as Http;
    use opentracker_types::TrackerId;

    static DURATION: HistogramFamily = HistogramFamily {
        name: "test_duration_seconds",
        help: "Tests.",
        label: "protocol",
    };

    #[test]
    fn the_values_are_right() {
        let counters = CounterRegistry::default();
        let listener = "http://[::]:6969".into();
        counters.register_for(&listener).add(Http::ScrapeV6, 4);
        let durations = counters.register_histogram(&DURATION, "udp");
        durations.observe(Duration::from_micros(3), 2);
        durations.observe(Duration::from_secs(2), 1);
        counters.register().add(Core::Completed, 5);
        let snapshot = Snapshot {
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
            counters: &counters,
            peer_timeout: 45,
            swarms_octets: 9000,
            limit_octets: None,
            uptime_secs: 6,
            version: "1.\"2\"\\\n",
            tracker_id: TrackerId::new([0, 0, 1, 2]),
        };
        let cluster = Cluster {
            tracker_id: TrackerId::new([0, 0, 1, 2]),
            is_joined: true,
            nodes: vec![ClusterNode {
                address: Some([192, 0, 2, 1].into()),
                tracker_id: Some(TrackerId::new([0xaa, 0, 0, 1])),
                heard_ago: Some(Duration::from_millis(1500)),
                torrents: Some(9),
                clock_ahead_secs: Some(-7),
                ..ClusterNode::default()
            }],
            carriers: vec![ClusterCarrier {
                name: "nats",
                sent: 12,
                sent_octets: 432,
                ..ClusterCarrier::default()
            }],
            packets_by_key: vec![("3f83247a".to_owned(), 11)],
        };
        let process = Process {
            resident_octets: Some(4096),
            cpu: Some(Duration::from_millis(10)),
            ..Process::default()
        };
        let mut out = Vec::new();
        let gauges = [
            Gauge::new("opentracker_known", "Is known.", || Some(2.5)),
            Gauge::new("opentracker_unknown", "Is not.", || None),
            Gauge::with_label("opentracker_entries", "Entries.", "list", || {
                vec![("a", 0.0), ("b", 7.0)]
            }),
        ];
        put(&snapshot, Some(&cluster), &process, &gauges, &mut out);
        let text = String::from_utf8(out).unwrap();
        for line in [
            "# TYPE opentracker_build_info gauge",
            r#"opentracker_build_info{version="1.\"2\"\\\n"} 1"#,
            r#"opentracker_instance_info{tracker_id="00000102"} 1"#,
            "opentracker_torrents 1",
            r#"opentracker_peers{family="ipv4",role="seeder"} 2"#,
            r#"opentracker_peers{family="ipv4",role="leecher"} 3"#,
            r#"opentracker_peers{family="ipv6",role="seeder"} 4"#,
            r#"opentracker_peers{family="ipv6",role="leecher"} 5"#,
            r#"opentracker_peers{family="webtorrent",role="leecher"} 7"#,
            "opentracker_cluster_joined 1",
            "opentracker_cluster_nodes 1",
            r#"opentracker_cluster_node_silent_seconds{address="192.0.2.1",tracker_id="aa000001"} 1.5"#,
            r#"opentracker_cluster_node_torrents{address="192.0.2.1",tracker_id="aa000001"} 9"#,
            r#"opentracker_cluster_node_clock_ahead_seconds{address="192.0.2.1",tracker_id="aa000001"} -7"#,
            r#"opentracker_cluster_node_split{address="192.0.2.1",tracker_id="aa000001"} 0"#,
            r#"opentracker_cluster_carrier_up{carrier="nats"} 0"#,
            r#"opentracker_cluster_carrier_packets_total{carrier="nats",direction="out"} 12"#,
            r#"opentracker_cluster_carrier_bytes_total{carrier="nats",direction="out"} 432"#,
            r#"opentracker_cluster_sealed_packets_total{key="3f83247a"} 11"#,
            "process_resident_memory_bytes 4096",
            "process_cpu_seconds_total 0.01",
            "# TYPE opentracker_http_requests_total counter",
            r#"opentracker_http_requests_total{path="announce",family="ipv4",listener="http://[::]:6969"} 0"#,
            r#"opentracker_http_requests_total{path="scrape",family="ipv6",listener="http://[::]:6969"} 4"#,
            "# TYPE test_duration_seconds histogram",
            r#"test_duration_seconds_bucket{protocol="udp",le="0.000002"} 0"#,
            r#"test_duration_seconds_bucket{protocol="udp",le="0.000005"} 2"#,
            r#"test_duration_seconds_bucket{protocol="udp",le="1"} 2"#,
            r#"test_duration_seconds_bucket{protocol="udp",le="+Inf"} 3"#,
            r#"test_duration_seconds_sum{protocol="udp"} 2.000006"#,
            r#"test_duration_seconds_count{protocol="udp"} 3"#,
            "# HELP opentracker_completed_total Downloads reported as completed, once per peer.",
            "opentracker_completed_total 5",
            "# TYPE opentracker_known gauge",
            "opentracker_known 2.5",
            r#"opentracker_entries{list="a"} 0"#,
            r#"opentracker_entries{list="b"} 7"#,
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(!text.contains("process_max_fds"), "nothing is known of it");
        assert!(!text.contains("opentracker_unknown"), "nor of this");
    }
}
