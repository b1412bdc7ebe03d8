//! UDP over real sockets.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker, Worker};
use opentracker_datagrams::bind_udp;
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
    assert_eq!(client.recv(&mut reply).unwrap(), 16, "{client:?}");
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
    assert_eq!(tracker.counters().sum(Counter::Connect), 3);
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
