use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use opentracker_core::{Counter, PeerBuffers, Slot, Worker};
use opentracker_types::{InfoHash, PeerAddr, Scope};
use opentracker_udp_wire::{
    AnnounceReply, AnnounceRequest, ConnectReply, ConnectRequest, ConnectionId, DecodeErrorKind,
    ErrorReply, Request, ScrapeReply, ScrapeRequest, TransactionId,
};

/// What to do after a datagram was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send the first so many octets of the reply buffer to the source.
    Reply(usize),
    /// Send nothing.
    Drop,
}

/// Answers the datagrams of one thread: octets in, octets out (BEP 15, BEP 41).
///
/// It knows neither sockets nor clocks, so whatever moves datagrams can drive it.
#[derive(Debug)]
pub struct Handler {
    worker: Worker,
    max_payload: usize,
    slot: (Instant, Slot),
}

impl Handler {
    /// Makes a handler whose replies have at most `max_payload` octets: peers and scrape entries
    /// are cut to fit.
    pub fn new(worker: Worker, max_payload: usize) -> Self {
        let start = worker.tracker().start();
        let slot = worker.tracker().connection_ids().slot(start);
        Self {
            worker,
            max_payload,
            slot: (start, slot),
        }
    }

    /// Returns the thread's access to the tracker.
    pub fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Begins to load what a batch of datagrams will need, to be called before the first of them
    /// is handled. They may be any octets.
    pub fn prepare<'a>(&self, batch: impl Iterator<Item = (&'a [u8], SocketAddr)>) {
        let announces = batch.filter_map(|(request, source)| upcoming(request, source));
        let store = self.worker.tracker().store();
        store.prefetch_announces(announces.map(|(hash, peer)| (store.key(&hash), peer)));
    }

    /// Handles one datagram from `source` and writes the reply, if there is one, to the front of
    /// `reply`.
    ///
    /// Without a valid connection id a reply never has more octets than the request. A malformed
    /// request is counted by its kind and not answered.
    pub fn handle(
        &mut self,
        request: &[u8],
        source: SocketAddr,
        now: Instant,
        reply: &mut [u8],
    ) -> Action {
        self.worker.counters().count(Counter::UdpReceived);
        let client = source.ip().to_canonical();
        if source.port() == 0 || Scope::of(client).is_none() {
            return self.drop(Counter::UdpDroppedSource);
        }
        let room = reply.len().min(self.max_payload);
        let reply = &mut reply[..room];
        match Request::decode(request) {
            Ok(Request::Announce(announce)) => {
                let is_known = self.is_known(announce.connection, client, now);
                if !is_known {
                    return self.refuse_connection(announce.transaction, request, reply);
                }
                self.announce(&announce, client, now, reply)
            }
            Ok(Request::Connect(connect)) => self.connect(connect, client, now, reply),
            Ok(Request::Scrape(scrape)) => {
                if !self.is_known(scrape.connection(), client, now) {
                    return self.refuse_connection(scrape.transaction(), request, reply);
                }
                self.scrape(&scrape, reply)
            }
            Err(error) => self.drop(match error.kind() {
                DecodeErrorKind::BadMagic => Counter::UdpDroppedMagic,
                DecodeErrorKind::UnknownAction => Counter::UdpDroppedAction,
                DecodeErrorKind::NoInfoHash | DecodeErrorKind::TornInfoHash => {
                    Counter::UdpDroppedScrape
                }
                _ => Counter::UdpDroppedShort,
            }),
        }
    }

    fn connect(
        &mut self,
        request: ConnectRequest,
        client: IpAddr,
        now: Instant,
        reply: &mut [u8],
    ) -> Action {
        let slot = self.slot(now);
        let id = self.worker.tracker().connection_ids().issue(client, slot);
        let written = ConnectReply {
            transaction: request.transaction,
            connection: ConnectionId::new(id.to_be_bytes()),
        }
        .encode(reply);
        self.send(Counter::UdpConnect, written.ok())
    }

    fn announce(
        &mut self,
        request: &AnnounceRequest<'_>,
        client: IpAddr,
        now: Instant,
        reply: &mut [u8],
    ) -> Action {
        let Ok(mut builder) = AnnounceReply::begin(reply) else {
            return self.drop(Counter::UdpDroppedSend);
        };
        let mut peers = match client {
            IpAddr::V4(_) => PeerBuffers::v4(builder.peers_area()),
            IpAddr::V6(_) => PeerBuffers::v6(builder.peers_area()),
        };
        match self
            .worker
            .announce(&request.announce, client, now, &mut peers)
        {
            Ok(answer) => {
                let peers_octets = peers.v4_octets() + peers.v6_octets();
                let octets = builder.finish(
                    request.transaction,
                    answer.interval_secs,
                    answer.counts,
                    peers_octets,
                );
                self.send(Counter::UdpAnnounce, Some(octets))
            }
            Err(refusal) => self.refuse(request.transaction, refusal.message(), reply),
        }
    }

    fn scrape(&mut self, request: &ScrapeRequest<'_>, reply: &mut [u8]) -> Action {
        let Ok(mut builder) = ScrapeReply::begin(reply, request.transaction()) else {
            return self.drop(Counter::UdpDroppedSend);
        };
        let store = self.worker.tracker().store();
        store.prefetch_torrents(request.info_hashes().map(|hash| store.key(&hash)));
        for info_hash in request.info_hashes() {
            let counts = self.worker.scrape(&info_hash);
            if !builder.push(counts.unwrap_or_default()) {
                break;
            }
        }
        let octets = builder.finish();
        self.send(Counter::UdpScrape, Some(octets))
    }

    /// Answers with an error that is no longer than the request, because anybody may have sent it
    /// in anybody's name.
    fn refuse_connection(
        &mut self,
        transaction: TransactionId,
        request: &[u8],
        reply: &mut [u8],
    ) -> Action {
        self.worker.counters().count(Counter::UdpBadConnectionId);
        let room = reply.len().min(request.len());
        self.refuse(transaction, "bad connection id", &mut reply[..room])
    }

    fn refuse(&mut self, transaction: TransactionId, message: &str, reply: &mut [u8]) -> Action {
        let error = ErrorReply {
            transaction,
            message: message.as_bytes(),
        };
        self.send(Counter::UdpError, error.encode(reply).ok())
    }

    fn is_known(&mut self, id: ConnectionId, client: IpAddr, now: Instant) -> bool {
        let slot = self.slot(now);
        let id = u64::from_be_bytes(*id.as_bytes());
        let ids = self.worker.tracker().connection_ids();
        ids.accepts(id, client, slot)
    }

    /// The slot of `now`, which is the same for a whole batch.
    fn slot(&mut self, now: Instant) -> Slot {
        if self.slot.0 != now {
            self.slot = (now, self.worker.tracker().connection_ids().slot(now));
        }
        self.slot.1
    }

    fn send(&self, counter: Counter, octets: Option<usize>) -> Action {
        match octets {
            Some(octets) => {
                self.worker.counters().count(counter);
                Action::Reply(octets)
            }
            None => self.drop(Counter::UdpDroppedSend),
        }
    }

    fn drop(&self, counter: Counter) -> Action {
        self.worker.counters().count(counter);
        Action::Drop
    }
}

/// Torrent and peer of an announce (BEP 15), unchecked: a guess is good enough to prefetch.
fn upcoming(request: &[u8], source: SocketAddr) -> Option<(InfoHash, PeerAddr)> {
    const ANNOUNCE: [u8; 4] = [0, 0, 0, 1];
    let request = request.first_chunk::<{ AnnounceRequest::WIRE_LEN }>()?;
    if request[8..12] != ANNOUNCE {
        return None;
    }
    let info_hash = *request[16..].first_chunk()?;
    let port = u16::from_be_bytes([request[96], request[97]]);
    Some((InfoHash::new(info_hash), PeerAddr::new(source.ip(), port)))
}
