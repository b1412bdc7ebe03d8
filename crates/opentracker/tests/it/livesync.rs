//! Trackers in a cluster on the loopback interface, where every member hears every other.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker::Tracker;
use opentracker::config::Values;
use opentracker::livesync::{Counter, View};
use opentracker::livesync_wire::Beacon;
use opentracker::types::TrackerId;

const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the configuration of a tracker that is in a cluster and serves clients on any port.
fn values(interface: Ipv4Addr, group: Ipv4Addr) -> Values {
    let mut values = Values::default();
    values.udp.listen = vec!["127.0.0.1:0".parse().unwrap()];
    values.udp.workers = 1;
    values.http.listen = vec![];
    values.admin.listen = vec![];
    values.livesync.listen = Some(SocketAddrV4::new(interface, 9696));
    values.livesync.group = group;
    values
}

/// Sends a packet to the group until the tracker's view is as it should be.
fn send_until(
    tracker: &Tracker,
    group: Ipv4Addr,
    packet: &[u8],
    is_seen: impl Fn(&View) -> bool,
) -> Arc<View> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let give_up = Instant::now() + PATIENCE;
    loop {
        socket.send_to(packet, (group, 9696)).unwrap();
        let view = tracker.cluster().unwrap();
        if is_seen(&view) {
            return view;
        }
        assert!(Instant::now() < give_up, "{view:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_absent_interface_is_named_with_those_that_there_are() {
    let group = Ipv4Addr::new(239, 255, 8, 1);
    let absent = values(Ipv4Addr::new(192, 0, 2, 1), group)
        .validate()
        .unwrap();
    // Within a runtime, for none may be dropped there.
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let error = runtime
        .unwrap()
        .block_on(async { Tracker::start(absent).unwrap_err() });
    let said = format!("{error}: {}", error.source().unwrap());
    let begin = "livesync.listen: no interface has 192.0.2.1; this host has ";
    assert!(said.starts_with(begin), "{said}");
    assert!(said.contains("127.0.0.1"), "{said}");
}

#[test]
fn the_networks_of_the_nodes_apply_at_a_reload() {
    let group = Ipv4Addr::new(239, 255, 8, 2);
    let mut values = values(Ipv4Addr::LOCALHOST, group);
    let tracker = Tracker::start(values.clone().validate().unwrap()).unwrap();
    let sender = TrackerId::new(*b"them");
    let packet = Beacon {
        sender,
        torrents: 7,
    }
    .encode();
    let strangers = |tracker: &Tracker| tracker.core().counters().sum(Counter::Stranger);
    send_until(&tracker, group, &packet, |_| strangers(&tracker) > 0);
    assert_eq!(tracker.cluster().unwrap().siblings, []);

    values.livesync.nodes = vec!["127.0.0.0/8".parse().unwrap()];
    let reloaded = tracker.reload(Ok(values.validate().unwrap()));
    assert_eq!(reloaded.changed, ["livesync.nodes"]);
    let view = send_until(&tracker, group, &packet, |view| !view.siblings.is_empty());
    let sibling = &view.siblings[0];
    assert_eq!((sibling.id, sibling.claimed_torrents()), (sender, Some(7)));
    assert!(view.is_joined());
    tracker.shutdown();
}
