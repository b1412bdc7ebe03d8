//! A group on interfaces that come and go: between two network namespaces that each test makes
//! and removes. Needs root and the `ip` of iproute2, and fails without; so it is not among what
//! `cargo test` runs, but `cargo test -p opentracker-multicast --test netns`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod network;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use network::Network;
use opentracker_multicast::{Group, GroupConfig, JoinError};
use tokio::time::{sleep, timeout};

const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 23, 5), 9696);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const CHECK: Duration = Duration::from_millis(20);

#[test]
fn datagrams_pass_between_hosts_and_do_not_come_back() {
    let network = Network::new();
    network.ours.run(async |_| {
        let mut group = Group::join(config_that_lists_us()).unwrap();
        let peer = network.theirs.peer(GROUP, THEIRS);
        group.send(b"out").await.unwrap();
        assert_eq!(peer.hear(), (b"out".to_vec(), OURS));
        peer.send(b"in");
        // Our own datagram would have come first.
        assert_eq!(hear(&mut group).await, b"in");
    });
}

#[test]
fn with_loopback_members_on_the_sending_host_get_a_copy() {
    let network = Network::new();
    network.ours.run(async |_| {
        let mut config = config_that_lists_us();
        config.loopback = true;
        let mut first = Group::join(config.clone()).unwrap();
        let mut second = Group::join(config).unwrap();
        first.send(b"to all").await.unwrap();
        assert_eq!(hear(&mut first).await, b"to all");
        assert_eq!(hear(&mut second).await, b"to all");
    });
}

#[test]
fn every_member_on_a_host_gets_a_copy() {
    let network = Network::new();
    network.ours.run(async |_| {
        let mut first = Group::join(config()).unwrap();
        let mut second = Group::join(config()).unwrap();
        network.theirs.peer(GROUP, THEIRS).send(b"in");
        assert_eq!(hear(&mut first).await, b"in");
        assert_eq!(hear(&mut second).await, b"in");
    });
}

#[test]
fn another_interface_is_not_ours_though_it_is_in_the_group() {
    let network = Network::new();
    network.add_link("second", "10.78.0");
    network.ours.run(async |_| {
        let mut group = Group::join(config()).unwrap();
        let mut elsewhere = config();
        elsewhere.interface = Ipv4Addr::new(10, 78, 0, 1);
        elsewhere.sources = vec!["10.78.0.2/32".parse().unwrap()];
        let mut elsewhere = Group::join(elsewhere).unwrap();

        let peer = network.theirs.peer(GROUP, Ipv4Addr::new(10, 78, 0, 2));
        peer.send(b"over the second link");
        assert_eq!(hear(&mut elsewhere).await, b"over the second link");
        network
            .theirs
            .peer(GROUP, THEIRS)
            .send(b"over the first link");
        assert_eq!(hear(&mut group).await, b"over the first link");
        assert_eq!(group.counters().strangers, 0);
    });
}

#[test]
fn a_link_that_goes_down_and_up_is_joined_again() {
    let network = Network::new();
    network.ours.run(async |log| {
        let mut group = Group::join(config()).unwrap();
        let peer = network.theirs.peer(GROUP, THEIRS);
        peer.send(b"before");
        assert_eq!(hear(&mut group).await, b"before");

        network.ours.ip("link set first down");
        until(&mut group, |group| !group.is_joined()).await;
        assert_eq!(log.count("WARN", "multicast interface is gone or down"), 1);
        assert!(group.send(b"into the void").await.is_err());
        assert_eq!(group.counters().send_errors, 1);

        network.ours.ip("link set first up");
        until(&mut group, Group::is_joined).await;
        assert_eq!(log.count("INFO", "multicast group joined again"), 1);
        pass_both_ways(&mut group, &peer).await;
        assert_eq!(group.counters().rejoins, 1);
    });
}

#[test]
fn a_link_without_its_other_end_is_lost() {
    let network = Network::new();
    network.ours.run(async |log| {
        let mut group = Group::join(config()).unwrap();
        network.theirs.ip("link set first down");
        until(&mut group, |group| !group.is_joined()).await;
        assert_eq!(log.count("WARN", "multicast interface is gone or down"), 1);
        network.theirs.ip("link set first up");
        until(&mut group, Group::is_joined).await;
        let peer = network.theirs.peer(GROUP, THEIRS);
        pass_both_ways(&mut group, &peer).await;
    });
}

#[test]
fn an_address_that_is_removed_and_returns_is_joined_again() {
    let network = Network::new();
    network.ours.run(async |log| {
        let mut group = Group::join(config()).unwrap();
        network.ours.ip("addr del 10.77.0.1/24 dev first");
        until(&mut group, |group| !group.is_joined()).await;
        assert_eq!(log.count("WARN", "multicast interface is gone or down"), 1);

        network.ours.ip("addr add 10.77.0.1/24 dev first");
        until(&mut group, Group::is_joined).await;
        assert_eq!(log.count("INFO", "multicast group joined again"), 1);
        let peer = network.theirs.peer(GROUP, THEIRS);
        pass_both_ways(&mut group, &peer).await;
    });
}

#[test]
fn an_interface_that_is_made_anew_between_two_checks_is_joined_again() {
    let network = Network::new();
    network.ours.run(async |log| {
        // Two, for when the first is back the interface is in the group, and the second is not.
        let mut groups = [(); 2].map(|()| Group::join(config()).unwrap());
        // Nobody waits for a datagram meanwhile, so nobody checks.
        network.ours.ip("link del first");
        network.add_link("anew", "10.77.0");
        let peer = network.theirs.peer(GROUP, THEIRS);
        for (group, joined) in groups.iter_mut().zip(1..) {
            until(group, |group| group.counters().rejoins > 0).await;
            assert_eq!(log.count("WARN", "multicast membership was lost"), joined);
            assert_eq!(log.count("INFO", "multicast group joined again"), joined);
            pass_both_ways(group, &peer).await;
        }
    });
}

#[test]
fn an_interface_that_is_made_anew_under_its_old_index_is_joined_again() {
    let network = Network::new();
    network.ours.ip("link del first");
    network.add_link("first index 77", "10.77.0");
    network.ours.run(async |log| {
        let mut group = Group::join(config()).unwrap();
        network.ours.ip("link del first");
        network.add_link("first index 77", "10.77.0");

        until(&mut group, |group| group.counters().rejoins > 0).await;
        assert_eq!(log.count("WARN", "multicast membership was lost"), 1);
        let peer = network.theirs.peer(GROUP, THEIRS);
        pass_both_ways(&mut group, &peer).await;
    });
}

#[test]
fn an_interface_may_be_made_anew_more_often_than_a_socket_may_join() {
    let network = Network::new();
    network.ours.run(async |_| {
        let mut group = Group::join(config()).unwrap();
        let most: u64 = network.ours.setting("net/ipv4/igmp_max_memberships");
        for round in 1..=most + 2 {
            network.ours.ip("link del first");
            network.add_link("first", "10.77.0");
            until(&mut group, |group| group.counters().rejoins == round).await;
        }
        let peer = network.theirs.peer(GROUP, THEIRS);
        pass_both_ways(&mut group, &peer).await;
    });
}

#[test]
fn an_interface_that_is_down_has_no_route() {
    let network = Network::new();
    network.ours.ip("link set first down");
    network.ours.run(async |_| {
        let refused = Group::join(config()).unwrap_err();
        assert!(matches!(refused, JoinError::NoRoute { .. }), "{refused:?}");
        assert_eq!(
            refused.to_string(),
            "no route to 224.0.23.5 over the interface with the address 10.77.0.1, is it up?"
        );
    });
}

#[test]
fn an_interface_without_a_link_is_joined_when_it_gets_one() {
    let network = Network::new();
    network.theirs.ip("link set first down");
    network.ours.wait_for_link("first", false);
    network.ours.run(async |log| {
        let mut group = Group::join(config()).unwrap();
        assert!(!group.is_joined());
        assert_eq!(log.count("WARN", "multicast interface has no link yet"), 1);
        network.theirs.ip("link set first up");
        until(&mut group, Group::is_joined).await;
        let peer = network.theirs.peer(GROUP, THEIRS);
        pass_both_ways(&mut group, &peer).await;
    });
}

fn config() -> GroupConfig {
    let mut config = GroupConfig::new(GROUP, OURS);
    config.sources = vec!["10.77.0.2/32".parse().unwrap()];
    config.check_interval = CHECK;
    config
}

fn config_that_lists_us() -> GroupConfig {
    let mut config = config();
    config.sources.push("10.77.0.1/32".parse().unwrap());
    config
}

/// Lets a group look after itself until a condition holds.
async fn until(group: &mut Group, condition: impl Fn(&Group) -> bool) {
    network::within(async {
        while !condition(group) {
            let mut buffer = [0; 64];
            // Short of a datagram, to come back and look.
            let _ = timeout(CHECK, group.recv(&mut buffer)).await;
        }
    })
    .await;
}

/// Checks that datagrams flow. The first may be lost: an address that has just come up may take
/// the kernel a moment to announce.
async fn pass_both_ways(group: &mut Group, peer: &network::Peer) {
    network::within(async {
        let mut buffer = [0; 64];
        loop {
            peer.send(b"in");
            if timeout(CHECK, group.recv(&mut buffer)).await.is_ok() {
                break;
            }
        }
        while group.send(b"out").await.is_err() || !peer.has_heard(b"out") {
            sleep(CHECK).await;
        }
    })
    .await;
}

async fn hear(group: &mut Group) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let (octets, _) = network::within(group.recv(&mut buffer)).await.unwrap();
    buffer[..octets].to_vec()
}
