//! The admin API under `/api/v1`: JSON, and streams of JSON lines.
//!
//! A request takes no body: what it says is in its path and its query. A function answers each; the
//! attribute above it is what the OpenAPI document has of it.

mod changes;
mod document;
mod lines;
mod parameters;
mod problem;
mod read;
mod refused;
mod streams;
mod torrents;

use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::{Method, StatusCode};
use opentracker_api::{Instance, Problem};
use opentracker_core::Tracker;
use opentracker_types::TrackerId;
use serde::Serialize;
use tokio::sync::{Mutex, Semaphore};

use crate::cluster::Cluster;
use crate::control::{Control, ControlError, ControlSlot};
use crate::rights::Rights;
use crate::settings::{ClusterView, Config, Identity};
use crate::snapshot::Snapshot;
use crate::token::Credential;
use crate::top::TopCache;
use crate::trends::Trends;

pub(crate) use lines::Lines;
pub(crate) use problem::{bad_request, foreign};
use problem::{denied, not_done, not_found, problem};
pub use torrents::verdict_of;

/// Where it begins.
pub(crate) const ROOT: &str = "/api/v1/";

/// Streams at a time.
const MAX_STREAMS: usize = 16;

/// What the functions need.
#[derive(Debug)]
pub(crate) struct Api {
    tracker: Arc<Tracker>,
    identity: Identity,
    cluster: Option<ClusterView>,
    control: Arc<ControlSlot>,
    trends: Arc<std::sync::Mutex<Trends>>,
    /// The plane ends, and with it its streams.
    is_stopping: Arc<AtomicBool>,
    streams: Arc<Semaphore>,
    /// One walk over all torrents at a time.
    walking: Mutex<()>,
}

/// A request for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiRequest<'a> {
    pub(crate) method: &'a Method,
    /// Behind [`ROOT`].
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) rights: Rights,
    pub(crate) credential: Credential,
}

/// What it is answered.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(Vec<u8>),
    Lines(Lines),
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource<'a> {
    Document,
    Status,
    Activity,
    Clients,
    Trends,
    Top,
    Cluster,
    Config,
    Torrents,
    Torrent(&'a str),
    Limited,
    Blocks,
    Block(&'a str),
    Reload,
    Snapshot,
    Drain,
    Events,
    Trace,
}

/// Who may use something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// Who may read the statistics.
    Stats,
    /// Who may read the metrics.
    Metrics,
    /// Who has the token, or the control socket.
    Token,
}

impl<'a> Resource<'a> {
    fn of_path(path: &'a str) -> Option<Self> {
        let (name, rest) = match path.split_once('/') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        Some(match (name, rest) {
            ("torrents", Some(info_hash)) => Self::Torrent(info_hash),
            ("blocks", Some(info_hash)) => Self::Block(info_hash),
            (_, Some(_)) => return None,
            ("openapi.json", None) => Self::Document,
            ("status", None) => Self::Status,
            ("activity", None) => Self::Activity,
            ("clients", None) => Self::Clients,
            ("trends", None) => Self::Trends,
            ("top", None) => Self::Top,
            ("cluster", None) => Self::Cluster,
            ("config", None) => Self::Config,
            ("torrents", None) => Self::Torrents,
            ("limited", None) => Self::Limited,
            ("blocks", None) => Self::Blocks,
            ("reload", None) => Self::Reload,
            ("snapshot", None) => Self::Snapshot,
            ("drain", None) => Self::Drain,
            ("events", None) => Self::Events,
            ("trace", None) => Self::Trace,
            _ => return None,
        })
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Torrent(_) => "GET, HEAD, DELETE",
            Self::Block(_) => "PUT, DELETE",
            Self::Reload | Self::Snapshot => "POST",
            Self::Drain => "GET, HEAD, PUT, DELETE",
            _ => "GET, HEAD",
        }
    }

    fn is_for(self) -> For {
        match self {
            Self::Document
            | Self::Status
            | Self::Activity
            | Self::Clients
            | Self::Trends
            | Self::Top => For::Stats,
            Self::Cluster | Self::Config => For::Metrics,
            _ => For::Token,
        }
    }
}

impl Api {
    pub(crate) fn new(
        tracker: Arc<Tracker>,
        config: &Config,
        is_stopping: Arc<AtomicBool>,
    ) -> Self {
        Self {
            tracker,
            identity: config.identity.clone(),
            cluster: config.cluster.clone(),
            control: Arc::clone(&config.control),
            trends: Arc::clone(&config.trends),
            is_stopping,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            walking: Mutex::default(),
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(
        &self,
        request: ApiRequest<'_>,
        top: &TopCache,
    ) -> Result<Reply, Problem> {
        let resource = Resource::of_path(request.path).ok_or_else(|| {
            not_found("this path is not known; /api/v1/openapi.json has them all")
        })?;
        let Rights {
            stats,
            metrics,
            all,
            ..
        } = request.rights;
        let may = match resource.is_for() {
            For::Stats => stats,
            For::Metrics => metrics,
            For::Token => all,
        };
        // To others no answer tells whether a token is right.
        let may_show_token = request.rights.may_show_token();
        let credential = match may_show_token {
            true => request.credential,
            false => Credential::None,
        };
        if !may || credential == Credential::Wrong {
            return Err(denied(credential, may_show_token));
        }
        let method = match *request.method {
            Method::HEAD => &Method::GET,
            _ => request.method,
        };
        let query = request.query;
        match (method, resource) {
            (&Method::GET, Resource::Document) => document::document(query),
            (&Method::GET, Resource::Status) => read::status(self, query),
            (&Method::GET, Resource::Activity) => read::activity(self, query),
            (&Method::GET, Resource::Clients) => read::clients(self, query),
            (&Method::GET, Resource::Trends) => read::trends(self, query),
            (&Method::GET, Resource::Top) => read::top(self, top, query).await,
            (&Method::GET, Resource::Cluster) => read::cluster(self, query),
            (&Method::GET, Resource::Config) => read::config(self, query),
            (&Method::GET, Resource::Limited) => read::limited(self, query),
            (&Method::GET, Resource::Torrents) => torrents::torrents(self, query).await,
            (&Method::GET, Resource::Torrent(hash)) => torrents::torrent(self, hash, query),
            (&Method::DELETE, Resource::Torrent(hash)) => torrents::purge(self, hash, query),
            (&Method::GET, Resource::Blocks) => changes::blocks(self, query),
            (&Method::PUT, Resource::Block(hash)) => changes::block(self, hash, query).await,
            (&Method::DELETE, Resource::Block(hash)) => changes::unblock(self, hash, query).await,
            (&Method::POST, Resource::Reload) => changes::reload(self, query).await,
            (&Method::POST, Resource::Snapshot) => changes::snapshot(self, query).await,
            (&Method::GET, Resource::Drain) => changes::is_draining(self, query),
            (&Method::PUT, Resource::Drain) => changes::drain(self, query),
            (&Method::DELETE, Resource::Drain) => changes::undrain(self, query),
            (&Method::GET, Resource::Events) => streams::events(self, query),
            (&Method::GET, Resource::Trace) => streams::trace(self, query),
            _ => Err(problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "method",
                "This method is not allowed",
                &format!("this path has {}", resource.methods()),
            )),
        }
    }

    /// Returns which process answers.
    pub(crate) fn instance(&self) -> Instance {
        Instance {
            pid: process::id(),
            tracker_id: self.id().to_string(),
        }
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::take(&self.tracker, &self.identity.version, self.id())
    }

    fn id(&self) -> TrackerId {
        self.identity.id(self.cluster().as_ref())
    }

    fn cluster(&self) -> Option<Cluster> {
        self.cluster.as_ref().map(ClusterView::look)
    }

    fn control(&self) -> Result<Arc<dyn Control>, Problem> {
        self.control
            .get()
            .ok_or_else(|| not_done(ControlError::NotNow))
    }

    /// Has something done that takes its time.
    async fn have_done<T: Send + 'static>(
        &self,
        what: impl FnOnce(&dyn Control) -> Result<T, ControlError> + Send + 'static,
    ) -> Result<T, Problem> {
        let control = self.control()?;
        let done = tokio::task::spawn_blocking(move || what(&*control)).await;
        done.unwrap_or_else(|error| Err(ControlError::Failed(error.to_string())))
            .map_err(not_done)
    }
}

/// Returns which methods a path has, for the field `Allow`; `None` if it is not known.
pub(crate) fn methods(path: &str) -> Option<&'static str> {
    Resource::of_path(path).map(Resource::methods)
}

fn json(answer: &impl Serialize) -> Result<Reply, Problem> {
    let octets = serde_json::to_vec(answer);
    octets.map(Reply::Json).map_err(|error| {
        let error = ControlError::Failed(error.to_string());
        not_done(error)
    })
}

/// Milliseconds since 1970 at a time that has been.
fn unix_millis(at: Instant) -> u64 {
    let ago = at.elapsed();
    millis(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .saturating_sub(ago),
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
