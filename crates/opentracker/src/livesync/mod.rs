//! Live sync: `opentracker-livesync` on a multicast group, on a thread of its own.

mod driver;

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use opentracker_core::{Cluster, Tracker};
use opentracker_multicast::{GroupConfig, JoinError, Sender};
use opentracker_peer_sync as peer_sync;
use opentracker_scrape_sync::{self as scrape_sync, InquireThreshold};
use opentracker_types::TrackerId;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{oneshot, watch};

use crate::config;
use crate::sandbox::Sandbox;

pub use opentracker_livesync::*;

/// A group that is joined, but not served yet. Dropping it leaves the group.
#[derive(Debug)]
pub(crate) struct Joined {
    id: SharedId,
    settings: Settings,
    sender: Sender,
    view: Arc<ArcSwap<View>>,
    serve: oneshot::Sender<driver::Served>,
    /// Whether a snapshot of not long ago was restored.
    knows_peers: bool,
    /// Dropping it ends the thread.
    sources: watch::Sender<Vec<IpNet>>,
    thread: JoinHandle<()>,
}

/// The thread that serves the group.
#[derive(Debug)]
pub(crate) struct Server {
    view: Arc<ArcSwap<View>>,
    sources: watch::Sender<Vec<IpNet>>,
    thread: JoinHandle<()>,
}

impl Joined {
    /// Joins the group, or does nothing if live sync is off.
    ///
    /// The thread is there from here on and has its runtime, so that whoever gives this up needs
    /// not be where a runtime may be dropped.
    pub(crate) fn join(
        config: &config::LiveSync,
        id: TrackerId,
    ) -> Result<Option<Self>, JoinError> {
        let Some(listen) = config.listen else {
            return Ok(None);
        };
        let group = group_config(config, listen);
        let (sources, new_sources) = watch::channel(config.nodes.clone());
        let (serve, served) = oneshot::channel();
        let (joined, has_joined) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("livesync".to_owned())
            .spawn(move || driver::run(group, &joined, served, new_sources))
            .map_err(|source| JoinError::Socket {
                step: "start a thread",
                source,
            })?;
        let sender = has_joined
            .recv()
            .map_err(|_| JoinError::Socket {
                step: "join the multicast group",
                source: io::Error::other("the live-sync thread has panicked"),
            })
            .flatten()?;
        Ok(Some(Self {
            view: Arc::new(ArcSwap::from_pointee(View::new(id, true))),
            id: SharedId::new(id),
            settings: settings(config),
            sender,
            serve,
            knows_peers: false,
            sources,
            thread,
        }))
    }

    /// Makes the end of the cluster that one more worker owns.
    pub(crate) fn teller(&self, tracker: &Tracker) -> Box<dyn Cluster> {
        Box::new(Teller::new(
            self.id.clone(),
            self.settings.peer_sync,
            ToGroup(self.sender.clone()),
            tracker.counters(),
        ))
    }

    /// Takes that a snapshot was restored that is younger than the announce interval.
    pub(crate) const fn knows_peers(&mut self) {
        self.knows_peers = true;
    }

    /// Returns where the cluster will be published as this instance sees it.
    pub(crate) fn view(&self) -> Arc<ArcSwap<View>> {
        Arc::clone(&self.view)
    }

    /// Begins to serve the group, in the sandbox, if there is one: the thread is older than that.
    pub(crate) fn serve(self, tracker: &Arc<Tracker>, sandbox: Option<Arc<Sandbox>>) -> Server {
        let rng = StdRng::from_rng(&mut rand::rng());
        let mut instance = Instance::new(
            Arc::clone(tracker),
            self.id,
            &self.settings,
            rng,
            Instant::now(),
        );
        if self.knows_peers {
            instance.handle_restored();
        }
        let served = driver::Served {
            instance,
            counters: tracker.counters().register(),
            view: Arc::clone(&self.view),
            sandbox,
        };
        if self.serve.send(served).is_err() {
            tracing::error!("the live-sync thread has ended");
        }
        Server {
            view: self.view,
            sources: self.sources,
            thread: self.thread,
        }
    }
}

impl Server {
    /// Returns where the cluster is published as this instance sees it, each second. Reading it
    /// waits for nobody.
    pub(crate) fn view(&self) -> &Arc<ArcSwap<View>> {
        &self.view
    }

    /// Replaces the networks that packets are taken from.
    pub(crate) fn set_sources(&self, sources: Vec<IpNet>) {
        self.sources.send_replace(sources);
    }

    /// Leaves the group, and ends the thread.
    pub(crate) fn shutdown(self) {
        drop(self.sources);
        if self.thread.join().is_err() {
            tracing::error!("the live-sync thread has panicked");
        }
    }
}

/// A worker's hand on the group.
#[derive(Debug)]
struct ToGroup(Sender);

impl Transmit for ToGroup {
    fn transmit(&self, packet: &[u8]) -> bool {
        self.0.try_send(packet).is_ok()
    }
}

fn group_config(config: &config::LiveSync, listen: SocketAddrV4) -> GroupConfig {
    let group = SocketAddrV4::new(config.group, listen.port());
    GroupConfig {
        ttl: config.ttl,
        sources: config.nodes.clone(),
        ..GroupConfig::new(group, *listen.ip())
    }
}

fn settings(config: &config::LiveSync) -> Settings {
    Settings::new(
        peer_sync::Settings {
            dialect: match config.dialect {
                config::Dialect::Full => Dialect::Full,
                config::Dialect::CV4 => Dialect::CV4,
                config::Dialect::CDual => Dialect::CDual,
            },
            max_delay: config.max_delay,
        },
        scrape_sync::Settings {
            first_beacon_delay: config.first_beacon_delay,
            beacon_interval: config.beacon_interval,
            inquire_threshold: InquireThreshold::new(config.inquire_threshold).unwrap_or_default(),
            ..scrape_sync::Settings::default()
        },
    )
}
