use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{
    AnnounceReply as Announced, Counters, Key, Outcome, PeerBuffers, Refusal, Requester, Traced,
    TracedRequest, Worker,
};
use opentracker_types::{AnnounceRequest as Announce, PeerAddr, Scope, SwarmCounts};
use opentracker_udp_wire::{
    AnnounceReply, ConnectReply, ConnectRequest, ConnectionId, DecodeErrorKind, ErrorReply,
    Request, ScrapeReply, ScrapeRequest, TransactionId,
};

use crate::connection_id::Slot;
use crate::connections::{Connections, SeenKeys};
use crate::counters::Counter;

const BAD_CONNECTION_ID: &str = "bad connection id";

/// A batch of datagrams that came in, and room for a reply to each, wherever they lie.
pub trait Datagrams {
    /// Number of datagrams.
    fn len(&self) -> usize;

    /// Tells whether there is no datagram.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a datagram, the address that it came from, and the room for its reply; `None` if it
    /// came from no internet address.
    fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])>;

    /// Sends the first `octets` of the room for the reply, now or when the batch is done.
    fn reply(&mut self, index: usize, octets: usize);
}

/// Answers the datagrams of one thread: octets in, octets out (BEP 15, BEP 41).
///
/// It knows neither sockets nor clocks, so whatever moves datagrams can drive it.
#[derive(Debug)]
pub struct Handler {
    worker: Worker,
    connections: Arc<Connections>,
    counters: Counters<Counter>,
    max_payload: usize,
    keys: SeenKeys,
    slot: (Instant, Slot),
    /// The announces of the batch at hand.
    announces: Vec<Pending>,
}

/// An announce that is decoded and comes from its source.
#[derive(Debug)]
struct Pending {
    index: usize,
    client: IpAddr,
    transaction: TransactionId,
    key: Key,
    request: Announce,
}

impl Handler {
    /// Makes a handler whose replies have at most `max_payload` octets: peers and scrape entries
    /// are cut to fit. What it counts is counted for `listener`, as the metrics name it.
    pub fn new(
        worker: Worker,
        connections: Arc<Connections>,
        max_payload: usize,
        listener: &Arc<str>,
    ) -> Self {
        let start = worker.tracker().start();
        Self {
            counters: worker.tracker().counters().register_for(listener),
            keys: connections.keys(),
            slot: (start, connections.slot(start)),
            worker,
            connections,
            max_payload,
            announces: Vec::new(),
        }
    }

    /// Returns the thread's access to the tracker.
    pub fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Answers a batch.
    ///
    /// Each datagram is decoded once. Announces come last: only when it is known which of them
    /// have a valid connection id, the memory that these will need is asked for, together, and
    /// then they are served. So a forged datagram takes no lock and touches no swarm.
    ///
    /// Without a valid connection id a reply never has more octets than the request, and there is
    /// at most one for an address in 30 seconds. A malformed request is counted by its kind and
    /// not answered.
    pub fn handle_batch(&mut self, datagrams: &mut impl Datagrams, now: Instant) {
        self.announces.clear();
        self.counters.add(Counter::Received, datagrams.len() as u64);
        let is_traced = self.worker.is_traced();
        for index in 0..datagrams.len() {
            if is_traced {
                self.trace_rejected(datagrams, index, now);
            }
            if let Some(octets) = self.receive(datagrams, index, now) {
                datagrams.reply(index, octets);
            }
        }
        if self.announces.is_empty() {
            return;
        }
        let upcoming = self.announces.iter();
        self.worker.prefetch_announces(upcoming.map(|pending| {
            let peer = PeerAddr::new(pending.client, pending.request.port);
            (pending.key, peer)
        }));
        let announces = std::mem::take(&mut self.announces);
        for pending in &announces {
            let Some((_, _, reply)) = datagrams.exchange(pending.index) else {
                continue;
            };
            if let Some(octets) = self.announce(pending, now, reply) {
                datagrams.reply(pending.index, octets);
            }
        }
        self.announces = announces;
    }

    /// Answers one datagram from `source`: writes the reply to the front of `reply` and returns
    /// its octets, if there is one. As [`Self::handle_batch`] does, but slower.
    pub fn handle(
        &mut self,
        request: &[u8],
        source: SocketAddr,
        now: Instant,
        reply: &mut [u8],
    ) -> Option<usize> {
        let mut single = Single {
            request,
            source,
            reply,
            octets: None,
        };
        self.handle_batch(&mut single, now);
        single.octets
    }

    /// Lets those who look see what became of an announce. What is for them stays out of the way of
    /// all others, here and below: a batch is one function to the compiler.
    #[cold]
    #[inline(never)]
    fn trace_announced(
        &mut self,
        pending: &Pending,
        announced: Result<Announced, Refusal>,
        peers: usize,
        now: Instant,
    ) {
        let outcome = match announced {
            Ok(reply) => Outcome::Announced { reply, peers },
            Err(refusal) => Outcome::Refused(refusal),
        };
        let request = TracedRequest::Announce(pending.request);
        self.trace(pending.client, request, outcome, now);
    }

    /// Lets those who look see what became of a scrape.
    #[cold]
    #[inline(never)]
    fn trace_scraped(
        &mut self,
        request: &ScrapeRequest<'_>,
        client: IpAddr,
        scraped: Result<Option<SwarmCounts>, Refusal>,
        now: Instant,
    ) {
        let mut info_hashes = request.info_hashes();
        let info_hash = info_hashes.next().filter(|_| info_hashes.next().is_none());
        let asked = TracedRequest::Scrape { info_hash };
        let outcome = scraped.map_or_else(Outcome::Refused, Outcome::Scraped);
        self.trace(client, asked, outcome, now);
    }

    /// Lets those who look see what became of a request.
    #[cold]
    #[inline(never)]
    fn trace(&mut self, client: IpAddr, request: TracedRequest, outcome: Outcome, now: Instant) {
        let traced = Traced::new("udp", client, request, outcome, now);
        self.worker.trace(&traced);
    }

    /// Lets those who look see a datagram that will not be served, and why.
    #[cold]
    #[inline(never)]
    fn trace_rejected(&mut self, datagrams: &mut impl Datagrams, index: usize, now: Instant) {
        let Some((octets, source, _)) = datagrams.exchange(index) else {
            return;
        };
        let client = source.ip().to_canonical();
        let (request, id) = match Request::decode(octets) {
            Ok(Request::Announce(announce)) => {
                let request = TracedRequest::Announce(announce.announce);
                (request, announce.connection)
            }
            Ok(Request::Scrape(scrape)) => {
                let request = TracedRequest::Scrape { info_hash: None };
                (request, scrape.connection())
            }
            Ok(Request::Connect(_)) => return,
            Err(error) => {
                let why = Outcome::Rejected(error.to_string());
                return self.trace(client, TracedRequest::Other("datagram"), why, now);
            }
        };
        if !self.is_known(id, client, now) {
            let why = Outcome::Rejected(BAD_CONNECTION_ID.to_owned());
            self.trace(client, request, why, now);
        }
    }

    /// Decodes a datagram, and answers it unless it is an announce, which is kept. Returns the
    /// octets of the reply, if there is one.
    #[inline]
    fn receive(
        &mut self,
        datagrams: &mut impl Datagrams,
        index: usize,
        now: Instant,
    ) -> Option<usize> {
        let Some((octets, source, reply)) = datagrams.exchange(index) else {
            return self.drop(Counter::BadSource);
        };
        let client = source.ip().to_canonical();
        let has_port = source.port() != 0;
        let room = reply.len().min(self.max_payload);
        let reply = &mut reply[..room];
        match Request::decode(octets) {
            // It goes to the core, which looks at the address itself.
            Ok(Request::Announce(announce))
                if has_port && self.is_known(announce.connection, client, now) =>
            {
                self.announces.push(Pending {
                    index,
                    client,
                    transaction: announce.transaction,
                    key: self.worker.key(&announce.announce.info_hash),
                    request: announce.announce,
                });
                None
            }
            _ if !has_port || Scope::of(client).is_none() => self.drop(Counter::BadSource),
            Ok(_) if !self.worker.answers(client) => self.drop(Counter::Refused),
            Ok(Request::Connect(connect)) => self.connect(connect, client, now, reply),
            Ok(Request::Scrape(scrape)) if self.is_known(scrape.connection(), client, now) => {
                self.scrape(&scrape, client, now, reply)
            }
            Ok(Request::Scrape(scrape)) => {
                self.refuse_id(scrape.transaction(), client, now, octets.len(), reply)
            }
            Ok(Request::Announce(announce)) => {
                self.refuse_id(announce.transaction, client, now, octets.len(), reply)
            }
            Err(error) => self.drop(match error.kind() {
                DecodeErrorKind::BadMagic => Counter::BadMagic,
                DecodeErrorKind::UnknownAction => Counter::UnknownAction,
                DecodeErrorKind::NoInfoHash | DecodeErrorKind::TornInfoHash => Counter::BadScrape,
                _ => Counter::TooShort,
            }),
        }
    }

    #[inline]
    fn connect(
        &mut self,
        request: ConnectRequest,
        client: IpAddr,
        now: Instant,
        reply: &mut [u8],
    ) -> Option<usize> {
        let slot = self.slot(now);
        let id = self.keys.load().issue(client, slot);
        let written = ConnectReply {
            transaction: request.transaction,
            connection: ConnectionId::new(id.to_be_bytes()),
        }
        .encode(reply);
        self.send(Counter::of(Counter::CONNECTS, client), written.ok())
    }

    fn announce(&mut self, pending: &Pending, now: Instant, reply: &mut [u8]) -> Option<usize> {
        let room = reply.len().min(self.max_payload);
        let reply = &mut reply[..room];
        let Ok(mut builder) = AnnounceReply::begin(reply) else {
            return self.drop(Counter::SendFailed);
        };
        let mut peers = match pending.client {
            IpAddr::V4(_) => PeerBuffers::v4(builder.peers_area()),
            IpAddr::V6(_) => PeerBuffers::v6(builder.peers_area()),
        };
        let requester = Requester::new(pending.client);
        let announced =
            self.worker
                .announce_by_key(pending.key, &pending.request, &requester, now, &mut peers);
        let peers_octets = peers.v4_octets() + peers.v6_octets();
        if self.worker.is_traced() {
            let count = peers.count();
            self.trace_announced(pending, announced, count, now);
        }
        match announced {
            Ok(answer) => {
                let octets = builder.finish(
                    pending.transaction,
                    answer.interval_secs,
                    answer.counts,
                    peers_octets,
                );
                self.send(
                    Counter::of(Counter::ANNOUNCES, pending.client),
                    Some(octets),
                )
            }
            Err(refusal) => match refusal.reason.message() {
                Some(message) => self.refuse(pending.transaction, message, reply),
                None => self.drop(Counter::Refused),
            },
        }
    }

    fn scrape(
        &mut self,
        request: &ScrapeRequest<'_>,
        client: IpAddr,
        now: Instant,
        reply: &mut [u8],
    ) -> Option<usize> {
        let Ok(mut builder) = ScrapeReply::begin(reply, request.transaction()) else {
            return self.drop(Counter::SendFailed);
        };
        let requester = Requester::new(client);
        let mut found = None;
        let scraped = self
            .worker
            .scrape(request.info_hashes(), &requester, now, |_, counts| {
                found = counts;
                if builder.push(counts.unwrap_or_default()) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
        if self.worker.is_traced() {
            self.trace_scraped(request, client, scraped.map(|()| found), now);
        }
        match scraped {
            Ok(()) => {
                let octets = builder.finish();
                self.send(Counter::of(Counter::SCRAPES, client), Some(octets))
            }
            Err(refusal) => match refusal.reason.message() {
                Some(message) => self.refuse(request.transaction(), message, reply),
                None => self.drop(Counter::Refused),
            },
        }
    }

    /// Answers with an error that has no more octets than the request, because anybody may have
    /// sent it in anybody's name.
    fn refuse_id(
        &mut self,
        transaction: TransactionId,
        client: IpAddr,
        now: Instant,
        request_octets: usize,
        reply: &mut [u8],
    ) -> Option<usize> {
        self.counters.count(Counter::BadConnectionId);
        if !self.connections.may_tell(client, now) {
            return None;
        }
        let room = reply.len().min(request_octets);
        self.refuse(transaction, BAD_CONNECTION_ID, &mut reply[..room])
    }

    fn refuse(
        &mut self,
        transaction: TransactionId,
        message: &str,
        reply: &mut [u8],
    ) -> Option<usize> {
        let error = ErrorReply {
            transaction,
            message: message.as_bytes(),
        };
        self.send(Counter::Error, error.encode(reply).ok())
    }

    #[inline]
    fn is_known(&mut self, id: ConnectionId, client: IpAddr, now: Instant) -> bool {
        let slot = self.slot(now);
        let id = u64::from_be_bytes(*id.as_bytes());
        self.keys.load().accepts(id, client, slot)
    }

    /// The slot of `now`, which is the same for a whole batch.
    #[inline]
    fn slot(&mut self, now: Instant) -> Slot {
        if self.slot.0 != now {
            self.slot = (now, self.connections.slot(now));
        }
        self.slot.1
    }

    fn send(&self, counter: Counter, octets: Option<usize>) -> Option<usize> {
        match octets {
            Some(octets) => {
                self.counters.count(counter);
                Some(octets)
            }
            None => self.drop(Counter::SendFailed),
        }
    }

    fn drop(&self, counter: Counter) -> Option<usize> {
        self.counters.count(counter);
        None
    }
}

/// A batch of one.
struct Single<'a> {
    request: &'a [u8],
    source: SocketAddr,
    reply: &'a mut [u8],
    octets: Option<usize>,
}

impl Datagrams for Single<'_> {
    fn len(&self) -> usize {
        1
    }

    fn exchange(&mut self, _index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        Some((self.request, self.source, self.reply))
    }

    fn reply(&mut self, _index: usize, octets: usize) {
        self.octets = Some(octets);
    }
}
