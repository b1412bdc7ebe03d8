//! What a tracker is, and how it is.

use std::io::{self, Write};

use anyhow::Result;
use opentracker_api::{
    Cluster, ClusterCarrier, ClusterNode, Lists, Memory, PeerCounts, State, Status,
};

use crate::nodes::Nodes;
use crate::words::{count, octets, or_dash, seconds, table};

pub(crate) async fn run(nodes: &Nodes, json: bool) -> Result<()> {
    let answer = nodes.one()?.get("status").await?;
    let text = match json {
        true => answer.line(),
        false => text(&answer.value()?),
    };
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// The cluster as the tracker sees it.
pub(crate) async fn cluster(nodes: &Nodes, json: bool) -> Result<()> {
    let answer = nodes.one()?.get("cluster").await?;
    let text = match json {
        true => answer.line(),
        false => cluster_text(&answer.value()?),
    };
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

fn text(status: &Status) -> String {
    let state = match status.state {
        State::Serving => "serving",
        State::Draining => "draining",
    };
    let mut text = format!(
        "opentracker {}, pid {}, tracker {}: {state}, up {}\n",
        status.version,
        status.instance.pid,
        status.instance.tracker_id,
        seconds(status.uptime_secs)
    );
    let mut line = |name: &str, value: &str| text += &format!("{name:9}  {value}\n");
    for (number, listener) in status.listeners.iter().enumerate() {
        let proxies = if listener.proxy_protocol {
            ", for proxies"
        } else {
            ""
        };
        let passed = if listener.is_passed { ", passed" } else { "" };
        let name = if number == 0 { "listens" } else { "" };
        let (protocol, address) = (&listener.protocol, &listener.address);
        line(name, &format!("{protocol} {address}{proxies}{passed}"));
    }
    for served in &status.xdp {
        let queues = count(served.queues, "queue");
        line(
            "xdp",
            &format!("{}, {queues}, {}", served.interface, served.mode),
        );
    }
    let swarms = &status.swarms;
    line("torrents", &swarms.torrents.to_string());
    line("seeders", &by_family(&swarms.seeders));
    line("leechers", &by_family(&swarms.leechers));
    line("memory", &memory(&status.memory));
    line("lists", &lists(&status.lists));
    if let Some(snapshot) = &status.snapshot {
        let age = snapshot.age_secs.map_or_else(
            || "none written yet".to_owned(),
            |age| format!("{} old", seconds(age)),
        );
        let size = snapshot.octets.map(|size| format!(", {}", octets(size)));
        let failures = match snapshot.failures {
            0 => String::new(),
            failures => format!(", {} to write one failed", count(failures, "attempt")),
        };
        line(
            "snapshot",
            &format!("{age}{}{failures}", size.unwrap_or_default()),
        );
    }
    if let Some(reload) = &status.reload {
        let success = match reload.succeeded {
            true => "everything was taken over",
            false => "something could not be read: see the log",
        };
        line(
            "reload",
            &format!("{} ago, {success}", seconds(reload.age_secs)),
        );
    }
    text
}

fn by_family(peers: &PeerCounts) -> String {
    let PeerCounts {
        ipv4,
        ipv6,
        webtorrent,
    } = peers;
    let of_web = match webtorrent {
        0 => String::new(),
        some => format!(", WebTorrent {some}"),
    };
    format!("{} (IPv4 {ipv4}, IPv6 {ipv6}{of_web})", peers.total())
}

pub(crate) fn memory(memory: &Memory) -> String {
    let limit = memory
        .limit_octets
        .map(|limit| format!(" of {}", octets(limit)));
    let resident = memory
        .resident_octets
        .map(|resident| format!(", {} resident", octets(resident)));
    format!(
        "{}{} for torrents and peers{}",
        octets(memory.swarms_octets),
        limit.unwrap_or_default(),
        resident.unwrap_or_default()
    )
}

fn lists(lists: &Lists) -> String {
    let named = [
        ("allow", lists.allow),
        ("deny", lists.deny),
        ("deny_clients", lists.deny_clients),
        ("deny_networks", lists.deny_networks),
        (
            "blocked by hand",
            Some(lists.blocked).filter(|blocked| *blocked > 0),
        ),
    ];
    let there = named
        .iter()
        .filter_map(|(name, entries)| Some(format!("{name} {}", (*entries)?)));
    match there.collect::<Vec<_>>() {
        there if there.is_empty() => "none".to_owned(),
        there => there.join(", "),
    }
}

fn cluster_text(cluster: &Cluster) -> String {
    let joined = if cluster.is_joined {
        "joined"
    } else {
        "not joined"
    };
    let others = count(cluster.nodes.len() as u64, "other");
    let mut text = format!("{}, {joined}, {others}\n", cluster.tracker_id);
    text += &carriers_text(&cluster.carriers);
    for key in &cluster.keys {
        text += &format!("key {}: {}\n", key.name, count(key.packets, "packet"));
    }
    if cluster.nodes.is_empty() {
        return text;
    }
    let head = [
        "address", "id", "by", "heard", "lag", "clock", "key", "torrents", "packets", "applied",
        "dropped",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for node in &cluster.nodes {
        let secs = |secs: Option<f64>| or_dash(secs.map(|secs| format!("{secs:.1} s")));
        rows.push(vec![
            or_dash(node.address.as_ref()),
            or_dash(node.tracker_id.as_ref()),
            heard_by(node),
            node.heard_secs_ago.map_or_else(
                || "never".to_owned(),
                |_| secs(node.heard_secs_ago) + " ago",
            ),
            secs(node.lag_secs),
            or_dash(node.clock_ahead_secs.map(|ahead| format!("{ahead:+} s"))),
            or_dash(node.key.as_ref()),
            or_dash(node.torrents),
            node.packets.to_string(),
            node.applied.to_string(),
            node.dropped.to_string(),
        ]);
    }
    text += &table(&rows);
    text
}

/// The carriers that a node was heard by, and whether it has fallen silent on another.
pub(crate) fn heard_by(node: &ClusterNode) -> String {
    node.carriers.join(",") + if node.is_split { ", split" } else { "" }
}

fn carriers_text(carriers: &[ClusterCarrier]) -> String {
    if carriers.is_empty() {
        return String::new();
    }
    let head = [
        "carrier", "state", "to", "waiting", "in", "out", "failed", "dropped", "size in",
        "size out",
    ];
    let row = |carrier: &ClusterCarrier| {
        let state = if carrier.is_up { "up" } else { "down" };
        let mut row = vec![carrier.name.clone(), state.to_owned()];
        row.extend(
            [
                carrier.destinations,
                carrier.waiting,
                carrier.received,
                carrier.sent,
                carrier.send_errors,
                carrier.dropped,
            ]
            .map(|number| number.to_string()),
        );
        row.extend([carrier.received_octets, carrier.sent_octets].map(octets));
        row
    };
    let rows: Vec<_> = [head.map(str::to_owned).to_vec()]
        .into_iter()
        .chain(carriers.iter().map(row))
        .collect();
    table(&rows)
}

#[cfg(test)]
mod tests {
    use opentracker_api::{
        ClusterKey, Instance, ListenerStatus, ReloadStatus, SnapshotStatus, Swarms, XdpStatus,
    };

    use super::*;

    #[test]
    fn a_status_is_a_page_of_words() {
        let listener = |protocol: &str, is_passed: bool| ListenerStatus {
            protocol: protocol.to_owned(),
            address: "[::]:6969".to_owned(),
            proxy_protocol: !is_passed,
            is_passed,
        };
        let status = Status {
            instance: Instance {
                pid: 7,
                tracker_id: "00000102".to_owned(),
            },
            version: "0.1.0".to_owned(),
            time_ms: 0,
            uptime_secs: 90,
            state: State::Draining,
            listeners: vec![listener("udp", true), listener("http", false)],
            xdp: vec![XdpStatus {
                interface: "eth0".to_owned(),
                queues: 4,
                mode: "native".to_owned(),
            }],
            certificates: Vec::new(),
            swarms: Swarms {
                torrents: 3,
                seeders: PeerCounts {
                    ipv4: 1,
                    ipv6: 2,
                    webtorrent: 0,
                },
                leechers: PeerCounts {
                    ipv4: 0,
                    ipv6: 0,
                    webtorrent: 4,
                },
            },
            memory: Memory {
                swarms_octets: 2048,
                resident_octets: None,
                limit_octets: Some(4096),
            },
            lists: Lists {
                allow: None,
                deny: Some(9),
                deny_clients: None,
                deny_networks: None,
                blocked: 1,
            },
            snapshot: Some(SnapshotStatus {
                age_secs: Some(12),
                octets: Some(100),
                failures: 2,
            }),
            reload: Some(ReloadStatus {
                age_secs: 60,
                succeeded: false,
            }),
        };
        assert_eq!(
            text(&status),
            "opentracker 0.1.0, pid 7, tracker 00000102: draining, up 1 min 30 s\n\
             listens    udp [::]:6969, passed\n           http [::]:6969, for proxies\n\
             xdp        eth0, 4 queues, native\n\
             torrents   3\nseeders    3 (IPv4 1, IPv6 2)\nleechers   4 (IPv4 0, IPv6 0, WebTorrent 4)\n\
             memory     2.0 KiB of 4.0 KiB for torrents and peers\n\
             lists      deny 9, blocked by hand 1\n\
             snapshot   12 s old, 100 B, 2 attempts to write one failed\n\
             reload     1 min ago, something could not be read: see the log\n"
        );
    }

    #[test]
    fn a_cluster_is_a_table() {
        let node = |address: &str, heard: Option<f64>| ClusterNode {
            address: Some(address.to_owned()),
            tracker_id: heard.map(|_| "aa000001".to_owned()),
            heard_secs_ago: heard,
            lag_secs: None,
            is_split: heard.is_some(),
            carriers: vec!["group".to_owned()],
            key: heard.map(|_| "3f83247a".to_owned()),
            clock_ahead_secs: heard.map(|_| -3),
            torrents: heard.map(|_| 300),
            packets: 5,
            applied: 4,
            dropped: 0,
        };
        let mut cluster = Cluster {
            tracker_id: "00000102".to_owned(),
            is_joined: true,
            carriers: vec![],
            keys: vec![],
            nodes: vec![],
        };
        assert_eq!(cluster_text(&cluster), "00000102, joined, 0 others\n");
        cluster.nodes = vec![node("192.0.2.1", Some(1.25)), node("192.0.2.17", None)];
        cluster.keys = vec![ClusterKey {
            name: "3f83247a".to_owned(),
            packets: 9,
        }];
        cluster.carriers = vec![ClusterCarrier {
            name: "group".to_owned(),
            is_up: true,
            destinations: 1,
            waiting: 0,
            received: 9,
            sent: 12,
            received_octets: 324,
            sent_octets: 2048,
            send_errors: 0,
            dropped: 0,
        }];
        let text = cluster_text(&cluster);
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0].join(" "), "00000102, joined, 2 others");
        assert_eq!(lines[2].join(" "), "group up 1 0 9 12 0 0 324 B 2.0 KiB");
        assert_eq!(lines[3].join(" "), "key 3f83247a: 9 packets");
        assert_eq!(
            lines[5].join(" "),
            "192.0.2.1 aa000001 group, split 1.2 s ago - -3 s 3f83247a 300 5 4 0"
        );
        assert_eq!(lines[6].join(" "), "192.0.2.17 - group never - - - - 5 4 0");
    }
}
