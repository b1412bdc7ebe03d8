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
    /// The others.
    pub nodes: Vec<ClusterNode>,
}

/// What is known of another node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNode {
    /// Where its packets come from, if the way that they take tells.
    pub address: Option<IpAddr>,
    /// Its id, once it was heard.
    pub tracker_id: Option<TrackerId>,
    /// How long ago it was heard; `None`: never.
    pub heard_ago: Option<Duration>,
    /// How long its news take to get here, where that can be told.
    pub lag: Option<Duration>,
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
        "{}, {state}, {} others\naddress\tid\theard\tlag\ttorrents\tpackets\tapplied\tdropped\n",
        cluster.tracker_id,
        cluster.nodes.len()
    );
    for node in &cluster.nodes {
        let known = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let secs = |duration: Duration| format!("{:.1}", duration.as_secs_f64());
        writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            known(node.address.map(|address| address.to_string())),
            known(node.tracker_id.map(|id| id.to_string())),
            known(node.heard_ago.map(secs)),
            known(node.lag.map(secs)),
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
        let cluster = Cluster {
            tracker_id: TrackerId::new([0, 0, 1, 2]),
            is_joined: true,
            nodes: vec![
                ClusterNode {
                    address: Some([192, 0, 2, 1].into()),
                    tracker_id: Some(TrackerId::new([0xaa, 0, 0, 1])),
                    heard_ago: Some(Duration::from_millis(1500)),
                    lag: Some(Duration::from_millis(40)),
                    torrents: Some(7),
                    packets: 6,
                    applied: 5,
                    dropped: 4,
                },
                ClusterNode {
                    address: Some("2001:db8::1".parse().unwrap()),
                    tracker_id: None,
                    heard_ago: None,
                    lag: None,
                    torrents: None,
                    packets: 0,
                    applied: 0,
                    dropped: 0,
                },
            ],
        };
        assert_eq!(
            text(Some(&cluster)),
            "00000102, joined, 2 others\n\
             address\tid\theard\tlag\ttorrents\tpackets\tapplied\tdropped\n\
             192.0.2.1\taa000001\t1.5\t0.0\t7\t6\t5\t4\n\
             2001:db8::1\t-\t-\t-\t-\t0\t0\t0\n"
        );
    }
}
