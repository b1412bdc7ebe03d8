//! A group on the loopback interface, which hands every datagram to every member, whoever sent
//! it. What takes real interfaces is in `tests/netns`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use opentracker_multicast::{Group, GroupConfig, JoinError, MAX_STRANGERS_PER_CALL};
use socket2::{Domain, Socket, Type};

const US: Ipv4Addr = Ipv4Addr::LOCALHOST;
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test]
async fn each_member_on_a_host_gets_a_copy() {
    let config = config(Ipv4Addr::new(239, 255, 0, 1));
    let mut first = Group::join(config.clone()).unwrap();
    let mut second = Group::join(config).unwrap();
    first.send(b"to all").await.unwrap();
    assert_eq!(hear(&mut first).await, b"to all");
    assert_eq!(hear(&mut second).await, b"to all");
    assert!(first.is_joined());
    assert_eq!((first.counters().sent, first.counters().received), (1, 1));
    assert_eq!((second.counters().sent, second.counters().received), (0, 1));
}

#[tokio::test]
async fn senders_work_from_threads_without_a_runtime() {
    let mut group = Group::join(config(Ipv4Addr::new(239, 255, 0, 2))).unwrap();
    let threads = [b"one", b"two"].map(|word| {
        let sender = group.sender();
        std::thread::spawn(move || sender.try_send(word).unwrap())
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let mut heard = [hear(&mut group).await, hear(&mut group).await];
    heard.sort();
    assert_eq!(heard, [b"one", b"two"]);
    assert_eq!(group.counters().sent, 2);
}

#[tokio::test]
async fn strangers_are_dropped_and_counted_and_hold_nobody_up() {
    let strangers = 2 * MAX_STRANGERS_PER_CALL as u64 + 1;
    let config = config(Ipv4Addr::new(239, 255, 0, 3));
    let mut group = Group::join(config.clone()).unwrap();
    let stranger = stranger();
    for _ in 0..strangers {
        stranger.send_to(b"psst", config.group).unwrap();
    }
    group.send(b"hello").await.unwrap();
    assert_eq!(hear(&mut group).await, b"hello");
    assert_eq!(group.counters().strangers, strangers);
    assert_eq!(group.counters().received, 1);
}

#[tokio::test]
async fn no_sources_means_nobody() {
    let mut closed = config(Ipv4Addr::new(239, 255, 0, 4));
    closed.sources.clear();
    let group = Group::join(closed).unwrap();
    group.send(b"hello").await.unwrap();
    let mut buffer = [0; 64];
    within(async {
        while group.counters().strangers == 0 {
            assert_eq!(group.try_recv(&mut buffer).unwrap(), None);
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(group.counters().received, 0);
}

#[tokio::test]
async fn only_what_is_sent_to_the_group_arrives() {
    let config = config(Ipv4Addr::new(239, 255, 0, 5));
    let mut group = Group::join(config.clone()).unwrap();
    let mut other_config = config.clone();
    other_config.group.set_ip(Ipv4Addr::new(239, 255, 0, 6));
    let mut other = Group::join(other_config).unwrap();

    let socket = UdpSocket::bind((US, 0)).unwrap();
    socket.send_to(b"to us", (US, config.group.port())).unwrap();
    other.send(b"to another group").await.unwrap();
    assert_eq!(hear(&mut other).await, b"to another group");
    group.send(b"to the group").await.unwrap();
    assert_eq!(hear(&mut group).await, b"to the group");
    assert_eq!(group.counters().strangers, 0);
}

#[tokio::test]
async fn a_datagram_longer_than_the_buffer_is_cut() {
    let mut group = Group::join(config(Ipv4Addr::new(239, 255, 0, 7))).unwrap();
    group.send(b"a long story").await.unwrap();
    let mut buffer = [0; 6];
    let (octets, source) = within(group.recv(&mut buffer)).await.unwrap();
    assert_eq!((&buffer[..octets], *source.ip()), (&b"a long"[..], US));
}

#[tokio::test]
async fn the_granted_receive_buffer_is_known() {
    let mut modest = config(Ipv4Addr::new(239, 255, 0, 8));
    modest.receive_buffer_octets = 64 << 10;
    let group = Group::join(modest.clone()).unwrap();
    assert_eq!(group.receive_buffer_octets(), 64 << 10);

    let greedy = GroupConfig {
        receive_buffer_octets: 1 << 30,
        ..modest
    };
    let granted = Group::join(greedy).unwrap().receive_buffer_octets();
    assert!(granted >= 64 << 10);
}

#[tokio::test]
async fn a_group_that_is_none_is_refused() {
    for group in ["192.0.2.1:9696", "255.255.255.255:9696", "0.0.0.0:9696"] {
        let refused = Group::join(GroupConfig::new(group.parse().unwrap(), US)).unwrap_err();
        assert!(matches!(refused, JoinError::NotMulticast { .. }));
        let address = group.split(':').next().unwrap();
        assert!(refused.to_string().contains(address), "{refused}");
    }
    let no_port = GroupConfig::new("239.255.0.9:0".parse().unwrap(), US);
    assert!(matches!(
        Group::join(no_port),
        Err(JoinError::NoPort { .. })
    ));
}

#[tokio::test]
async fn an_address_that_no_interface_has_is_refused() {
    for address in [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::UNSPECIFIED, STRANGER] {
        let config = GroupConfig::new("239.255.0.10:9696".parse().unwrap(), address);
        let refused = Group::join(config).unwrap_err();
        assert!(matches!(refused, JoinError::NoSuchAddress { .. }));
        let said = refused.to_string();
        let begin = format!("no interface has {address}; this host has ");
        assert!(said.starts_with(&begin), "{said}");
        assert!(said.contains("127.0.0.1"), "{said}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused() {
    let config = config(Ipv4Addr::new(239, 255, 0, 11));
    let _taken = UdpSocket::bind(config.group).unwrap();
    let refused = Group::join(config).unwrap_err();
    let JoinError::Bind { source, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
}

/// A group of its own for each test, on a port that was free a moment ago.
fn config(group: Ipv4Addr) -> GroupConfig {
    let free = UdpSocket::bind((US, 0)).unwrap();
    let port = free.local_addr().unwrap().port();
    let mut config = GroupConfig::new(SocketAddrV4::new(group, port), US);
    config.sources = vec!["127.0.0.1/32".parse().unwrap()];
    config
}

/// Sends from an address that no configuration lists.
fn stranger() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
    socket.bind(&SocketAddrV4::new(STRANGER, 0).into()).unwrap();
    socket.set_multicast_if_v4(&US).unwrap();
    socket.into()
}

async fn hear(group: &mut Group) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let (octets, source) = within(group.recv(&mut buffer)).await.unwrap();
    assert_eq!(*source.ip(), US);
    buffer[..octets].to_vec()
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(10), future)
        .await
        .expect("nothing came in ten seconds")
}
