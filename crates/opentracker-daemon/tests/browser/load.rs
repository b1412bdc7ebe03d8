//! Clients that announce while somebody looks at the pages.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::datagram::{Announce, COMPLETED, Client};
use crate::program::Tracker;
use crate::request::{announce, encoded, get, head};

/// The torrent with the most peers.
pub(crate) const TORRENT: [u8; 20] = [0xab; 20];

/// What is on the deny list.
pub(crate) const DENIED: [u8; 20] = [0xdd; 20];

/// Peer ids of software that a page should name, more frequent ones more often.
const PEER_IDS: [&[u8; 20]; 10] = [
    b"-qB4650-abcdefghijkl",
    b"-qB4500-abcdefghijkl",
    b"-qB5000-abcdefghijkl",
    b"-TR4050-abcdefghijkl",
    b"-TR3000-abcdefghijkl",
    b"-UT3550-abcdefghijkl",
    b"-UT3550-bbcdefghijkl",
    b"-DE2110-abcdefghijkl",
    b"-lt0D60-abcdefghijkl",
    b"A2-1-36-0-abcdefghij",
];

/// Time between two rounds of announces.
const PAUSE: Duration = Duration::from_millis(10);

/// A thread of clients.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Starts to announce; the largest torrent has its peers when this returns.
    pub(crate) fn start(tracker: &Tracker) -> Self {
        let (udp, http) = (tracker.udp(), tracker.http());
        let client = Client::of(udp);
        for port in 1..=40 {
            client.announce(&Announce::new(TORRENT, port));
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let thread = thread::spawn(move || go_on(&client, http, &until));
        Self { is_over, thread }
    }

    pub(crate) fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

fn go_on(client: &Client, http: SocketAddr, is_over: &AtomicBool) {
    let mut connection = 0;
    let mut page = open(http);
    for number in 0_u32.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        // A connection id is good for a while.
        if number % 1000 == 0 {
            connection = client.connect();
        }
        let peer_id = PEER_IDS[number as usize % PEER_IDS.len()];
        // The first torrents have the most peers, and there are always new ones.
        let torrent = info_hash(number % (1 + number % 61) + number / 20);
        let port = u16::try_from(1 + number % 60_000).unwrap();
        let mut request = Announce::new(torrent, port);
        request.peer_id = *peer_id;
        let request = match number % 12 {
            1 | 5 | 9 => request,
            6 => request.seeding().event(COMPLETED),
            _ => request.seeding(),
        };
        client.ask(|transaction| request.octets(connection, transaction));
        if number % 11 == 0 {
            let denied = Announce::new(DENIED, port);
            client.ask(|transaction| denied.octets(connection, transaction));
        }
        if number % 4 == 0 {
            let peer_id = encoded(peer_id);
            get(
                http,
                &announce(&torrent, port, &format!("peer_id={peer_id}&left=0")),
            );
        }
        // A drain sends it away, and it comes back.
        if number % 8 == 0 && !announces(&mut page) {
            page = open(http);
        }
        thread::sleep(PAUSE);
    }
}

/// Connects as a browser does.
fn open(server: SocketAddr) -> Option<WebSocket<TcpStream>> {
    let mut stream = TcpStream::connect(server).unwrap();
    let handshake = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let head = head("GET", "/", &handshake, &[]);
    stream.write_all(head.as_bytes()).unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        response.extend(octet);
    }
    let is_open = response.starts_with(b"HTTP/1.1 101 ");
    is_open.then(|| WebSocket::from_raw_socket(stream, Role::Client, None))
}

/// Announces over a connection, if there is one; returns whether there is a reply.
fn announces(page: &mut Option<WebSocket<TcpStream>>) -> bool {
    let (info_hash, peer_id) = ("b".repeat(20), "c".repeat(20));
    let message = format!(
        r#"{{"action":"announce","info_hash":"{info_hash}","peer_id":"{peer_id}","left":1}}"#
    );
    page.as_mut().is_some_and(|page| {
        let sent = page.send(Message::text(message));
        sent.and_then(|()| page.read())
            .is_ok_and(|reply| reply.is_text())
    })
}

fn info_hash(number: u32) -> [u8; 20] {
    let mut octets = [0x5a; 20];
    octets[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    octets
}
