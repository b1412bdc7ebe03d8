use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{
    Counters, Outcome, Reason, Refusal, Requester, Traced, TracedRequest, WebConnection, WebPeer,
    Worker,
};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerId, SwarmCounts};

use crate::counters::Counter;
use crate::frame::{self, Fault as FrameFault, Item, Reader};
use crate::message::{self, Action, Answer, Fault, Misunderstood, Offer, Request};
use crate::nodes::{NodeMessage, Nodes};

/// The most torrents of one connection. A page that has more opens another.
pub const MAX_SWARMS: usize = 1000;

/// What a reload may change, as an extension of the [rules](opentracker_core::Rules).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Offers of an announce that are passed on; the others are dropped.
    pub max_offers: usize,
}

impl Default for Settings {
    /// 10 offers.
    fn default() -> Self {
        Self { max_offers: 10 }
    }
}

/// Why the tracker ends a connection, as the codes of RFC 6455, section 7.4.1 say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    /// The tracker ends, or wants clients to go elsewhere.
    Away = 1001,
    /// A frame is not allowed.
    Protocol = 1002,
    /// A message is not UTF-8.
    Text = 1007,
    /// Who asks is not served.
    Policy = 1008,
    /// A message is too large.
    Size = 1009,
}

/// A frame for another connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it goes.
    pub to: WebConnection,
    /// Its octets.
    pub octets: Vec<u8>,
}

/// What the connections of a thread use in turn.
#[derive(Debug)]
pub struct Context {
    /// Frames for the connection that was served last; whoever sends them takes them out.
    pub output: Vec<u8>,
    /// Frames for others; whoever passes them on takes them out.
    pub deliveries: Vec<Delivery>,
    /// Messages for other nodes of the cluster; whoever sends them takes them out.
    pub messages: Vec<NodeMessage>,
    pub(crate) counters: Counters<Counter>,
    /// Peers that were chosen.
    pub(crate) others: Vec<WebPeer>,
    /// A message that is being written.
    message: Vec<u8>,
    pub(crate) nodes: Option<Arc<Nodes>>,
    /// Announces that had something for other nodes.
    pub(crate) shared: usize,
}

impl Context {
    /// Makes what the connections of a thread use, with the counters of its worker's tracker.
    pub fn new(worker: &Worker) -> Self {
        Self {
            output: Vec::new(),
            deliveries: Vec::new(),
            messages: Vec::new(),
            counters: worker.tracker().counters().register(),
            others: Vec::new(),
            message: Vec::new(),
            nodes: None,
            shared: 0,
        }
    }

    /// Lets browsers meet those of other nodes as well. All threads are given the same.
    #[must_use]
    pub fn with_nodes(self, nodes: Option<Arc<Nodes>>) -> Self {
        Self { nodes, ..self }
    }

    fn send_message(&mut self) {
        frame::put_text(&self.message, &mut self.output);
    }
}

/// A connection after its handshake, without its socket.
///
/// Who drives it hands what it reads to [`Self::receive`], and then takes what is to be sent out of
/// the [`Context`]. Once [`Self::is_closing`], it is closed as soon as that is sent; at the end, whatever
/// the reason, [`Self::leave`] takes its peers out.
#[derive(Debug)]
pub struct Session {
    connection: WebConnection,
    requester: Requester,
    /// The peers of this connection.
    swarms: Vec<(InfoHash, PeerId)>,
    reader: Reader,
    is_closing: bool,
    /// It was the tracker that ended it.
    is_refused: bool,
}

impl Session {
    /// Makes the session of a new connection.
    pub fn new(connection: WebConnection, requester: Requester) -> Self {
        Self {
            connection,
            requester,
            swarms: Vec::new(),
            reader: Reader::default(),
            is_closing: false,
            is_refused: false,
        }
    }

    /// Takes octets that were read, and changes them.
    pub fn receive(
        &mut self,
        input: &mut [u8],
        context: &mut Context,
        worker: &mut Worker,
        now: Instant,
    ) {
        if self.is_closing {
            return;
        }
        let mut reader = std::mem::take(&mut self.reader);
        let read = reader.read(input, |item| {
            self.take(item, context, worker, now);
            if self.is_closing {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        self.reader = reader;
        if let Err(fault) = read {
            let (counter, code) = match fault {
                FrameFault::Frame => (Counter::BadFrame, CloseCode::Protocol),
                FrameFault::Size => (Counter::TooLarge, CloseCode::Size),
            };
            context.counters.count(counter);
            self.close(code, &mut context.output);
        }
        if self.is_closing {
            self.reader = Reader::default();
        }
    }

    /// Ends the connection, and says why.
    pub fn close(&mut self, code: CloseCode, out: &mut Vec<u8>) {
        if !self.is_closing {
            frame::put_close(&(code as u16).to_be_bytes(), out);
            self.is_closing = true;
            self.is_refused = true;
        }
    }

    /// Asks whether somebody is there: any octets are an answer.
    pub fn ping(out: &mut Vec<u8>) {
        frame::put_ping(out);
    }

    /// Tells whether the connection is to be closed when what is to be sent has been sent.
    pub const fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Tells whether it was the tracker that ended the connection.
    pub const fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Tells whether a part of a message has come.
    pub fn is_in_message(&self) -> bool {
        self.reader.is_in_message()
    }

    /// Takes the peers of the connection out of their swarms.
    pub fn leave(&mut self, worker: &mut Worker, now: Instant) {
        for (info_hash, peer_id) in std::mem::take(&mut self.swarms) {
            worker.leave_web(&info_hash, &self.peer(peer_id), now);
        }
    }

    const fn peer(&self, peer_id: PeerId) -> WebPeer {
        WebPeer {
            peer_id,
            connection: self.connection,
        }
    }

    fn take(&mut self, item: Item<'_>, context: &mut Context, worker: &mut Worker, now: Instant) {
        match item {
            Item::Pong => {}
            Item::Ping(payload) => frame::put_pong(payload, &mut context.output),
            Item::Close(payload) => {
                // The same code back; what else is there may be anything.
                let code = payload.get(..2).unwrap_or_default();
                frame::put_close(code, &mut context.output);
                self.is_closing = true;
            }
            Item::Message(octets) => match str::from_utf8(octets) {
                Ok(text) => self.serve(text, context, worker, now),
                Err(_) => {
                    context.counters.count(Counter::BadText);
                    self.close(CloseCode::Text, &mut context.output);
                }
            },
        }
    }

    fn serve(&mut self, text: &str, context: &mut Context, worker: &mut Worker, now: Instant) {
        match Request::parse(text) {
            Ok(Request::Announce {
                announce,
                peer_id,
                offers,
            }) => self.announce((&announce, peer_id, &offers), context, worker, now),
            Ok(Request::Answer(answer)) => self.answer(&answer, context, worker, now),
            Ok(Request::Scrape(hashes)) => self.scrape(&hashes, context, worker, now),
            Err(misunderstood) => self.reject(&misunderstood, context, worker, now),
        }
    }

    fn announce(
        &mut self,
        (announce, peer_id, offers): (&AnnounceRequest, PeerId, &[Offer<'_>]),
        context: &mut Context,
        worker: &mut Worker,
        now: Instant,
    ) {
        let info_hash = announce.info_hash;
        let swarm = (info_hash, peer_id);
        let known = self.swarms.iter().position(|known| *known == swarm);
        let is_here = announce.event != Event::Stopped;
        if known.is_none() && is_here && self.swarms.len() >= MAX_SWARMS {
            context.counters.count(Counter::TooManySwarms);
            let reason = "this connection has as many torrents as one may have";
            return fail(reason, Some(Action::Announce), Some(&info_hash), context);
        }
        let settings = worker.rules().extension::<Settings>();
        let most = settings.copied().unwrap_or_default().max_offers;
        let want = offers.len().min(most);
        let peer = self.peer(peer_id);
        context.others.clear();
        let elsewhere = context.share(announce, want, now);
        let others = (want - elsewhere, &mut context.others);
        let announced = worker.announce_web(announce, &peer, &self.requester, now, others);
        if worker.is_traced() {
            let outcome = match announced {
                Ok(reply) => Outcome::Announced {
                    reply,
                    peers: context.others.len(),
                },
                Err(refusal) => Outcome::Refused(refusal),
            };
            self.trace(TracedRequest::Announce(*announce), outcome, worker, now);
        }
        let reply = match announced {
            Ok(reply) => reply,
            Err(refusal) => {
                return self.refuse(refusal, Action::Announce, Some(&info_hash), context);
            }
        };
        match known {
            None if is_here => self.swarms.push(swarm),
            Some(index) if !is_here => {
                self.swarms.swap_remove(index);
            }
            _ => {}
        }
        context.counters.count(Counter::Announce);
        let beyond = (offers.len() - want) as u64;
        context.counters.add(Counter::OffersBeyond, beyond);
        context.message.clear();
        message::put_announced(&info_hash, &reply, &mut context.message);
        context.send_message();
        let others = std::mem::take(&mut context.others);
        let from = (&info_hash, &peer_id);
        for (other, offer) in others.iter().zip(offers) {
            relay("offer", from, offer, other.connection, context);
        }
        context.counters.add(Counter::Offer, others.len() as u64);
        if is_here {
            let rest = &offers[others.len()..want];
            context.offer_elsewhere(announce, (peer_id, known.is_none()), rest, worker, now);
        }
        context.others = others;
    }

    fn answer(
        &mut self,
        answer: &Answer<'_>,
        context: &mut Context,
        worker: &mut Worker,
        now: Instant,
    ) {
        let swarm = (answer.info_hash, answer.peer_id);
        if !self.swarms.contains(&swarm) {
            return context.counters.count(Counter::AnswerOfStranger);
        }
        let mut found = std::mem::take(&mut context.others);
        found.clear();
        let (hash, requester) = (&answer.info_hash, &self.requester);
        let looked = worker.find_web(hash, answer.to, requester, now, &mut found);
        match looked {
            Err(refusal) => self.refuse(refusal, Action::Announce, Some(hash), context),
            Ok(()) if found.is_empty() => context.answer_elsewhere(answer, worker, now),
            Ok(()) => context.counters.count(Counter::Answer),
        }
        for other in &found {
            let from = (hash, &answer.peer_id);
            relay("answer", from, &answer.offer, other.connection, context);
        }
        context.others = found;
    }

    fn scrape(
        &mut self,
        hashes: &[InfoHash],
        context: &mut Context,
        worker: &mut Worker,
        now: Instant,
    ) {
        let mut files: Vec<(InfoHash, SwarmCounts)> = Vec::new();
        let scraped = worker.scrape(
            hashes.iter().copied(),
            &self.requester,
            now,
            |hash, counts| {
                // Clients take a reply without a torrent that they have asked for as a fault.
                files.push((*hash, counts.unwrap_or_default()));
                ControlFlow::Continue(())
            },
        );
        if worker.is_traced() {
            let outcome = match scraped {
                Ok(()) => Outcome::Scraped(files.first().map(|(_, counts)| *counts)),
                Err(refusal) => Outcome::Refused(refusal),
            };
            let info_hash = match hashes {
                [one] => Some(*one),
                _ => None,
            };
            self.trace(TracedRequest::Scrape { info_hash }, outcome, worker, now);
        }
        if let Err(refusal) = scraped {
            return self.refuse(refusal, Action::Scrape, hashes.first(), context);
        }
        context.counters.count(Counter::Scrape);
        context.message.clear();
        message::put_scraped(files.iter(), &mut context.message);
        context.send_message();
    }

    /// Says why the rules do not allow a request.
    fn refuse(
        &mut self,
        refusal: Refusal,
        action: Action,
        info_hash: Option<&InfoHash>,
        context: &mut Context,
    ) {
        match refusal.reason.message() {
            Some(reason) => fail(reason, Some(action), info_hash, context),
            None if refusal.reason == Reason::Network => {
                context.counters.count(Counter::Network);
                self.close(CloseCode::Policy, &mut context.output);
            }
            None => {}
        }
    }

    /// Says what is wrong with a message.
    fn reject(
        &mut self,
        misunderstood: &Misunderstood,
        context: &mut Context,
        worker: &mut Worker,
        now: Instant,
    ) {
        let Misunderstood {
            fault,
            action,
            info_hash,
        } = misunderstood;
        context.counters.count(match fault {
            Fault::Json => Counter::BadJson,
            Fault::Action => Counter::BadAction,
            Fault::InfoHash => Counter::BadInfoHash,
            Fault::Id => Counter::BadId,
            Fault::Description => Counter::BadDescription,
        });
        let reason = fault.message();
        if worker.is_traced() {
            let asked = TracedRequest::Other(match action {
                Some(Action::Announce) => "announce",
                Some(Action::Scrape) => "scrape",
                None => "message",
            });
            let outcome = Outcome::Rejected(reason.to_owned());
            self.trace(asked, outcome, worker, now);
        }
        fail(reason, *action, info_hash.as_ref(), context);
    }

    #[cold]
    fn trace(&self, request: TracedRequest, outcome: Outcome, worker: &mut Worker, now: Instant) {
        let ip = self.requester.ip;
        worker.trace(&Traced::new("webtorrent", ip, request, outcome, now));
    }
}

fn fail(reason: &str, action: Option<Action>, info_hash: Option<&InfoHash>, context: &mut Context) {
    context.message.clear();
    message::put_failure(reason, action, info_hash, &mut context.message);
    context.send_message();
}

/// Passes an offer or an answer to another connection.
pub(crate) fn relay(
    kind: &str,
    from: (&InfoHash, &PeerId),
    offer: &Offer<'_>,
    to: WebConnection,
    context: &mut Context,
) {
    context.message.clear();
    message::put_relayed(kind, from, offer, &mut context.message);
    let mut octets = Vec::with_capacity(context.message.len() + 10);
    frame::put_text(&context.message, &mut octets);
    context.deliveries.push(Delivery { to, octets });
}
