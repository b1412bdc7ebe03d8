use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{
    Counters, Outcome, PeerBuffers, Reason, Refusal, Requester, Retry, Traced, TracedRequest,
    Worker,
};
use opentracker_http_wire::{
    AnnounceQuery, AnnounceReply, Failure, Peers, QueryError, QueryPairs, RetryIn, ScrapeQuery,
    ScrapeReply,
};

use crate::counters::Counter;
use crate::forwarded::{Client, Via};
use crate::head::{FieldSlots, Head, HeadError, Method, Persistence};
use crate::response::{Response, Status};
use crate::settings::{CrossOrigin, Forwarding};
use crate::source::Source;

mod websocket;

pub use websocket::Upgrade;

/// The most peers of a reply, whatever `numwant_max` is: 48 KiB in compact form.
const MAX_PEERS: u32 = 2048;

/// Answers the announces and scrapes of one thread: octets in, octets out.
///
/// It knows neither sockets nor clocks.
#[derive(Debug)]
pub struct Handler {
    worker: Worker,
    /// Of each listener.
    counters: Vec<Counters<Counter>>,
    /// Whose requests are handled at present.
    listener: usize,
    /// Room for compact peers.
    v4: Vec<u8>,
    v6: Vec<u8>,
    body: Vec<u8>,
    upgrade: Option<Upgrade>,
}

/// What became of the octets.
#[derive(Debug)]
pub(crate) struct Handled {
    /// So many octets were a request.
    pub(crate) consumed: usize,
    pub(crate) next: Next,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for more octets: the head is not complete.
    Wait,
    /// Handle the request that follows.
    Request,
    /// Send the response and close the connection.
    Close,
    /// The same, but octets may be on their way that were not looked at: let them come, lest the
    /// system takes the response back.
    Linger,
    /// The request is for the operator plane, with all that follows on this connection.
    HandOver,
    /// Go on with WebSocket, for the [`Upgrade`] that the handler keeps.
    Upgrade,
}

/// What a request asks for, as far as its path and query tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Announce,
    Scrape,
    /// An announce to a path that is none: somebody got his announce URL wrong.
    LostAnnounce,
    /// Something for the operator plane.
    Page,
}

/// An answer to an announce or scrape; its body is the handler's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    status: Status,
    /// Counted beside the status.
    counter: Option<Counter>,
    /// The connection is closed instead, if that can be.
    is_silence: bool,
}

const ANSWERED: Answer = Answer {
    status: Status::Ok,
    counter: None,
    is_silence: false,
};

impl Handler {
    /// Makes a handler for requests of several listeners, of which there must be one, as the metrics
    /// name them. A [`Session`](crate::Session) says which of them it came through.
    pub fn new(worker: Worker, listeners: &[Arc<str>]) -> Self {
        let registry = worker.tracker().counters();
        let counters = listeners
            .iter()
            .map(|listener| registry.register_for(listener));
        Self {
            counters: counters.collect(),
            listener: 0,
            worker,
            v4: Vec::new(),
            v6: Vec::new(),
            body: Vec::new(),
            upgrade: None,
        }
    }

    /// Returns the thread's access to the tracker.
    pub fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Tells whether connections are to be closed after the response at hand.
    pub(crate) fn is_draining(&self) -> bool {
        self.worker.tracker().is_draining()
    }

    /// Tells whether who is at the other end of a connection may name clients.
    pub(crate) fn trusts(&mut self, source: Source) -> bool {
        let forwarding = self.worker.rules().extension::<Forwarding>();
        forwarding.map_or_else(
            || Forwarding::default().trusts(source),
            |forwarding| forwarding.trusts(source),
        )
    }

    /// Takes note that what comes next came through this listener.
    pub(crate) fn select(&mut self, listener: usize) {
        self.listener = listener;
    }

    pub(crate) fn count(&self, counter: Counter) {
        self.counters[self.listener].count(counter);
    }

    /// Answers a request that came in on another way than a [`Session`](crate::Session): returns
    /// the status and the body, or `None` if it is neither an announce nor a scrape of named
    /// torrents.
    pub fn answer(
        &mut self,
        path: &[u8],
        query: &[u8],
        client: Client,
        now: Instant,
    ) -> Option<(u16, &[u8])> {
        let target = target(path, query);
        let answer = self.answer_target(target, query, client, now)?;
        if let Some(counter) = answer.counter {
            self.count(counter);
        }
        Some((answer.status.code(), &self.body))
    }

    /// Handles the request that the octets begin with, on a connection from `source`, and appends
    /// the response to `out`. With `is_last` the connection is closed after it.
    pub(crate) fn handle(
        &mut self,
        octets: &[u8],
        source: Source,
        now: Instant,
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Handled {
        let mut slots = FieldSlots::new();
        let (counter, status, reason) = match Head::parse(octets, &mut slots) {
            Ok(Some(mut head)) => {
                if is_last {
                    head.persistence = Persistence::Closed;
                }
                let next = self.route(&head, source, now, out);
                let consumed = match next {
                    Next::HandOver => 0,
                    _ => head.octets,
                };
                return Handled { consumed, next };
            }
            Ok(None) => {
                return Handled {
                    consumed: 0,
                    next: Next::Wait,
                };
            }
            Err(HeadError::TooLarge) => {
                let reason = "the request head has more than 8 KiB or 64 fields";
                (Counter::HeadTooLarge, Status::HeadTooLarge, reason)
            }
            Err(HeadError::TwoHosts) => {
                let reason = "the request has more than one Host field";
                (Counter::BadHost, Status::BadRequest, reason)
            }
            Err(HeadError::NotHttp) => {
                let reason = "the request is not HTTP/1.0 or HTTP/1.1";
                (Counter::BadHead, Status::BadRequest, reason)
            }
        };
        Handled {
            consumed: octets.len(),
            next: self.refuse_head(counter, status, reason, out),
        }
    }

    /// Appends the response to a head that did not arrive in time.
    pub(crate) fn time_out(&mut self, out: &mut Vec<u8>) {
        let reason = "the request head took too long";
        self.refuse_head(Counter::Timeout, Status::RequestTimeout, reason, out);
    }

    fn route(
        &mut self,
        head: &Head<'_, '_>,
        source: Source,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        if head.wants_websocket && self.speaks_websocket() {
            return self.upgrade(head, source, out);
        }
        let target = target(head.path, head.query);
        if target == Target::Page {
            return Next::HandOver;
        }
        if head.method != Method::Get {
            return self.refuse_method(head, out);
        }
        if head.has_body {
            let reason = "a request with a body is not served";
            return self.refuse_head(Counter::BadBody, Status::BadRequest, reason, out);
        }
        let client = self.client(head, source);
        let answer = self.answer_target(target, head.query, client, now);
        let Some(Answer {
            status,
            counter,
            is_silence,
        }) = answer
        else {
            return Next::HandOver;
        };
        if is_silence {
            return Next::Close;
        }
        if let Some(counter) = counter {
            self.count(counter);
        }
        let persistence = match status {
            // A network that is not served holds no connection either.
            Status::Forbidden => Persistence::Closed,
            _ => head.persistence,
        };
        let response = Response {
            allow_origin: match target {
                Target::Scrape => self.allowed_origin(head),
                _ => None,
            },
            ..Response::new(status, persistence)
        };
        response.put(&self.body, out);
        after(persistence)
    }

    fn client(&mut self, head: &Head<'_, '_>, source: Source) -> Client {
        match self.worker.rules().extension::<Forwarding>() {
            Some(forwarding) => Client::find(source, head.fields(), forwarding),
            None => Client::find(source, head.fields(), &Forwarding::default()),
        }
    }

    /// Returns the origin of the page that sent a request, if it may read the response.
    fn allowed_origin<'a>(&mut self, head: &Head<'a, '_>) -> Option<&'a str> {
        let allowed = self.worker.rules().extension::<CrossOrigin>()?;
        let mut fields = head.fields();
        let (_, origin) = fields.find(|(name, _)| name.eq_ignore_ascii_case("origin"))?;
        allowed.allow(origin)
    }

    /// Writes the body of an answer; `None` leaves the request to the operator plane.
    fn answer_target(
        &mut self,
        target: Target,
        query: &[u8],
        client: Client,
        now: Instant,
    ) -> Option<Answer> {
        match target {
            Target::Announce => Some(self.announce(query, client, now)),
            Target::Scrape => Some(self.scrape(query, client, now)),
            Target::LostAnnounce => Some(self.refuse_lost()),
            Target::Page => None,
        }
    }

    /// Lets those who look see what became of a request.
    #[cold]
    fn trace(&mut self, client: Client, request: TracedRequest, outcome: Outcome, now: Instant) {
        let traced = Traced::new("http", client.ip, request, outcome, now);
        self.worker.trace(&traced);
    }

    /// The same of one that is not served, and why.
    fn trace_rejected(&mut self, client: Client, request: TracedRequest, why: &str, now: Instant) {
        if self.worker.is_traced() {
            self.trace(client, request, Outcome::Rejected(why.to_owned()), now);
        }
    }

    fn announce(&mut self, query: &[u8], client: Client, now: Instant) -> Answer {
        let query = match AnnounceQuery::decode(query) {
            Ok(query) => query,
            Err(error) => return self.refuse_query("announce", &error, client, now),
        };
        if client.via == Via::SilentProxy {
            let asked = TracedRequest::Announce(query.announce);
            self.trace_rejected(client, asked, "the proxy does not say who asks", now);
            return self.refuse_silent_proxy();
        }
        let most = self.worker.rules().settings.numwant_max.min(MAX_PEERS);
        let room = usize::try_from(most).expect("a small number");
        self.v4.resize(6 * room, 0);
        self.v6.resize(18 * room, 0);
        let mut peers = PeerBuffers::both(&mut self.v4, &mut self.v6);
        let requester = Requester::new(client.ip);
        let announced = self
            .worker
            .announce(&query.announce, &requester, now, &mut peers);
        let (v4_octets, v6_octets) = (peers.v4_octets(), peers.v6_octets());
        if self.worker.is_traced() {
            let outcome = match announced {
                Ok(reply) => Outcome::Announced {
                    reply,
                    peers: peers.count(),
                },
                Err(refusal) => Outcome::Refused(refusal),
            };
            let request = TracedRequest::Announce(query.announce);
            self.trace(client, request, outcome, now);
        }
        let reply = match announced {
            Ok(reply) => reply,
            Err(refusal) => return self.refuse(refusal),
        };
        let v4 = &self.v4[..v4_octets];
        let v6 = (v6_octets > 0).then_some(&self.v6[..v6_octets]);
        self.body.clear();
        let peers = Peers::of_query(&query, v4, v6);
        let mut answer = AnnounceReply::new(reply.counts, reply.interval_secs, peers);
        answer.min_interval_secs = Some(reply.min_interval_secs);
        answer.external_ip = (client.via == Via::Socket).then_some(client.ip);
        answer.encode(&mut self.body);
        self.count(Counter::of(Counter::ANNOUNCES, client.ip));
        ANSWERED
    }

    fn scrape(&mut self, query: &[u8], client: Client, now: Instant) -> Answer {
        let query = match ScrapeQuery::decode(query) {
            Ok(query) => query,
            Err(error) => return self.refuse_query("scrape", &error, client, now),
        };
        let requester = match client.via {
            Via::SilentProxy => Requester::behind_proxy(client.ip),
            _ => Requester::new(client.ip),
        };
        let min_interval = self.worker.rules().settings.min_interval.as_secs();
        self.body.clear();
        let body = &mut self.body;
        let mut reply = ScrapeReply::begin(body);
        let mut found = None;
        let scraped = self.worker.scrape(
            query.info_hashes().iter().copied(),
            &requester,
            now,
            |info_hash, counts| {
                found = counts;
                if let Some(counts) = counts {
                    reply.entry(body, info_hash, counts);
                }
                ControlFlow::Continue(())
            },
        );
        if self.worker.is_traced() {
            let info_hash = match query.info_hashes() {
                [info_hash] => Some(*info_hash),
                _ => None,
            };
            let asked = TracedRequest::Scrape { info_hash };
            let outcome = scraped.map_or_else(Outcome::Refused, |()| Outcome::Scraped(found));
            self.trace(client, asked, outcome, now);
        }
        if let Err(refusal) = scraped {
            return self.refuse(refusal);
        }
        reply.end(&mut self.body, u32::try_from(min_interval).ok());
        self.count(Counter::of(Counter::SCRAPES, client.ip));
        ANSWERED
    }

    fn refuse(&mut self, refusal: Refusal) -> Answer {
        if refusal.reason == Reason::Network {
            return self.fail(Status::Forbidden, None, "this network is not served here");
        }
        let message = refusal.reason.message();
        let failure = Failure::new(message.unwrap_or("not served"));
        let failure = match refusal.retry {
            Retry::Never => failure.retry_in(RetryIn::Never),
            Retry::After(wait) => {
                let minutes = wait.as_secs().div_ceil(60).max(1);
                failure.retry_in(RetryIn::Minutes(u32::try_from(minutes).unwrap_or(u32::MAX)))
            }
            _ => failure,
        };
        self.body.clear();
        failure.encode(&mut self.body);
        Answer {
            is_silence: message.is_none(),
            ..ANSWERED
        }
    }

    fn refuse_query(
        &mut self,
        what: &'static str,
        error: &QueryError,
        client: Client,
        now: Instant,
    ) -> Answer {
        self.trace_rejected(client, TracedRequest::Other(what), error.message(), now);
        let counter = match error.parameter() {
            "info_hash" => Counter::BadInfoHash,
            "port" => Counter::BadPort,
            _ => Counter::BadParameter,
        };
        self.fail(Status::BadRequest, Some(counter), error.message())
    }

    fn refuse_silent_proxy(&mut self) -> Answer {
        let forwarding = self.worker.rules().extension::<Forwarding>().cloned();
        let header = forwarding.unwrap_or_default().header;
        let reason = format!(
            "the proxy does not say who asks: it has to set {}",
            header.name()
        );
        self.fail(Status::BadRequest, Some(Counter::SilentProxy), &reason)
    }

    /// Refuses in the words of announces, because it is a client that asks, and not a browser.
    fn refuse_lost(&mut self) -> Answer {
        let reason = "this is not the announce URL, whose path is /announce";
        self.fail(Status::NotFound, Some(Counter::NotFound), reason)
    }

    fn fail(&mut self, status: Status, counter: Option<Counter>, reason: &str) -> Answer {
        self.body.clear();
        Failure::new(reason).encode(&mut self.body);
        Answer {
            status,
            counter,
            is_silence: false,
        }
    }

    fn refuse_method(&mut self, head: &Head<'_, '_>, out: &mut Vec<u8>) -> Next {
        self.count(Counter::BadMethod);
        let is_head = head.method == Method::Head;
        let response = Response {
            allow: Some("GET"),
            is_head,
            ..Response::new(
                Status::MethodNotAllowed,
                if is_head {
                    head.persistence
                } else {
                    Persistence::Closed
                },
            )
        };
        response.put(b"this method is not allowed\n", out);
        // What follows another method may be its body.
        if is_head {
            after(head.persistence)
        } else {
            Next::Linger
        }
    }

    /// Answers a head that cannot be understood, after which the connection is of no use.
    fn refuse_head(
        &mut self,
        counter: Counter,
        status: Status,
        reason: &str,
        out: &mut Vec<u8>,
    ) -> Next {
        self.count(counter);
        self.fail(status, None, reason);
        Response::new(status, Persistence::Closed).put(&self.body, out);
        Next::Linger
    }
}

/// Reads from path and query what is asked for, kindly: clients are known to double the slash, to
/// add one, or to ask as if a script answered.
fn target(path: &[u8], query: &[u8]) -> Target {
    match path {
        b"/announce" => return Target::Announce,
        b"/scrape" => return scrape_target(query),
        _ => {}
    }
    let is_slash = |octet: &u8| *octet == b'/';
    let start = path.iter().take_while(|octet| is_slash(octet)).count();
    let name = &path[start..];
    let end = name
        .iter()
        .rev()
        .take_while(|octet| is_slash(octet))
        .count();
    let name = &name[..name.len() - end];
    match name.strip_suffix(b".php").unwrap_or(name) {
        b"announce" => Target::Announce,
        b"scrape" => scrape_target(query),
        _ if !has_info_hash(query) => Target::Page,
        b"" => Target::Announce,
        _ => Target::LostAnnounce,
    }
}

/// A scrape of all torrents is the operator plane's.
fn scrape_target(query: &[u8]) -> Target {
    if has_info_hash(query) {
        Target::Scrape
    } else {
        Target::Page
    }
}

fn has_info_hash(query: &[u8]) -> bool {
    QueryPairs::new(query).any(|(name, _)| name == b"info_hash")
}

fn after(persistence: Persistence) -> Next {
    match persistence {
        Persistence::Closed => Next::Close,
        Persistence::Kept | Persistence::KeptExplicitly => Next::Request,
    }
}

#[cfg(test)]
mod tests;
