//! Section "Limits" of the contract, as far as it is about what clients of HTTP may take.
//!
//! | sentence | tests |
//! |---|---|
//! | nothing that arrives breaks it | `clients_that_vanish_change_nothing`, `many_connections_at_once_are_served`, `more_connections_than_descriptors_change_nothing` |
//! | at the limit of connections the one that has been idle longest is closed for a new one | `connections_that_are_kept_lock_nobody_out` |
//! | a connection has a bound on unsent octets, kernel buffers included | `clients_that_never_read_cost_little` |

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker};
use crate::request::{Connection, announce, get, head};

const TORRENT: [u8; 20] = [0xab; 20];

fn tracker() -> Tracker {
    Setup::new().start()
}

#[test]
fn clients_that_vanish_change_nothing() {
    let tracker = tracker();
    let request = head("GET", &announce(&TORRENT, 1000, ""), &[], &[]);
    for cut in 0..request.len() {
        let mut connection = Connection::to(tracker.http());
        connection.offer(&request.as_bytes()[..cut]);
    }
    for _ in 0..100 {
        let mut connection = Connection::to(tracker.http());
        // It goes without reading any of the replies.
        connection.offer(request.repeat(10).as_bytes());
    }
    assert_eq!(
        get(tracker.http(), &announce(&TORRENT, 1000, ""))
            .announced()
            .incomplete,
        1
    );
}

#[test]
fn many_connections_at_once_are_served() {
    let tracker = tracker();
    let mut connections: Vec<_> = (0..500).map(|_| Connection::to(tracker.http())).collect();
    for round in 1..=2 {
        for (connection, port) in connections.iter_mut().zip(1000..) {
            let request = head("GET", &announce(&TORRENT, port, "numwant=1"), &[], &[]);
            connection.send(request.as_bytes());
        }
        for connection in &mut connections {
            connection.response().announced();
        }
        let reply = get(tracker.http(), &announce(&TORRENT, 1000, "")).announced();
        assert_eq!(reply.incomplete, 500, "round {round}");
    }
}

#[test]
fn more_connections_than_descriptors_change_nothing() {
    let mut setup = Setup::new();
    let limited = ["sh", "-c", "ulimit -n 64 && exec \"$@\"", "sh"];
    setup.wrapper = limited.map(str::to_owned).into();
    let tracker = setup.start();
    let request = head("GET", "/stats", &[], &[]);
    for _ in 0..3 {
        let mut connections: Vec<_> = (0..200).map(|_| Connection::to(tracker.http())).collect();
        for connection in &mut connections {
            connection.offer(request.as_bytes());
        }
        // Those that have found room keep it; when they have gone, there is room again.
        drop(connections);
        assert_eq!(get(tracker.http(), "/stats").status, 200);
    }
    let announced = Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
    assert_eq!(announced.leechers, 1);
}

#[test]
fn connections_that_are_kept_lock_nobody_out() {
    let mut setup = Setup::new();
    let limited = ["sh", "-c", "ulimit -n 256 && exec \"$@\"", "sh"];
    setup.wrapper = limited.map(str::to_owned).into();
    let tracker = setup.start();
    let mut kept = Vec::new();
    for port in 1000..1300 {
        let mut connection = Connection::to(tracker.http());
        connection.get(&announce(&TORRENT, port, "")).announced();
        kept.push(connection);
    }
    // Whoever comes now is served: those that have said nothing for longest give way.
    for port in 2000..2100 {
        get(tracker.http(), &announce(&TORRENT, port, "")).announced();
        assert_eq!(get(tracker.http(), "/healthz").status, 200);
    }
    assert!(kept[0].is_at_end(), "the longest idle");
    let last = kept.last_mut().unwrap();
    last.get(&announce(&TORRENT, 3000, "")).announced();
    Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 1000));
}

#[test]
fn clients_that_never_read_cost_little() {
    const CLIENTS: u64 = 200;
    let tracker = tracker();
    let server = tracker.http();
    for port in 1000..1200 {
        get(server, &announce(&TORRENT, port, "")).announced();
    }
    let requests = head("GET", &announce(&TORRENT, 1, "numwant=200"), &[], &[]).repeat(100);
    let mut streams: Vec<_> = (0..CLIENTS)
        .map(|_| TcpStream::connect(server).unwrap())
        .collect();
    for stream in &mut streams {
        stream.set_nonblocking(true).unwrap();
    }
    let offer = |streams: &mut [TcpStream]| {
        let mut taken = 0;
        for stream in streams {
            while let Ok(octets) = stream.write(requests.as_bytes()) {
                taken += octets;
            }
        }
        taken
    };
    // Until the tracker takes no more from anybody.
    let mut quiet = 0;
    while quiet < 20 {
        quiet = if offer(&mut streams) == 0 {
            quiet + 1
        } else {
            0
        };
        std::thread::sleep(Duration::from_millis(20));
    }
    let unsent = unsent_octets(server.port());
    assert!((1..CLIENTS * 300_000).contains(&unsent), "{unsent}");
    get(server, &announce(&TORRENT, 2, "")).announced();
}

/// What the system holds of all replies of a server.
fn unsent_octets(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().skip(1).filter_map(|row| {
        let mut words = row.split_whitespace().skip(1);
        let (local, queues) = (words.next()?, words.nth(2)?);
        let is_ours = local.ends_with(&format!(":{port:04X}"));
        is_ours.then(|| u64::from_str_radix(queues.split(':').next().unwrap(), 16).unwrap())
    });
    rows.sum()
}
