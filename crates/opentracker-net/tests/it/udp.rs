//! UDP over real sockets.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Networks, Rules, Tracker, Worker};
use opentracker_datagrams::bind_udp;
use opentracker_http::Forwarding;
use opentracker_lab::uninterrupted;
use opentracker_net::udp::{Config, Server, Sockets};
use opentracker_net::{Heartbeat, Listen};
use opentracker_udp::{Connections, Counter};
use rand::SeedableRng;
use rand::rngs::StdRng;

const MAGIC: [u8; 8] = 0x0417_2710_1980_u64.to_be_bytes();
const MAX_PAYLOAD: usize = 1232;

fn tracker() -> Arc<Tracker> {
    let mut rng = StdRng::seed_from_u64(1);
    Arc::new(Tracker::new(Rules::default(), Instant::now(), &mut rng))
}

fn serve(sockets: Sockets, tracker: &Arc<Tracker>) -> Server {
    let connections = Connections::new([1; 16], tracker.start(), Duration::from_secs(240));
    let worker = || Worker::new(Arc::clone(tracker), 1, None);
    sockets.serve(&Arc::new(connections), worker).unwrap()
}

/// Sends a connect, and returns what it takes the reply from.
fn ask(address: SocketAddr) -> UdpSocket {
    let any = if address.is_ipv4() {
        "127.0.0.1:0"
    } else {
        "[::1]:0"
    };
    let client = UdpSocket::bind(any).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    // Connected: only a reply from the address that was asked gets through.
    client.connect(address).unwrap();
    let mut request = MAGIC.to_vec();
    request.extend([0, 0, 0, 0, 4, 3, 2, 1]);
    client.send(&request).unwrap();
    client
}

fn assert_answered(client: &UdpSocket) {
    let mut reply = [0; 100];
    assert_eq!(
        uninterrupted(|| client.recv(&mut reply)).unwrap(),
        16,
        "{client:?}"
    );
    assert_eq!(reply[4..8], [4, 3, 2, 1]);
}

#[test]
fn passed_sockets_are_shared_and_outlive_the_server() {
    let held = bind_udp(opentracker_datagrams::Listen {
        address: "127.0.0.1:0".parse().unwrap(),
        v6_only: false,
        sockets: 2,
    });
    let held = held.unwrap();
    let address = held[0].local_addr().unwrap();
    let tracker = tracker();
    let adopt = |workers| {
        let config = Config {
            listen: Vec::new(),
            workers,
            max_payload: MAX_PAYLOAD,
        };
        let passed = held.iter().map(|socket| socket.try_clone().unwrap());
        let sockets = Sockets::adopt(&config, passed.collect()).unwrap();
        assert_eq!(sockets.local_addrs(), [address]);
        sockets
    };
    assert_eq!(adopt(3).threads(), 3);
    assert_eq!(adopt(1).threads(), 2, "each is served");
    for _ in 0..2 {
        // They wait for the server, the second time while there is none any more.
        let clients: Vec<_> = (0..20).map(|_| ask(address)).collect();
        let server = serve(adopt(3), &tracker);
        clients.iter().for_each(assert_answered);
        server.shutdown();
    }
}

#[test]
fn a_thread_shows_that_it_is_not_stuck() {
    let config = Config {
        listen: vec![Listen::new("127.0.0.1:0".parse().unwrap())],
        workers: 2,
        max_payload: MAX_PAYLOAD,
    };
    let server = serve(Sockets::bind(&config).unwrap(), &tracker());
    let (names, beats): (Vec<_>, Vec<_>) = server.heartbeats().unzip();
    assert_eq!(names, ["udp-0", "udp-1"]);
    let turns = || -> Vec<u32> { beats.iter().map(Heartbeat::turns).collect() };
    let (before, start) = (turns(), Instant::now());
    while turns()
        .iter()
        .zip(&before)
        .any(|(now, before)| now == before)
    {
        assert!(start.elapsed() < Duration::from_secs(10), "{before:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.shutdown();
}

#[test]
fn the_server_answers_on_every_address_and_stops() {
    let config = Config {
        listen: ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"]
            .map(|address| Listen::new(address.parse().unwrap()))
            .into(),
        workers: 2,
        max_payload: MAX_PAYLOAD,
    };
    let sockets = Sockets::bind(&config).unwrap();
    assert_eq!(sockets.threads(), 6);
    let addresses = sockets.local_addrs();
    let tracker = tracker();
    let addresses = addresses.to_vec();
    let server = serve(sockets, &tracker);
    for address in [
        addresses[0],
        addresses[1],
        SocketAddr::new([127, 9, 9, 9].into(), addresses[2].port()),
    ] {
        assert_answered(&ask(address));
    }
    server.shutdown();
    assert_eq!(tracker.counters().sum_of(&Counter::CONNECTS), 3);
    // The address is free again.
    UdpSocket::bind(addresses[0]).unwrap();
}

#[test]
fn an_address_in_use_is_not_shared() {
    let config = |address: SocketAddr| Config {
        listen: vec![Listen::new(address)],
        workers: 1,
        max_payload: MAX_PAYLOAD,
    };
    let first = Sockets::bind(&config("127.0.0.1:0".parse().unwrap())).unwrap();
    let taken = first.local_addrs()[0];
    let error = Sockets::bind(&config(taken)).unwrap_err();
    assert_eq!(error.address, taken);
    assert_eq!(error.cause.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(error.to_string(), format!("cannot listen on udp {taken}"));
}

/// A server for proxies, which trusts 127.0.0.1, and its tracker.
fn behind_proxies() -> (Arc<Tracker>, Server, SocketAddr) {
    let forwarding = Forwarding {
        trusted_proxies: Networks::new(["127.0.0.1/32".parse().unwrap()]),
        ..Forwarding::default()
    };
    let rules = Rules::default().with_extension(forwarding);
    let mut rng = StdRng::seed_from_u64(1);
    let tracker = Arc::new(Tracker::new(rules, Instant::now(), &mut rng));
    let any: SocketAddr = "[::]:0".parse().unwrap();
    let sockets = Sockets::bind(&Config {
        listen: vec![Listen::new(any).with_proxy_protocol(true)],
        workers: 1,
        max_payload: MAX_PAYLOAD,
    });
    let sockets = sockets.unwrap();
    let port = sockets.local_addrs()[0].port();
    let connections = Connections::new([1; 16], tracker.start(), Duration::from_secs(240));
    let worker = || Worker::new(Arc::clone(&tracker), 1, None);
    let server = sockets.serve(&Arc::new(connections), worker).unwrap();
    (
        tracker,
        server,
        SocketAddr::new([127, 0, 0, 1].into(), port),
    )
}

/// The header of version 2 before the datagrams of a client.
fn v2(client: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    match client.ip() {
        IpAddr::V4(ip) => {
            // With an extension behind the addresses.
            header.extend([0x12, 0, 16]);
            header.extend(ip.octets());
            header.extend([198, 51, 100, 1]);
        }
        IpAddr::V6(ip) => {
            header.extend([0x22, 0, 40]);
            header.extend(ip.octets());
            header.extend([0xfd; 16]);
        }
    }
    header.extend(client.port().to_be_bytes());
    header.extend([0x1b, 0x39]);
    header.extend([4, 0, 1, 0]);
    header
}

/// The header of the Simple Proxy Protocol.
fn simple(client: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(ip) = client.ip() else {
        panic!("the test asks with IPv4 alone");
    };
    let mut header = vec![0x56, 0xec];
    header.extend(ip.to_ipv6_mapped().octets());
    header.extend([0xfd; 16]);
    header.extend(client.port().to_be_bytes());
    header.extend([0x1b, 0x39]);
    header
}

/// A proxy at an address of this host.
fn proxy(ip: &str, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket.connect(server).unwrap();
    socket
}

fn exchange(proxy: &UdpSocket, header: &[u8], request: &[u8]) -> Vec<u8> {
    proxy.send(&[header, request].concat()).unwrap();
    let mut reply = [0; 2048];
    let octets = uninterrupted(|| proxy.recv(&mut reply)).unwrap();
    reply[..octets].to_vec()
}

fn connect() -> Vec<u8> {
    let mut request = MAGIC.to_vec();
    request.extend([0, 0, 0, 0, 4, 3, 2, 1]);
    request
}

fn announce(id: &[u8], port: u16) -> Vec<u8> {
    let mut request = id.to_vec();
    request.extend([0, 0, 0, 1, 4, 3, 2, 1]);
    request.extend([0xab; 20]);
    request.extend([b'-'; 20]);
    request.extend([0; 8]);
    request.extend([0xff; 8]); // left
    request.extend([0; 8 + 4 + 4 + 4]);
    request.extend((-1_i32).to_be_bytes());
    request.extend(port.to_be_bytes());
    request
}

#[test]
fn who_a_proxy_names_is_the_client_of_a_datagram() {
    let (tracker, server, address) = behind_proxies();
    let proxy = proxy("127.0.0.1", address);
    let first: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let second: SocketAddr = "192.0.2.2:2".parse().unwrap();

    // The same header begins each reply.
    let header = simple(first);
    let reply = exchange(&proxy, &header, &connect());
    let (front, connected) = reply.split_at(38);
    assert_eq!(front, header);
    let id = connected[8..].to_vec();
    let reply = exchange(&proxy, &header, &announce(&id, 1000));
    assert_eq!(reply[..38], header);
    assert_eq!(reply[38..46], [0, 0, 0, 1, 4, 3, 2, 1]);
    assert_eq!(reply.len(), 38 + 20, "nobody else is there");

    // Replies behind a header of version 2 are plain. An id is that of its client, whatever proxy
    // and header it came through.
    let reply = exchange(&proxy, &v2(second), &announce(&id, 2000));
    assert_eq!(reply[..4], [0, 0, 0, 3], "it is another's: {reply:?}");
    let reply = exchange(&proxy, &v2(first), &announce(&id, 1000));
    assert_eq!(reply.len(), 20);
    let id = exchange(&proxy, &v2(second), &connect())[8..].to_vec();
    let reply = exchange(&proxy, &v2(second), &announce(&id, 2000));
    assert_eq!(reply[20..], [192, 0, 2, 1, 0x03, 0xe8]);

    let v6: SocketAddr = "[2001:db8::1]:1".parse().unwrap();
    let id = exchange(&proxy, &v2(v6), &connect())[8..].to_vec();
    let reply = exchange(&proxy, &v2(v6), &announce(&id, 3000));
    assert_eq!(reply.len(), 20, "peers of its family: {reply:?}");
    assert_eq!(reply[12..20], [0, 0, 0, 3, 0, 0, 0, 0], "of the same swarm");
    // Before the shutdown, which wakes the server as datagrams from nowhere do.
    assert_eq!(tracker.counters().sum_of(&Counter::ANNOUNCES), 4);
    assert_eq!(tracker.counters().sum(Counter::Received), 8);
    server.shutdown();
}

#[test]
fn replies_behind_a_header_fit_the_payload() {
    let (_tracker, server, address) = behind_proxies();
    let proxy = proxy("127.0.0.1", address);
    let mut longest = 0;
    for number in 0..=255 {
        let client: SocketAddr = format!("192.0.2.{number}:1").parse().unwrap();
        let header = simple(client);
        let id = exchange(&proxy, &header, &connect())[46..].to_vec();
        let mut request = announce(&id, 1000);
        request[92..96].copy_from_slice(&1000_i32.to_be_bytes());
        longest = longest.max(exchange(&proxy, &header, &request).len());
    }
    // 195 peers of 6 octets; one more would not fit.
    assert_eq!(longest, 38 + 20 + 195 * 6);
    assert!(longest <= MAX_PAYLOAD);
    server.shutdown();
}

#[test]
fn datagrams_for_proxies_alone_are_dropped_otherwise() {
    let (tracker, server, address) = behind_proxies();
    let trusted = proxy("127.0.0.1", address);
    let stranger = proxy("127.0.0.2", address);
    let client: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00".to_vec();
    let bad = [
        connect(),
        Vec::new(),
        v2(client)[..27].to_vec(),
        simple(client)[..37].to_vec(),
        [local, connect()].concat(),
        [
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".to_vec(),
            connect(),
        ]
        .concat(),
    ];
    for datagram in &bad {
        trusted.send(datagram).unwrap();
    }
    for header in [v2(client), simple(client), Vec::new()] {
        stranger.send(&[header, connect()].concat()).unwrap();
    }
    // What comes first is the reply to this one, and the one socket answers in order.
    assert_eq!(exchange(&trusted, &v2(client), &connect()).len(), 16);
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 10]).is_err());
    let counters = tracker.counters();
    assert_eq!(counters.sum(Counter::BadProxyHeader), bad.len() as u64);
    assert_eq!(counters.sum(Counter::UntrustedProxy), 3);
    assert_eq!(counters.sum(Counter::Received), 10);
    server.shutdown();
}
