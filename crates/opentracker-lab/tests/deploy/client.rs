//! A client that announces over HTTP, and one that scrapes over UDP at whoever it reaches.

use std::net::{SocketAddr, UdpSocket};

use opentracker_lab::bencode::Value;
use opentracker_lab::http::{Client, Response};
use opentracker_lab::{Host, compact_peers};
use opentracker_types::InfoHash;

use crate::PATIENCE;

/// Gets a target from a host, with further fields of the head, on a connection of its own.
pub(crate) fn get(from: &Host, server: SocketAddr, target: &str, fields: &str) -> Response {
    from.enter(|| {
        let mut client = Client::connect(server);
        client.send(&format!(
            "GET {target} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n"
        ));
        client.response()
    })
}

/// Returns the target of a leecher's announce.
pub(crate) fn target(torrent: InfoHash, port: u16) -> String {
    let hash: String = torrent
        .as_bytes()
        .iter()
        .map(|octet| format!("%{octet:02x}"))
        .collect();
    format!("/announce?info_hash={hash}&peer_id=-DE0000-of-the-deploy&port={port}&left=1&compact=1")
}

/// Announces a leecher, and returns its peers in order.
#[track_caller]
pub(crate) fn announce(
    from: &Host,
    server: SocketAddr,
    torrent: InfoHash,
    port: u16,
    fields: &str,
) -> Vec<SocketAddr> {
    let fields = format!("Host: tracker.example\r\n{fields}");
    let reply = get(from, server, &target(torrent, port), &fields);
    assert_eq!(reply.status, 200, "{}", reply.lossy());
    let reply = Value::decode(&reply.body).expect("it is bencoded");
    let peers = |key: &str| {
        let octets = reply.get(key).and_then(Value::as_bytes);
        octets.unwrap_or_default().to_vec()
    };
    let v4 = compact_peers::<4, 6>(&peers("peers"));
    let mut all = [v4, compact_peers::<16, 18>(&peers("peers6"))].concat();
    all.sort();
    all
}

/// Says whether one tracker answers a scrape with the connection id of another.
pub(crate) fn takes_id_of(from: &Host, other: SocketAddr, tracker: SocketAddr) -> bool {
    const CONNECT: [u8; 16] = *b"\x00\x00\x04\x17\x27\x10\x19\x80\0\0\0\0dply";
    from.enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a port is free");
        let patience = socket.set_read_timeout(Some(PATIENCE));
        patience.expect("a socket has a timeout");
        let ask = |server, request: &[u8]| {
            let sent = socket.send_to(request, server);
            sent.expect("the server can be reached");
            let mut reply = [0; 1500];
            let received = socket.recv(&mut reply);
            reply[..received.expect("the server answers")].to_vec()
        };
        let connected = ask(other, &CONNECT);
        let id = connected.get(8..16).expect("it has an id");
        let scrape = [id, b"\0\0\0\x02dply", &[1; 20]].concat();
        ask(tracker, &scrape).starts_with(b"\0\0\0\x02dply")
    })
}
