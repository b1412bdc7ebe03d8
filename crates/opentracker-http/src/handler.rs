use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use opentracker_core::{Counter, PeerBuffers, Refusal, Totals, Worker};
use opentracker_http_wire::{
    AnnounceQuery, AnnounceReply, Failure, Peers, QueryError, RetryIn, ScrapeQuery, ScrapeReply,
};

use crate::config::{Identity, Settings};
use crate::dashboard::{self, Dashboard};
use crate::forwarded::{Client, Contradiction};
use crate::full_scrape::{FullScrape, Places};
use crate::head::{FieldSlots, Head, HeadError, Method, Persistence};
use crate::metrics;
use crate::response::{Framing, Response, Status, TEXT};
use crate::stats::{Mode, Snapshot};
use crate::top::Top;

/// The most peers of a reply, whatever `numwant_max` is: 48 KiB in compact form.
const MAX_PEERS: u32 = 2048;

/// When to try a full scrape again that has found no place.
const FULL_SCRAPE_RETRY: RetryIn = RetryIn::Minutes(1);

/// How long the totals are good for. Finding them takes some hundred microseconds, so this bounds
/// what a flood of questions costs.
const TOTALS_LIFETIME: Duration = Duration::from_secs(1);

/// Answers the requests of one thread: octets in, octets out.
///
/// It knows neither sockets nor clocks.
#[derive(Debug)]
pub(crate) struct Handler {
    worker: Worker,
    settings: Cache<Arc<ArcSwap<Settings>>, Arc<Settings>>,
    identity: Arc<Identity>,
    full_scrapes: Places,
    totals: Option<(Instant, Totals)>,
    /// Room for compact peers.
    v4: Vec<u8>,
    v6: Vec<u8>,
    body: Vec<u8>,
    text: String,
}

/// What became of the octets.
#[derive(Debug)]
pub(crate) struct Handled {
    /// So many octets were a request.
    pub(crate) consumed: usize,
    pub(crate) next: Next,
}

/// What is to be done next.
#[derive(Debug)]
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
    /// Make the page, and then go on.
    Page(Page),
}

/// A page that is not made between two announces, because it takes its time.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) kind: PageKind,
    /// The connection is closed after the page.
    pub(crate) is_last: bool,
}

#[derive(Debug)]
pub(crate) enum PageKind {
    /// The lists of the largest swarms.
    Top(TopPage),
    /// The counts of all torrents.
    FullScrape(Box<FullScrape>),
}

/// The lists of the largest swarms are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TopPage {
    places: usize,
    persistence: Persistence,
    is_head: bool,
}

impl TopPage {
    /// Appends the response with the lists.
    pub(crate) fn put(self, top: &Top, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        top.put(self.places, &mut body);
        Response {
            is_head: self.is_head,
            ..Response::new(Status::Ok, TEXT, self.persistence)
        }
        .put(&body, out);
    }
}

impl Handler {
    pub(crate) fn new(
        worker: Worker,
        settings: Arc<ArcSwap<Settings>>,
        identity: Arc<Identity>,
        full_scrapes: Places,
    ) -> Self {
        Self {
            worker,
            settings: Cache::new(settings),
            identity,
            full_scrapes,
            totals: None,
            v4: Vec::new(),
            v6: Vec::new(),
            body: Vec::new(),
            text: String::new(),
        }
    }

    pub(crate) fn worker(&mut self) -> &mut Worker {
        &mut self.worker
    }

    /// Handles the request that the octets begin with, from a socket whose other end is `socket`,
    /// and appends the response to `out`. With `is_last` the connection is closed after it.
    pub(crate) fn handle(
        &mut self,
        octets: &[u8],
        socket: IpAddr,
        now: Instant,
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Handled {
        let mut slots = FieldSlots::new();
        let (consumed, next) = match Head::parse(octets, &mut slots) {
            Ok(Some(mut head)) => {
                if is_last {
                    head.persistence = Persistence::Closed;
                }
                (head.octets, self.route(&head, socket, now, out))
            }
            Ok(None) => (0, Next::Wait),
            Err(HeadError::TooLarge) => {
                let reason = "the request head has more than 8 KiB or 64 fields";
                let next =
                    self.refuse_head(Counter::HttpHeadTooLarge, Status::HeadTooLarge, reason, out);
                (octets.len(), next)
            }
            Err(HeadError::NotHttp) => {
                let reason = "the request is not HTTP/1.0 or HTTP/1.1";
                let next = self.refuse_head(Counter::HttpBadHead, Status::BadRequest, reason, out);
                (octets.len(), next)
            }
        };
        Handled { consumed, next }
    }

    /// Appends the response to a head that did not arrive in time.
    pub(crate) fn time_out(&mut self, out: &mut Vec<u8>) {
        let reason = "the request head took too long";
        self.refuse_head(Counter::HttpTimeout, Status::RequestTimeout, reason, out);
    }

    fn route(
        &mut self,
        head: &Head<'_, '_>,
        socket: IpAddr,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        if head.method == Method::Other {
            self.refuse_method(head, "GET, HEAD", Persistence::Closed, out);
            return Next::Linger;
        }
        if head.has_body {
            let reason = "a request with a body is not served";
            return self.refuse_head(Counter::HttpBadBody, Status::BadRequest, reason, out);
        }
        let settings = self.settings.load();
        let client = match Client::find(socket, head.fields(), &settings.trusted_proxies) {
            Ok(client) => client,
            Err(Contradiction) => {
                let reason = "X-Forwarded-For and Forwarded contradict each other";
                self.refuse_query(head, Counter::HttpBadForwarding, reason, out);
                return after(head);
            }
        };
        match head.path {
            b"/announce" | b"/scrape" if head.method == Method::Head => {
                self.refuse_method(head, "GET", head.persistence, out);
            }
            b"/announce" => self.announce(head, client, now, out),
            b"/scrape" => return self.scrape(head, client, out),
            b"/" => self.root(head, client, out),
            b"/metrics" => self.metrics(head, client, now, out),
            path if path.strip_prefix(b"/") == Some(settings.stats_path.as_bytes()) => {
                return self.stats(head, client, now, out);
            }
            _ => {
                self.worker.counters().count(Counter::HttpNotFound);
                put_page(head, Status::NotFound, TEXT, &[], b"not found\n", out);
            }
        }
        after(head)
    }

    fn announce(&mut self, head: &Head<'_, '_>, client: Client, now: Instant, out: &mut Vec<u8>) {
        let query = match AnnounceQuery::decode(head.query) {
            Ok(query) => query,
            Err(error) => return self.refuse_bad_query(head, error, out),
        };
        let room = self.worker.settings().numwant_max.min(MAX_PEERS);
        let room = usize::try_from(room).expect("a small number");
        self.v4.resize(6 * room, 0);
        self.v6.resize(18 * room, 0);
        let mut peers = PeerBuffers::both(&mut self.v4, &mut self.v6);
        let announced = self
            .worker
            .announce(&query.announce, client.ip, now, &mut peers);
        let (v4_octets, v6_octets) = (peers.v4_octets(), peers.v6_octets());
        self.body.clear();
        match announced {
            Ok(reply) => {
                self.worker.counters().count(Counter::HttpAnnounce);
                let v4 = &self.v4[..v4_octets];
                let v6 = (v6_octets > 0).then_some(&self.v6[..v6_octets]);
                let peers = Peers::of_query(&query, v4, v6);
                let mut answer = AnnounceReply::new(reply.counts, reply.interval_secs, peers);
                answer.min_interval_secs = Some(reply.min_interval_secs);
                answer.external_ip = (!client.is_behind_proxy).then_some(client.ip);
                answer.encode(&mut self.body);
            }
            Err(refusal) => {
                self.text.clear();
                write!(self.text, "{refusal}").expect("a String takes everything");
                let failure = Failure::new(&self.text);
                match refusal {
                    Refusal::Denied | Refusal::NotAllowed => failure.retry_in(RetryIn::Never),
                    _ => failure,
                }
                .encode(&mut self.body);
            }
        }
        Response::new(Status::Ok, TEXT, head.persistence).put(&self.body, out);
    }

    fn scrape(&mut self, head: &Head<'_, '_>, client: Client, out: &mut Vec<u8>) -> Next {
        let query = match ScrapeQuery::decode(head.query) {
            Ok(query) => query,
            Err(error) => {
                self.refuse_bad_query(head, error, out);
                return after(head);
            }
        };
        if query.info_hashes().is_empty() {
            return self.full_scrape(head, client, out);
        }
        self.body.clear();
        let mut reply = ScrapeReply::begin(&mut self.body);
        for info_hash in query.info_hashes() {
            if let Some(counts) = self.worker.scrape(info_hash) {
                reply.entry(&mut self.body, info_hash, counts);
            }
        }
        let min_interval = self.worker.settings().min_interval.as_secs();
        reply.end(&mut self.body, u32::try_from(min_interval).ok());
        self.worker.counters().count(Counter::HttpScrape);
        Response::new(Status::Ok, TEXT, head.persistence).put(&self.body, out);
        after(head)
    }

    fn full_scrape(&mut self, head: &Head<'_, '_>, client: Client, out: &mut Vec<u8>) -> Next {
        let refusal = if !self.settings.load().admin.contains(client.ip) {
            Failure::new("a scrape needs an info_hash here").retry_in(RetryIn::Never)
        } else if let Some(place) = self.full_scrapes.take() {
            let (framing, persistence) = if head.takes_chunks {
                (Framing::Chunked, head.persistence)
            } else {
                (Framing::UntilClosed, Persistence::Closed)
            };
            let min_interval = self.worker.settings().min_interval;
            let scrape = FullScrape::new(place, framing, persistence, min_interval);
            return Next::Page(Page {
                kind: PageKind::FullScrape(Box::new(scrape)),
                is_last: persistence == Persistence::Closed,
            });
        } else {
            Failure::new("too many full scrapes are under way").retry_in(FULL_SCRAPE_RETRY)
        };
        self.worker.counters().count(Counter::RefusedFullScrape);
        self.body.clear();
        refusal.encode(&mut self.body);
        Response::new(Status::Ok, TEXT, head.persistence).put(&self.body, out);
        after(head)
    }

    fn root(&mut self, head: &Head<'_, '_>, client: Client, out: &mut Vec<u8>) {
        let settings = self.settings.load();
        if !settings.redirect_url.is_empty() {
            self.worker.counters().count(Counter::HttpRedirect);
            let fields = [("Location", &*settings.redirect_url)];
            return put_page(head, Status::Found, TEXT, &fields, b"", out);
        }
        if !settings.stats.contains(client.ip) {
            return self.forbid(head, out);
        }
        self.worker.counters().count(Counter::HttpStats);
        let Dashboard { page, policy } = Dashboard::new(&settings.stats_path, rand::random());
        let fields = [
            ("Content-Security-Policy", &*policy),
            ("Cache-Control", "no-store"),
        ];
        let kind = dashboard::CONTENT_TYPE;
        put_page(head, Status::Ok, kind, &fields, page.as_bytes(), out);
    }

    fn metrics(&mut self, head: &Head<'_, '_>, client: Client, now: Instant, out: &mut Vec<u8>) {
        if !self.settings.load().admin.contains(client.ip) {
            return self.forbid(head, out);
        }
        self.worker.counters().count(Counter::HttpStats);
        let mut body = Vec::new();
        metrics::put(&self.snapshot(now), &mut body);
        put_page(head, Status::Ok, metrics::CONTENT_TYPE, &[], &body, out);
    }

    fn stats(
        &mut self,
        head: &Head<'_, '_>,
        client: Client,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Next {
        if !self.settings.load().stats.contains(client.ip) {
            self.forbid(head, out);
            return after(head);
        }
        let Some(mode) = Mode::of_query(head.query) else {
            let reason = "this mode of statistics is not known";
            self.refuse_query(head, Counter::HttpBadMode, reason, out);
            return after(head);
        };
        self.worker.counters().count(Counter::HttpStats);
        if let Mode::Top(places) = mode {
            return Next::Page(Page {
                kind: PageKind::Top(TopPage {
                    places,
                    persistence: head.persistence,
                    is_head: head.method == Method::Head,
                }),
                is_last: head.persistence == Persistence::Closed,
            });
        }
        let mut body = Vec::new();
        self.snapshot(now).put(mode, &mut body);
        put_page(head, Status::Ok, TEXT, &[], &body, out);
        after(head)
    }

    fn snapshot(&mut self, now: Instant) -> Snapshot<'_> {
        let tracker = self.worker.tracker();
        let totals = match self.totals {
            Some((found, totals)) if now.saturating_duration_since(found) < TOTALS_LIFETIME => {
                totals
            }
            _ => {
                let totals = tracker.store().totals();
                self.totals = Some((now, totals));
                totals
            }
        };
        Snapshot {
            totals,
            counters: tracker.counters(),
            uptime_secs: now.saturating_duration_since(tracker.start()).as_secs(),
            identity: &self.identity,
        }
    }

    fn refuse_bad_query(&mut self, head: &Head<'_, '_>, error: QueryError, out: &mut Vec<u8>) {
        let counter = match error.parameter() {
            "port" => Counter::HttpBadPort,
            _ => Counter::HttpBadInfoHash,
        };
        self.refuse_query(head, counter, error.message(), out);
    }

    /// Answers 400 to a request whose head is well-formed.
    fn refuse_query(
        &mut self,
        head: &Head<'_, '_>,
        counter: Counter,
        reason: &str,
        out: &mut Vec<u8>,
    ) {
        self.worker.counters().count(counter);
        self.body.clear();
        Failure::new(reason).encode(&mut self.body);
        put_page(head, Status::BadRequest, TEXT, &[], &self.body, out);
    }

    /// Answers a head that cannot be understood, after which the connection is of no use.
    fn refuse_head(
        &mut self,
        counter: Counter,
        status: Status,
        reason: &str,
        out: &mut Vec<u8>,
    ) -> Next {
        self.worker.counters().count(counter);
        self.body.clear();
        Failure::new(reason).encode(&mut self.body);
        Response::new(status, TEXT, Persistence::Closed).put(&self.body, out);
        Next::Linger
    }

    fn refuse_method(
        &mut self,
        head: &Head<'_, '_>,
        allowed: &str,
        persistence: Persistence,
        out: &mut Vec<u8>,
    ) {
        self.worker.counters().count(Counter::HttpBadMethod);
        Response {
            fields: &[("Allow", allowed)],
            is_head: head.method == Method::Head,
            ..Response::new(Status::MethodNotAllowed, TEXT, persistence)
        }
        .put(b"this method is not allowed\n", out);
    }

    fn forbid(&mut self, head: &Head<'_, '_>, out: &mut Vec<u8>) {
        self.worker.counters().count(Counter::HttpForbidden);
        put_page(head, Status::Forbidden, TEXT, &[], b"access denied\n", out);
    }
}

fn after(head: &Head<'_, '_>) -> Next {
    match head.persistence {
        Persistence::Closed => Next::Close,
        Persistence::Kept | Persistence::KeptExplicitly => Next::Request,
    }
}

/// Appends the response to a request that may be a `HEAD`.
fn put_page(
    head: &Head<'_, '_>,
    status: Status,
    content_type: &str,
    fields: &[(&str, &str)],
    body: &[u8],
    out: &mut Vec<u8>,
) {
    Response {
        fields,
        is_head: head.method == Method::Head,
        ..Response::new(status, content_type, head.persistence)
    }
    .put(body, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use proptest::prelude::*;

    /// Reads the status of a response, and how long its head says that head and body are.
    fn measure(response: &[u8]) -> (u16, usize, usize) {
        let end = response
            .windows(4)
            .position(|at| at == b"\r\n\r\n")
            .unwrap()
            + 4;
        let head = str::from_utf8(&response[..end]).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap();
        let length = lines
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .unwrap();
        let body: usize = length.parse().unwrap();
        (status[..3].parse().unwrap(), end, end + body)
    }

    fn check_handled(octets: &[u8]) -> Result<(), TestCaseError> {
        let now = Instant::now();
        let mut handler = fixture::handler(now);
        let mut out = b"before".to_vec();
        let handled = handler.handle(octets, [10, 0, 0, 1].into(), now, false, &mut out);
        prop_assert!(out.starts_with(b"before"));
        let response = &out[6..];
        match handled.next {
            Next::Wait => {
                prop_assert_eq!(handled.consumed, 0);
                prop_assert!(response.is_empty());
                prop_assert!(octets.len() < 8 * 1024);
            }
            Next::Page(_) => prop_assert!(response.is_empty()),
            Next::Request | Next::Close | Next::Linger => {
                prop_assert!((1..=octets.len()).contains(&handled.consumed));
                let (status, head, whole) = measure(response);
                prop_assert!([200, 302, 400, 403, 404, 405, 431].contains(&status));
                let may_lack_body = octets.starts_with(b"HEAD ");
                let is_whole = response.len() == whole;
                prop_assert!(is_whole || may_lack_body && response.len() == head);
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn any_octets_are_handled(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            check_handled(&octets)?;
        }

        #[test]
        fn any_query_is_handled(
            path in prop::sample::select(vec!["announce", "scrape", "stats", "metrics", ""]),
            query in prop::collection::vec(
                prop::sample::select(b"info_hash=port&left%0123456789abcdefmode+:;/~\xc3\xa9".to_vec()),
                0..300,
            ),
        ) {
            let octets = [b"GET /", path.as_bytes(), b"?", &query, b" HTTP/1.1\r\n\r\n"];
            check_handled(&octets.concat())?;
        }

        #[test]
        fn a_request_with_any_octet_changed_is_handled(
            request in fixture::request(),
            at in any::<prop::sample::Index>(),
            octet in any::<u8>(),
        ) {
            let mut octets = request;
            let at = at.index(octets.len());
            octets[at] = octet;
            check_handled(&octets)?;
        }

        #[test]
        fn any_forwarding_is_handled(
            name in prop::sample::select(vec!["X-Forwarded-For", "Forwarded"]),
            value in "[-a-f0-9:.,;=\"\\\\\\[\\] for]{0,60}",
        ) {
            let octets = format!("GET /announce HTTP/1.1\r\n{name}: {value}\r\n\r\n");
            check_handled(octets.as_bytes())?;
        }
    }
}
