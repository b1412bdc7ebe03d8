//! What each request is answered.

mod api;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hyper::body::{Body, Bytes};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, ORIGIN,
    RETRY_AFTER, VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, Version};
use opentracker_core::{BusyNetworks, Counters, Rules, Tracker, Worker};
use opentracker_http::{Client, CrossOrigin, Forwarding, Handler, Source, Via};
use opentracker_http_wire::{Failure, RetryIn};
use opentracker_webtorrent::Settings as WebTorrent;

use crate::api::Api;
use crate::body::PageBody;
use crate::cluster::Cluster;
use crate::coding::Accepted;
use crate::connection::IsSecure;
use crate::counters::Counter;
use crate::dashboard::{self, HtmlPage};
use crate::listing::{Format, Listing, ListingSlots};
use crate::mode::Mode;
use crate::process::Process;
use crate::rights::{self, ListenerKind, Rights};
use crate::settings::{ClusterView, Config, PageRules};
use crate::snapshot::Snapshot;
use crate::token::Credential;
use crate::top::TopCache;
use crate::welcome::Served;
use crate::{busy, cluster, metrics, welcome};

const TEXT: &str = "text/plain";

/// When to ask again for a list of all torrents that has found no slot: in so many minutes.
const LISTING_RETRY: u32 = 1;

/// Answers the requests of all connections.
#[derive(Debug)]
pub(crate) struct Router {
    handler: RefCell<Handler>,
    tracker: Arc<Tracker>,
    counters: Arc<Counters<Counter>>,
    config: Config,
    is_draining: Arc<AtomicBool>,
    top: TopCache,
    listings: ListingSlots,
    api: Api,
}

/// A request, and what is known of who asks.
struct Asked<'a> {
    head: &'a Parts,
    listener: ListenerKind,
    client: Client,
    rights: Rights,
    rules: &'a PageRules,
}

impl Router {
    pub(crate) fn new(worker: Worker, config: Config, is_draining: Arc<AtomicBool>) -> Self {
        let tracker = Arc::clone(worker.tracker());
        let api = Api::new(Arc::clone(&tracker), &config, Arc::clone(&is_draining));
        Self {
            api,
            handler: RefCell::new(Handler::new(worker, &["operator".into()])),
            counters: Arc::new(tracker.counters().register()),
            tracker,
            config,
            is_draining,
            top: TopCache::default(),
            listings: ListingSlots::default(),
        }
    }

    pub(crate) fn counters(&self) -> &Counters<Counter> {
        &self.counters
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Lets the thread's access to the tracker do something.
    pub(crate) fn with_worker<T>(&self, act: impl FnOnce(&mut Worker) -> T) -> T {
        act(self.handler.borrow_mut().worker())
    }

    /// Answers a request that came through a listener, on a connection from `source`.
    pub(crate) async fn respond(
        &self,
        listener: ListenerKind,
        source: Source,
        head: &Parts,
        has_body: bool,
    ) -> Response<PageBody> {
        let rules = self.tracker.rules();
        let mut response = self.route(listener, source, head, has_body, &rules).await;
        if api::is_api(head) {
            response = self.with_instance(response);
        }
        if let Some(origin) = self.allowed_origin(head, &rules) {
            response = with(response, ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response = with(response, VARY, "Origin");
        }
        // Without chunks, the end of the connection is that of a body of unknown length.
        let ends_by_close =
            head.version < Version::HTTP_11 && response.body().size_hint().exact().is_none();
        if has_body || ends_by_close || self.is_draining() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        self.encode(response, Accepted::of_headers(&head.headers))
    }

    /// Returns the origin of the page that sent a request, if it may read the response: statistics,
    /// scrapes and health.
    fn allowed_origin<'a>(&self, head: &'a Parts, rules: &Rules) -> Option<&'a str> {
        let path = head.uri.path();
        let stats_path = rules
            .extension::<PageRules>()
            .map(|rules| &*rules.stats_path);
        let is_readable = matches!(path, "/healthz" | "/readyz" | "/scrape")
            || api::is_api(head)
            || path.strip_prefix('/') == stats_path;
        let origin = head.headers.get(ORIGIN).filter(|_| is_readable)?;
        rules.extension::<CrossOrigin>()?.allow(origin.as_bytes())
    }

    /// Compresses what is worth it, or may not be sent otherwise.
    fn encode(&self, mut response: Response<PageBody>, accepted: Accepted) -> Response<PageBody> {
        if response.body().is_large() {
            let coding = HeaderValue::from_static("Accept-Encoding");
            response.headers_mut().append(VARY, coding);
        } else if accepted.allows_identity() || response.body().is_end_stream() {
            return response;
        }
        let best = accepted.best();
        match best.filter(|_| response.body().is_compressible()) {
            Some(coding) => {
                with(response, CONTENT_ENCODING, coding.name()).map(|body| body.compressed(coding))
            }
            None if accepted.allows_identity() => response,
            None => {
                let body = "there is zstd, gzip and identity\n";
                self.refuse(Counter::NotAcceptable, StatusCode::NOT_ACCEPTABLE, body)
            }
        }
    }

    async fn route(
        &self,
        listener: ListenerKind,
        source: Source,
        head: &Parts,
        has_body: bool,
        rules: &Rules,
    ) -> Response<PageBody> {
        if head.headers.get_all(HOST).iter().count() > 1 {
            let reason = "the request has more than one Host field";
            return self.refuse_request(head, Counter::BadHost, reason);
        }
        let page_rules = rules.extension::<PageRules>().cloned().unwrap_or_default();
        let forwarding = rules.extension::<Forwarding>().cloned().unwrap_or_default();
        let client = rights::client(listener, source, &head.headers, &forwarding);
        if listener == ListenerKind::Operator
            && rights::is_foreign(client, &head.uri, &head.headers, &page_rules)
        {
            return self.forbid_foreign(head);
        }
        if listener == ListenerKind::Public && !rules.lists.serves_address(client.ip) {
            return self.forbid(Counter::Forbidden);
        }
        let credential = Credential::of(&head.headers, page_rules.token.as_ref());
        let asked = Asked {
            head,
            listener,
            client,
            rights: Rights::new(listener, client, credential, &page_rules),
            rules: &page_rules,
        };
        if api::is_api(head) {
            if has_body {
                return self.refuse_request(head, Counter::BadBody, "a request takes no body here");
            }
            return self.api(&asked, credential).await;
        }
        if let Some(refusal) = self.refuse_unlike_get(&asked, has_body) {
            return refusal;
        }
        if let Some(answer) = self.announce_or_scrape(&asked) {
            return answer;
        }
        self.page(&asked).await
    }

    /// Refuses what is neither `GET` nor `HEAD`, and what has a body.
    fn refuse_unlike_get(&self, asked: &Asked<'_>, has_body: bool) -> Option<Response<PageBody>> {
        let allowed = match (asked.head.uri.path(), &asked.head.method) {
            (_, &Method::GET) => None,
            ("/announce", _) => Some("GET"),
            (_, &Method::HEAD) => None,
            _ => Some("GET, HEAD"),
        };
        if let Some(allowed) = allowed {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            let body = "this method is not allowed\n";
            let response = self.refuse(Counter::BadMethod, status, body);
            return Some(with(response, ALLOW, allowed));
        }
        has_body.then(|| {
            let reason = "a request with a body is not served";
            self.refuse(Counter::BadBody, StatusCode::BAD_REQUEST, failure(reason))
        })
    }

    /// Answers what usually does not come here, but may on a connection that has been handed over
    /// for another request.
    fn announce_or_scrape(&self, asked: &Asked<'_>) -> Option<Response<PageBody>> {
        let uri = &asked.head.uri;
        let query = uri.query().unwrap_or_default().as_bytes();
        if asked.head.method != Method::GET {
            return None;
        }
        let mut handler = self.handler.borrow_mut();
        let answer = handler.answer(uri.path().as_bytes(), query, asked.client, Instant::now());
        let (status, body) = answer?;
        let status = StatusCode::from_u16(status).expect("the front end knows what a status is");
        Some(page(status, TEXT, body.to_vec()))
    }

    async fn page(&self, asked: &Asked<'_>) -> Response<PageBody> {
        match asked.head.uri.path() {
            "/" => self.root(asked),
            "/healthz" => self.health(StatusCode::OK, "ok\n"),
            "/readyz" if self.is_draining() => {
                self.health(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
            }
            "/readyz" => self.health(StatusCode::OK, "ready\n"),
            "/metrics" => self.metrics(asked),
            "/scrape" => self.full_scrape(asked),
            path if path.strip_prefix('/') == Some(&*asked.rules.stats_path) => {
                self.stats(asked).await
            }
            _ => self.refuse(Counter::NotFound, StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    /// Tells whether clients are to go elsewhere, because the tracker stops or somebody wants it.
    fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed) || self.tracker.is_draining()
    }

    fn health(&self, status: StatusCode, word: &'static str) -> Response<PageBody> {
        self.counters.count(Counter::Health);
        let response = page(status, TEXT, word);
        with(response, CACHE_CONTROL, "no-store")
    }

    fn root(&self, asked: &Asked<'_>) -> Response<PageBody> {
        let redirect_url = &asked.rules.redirect_url;
        if asked.listener == ListenerKind::Public && !redirect_url.is_empty() {
            self.counters.count(Counter::Redirect);
            let response = page(StatusCode::FOUND, TEXT, "");
            return with(response, LOCATION, redirect_url);
        }
        if !asked.rights.stats {
            return self.welcome(asked);
        }
        self.counters.count(Counter::Dashboard);
        let HtmlPage { html, policy } = dashboard::page(&asked.rules.stats_path, rand::random());
        let response = page(StatusCode::OK, dashboard::CONTENT_TYPE, html);
        let response = with(response, CONTENT_SECURITY_POLICY, &policy);
        with(response, CACHE_CONTROL, "no-store")
    }

    fn welcome(&self, asked: &Asked<'_>) -> Response<PageBody> {
        self.counters.count(Counter::Welcome);
        let field = |name: &str| asked.head.headers.get(name)?.to_str().ok();
        let is_of_proxy = asked.client.via == Via::Proxy;
        let served = Served {
            host: field("host"),
            is_https: asked.head.extensions.get::<IsSecure>().is_some()
                || is_of_proxy && field("x-forwarded-proto") == Some("https"),
            udp_port: self.config.udp_port,
            has_webtorrent: self.tracker.rules().extension::<WebTorrent>().is_some(),
        };
        let HtmlPage { html, policy } = welcome::page(served, rand::random());
        let response = page(StatusCode::OK, welcome::CONTENT_TYPE, html);
        with(response, CONTENT_SECURITY_POLICY, &policy)
    }

    fn metrics(&self, asked: &Asked<'_>) -> Response<PageBody> {
        if !asked.rights.metrics {
            return self.forbid(Counter::Forbidden);
        }
        self.counters.count(Counter::Metrics);
        let cluster = self.cluster();
        let mut body = Vec::new();
        metrics::put(
            &self.snapshot(cluster.as_ref()),
            cluster.as_ref(),
            &Process::read(),
            &self.config.gauges,
            &mut body,
        );
        page(StatusCode::OK, metrics::CONTENT_TYPE, body)
    }

    async fn stats(&self, asked: &Asked<'_>) -> Response<PageBody> {
        if !asked.rights.stats {
            return self.forbid(Counter::Forbidden);
        }
        let query = asked.head.uri.query().unwrap_or_default();
        let Some(mode) = Mode::of_query(query.as_bytes()) else {
            let body = failure("this mode of statistics is not known");
            return self.refuse(Counter::BadMode, StatusCode::BAD_REQUEST, body);
        };
        let may_read = match mode {
            Mode::Cluster => asked.rights.metrics,
            Mode::Woodpeckers | Mode::Tpbs(_) | Mode::Statedump => asked.rights.torrents,
            _ => true,
        };
        if !may_read {
            return self.forbid(Counter::Forbidden);
        }
        let mut body = Vec::new();
        match mode {
            Mode::Top(count) => {
                let top = self.top.get(&self.tracker).await;
                top.put(count, &self.tracker.rules().lists, &mut body);
            }
            Mode::Tpbs(format) => return self.torrents(format),
            Mode::Statedump => return self.torrents(self.statedump()),
            Mode::S24s => busy::put_busiest(&self.busy(), asked.rights.torrents, &mut body),
            Mode::Woodpeckers => busy::put_early(&self.busy(), &mut body),
            Mode::Cluster => body = cluster::text(self.cluster().as_ref()).into_bytes(),
            _ => self.snapshot(self.cluster().as_ref()).put(mode, &mut body),
        }
        self.counters.count(Counter::Stats);
        page(StatusCode::OK, TEXT, body)
    }

    fn busy(&self) -> BusyNetworks {
        self.tracker.busy_networks(Instant::now())
    }

    /// The format of a dump that begins now.
    fn statedump(&self) -> Format {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let uptime = self.tracker.start().elapsed();
        let started = since_1970.unwrap_or_default().saturating_sub(uptime);
        Format::Statedump {
            started: started.as_secs() / 60,
        }
    }

    /// A list of all torrents among the statistics.
    fn torrents(&self, format: Format) -> Response<PageBody> {
        if let Some(body) = self.listing(format) {
            return respond(StatusCode::OK, TEXT, body);
        }
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let body = "too many lists of torrents are under way\n";
        let response = self.refuse(Counter::FullScrapeBusy, status, body);
        with(response, RETRY_AFTER, &(LISTING_RETRY * 60).to_string())
    }

    /// A list of all torrents, if there is a slot for it.
    fn listing(&self, format: Format) -> Option<PageBody> {
        let slot = self.listings.take()?;
        let (tracker, counters) = (Arc::clone(&self.tracker), Arc::clone(&self.counters));
        let listing = Listing::new(format, slot, tracker, counters);
        Some(PageBody::listing(listing))
    }

    fn cluster(&self) -> Option<Cluster> {
        self.config.cluster.as_ref().map(ClusterView::look)
    }

    fn snapshot(&self, cluster: Option<&Cluster>) -> Snapshot<'_> {
        let identity = &self.config.identity;
        Snapshot::take(&self.tracker, &identity.version, identity.id(cluster))
    }

    fn full_scrape(&self, asked: &Asked<'_>) -> Response<PageBody> {
        let (counter, refusal) = if !asked.rights.torrents {
            let failure = Failure::new("a scrape needs an info_hash here");
            (Counter::FullScrapeForbidden, failure)
        } else if let Some(body) = self.listing(Format::FullScrape) {
            return respond(StatusCode::OK, TEXT, body);
        } else {
            let failure = Failure::new("too many full scrapes are under way");
            let retry = RetryIn::Minutes(LISTING_RETRY);
            (Counter::FullScrapeBusy, failure.retry_in(retry))
        };
        self.counters.count(counter);
        let mut body = Vec::new();
        refusal.encode(&mut body);
        page(StatusCode::OK, TEXT, body)
    }

    fn forbid(&self, counter: Counter) -> Response<PageBody> {
        self.refuse(counter, StatusCode::FORBIDDEN, "access denied\n")
    }

    fn refuse(
        &self,
        counter: Counter,
        status: StatusCode,
        body: impl Into<Bytes>,
    ) -> Response<PageBody> {
        self.counters.count(counter);
        page(status, TEXT, body)
    }
}

fn page(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<PageBody> {
    respond(status, content_type, PageBody::whole(body))
}

fn respond(status: StatusCode, content_type: &'static str, body: PageBody) -> Response<PageBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Adds a header field, if its value can be one.
fn with(mut response: Response<PageBody>, name: HeaderName, value: &str) -> Response<PageBody> {
    if let Ok(value) = value.parse() {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Encodes a refusal that a BitTorrent client can show.
fn failure(reason: &str) -> Vec<u8> {
    let mut body = Vec::new();
    Failure::new(reason).encode(&mut body);
    body
}
