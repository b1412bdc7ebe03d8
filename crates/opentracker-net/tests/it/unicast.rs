use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bytes::Bytes;
use opentracker_livesync::{Carrier, Class};
use opentracker_net::unicast::{Config, MAX_WAITING, Unicast};
use tokio::time::timeout;

/// As long as the slowest machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Another instance, which is but a socket.
fn other(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn unicast(listen: &str, peers: &[String]) -> Unicast {
    let peers = peers.iter().map(|peer| peer.parse().unwrap());
    let config = Config {
        listen: listen.parse().unwrap(),
        peers: peers.collect(),
    };
    Unicast::bind(config).unwrap()
}

async fn hear(unicast: &mut Unicast) -> (Vec<u8>, Option<SocketAddr>) {
    let mut buffer = [0; 2048];
    let heard = poll_fn(|cx| unicast.poll_recv(cx, &mut buffer));
    let (octets, source) = timeout(PATIENCE, heard).await.unwrap().unwrap();
    (buffer[..octets].to_vec(), source)
}

/// Polls until something is so, whatever comes meanwhile.
async fn until(unicast: &mut Unicast, is_so: impl Fn(&Unicast) -> bool) {
    let wait = async {
        while !is_so(unicast) {
            let mut buffer = [0; 2048];
            let heard = poll_fn(|cx| unicast.poll_recv(cx, &mut buffer));
            let _ = timeout(Duration::from_millis(5), heard).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let (octets, source) = socket.recv_from(&mut buffer).unwrap();
    (buffer[..octets].to_vec(), source)
}

#[tokio::test]
async fn every_peer_gets_a_copy_from_the_port_that_listens() {
    for (listen, host) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("[::1]:0", "[::1]:0"),
        // One socket for both families.
        ("[::]:0", "127.0.0.1:0"),
    ] {
        let ((first, first_at), (second, second_at)) = (other(host), other(host));
        let mut unicast = unicast(listen, &[first_at.to_string(), second_at.to_string()]);
        unicast.send(&Bytes::from_static(b"to all"), Class::Live);
        until(&mut unicast, |unicast| unicast.status().sent == 2).await;
        let port = unicast.local_addr().unwrap().port();
        for socket in [&first, &second] {
            let (packet, source) = receive(socket);
            assert_eq!((&packet[..], source.port()), (&b"to all"[..], port));
        }
        let us = SocketAddr::new(first_at.ip(), port);
        first.send_to(b"to one", us).unwrap();
        assert_eq!(
            hear(&mut unicast).await,
            (b"to one".to_vec(), Some(first_at))
        );
        let status = unicast.status();
        assert!(status.is_up, "{status:?}");
        assert_eq!((status.destinations, status.received), (2, 1));
        assert_eq!(
            (status.waiting, status.send_errors, status.dropped),
            (0, 0, 0)
        );
    }
}

#[tokio::test]
async fn a_name_is_resolved_while_others_are_sent_to() {
    let ((known, known_at), (named, named_at)) = (other("127.0.0.1:0"), other("127.0.0.1:0"));
    let peers = [
        known_at.to_string(),
        format!("localhost:{}", named_at.port()),
        // A name that nobody can have (RFC 6761).
        "nobody.invalid:9697".to_owned(),
    ];
    let mut unicast = unicast("127.0.0.1:0", &peers);
    assert_eq!(unicast.status().destinations, 1);
    unicast.send(&Bytes::from_static(b"early"), Class::Live);
    until(&mut unicast, |unicast| unicast.status().destinations == 2).await;
    unicast.send(&Bytes::from_static(b"late"), Class::Live);
    until(&mut unicast, |unicast| unicast.status().waiting == 0).await;
    assert_eq!(receive(&known).0, b"early");
    assert_eq!(receive(&known).0, b"late");
    loop {
        // The early packet may have waited for long enough to reach it as well.
        let packet = receive(&named).0;
        if packet == b"late" {
            break;
        }
        assert_eq!(packet, b"early");
    }
}

#[tokio::test]
async fn what_cannot_go_yet_waits_and_the_oldest_is_dropped() {
    let (socket, address) = other("127.0.0.1:0");
    let mut unicast = unicast("127.0.0.1:0", &[address.to_string()]);
    // Until its runtime has looked at the socket, it counts as full. The first is under way.
    let packet = |number: usize| Bytes::from(number.to_be_bytes().to_vec());
    for number in 0..MAX_WAITING + 11 {
        unicast.send(&packet(number), Class::Live);
    }
    for number in 0..3 {
        unicast.send(&packet(number), Class::Tell);
    }
    let status = unicast.status();
    assert_eq!(status.waiting, MAX_WAITING + 1);
    assert_eq!((status.dropped, status.dropped_tells), (10, 3));
    until(&mut unicast, |unicast| unicast.status().waiting == 0).await;
    assert_eq!(unicast.status().sent, MAX_WAITING as u64 + 1);
    assert_eq!(receive(&socket).0, 0_usize.to_be_bytes());
    assert_eq!(receive(&socket).0, 11_usize.to_be_bytes());
}

#[tokio::test]
async fn who_cannot_be_reached_is_counted_and_holds_nobody_up() {
    let (socket, address) = other("127.0.0.1:0");
    // A socket on loopback has no way to another network, and none takes port 9 of broadcasts.
    let peers = ["255.255.255.255:9".to_owned(), address.to_string()];
    let mut unicast = unicast("127.0.0.1:0", &peers);
    unicast.send(&Bytes::from_static(b"to all"), Class::Live);
    until(&mut unicast, |unicast| unicast.status().waiting == 0).await;
    assert_eq!(receive(&socket).0, b"to all");
    assert_eq!(
        (unicast.status().sent, unicast.status().send_errors),
        (1, 1)
    );
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused() {
    let (_socket, address) = other("127.0.0.1:0");
    let config = Config {
        listen: address,
        peers: Vec::new(),
    };
    let error = Unicast::bind(config).unwrap_err();
    assert_eq!(error.cause.kind(), io::ErrorKind::AddrInUse);
}
