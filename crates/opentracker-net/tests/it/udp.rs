//! UDP over real sockets.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker, Worker};
use opentracker_net::Listen;
use opentracker_net::udp::{Config, Sockets};
use opentracker_udp::{Connections, Counter};
use rand::SeedableRng;
use rand::rngs::StdRng;

const MAGIC: [u8; 8] = 0x0417_2710_1980_u64.to_be_bytes();
const MAX_PAYLOAD: usize = 1232;

fn tracker() -> Arc<Tracker> {
    let mut rng = StdRng::seed_from_u64(1);
    Arc::new(Tracker::new(Rules::default(), Instant::now(), &mut rng))
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
    let connections = Connections::new([1; 16], tracker.start(), Duration::from_secs(240));
    let worker = || Worker::new(Arc::clone(&tracker), 1, None);
    let server = sockets.serve(&Arc::new(connections), worker).unwrap();
    for address in [
        addresses[0],
        addresses[1],
        SocketAddr::new([127, 9, 9, 9].into(), addresses[2].port()),
    ] {
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
        let mut reply = [0; 100];
        assert_eq!(client.recv(&mut reply).unwrap(), 16, "{address}");
        assert_eq!(reply[4..8], [4, 3, 2, 1]);
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
