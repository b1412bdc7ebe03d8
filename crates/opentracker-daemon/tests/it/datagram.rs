//! Datagrams of the UDP protocol (BEP 15), octet by octet, and a client that sends them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::program::PATIENCE;

/// What a connect begins with.
pub(crate) const MAGIC: u64 = 0x0417_2710_1980;

/// No connection id: those are not guessed.
pub(crate) const FORGED: u64 = 0x0102_0304_0506_0708;

pub(crate) const CONNECT: u32 = 0;
pub(crate) const ANNOUNCE: u32 = 1;
pub(crate) const SCRAPE: u32 = 2;
pub(crate) const ERROR: u32 = 3;

/// The first 16 octets of every request.
pub(crate) fn head(connection: u64, action: u32, transaction: u32) -> Vec<u8> {
    let mut octets = connection.to_be_bytes().to_vec();
    octets.extend(action.to_be_bytes());
    octets.extend(transaction.to_be_bytes());
    octets
}

pub(crate) fn connect(transaction: u32) -> Vec<u8> {
    head(MAGIC, CONNECT, transaction)
}

pub(crate) fn scrape(connection: u64, transaction: u32, info_hashes: &[[u8; 20]]) -> Vec<u8> {
    let mut octets = head(connection, SCRAPE, transaction);
    octets.extend(info_hashes.as_flattened());
    octets
}

/// An announce; unless told otherwise, that of a leecher which wants the default number of peers.
#[derive(Debug, Clone)]
pub(crate) struct Announce {
    pub(crate) info_hash: [u8; 20],
    pub(crate) peer_id: [u8; 20],
    pub(crate) left: u64,
    pub(crate) event: u32,
    pub(crate) ip: [u8; 4],
    pub(crate) num_want: i32,
    pub(crate) port: u16,
    pub(crate) options: Vec<u8>,
}

pub(crate) const NO_EVENT: u32 = 0;
pub(crate) const COMPLETED: u32 = 1;
pub(crate) const STARTED: u32 = 2;
pub(crate) const STOPPED: u32 = 3;

impl Announce {
    pub(crate) fn new(info_hash: [u8; 20], port: u16) -> Self {
        Self {
            info_hash,
            peer_id: *b"-XX0000-abcdefghijkl",
            left: 1 << 30,
            event: NO_EVENT,
            ip: [0; 4],
            num_want: -1,
            port,
            options: Vec::new(),
        }
    }

    pub(crate) fn seeding(self) -> Self {
        Self { left: 0, ..self }
    }

    pub(crate) fn event(self, event: u32) -> Self {
        Self { event, ..self }
    }

    pub(crate) fn want(self, num_want: i32) -> Self {
        Self { num_want, ..self }
    }

    pub(crate) fn octets(&self, connection: u64, transaction: u32) -> Vec<u8> {
        let mut octets = head(connection, ANNOUNCE, transaction);
        octets.extend(self.info_hash);
        octets.extend(self.peer_id);
        octets.extend(7_u64.to_be_bytes()); // downloaded
        octets.extend(self.left.to_be_bytes());
        octets.extend(9_u64.to_be_bytes()); // uploaded
        octets.extend(self.event.to_be_bytes());
        octets.extend(self.ip);
        octets.extend(0x1234_5678_u32.to_be_bytes()); // key
        octets.extend(self.num_want.to_be_bytes());
        octets.extend(self.port.to_be_bytes());
        assert_eq!(octets.len(), 98);
        octets.extend(&self.options);
        octets
    }
}

/// The reply to an announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) interval: u32,
    pub(crate) leechers: u32,
    pub(crate) seeders: u32,
    pub(crate) peers: Vec<SocketAddr>,
}

impl Announced {
    /// The ports of the peers.
    pub(crate) fn ports(&self) -> BTreeSet<u16> {
        let ports: BTreeSet<u16> = self.peers.iter().map(SocketAddr::port).collect();
        assert_eq!(ports.len(), self.peers.len(), "a peer twice: {self:?}");
        ports
    }
}

/// The counts of a swarm in the reply to a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) seeders: u32,
    pub(crate) downloads: u32,
    pub(crate) leechers: u32,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Connect(u64),
    Announce(Announced),
    Scrape(Vec<Counts>),
    Error(String),
}

impl Reply {
    /// Reads a reply, which must be exactly what the protocol says. `is_ipv4` is the family of
    /// whoever receives it.
    pub(crate) fn read(octets: &[u8], transaction: u32, is_ipv4: bool) -> Self {
        assert!(octets.len() >= 8, "{octets:02x?}");
        assert_eq!(word(octets, 4), transaction, "{octets:02x?}");
        match word(octets, 0) {
            CONNECT => {
                assert_eq!(octets.len(), 16, "{octets:02x?}");
                let (high, low) = (word(octets, 8), word(octets, 12));
                Self::Connect(u64::from(high) << 32 | u64::from(low))
            }
            ANNOUNCE => {
                assert!(octets.len() >= 20, "{octets:02x?}");
                let peers = if is_ipv4 {
                    compact_v4(&octets[20..])
                } else {
                    compact_v6(&octets[20..])
                };
                Self::Announce(Announced {
                    interval: word(octets, 8),
                    leechers: word(octets, 12),
                    seeders: word(octets, 16),
                    peers,
                })
            }
            SCRAPE => {
                let (entries, torn) = octets[8..].as_chunks::<12>();
                assert!(torn.is_empty(), "{octets:02x?}");
                let counts = entries.iter().map(|entry| Counts {
                    seeders: word(entry, 0),
                    downloads: word(entry, 4),
                    leechers: word(entry, 8),
                });
                Self::Scrape(counts.collect())
            }
            ERROR => Self::Error(String::from_utf8(octets[8..].to_vec()).unwrap()),
            other => panic!("action {other}: {octets:02x?}"),
        }
    }
}

/// Reads peers of 6 octets.
pub(crate) fn compact_v4(octets: &[u8]) -> Vec<SocketAddr> {
    let (peers, torn) = octets.as_chunks::<6>();
    assert!(torn.is_empty(), "{octets:02x?}");
    let peers = peers.iter().map(|&[a, b, c, d, high, low]| {
        let port = u16::from_be_bytes([high, low]);
        SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port)
    });
    peers.collect()
}

/// Reads peers of 18 octets.
pub(crate) fn compact_v6(octets: &[u8]) -> Vec<SocketAddr> {
    let (peers, torn) = octets.as_chunks::<18>();
    assert!(torn.is_empty(), "{octets:02x?}");
    let peers = peers.iter().map(|&[ref ip @ .., high, low]| {
        let port = u16::from_be_bytes([high, low]);
        SocketAddr::new(Ipv6Addr::from(*ip).into(), port)
    });
    peers.collect()
}

fn word(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(octets[at..at + 4].try_into().unwrap())
}

/// A socket that is connected to a tracker, so that replies from elsewhere do not get through.
#[derive(Debug)]
pub(crate) struct Client {
    socket: UdpSocket,
    next_transaction: Cell<u32>,
}

impl Client {
    /// A client at the loopback address of the tracker's family.
    pub(crate) fn of(tracker: SocketAddr) -> Self {
        match tracker {
            SocketAddr::V4(_) => Self::at("127.0.0.1", tracker),
            SocketAddr::V6(_) => Self::at("::1", tracker),
        }
    }

    /// A client at an address of this host.
    pub(crate) fn at(ip: &str, tracker: SocketAddr) -> Self {
        let ip: IpAddr = ip.parse().unwrap();
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.connect(tracker).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            next_transaction: Cell::new(0x0bad_0000),
        }
    }

    pub(crate) fn transaction(&self) -> u32 {
        self.next_transaction
            .replace(self.next_transaction.get() + 1)
    }

    pub(crate) fn send(&self, request: &[u8]) {
        self.socket.send(request).unwrap();
    }

    /// Receives the next datagram.
    pub(crate) fn receive(&self) -> Vec<u8> {
        let mut octets = vec![0; 1 << 16];
        let length = loop {
            match self.socket.recv(&mut octets) {
                Ok(length) => break length,
                // The process was stopped and goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("there should be a reply: {error}"),
            }
        };
        octets.truncate(length);
        octets
    }

    /// Sends a request and receives its reply, octet by octet.
    pub(crate) fn exchange(&self, request: &[u8]) -> Vec<u8> {
        self.send(request);
        self.receive()
    }

    /// Sends a request that is made for a transaction id, and reads its reply.
    pub(crate) fn ask(&self, request: impl FnOnce(u32) -> Vec<u8>) -> Reply {
        let transaction = self.transaction();
        let reply = self.exchange(&request(transaction));
        let is_ipv4 = self.socket.local_addr().unwrap().is_ipv4();
        Reply::read(&reply, transaction, is_ipv4)
    }

    /// Gets a connection id.
    pub(crate) fn connect(&self) -> u64 {
        match self.ask(connect) {
            Reply::Connect(connection) => connection,
            other => panic!("no connection: {other:?}"),
        }
    }

    /// Announces with a good connection id.
    pub(crate) fn announce(&self, announce: &Announce) -> Announced {
        match self.try_announce(announce) {
            Ok(announced) => announced,
            Err(error) => panic!("refused: {error}"),
        }
    }

    /// Announces with a good connection id, maybe to be refused.
    pub(crate) fn try_announce(&self, announce: &Announce) -> Result<Announced, String> {
        let connection = self.connect();
        match self.ask(|transaction| announce.octets(connection, transaction)) {
            Reply::Announce(announced) => Ok(announced),
            Reply::Error(error) => Err(error),
            other => panic!("no reply to an announce: {other:?}"),
        }
    }

    /// Scrapes with a good connection id.
    pub(crate) fn scrape(&self, info_hashes: &[[u8; 20]]) -> Vec<Counts> {
        let connection = self.connect();
        match self.ask(|transaction| scrape(connection, transaction, info_hashes)) {
            Reply::Scrape(counts) => counts,
            other => panic!("no reply to a scrape: {other:?}"),
        }
    }

    /// Returns what came back before the reply to a connect that was sent after it all.
    ///
    /// Datagrams from one socket are handled in their order, so whatever is not among these was
    /// never answered: no waiting shows that as well.
    pub(crate) fn drain(&self) -> Vec<Vec<u8>> {
        let transaction = self.transaction();
        let end = [CONNECT.to_be_bytes(), transaction.to_be_bytes()].concat();
        self.send(&connect(transaction));
        let mut replies = Vec::new();
        loop {
            let reply = self.receive();
            if reply.len() == 16 && reply.starts_with(&end) {
                return replies;
            }
            replies.push(reply);
        }
    }

    /// Sends a datagram and makes sure that there is no reply to it.
    pub(crate) fn is_silent_to(&self, request: &[u8]) -> bool {
        self.send(request);
        self.drain().is_empty()
    }
}
