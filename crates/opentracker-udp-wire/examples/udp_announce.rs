//! A UDP tracker client: it asks for a connection id, announces a leecher on port 6881, and
//! prints the peers that the tracker tells it.
//!
//! `cargo run -p opentracker-udp-wire --example udp_announce -- 127.0.0.1:6969 INFO_HASH`

use std::error::Error;
use std::net::UdpSocket;
use std::time::Duration;

use opentracker_udp_wire::types::{AnnounceRequest as Announce, Event, InfoHash, PeerId};
use opentracker_udp_wire::{AnnounceRequest, ConnectRequest, Reply, TransactionId};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let tracker = args.next().ok_or("the tracker's address is missing")?;
    let info_hash: InfoHash = args.next().ok_or("the info hash is missing")?.parse()?;

    // A real client draws its transaction ids and repeats what is lost; see BEP 15, "Time outs".
    let transaction = TransactionId::from(std::process::id());
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect(tracker)?;
    socket.set_read_timeout(Some(Duration::from_secs(15)))?;

    let mut buffer = [0; 1500];
    let octets = ConnectRequest { transaction }.encode(&mut buffer)?;
    socket.send(&buffer[..octets])?;
    let octets = socket.recv(&mut buffer)?;
    let connection = match Reply::decode(&buffer[..octets])? {
        Reply::Connect(reply) if reply.transaction == transaction => reply.connection,
        other => return Err(format!("not a connection id: {other:?}").into()),
    };

    let announce = Announce::new(info_hash, 6881)
        .with_peer_id(PeerId::new(*b"-XX0001-000000000000"))
        .with_left(1 << 30)
        .with_event(Event::Started);
    let octets = AnnounceRequest::new(connection, transaction, announce).encode(&mut buffer)?;
    socket.send(&buffer[..octets])?;
    let octets = socket.recv(&mut buffer)?;
    match Reply::decode(&buffer[..octets])? {
        Reply::Announce(reply) => {
            println!("{} seeders, {} leechers", reply.seeders, reply.leechers);
            reply.peers_v4().for_each(|peer| println!("{peer}"));
            Ok(())
        }
        Reply::Error(reply) => Err(String::from_utf8_lossy(reply.message).into()),
        other => Err(format!("not peers: {other:?}").into()),
    }
}
