//! The nodes of the cluster, as the operator sees them: `mode=cluster`.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use opentracker_types::TrackerId;

/// What is known of the cluster (docs/livesync.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Our own id.
    pub tracker_id: TrackerId,
    /// We take part, and do not wait for a carrier.
    pub is_joined: bool,
    /// The ways that packets take.
    pub carriers: Vec<ClusterCarrier>,
    /// Packets that were taken, by the name of the key that they were sealed with.
    pub packets_by_key: Vec<(String, u64)>,
    /// The others.
    pub nodes: Vec<ClusterNode>,
}

/// A way that packets of the cluster take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClusterCarrier {
    /// What it is called.
    pub name: &'static str,
    /// Packets can go, as far as is known.
    pub is_up: bool,
    /// Addresses or servers that it sends to.
    pub destinations: usize,
    /// Packets that wait to be sent.
    pub waiting: usize,
    /// Packets that came.
    pub received: u64,
    /// Packets that went, to each address once.
    pub sent: u64,
    /// Octets of the packets that came.
    pub received_octets: u64,
    /// Octets of the packets that went.
    pub sent_octets: u64,
    /// Packets that could not be sent.
    pub send_errors: u64,
    /// Live packets that found no room to wait.
    pub dropped: u64,
    /// Packets of tells that found no room to wait.
    pub dropped_tells: u64,
    /// Packets that came and were dropped, because too many waited already.
    pub backlog: u64,
}

/// What is known of another node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterNode {
    /// Where its packets come from, if the way that they take tells.
    pub address: Option<IpAddr>,
    /// Its id, once it was heard.
    pub tracker_id: Option<TrackerId>,
    /// How long ago it was heard; `None`: never.
    pub heard_ago: Option<Duration>,
    /// How much later its packets come by the slowest of its carriers, where it has several.
    pub lag: Option<Duration>,
    /// It goes on by one carrier, and has fallen silent on another.
    pub is_split: bool,
    /// The carriers that it was heard by not long ago.
    pub carriers: Vec<&'static str>,
    /// The name of the key that it seals with.
    pub key: Option<String>,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_ahead_secs: Option<i32>,
    /// Torrents that it says it has.
    pub torrents: Option<u64>,
    /// Packets that came from it.
    pub packets: u64,
    /// Its records that were applied.
    pub applied: u64,
    /// Its packets and records that were dropped.
    pub dropped: u64,
}

/// Returns the text of `mode=cluster`: a line of our own, the names of the columns, and a line for
/// each node; columns are separated by tabs, and `-` stands for what is not known.
pub(crate) fn text(cluster: Option<&Cluster>) -> String {
    let Some(cluster) = cluster else {
        return "no cluster\n".to_owned();
    };
    let state = if cluster.is_joined {
        "joined"
    } else {
        "not joined"
    };
    let mut out = format!(
        "{}, {state}, {} others\n",
        cluster.tracker_id,
        cluster.nodes.len()
    );
    out += "carrier\tstate\tto\twaiting\tin\tout\tfailed\tdropped\n";
    for carrier in &cluster.carriers {
        let state = if carrier.is_up { "up" } else { "down" };
        writeln!(
            out,
            "{}\t{state}\t{}\t{}\t{}\t{}\t{}\t{}",
            carrier.name,
            carrier.destinations,
            carrier.waiting,
            carrier.received,
            carrier.sent,
            carrier.send_errors,
            carrier.dropped + carrier.dropped_tells + carrier.backlog,
        )
        .expect("a String takes everything");
    }
    out += "address\tid\tby\theard\tlag\tclock\tkey\ttorrents\tpackets\tapplied\tdropped\n";
    for node in &cluster.nodes {
        let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let secs = |duration: Duration| format!("{:.1}", duration.as_secs_f64());
        writeln!(
            out,
            "{}\t{}\t{}{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            known(node.address.map(|address| address.to_string())),
            known(node.tracker_id.map(|id| id.to_string())),
            node.carriers.join(","),
            if node.is_split { ", split" } else { "" },
            known(node.heard_ago.map(secs)),
            known(node.lag.map(secs)),
            known(node.clock_ahead_secs.map(|ahead| format!("{ahead:+}"))),
            known(node.key.clone()),
            known(node.torrents.map(|torrents| torrents.to_string())),
            node.packets,
            node.applied,
            node.dropped
        )
        .expect("a String takes everything");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_dash() {
        assert_eq!(text(None), "no cluster\n");
        let heard = ClusterNode {
            address: Some([192, 0, 2, 1].into()),
            tracker_id: Some(TrackerId::new([0xaa, 0, 0, 1])),
            heard_ago: Some(Duration::from_millis(1500)),
            lag: Some(Duration::from_millis(300)),
            is_split: true,
            carriers: vec!["group", "nats"],
            key: Some("3f83247a".to_owned()),
            clock_ahead_secs: Some(4),
            torrents: Some(7),
            packets: 6,
            applied: 5,
            dropped: 4,
        };
        let unheard = ClusterNode {
            address: Some("2001:db8::1".parse().unwrap()),
            carriers: vec!["group"],
            ..ClusterNode::default()
        };
        let group = ClusterCarrier {
            name: "group",
            is_up: true,
            destinations: 1,
            received: 9,
            sent: 8,
            dropped_tells: 2,
            ..ClusterCarrier::default()
        };
        let cluster = Cluster {
            tracker_id: TrackerId::new([0, 0, 1, 2]),
            is_joined: true,
            carriers: vec![group],
            packets_by_key: Vec::new(),
            nodes: vec![heard, unheard],
        };
        assert_eq!(
            text(Some(&cluster)),
            "00000102, joined, 2 others\n\
             carrier\tstate\tto\twaiting\tin\tout\tfailed\tdropped\n\
             group\tup\t1\t0\t9\t8\t0\t2\n\
             address\tid\tby\theard\tlag\tclock\tkey\ttorrents\tpackets\tapplied\tdropped\n\
             192.0.2.1\taa000001\tgroup,nats, split\t1.5\t0.3\t+4\t3f83247a\t7\t6\t5\t4\n\
             2001:db8::1\t-\tgroup\t-\t-\t-\t-\t-\t0\t0\t0\n"
        );
    }
}
