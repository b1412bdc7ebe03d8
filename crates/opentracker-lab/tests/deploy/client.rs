//! A client that announces over HTTP.

use std::net::SocketAddr;

use opentracker_lab::bencode::Value;
use opentracker_lab::http::{Client, Response};
use opentracker_lab::{Host, compact_peers};
use opentracker_types::InfoHash;

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
