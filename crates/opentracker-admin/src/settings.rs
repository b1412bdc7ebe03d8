use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentracker_core::Networks;
use opentracker_types::TrackerId;

use crate::cluster::Cluster;
use crate::control::ControlSlot;
use crate::gauge::Gauge;
use crate::token::Token;
use crate::trends::Trends;

/// What the operator plane shows and to whom: an extension of the
/// [rules](opentracker_core::Rules), so that it changes with them at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRules {
    /// Path of the statistics, without the slash at its start.
    pub stats_path: String,
    /// Where `GET /` on a public listener leads; empty: to the dashboard.
    pub redirect_url: String,
    /// Who may read the statistics and the dashboard.
    pub stats: Networks,
    /// Who may read everything else, and scrape all torrents.
    pub admin: Networks,
    /// Names that a browser may call the operator's own listener by, besides addresses and
    /// `localhost`; in lower case, without a port.
    pub hosts: Vec<String>,
    /// What gives every right over TCP; `None`: nothing does.
    pub token: Option<Token>,
}

impl Default for PageRules {
    /// Statistics at `stats` for everybody, and the rest for nobody.
    fn default() -> Self {
        let everybody = ["0.0.0.0/0", "::/0"].map(|all| all.parse().expect("it is a network"));
        Self {
            stats_path: "stats".to_owned(),
            redirect_url: String::new(),
            stats: Networks::new(everybody),
            admin: Networks::default(),
            hosts: Vec::new(),
            token: None,
        }
    }
}

/// The configuration of the operator plane.
#[derive(Debug, Clone)]
pub struct Config {
    /// The version and the id that the pages show.
    pub identity: Identity,
    /// Bounds on connections and their time.
    pub limits: Limits,
    /// Port of the UDP front end, for the page with the announce URLs; `None`: there is none.
    pub udp_port: Option<u16>,
    /// What is known of the cluster; `None`: there is none.
    pub cluster: Option<ClusterView>,
    /// What the metrics show besides.
    pub gauges: Vec<Gauge>,
    /// Who does what the operator asks for; empty: nobody.
    pub control: Arc<ControlSlot>,
    /// What was, for up to seven days. Somebody else lets it look at the tracker and keeps it.
    pub trends: Arc<Mutex<Trends>>,
}

impl Config {
    /// Makes the configuration of a tracker without UDP and without a cluster.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            limits: Limits::default(),
            udp_port: None,
            cluster: None,
            gauges: Vec::new(),
            control: Arc::default(),
            trends: Arc::default(),
        }
    }
}

/// The version and the id that the pages show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Version of the program.
    pub version: String,
    /// The id of this run; in a cluster the pages show that of its [`Cluster`] instead.
    pub tracker_id: TrackerId,
}

impl Identity {
    /// Returns what the tracker calls itself at present. One in a cluster draws another id when a
    /// sibling turns out to have its own, so the one that it began with counts without a cluster
    /// alone.
    pub(crate) fn id(&self, cluster: Option<&Cluster>) -> TrackerId {
        cluster.map_or(self.tracker_id, |cluster| cluster.tracker_id)
    }
}

/// How many connections the operator plane serves, and how long each may take. The other bounds are
/// constants: a request head has at most 8 KiB and 64 fields, and a request has no body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long the whole head of a request may take to come after the response before it. A
    /// connection that said nothing is closed then, another is answered 408.
    pub idle_timeout: Duration,
    /// How long a client may take to accept 32 KiB of a response; the connection is cut then.
    pub stall_timeout: Duration,
    /// Connections from public listeners. Beyond half of them a connection is closed after one
    /// response, so that idle ones never take all of them; beyond all of them it is answered 503.
    pub max_public: usize,
    /// Connections of the operator's own listeners, counted apart. Beyond them: 503.
    pub max_operator: usize,
}

impl Default for Limits {
    /// 30 seconds each, 256 public connections and 64 of the operator.
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            max_public: 256,
            max_operator: 64,
        }
    }
}

/// A function that returns the state of the cluster, for each page that shows it.
#[derive(Clone)]
pub struct ClusterView(Arc<dyn Fn() -> Cluster + Send + Sync>);

impl ClusterView {
    /// Makes it from a function, which must not block for long: other pages wait for it.
    pub fn new(look: impl Fn() -> Cluster + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    pub(crate) fn look(&self) -> Cluster {
        (self.0)()
    }
}

impl fmt::Debug for ClusterView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterView")
    }
}
