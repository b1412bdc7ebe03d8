//! Section "HTTP" of the contract: nothing that arrives breaks it.
//!
//! | sentence | tests |
//! |---|---|
//! | nothing that arrives breaks it | `garbage_is_400_or_closed`, `clients_that_vanish_change_nothing`, `many_connections_at_once_are_served`, `more_connections_than_descriptors_change_nothing` |

use crate::datagram::{Announce, Client};
use crate::program::Setup;
use crate::request::{Connection, announce, get, head};

const TORRENT: [u8; 20] = [0xab; 20];

#[test]
fn garbage_is_400_or_closed() {
    let tracker = Setup::new().start();
    let tls = b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    let handshake = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0";
    for garbage in [
        b"\r\n\r\n\r\n\r\n hello\r\n\r\n".as_slice(),
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /stats\r\n\r\n",
        b"GET /stats HTTP/9.9\r\n\r\n",
        b"GET /stats HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /st\0ats HTTP/1.1\r\n\r\n",
        b"GET /stats HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /stats HTTP/1.1\r\n: no name\r\n\r\n",
        b"GET /stats HTTP/1.1\r\nX\0Y: z\r\n\r\n",
        b"GET /stats HTTP/1.1\r\nX Y: z\r\n\r\n",
        b"\xff\xfe\xfd\xfc\r\n\r\n",
        &[tls.as_slice(), &[0; 200], b"\r\n\r\n"].concat(),
        &[handshake.as_slice(), b"\r\n\r\n"].concat(),
        &[0; 8000],
    ] {
        let mut connection = Connection::to(tracker.http());
        connection.offer(garbage);
        connection.half_close();
        let answer = connection.rest();
        let is_refused = answer.is_empty() || answer.starts_with(b"HTTP/1.1 4");
        let is_refused = is_refused || answer.starts_with(b"HTTP/1.1 505");
        let (garbage, answer) = (garbage.escape_ascii(), answer.escape_ascii());
        assert!(is_refused, "{garbage}: {answer}");
        assert_eq!(
            get(tracker.http(), "/stats").status,
            200,
            "it serves as before"
        );
    }
}

#[test]
fn clients_that_vanish_change_nothing() {
    let tracker = Setup::new().start();
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
    let tracker = Setup::new().start();
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
