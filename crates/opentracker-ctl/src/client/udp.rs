//! The UDP protocol (BEP 15) from the side of a client.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use opentracker_types::{AnnounceRequest as Announce, InfoHash};
use opentracker_udp_wire::{
    AnnounceRequest, ConnectRequest, ConnectionId, Reply, ScrapeRequest, TransactionId,
};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{Announced, Said, Scraped};

/// How long each try may take. Clients wait for longer; whoever looks at a screen does not.
const TRIES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(6),
];

/// Octets of the longest datagram.
const MAX_DATAGRAM: usize = 65_535;

/// A socket with a connection id of the tracker that it is for.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: UdpSocket,
    connection: ConnectionId,
    is_ipv4: bool,
}

impl Socket {
    /// Asks a tracker for a connection id.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let own = match address {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(own).await.context("cannot open a socket")?;
        let connected = socket.connect(address).await;
        connected.with_context(|| format!("cannot reach {address}"))?;
        let mut this = Self {
            socket,
            connection: ConnectionId::new([0; ConnectionId::LEN]),
            is_ipv4: address.is_ipv4(),
        };
        let transaction = draw();
        let mut packet = [0; ConnectRequest::WIRE_LEN];
        ConnectRequest { transaction }.encode(&mut packet)?;
        let reply = this.ask(&packet, transaction).await?;
        match Reply::decode(&reply)? {
            Reply::Connect(reply) => this.connection = reply.connection,
            Reply::Error(error) => bail!("refused: {}", String::from_utf8_lossy(error.message)),
            _ => bail!("the answer to a connect is something else"),
        }
        Ok(this)
    }

    pub(super) async fn announce(&self, announce: Announce) -> Result<Said<Announced>> {
        let transaction = draw();
        let mut packet = [0; AnnounceRequest::WIRE_LEN];
        AnnounceRequest::new(self.connection, transaction, announce).encode(&mut packet)?;
        let reply = self.ask(&packet, transaction).await?;
        match Reply::decode(&reply)? {
            Reply::Announce(reply) => Ok(Said::Reply(Announced {
                interval_secs: reply.interval_secs,
                min_interval_secs: None,
                seeders: reply.seeders,
                leechers: reply.leechers,
                downloads: None,
                external_ip: None,
                warning: None,
                peers: match self.is_ipv4 {
                    true => reply.peers_v4().collect(),
                    false => reply.peers_v6().collect(),
                },
            })),
            Reply::Error(error) => Ok(failure(error.message)),
            _ => bail!("the answer to an announce is something else"),
        }
    }

    pub(super) async fn scrape(&self, info_hashes: &[InfoHash]) -> Result<Said<Scraped>> {
        let mut scraped = Vec::new();
        for some in info_hashes.chunks(ScrapeRequest::MAX_INFO_HASHES) {
            let octets: Vec<_> = some.iter().map(|info_hash| *info_hash.as_bytes()).collect();
            let transaction = draw();
            let request = ScrapeRequest::new(self.connection, transaction, &octets);
            let request = request.context("there is no info hash")?;
            let mut packet = vec![0; ScrapeRequest::WIRE_LEN + octets.as_flattened().len()];
            request.encode(&mut packet)?;
            let reply = self.ask(&packet, transaction).await?;
            match Reply::decode(&reply)? {
                Reply::Scrape(reply) => {
                    let mut counts = reply.entries();
                    scraped.extend(some.iter().map(|info_hash| (*info_hash, counts.next())));
                }
                Reply::Error(error) => return Ok(failure(error.message)),
                _ => bail!("the answer to a scrape is something else"),
            }
        }
        Ok(Said::Reply(scraped))
    }

    /// Sends a packet until its answer comes.
    async fn ask(&self, packet: &[u8], transaction: TransactionId) -> Result<Vec<u8>> {
        for patience in TRIES {
            self.socket.send(packet).await.context("cannot send")?;
            match timeout(patience, self.receive(transaction)).await {
                Ok(reply) => return reply,
                Err(_) => continue,
            }
        }
        let secs = TRIES.iter().sum::<Duration>().as_secs();
        bail!("no answer within {secs} s: a firewall, or no tracker there")
    }

    /// Waits for the answer to a transaction, and leaves everything else aside.
    async fn receive(&self, transaction: TransactionId) -> Result<Vec<u8>> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let received = self.socket.recv(&mut buffer).await;
            let octets = received.context("nobody listens there")?;
            let reply = &buffer[..octets];
            if Reply::decode(reply).is_ok_and(|reply| reply.transaction() == transaction) {
                return Ok(reply.to_vec());
            }
        }
    }
}

fn draw() -> TransactionId {
    TransactionId::from(rand::random::<u32>())
}

fn failure<T>(message: &[u8]) -> Said<T> {
    Said::Failure {
        reason: String::from_utf8_lossy(message).into_owned(),
        retry_in: None,
    }
}
