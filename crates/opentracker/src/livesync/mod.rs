//! Live sync: `opentracker-livesync` on its carriers, on a thread of its own.

mod carriers;
mod driver;
mod group;
mod outbox;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Instant;

use arc_swap::ArcSwap;
use opentracker_core::{Cluster, Tracker};
use opentracker_peer_sync as peer_sync;
use opentracker_scrape_sync::{self as scrape_sync, InquireThreshold};
use opentracker_types::TrackerId;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{oneshot, watch};

use crate::config::{self, Config};
use crate::sandbox::Sandbox;
use carriers::Plan;
use driver::Networks;
use outbox::Outboxes;

pub use carriers::LiveSyncError;
pub(crate) use carriers::nats;
pub use opentracker_livesync::*;

/// Carriers that are open, but not served yet. Dropping it closes them.
#[derive(Debug)]
pub(crate) struct Joined {
    id: TrackerId,
    settings: Settings,
    outboxes: Arc<Outboxes>,
    view: Arc<ArcSwap<View>>,
    serve: oneshot::Sender<driver::Served>,
    /// Whether a snapshot of not long ago was restored.
    knows_peers: bool,
    /// Dropping it ends the thread.
    networks: watch::Sender<Networks>,
    thread: JoinHandle<()>,
}

/// The thread that serves the carriers.
#[derive(Debug)]
pub(crate) struct Server {
    view: Arc<ArcSwap<View>>,
    networks: watch::Sender<Networks>,
    thread: JoinHandle<()>,
}

impl Joined {
    /// Opens the carriers, or does nothing if live sync is off.
    ///
    /// The thread is there from here on and has its runtime, so that whoever gives this up needs
    /// not be where a runtime may be dropped.
    pub(crate) fn join(config: &Config, id: TrackerId) -> Result<Option<Self>, LiveSyncError> {
        let plan = Plan::of(config);
        if plan.kinds().is_empty() {
            return Ok(None);
        }
        let settings = settings(&config.livesync).with_carriers(plan.kinds());
        let (networks, new_networks) = watch::channel(networks(&config.livesync));
        let (serve, served) = oneshot::channel();
        let (joined, has_joined) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("livesync".to_owned())
            .spawn(move || driver::run(plan, &joined, served, new_networks))
            .map_err(LiveSyncError::Thread)?;
        has_joined
            .recv()
            .map_err(|_| LiveSyncError::Thread(io::Error::other("it has panicked")))
            .flatten()?;
        Ok(Some(Self {
            view: Arc::new(ArcSwap::from_pointee(View::new(id))),
            id,
            settings,
            outboxes: Arc::default(),
            serve,
            networks,
            knows_peers: false,
            thread,
        }))
    }

    /// Makes the end of the cluster that one more worker owns.
    pub(crate) fn teller(&self, tracker: &Tracker) -> Box<dyn Cluster> {
        Box::new(Teller::new(
            self.settings.peer_sync,
            self.outboxes.register(),
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

    /// Begins to serve them, in the sandbox, if there is one: the thread is older than that.
    /// It seals with the keys that are in force, if there are any.
    pub(crate) fn serve(
        self,
        tracker: &Arc<Tracker>,
        keys: Option<Arc<ArcSwap<Keys>>>,
        sandbox: Option<Arc<Sandbox>>,
    ) -> Server {
        let rng = StdRng::from_rng(&mut rand::rng());
        let mut instance = Instance::new(
            Arc::clone(tracker),
            self.id,
            &self.settings,
            keys.as_ref().map(|keys| keys.load_full()),
            rng,
            Instant::now(),
        );
        if self.knows_peers {
            instance.handle_restored();
        }
        let served = driver::Served {
            instance,
            keys,
            outboxes: self.outboxes,
            counters: tracker.counters().register(),
            view: Arc::clone(&self.view),
            sandbox,
        };
        if self.serve.send(served).is_err() {
            tracing::error!("the live-sync thread has ended");
        }
        Server {
            view: self.view,
            networks: self.networks,
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
    pub(crate) fn set_networks(&self, config: &config::LiveSync) {
        self.networks.send_replace(networks(config));
    }

    /// Sends what is left, closes the carriers, and ends the thread.
    pub(crate) fn shutdown(self) {
        drop(self.networks);
        if self.thread.join().is_err() {
            tracing::error!("the live-sync thread has panicked");
        }
    }
}

fn networks(config: &config::LiveSync) -> Networks {
    Networks {
        nodes: config.nodes.clone(),
        unsealed: config.unsealed.clone(),
    }
}

fn settings(config: &config::LiveSync) -> Settings {
    let settings = Settings::new(
        peer_sync::Settings {
            dialect: match config.dialect {
                config::Dialect::Full => Dialect::Full,
                config::Dialect::CV4 => Dialect::CV4,
                config::Dialect::CDual => Dialect::CDual,
            },
            max_delay: config.max_delay,
            ..peer_sync::Settings::default()
        },
        scrape_sync::Settings {
            first_beacon_delay: config.first_beacon_delay,
            beacon_interval: config.beacon_interval,
            inquire_threshold: InquireThreshold::new(config.inquire_threshold).unwrap_or_default(),
            ..scrape_sync::Settings::default()
        },
    );
    let settings = if config.secret.as_os_str().is_empty() {
        settings
    } else {
        settings.sealed()
    };
    if config.relay {
        settings.relaying()
    } else {
        settings
    }
}
