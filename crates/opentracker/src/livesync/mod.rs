//! Live sync: the loop that joins the multicast group, the codec, the machines and the store.

mod node;
mod nodes;
mod teller;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::{Cluster, Counters, Tracker};
use opentracker_livesync_wire::MAX_PACKET;
use opentracker_multicast::{Group, GroupConfig, JoinError, Sender};
use opentracker_peer_sync::{self as peer_sync, Accumulator};
use opentracker_scrape_sync::{self as scrape_sync, InquireThreshold};
use opentracker_types::TrackerId;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::config;

opentracker_core::counters! {
    /// What happens to the packets of the cluster, and to their records.
    pub enum Counter {
        "opentracker_livesync_packets_total" packets "Live-sync packets, by direction." ["direction"] {
            /// Packets sent.
            LiveSyncSent ["out"],
            /// Packets received.
            LiveSyncReceived ["in"],
        }
        "opentracker_livesync_records_total" records "Records of live-sync packets, by kind and direction." ["kind", "direction"] {
            /// Announces told to the cluster.
            LiveSyncTold ["announce", "out"],
            /// Announces of siblings applied.
            LiveSyncApplied ["announce", "in"],
            /// Download counts told to the cluster.
            LiveSyncDownloadsTold ["downloads", "out"],
            /// Download counts of siblings applied.
            LiveSyncDownloadsApplied ["downloads", "in"],
        }
        "opentracker_livesync_dropped_total" packets "What live sync dropped, by reason." ["reason"] {
            /// Packets with our own id.
            LiveSyncDroppedOwn ["own"],
            /// Packets from addresses that are not in livesync.nodes.
            LiveSyncDroppedStranger ["stranger"],
            /// Packets shorter than their header.
            LiveSyncDroppedHeader ["header"],
            /// Packets of an unknown type.
            LiveSyncDroppedType ["type"],
            /// Packets of a length that their type cannot have.
            LiveSyncDroppedLength ["length"],
            /// Packets without a whole record.
            LiveSyncDroppedEmpty ["no_record"],
            /// Packets beyond what one node may send in a second.
            LiveSyncDroppedRate ["rate"],
            /// Records of torrents that are not served here.
            LiveSyncDroppedAccess ["access"],
            /// Records that cannot be.
            LiveSyncDroppedImpossible ["impossible"],
            /// Packets that the system did not take.
            LiveSyncDroppedSend ["send"],
            /// Announces that the dialect has no packet for.
            LiveSyncDroppedDialect ["dialect"],
        }
    }
}

pub use node::Node;
pub use teller::{Teller, Transmit};

/// Packets taken in one turn of the loop before it looks after its other duties.
const PACKETS_PER_TURN: usize = 64;

/// How often it is published who is in the cluster, and what the group has counted.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// A group that is joined, but not served yet.
pub(crate) struct Joined {
    runtime: Runtime,
    group: Group,
    sender: Sender,
    id: TrackerId,
    peer_sync: peer_sync::Settings,
    scrape_sync: scrape_sync::Settings,
}

/// The thread that serves the group.
#[derive(Debug)]
pub(crate) struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Joined {
    /// Joins the group, or does nothing if live sync is off.
    pub(crate) fn join(
        config: &config::LiveSync,
        id: TrackerId,
    ) -> Result<Option<Self>, JoinError> {
        let Some(listen) = config.listen else {
            return Ok(None);
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| JoinError::Socket {
                step: "start a runtime",
                source,
            })?;
        let group = {
            let _guard = runtime.enter();
            let address = std::net::SocketAddrV4::new(config.group, listen.port());
            Group::join(GroupConfig {
                ttl: config.ttl,
                sources: config.nodes.clone(),
                ..GroupConfig::new(address, *listen.ip())
            })?
        };
        Ok(Some(Self {
            sender: group.sender(),
            runtime,
            group,
            id,
            peer_sync: peer_sync::Settings {
                dialect: match config.dialect {
                    config::Dialect::Full => peer_sync::Dialect::Full,
                    config::Dialect::CV4 => peer_sync::Dialect::CV4,
                    config::Dialect::CDual => peer_sync::Dialect::CDual,
                },
                max_delay: config.max_delay,
            },
            scrape_sync: scrape_sync::Settings {
                first_beacon_delay: config.first_beacon_delay,
                beacon_interval: config.beacon_interval,
                inquire_threshold: InquireThreshold::new(config.inquire_threshold)
                    .unwrap_or_default(),
                ..scrape_sync::Settings::default()
            },
        }))
    }

    /// Makes the end of the cluster that one more worker owns.
    pub(crate) fn teller(&self, tracker: &Tracker) -> Box<dyn Cluster> {
        Box::new(Teller::new(
            Accumulator::new(self.id, self.peer_sync),
            self.sender.clone(),
            tracker.counters().register(),
        ))
    }

    /// Starts to serve the group.
    pub(crate) fn serve(self, tracker: Arc<Tracker>) -> io::Result<Server> {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("livesync".to_owned())
            .spawn(move || {
                let Self {
                    runtime,
                    group,
                    sender,
                    id,
                    peer_sync,
                    scrape_sync,
                } = self;
                tracing::info!(%id, "live sync begins");
                let speaks = peer_sync.dialect.has_scrape_sync();
                let now = Instant::now();
                let node = Node::new(Arc::clone(&tracker), id, scrape_sync, speaks, now);
                runtime.block_on(run(&tracker, group, &sender, node, stopped));
            })?;
        Ok(Server { stop, thread })
    }
}

impl Server {
    pub(crate) fn shutdown(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the live-sync thread has panicked");
        }
    }
}

/// Serves the group: what came first, then what is due, then what is to be sent, then whoever
/// wants to know; and then waits.
async fn run(
    tracker: &Tracker,
    mut group: Group,
    sender: &Sender,
    mut node: Node,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut buffer = [0; 2 * MAX_PACKET];
    let mut strangers = Strangers::new(tracker.counters().register());
    let mut publish_at = Instant::now();
    loop {
        let mut is_idle = false;
        for _ in 0..PACKETS_PER_TURN {
            match group.try_recv(&mut buffer) {
                Ok(Some((octets, source))) => {
                    let source = Some(source.into());
                    node.handle_packet(&buffer[..octets], source, Instant::now());
                }
                Ok(None) | Err(_) => {
                    is_idle = true;
                    break;
                }
            }
        }
        let now = Instant::now();
        node.handle_timeout(now);
        node.poll_transmit(now, |packet| sender.try_send(packet).is_ok());
        if publish_at <= now {
            publish_at = now + PUBLISH_INTERVAL;
            strangers.count(group.counters().strangers);
        }
        let due = node
            .poll_timeout()
            .map_or(publish_at, |due| due.min(publish_at));
        // With more packets waiting, only a look at whether to stop.
        let due = if is_idle { due } else { now };
        tokio::select! {
            biased;
            _ = &mut stopped => return,
            received = group.recv(&mut buffer) => match received {
                Ok((octets, source)) => {
                    node.handle_packet(&buffer[..octets], Some(source.into()), Instant::now());
                }
                Err(error) => tracing::debug!(%error, "cannot receive from the group"),
            },
            () = tokio::time::sleep_until(due.into()) => {}
        }
    }
}

/// Carries the group's count of strangers over to the tracker's counters.
struct Strangers {
    counters: Counters<Counter>,
    counted: u64,
}

impl Strangers {
    fn new(counters: Counters<Counter>) -> Self {
        Self {
            counters,
            counted: 0,
        }
    }

    fn count(&mut self, total: u64) {
        self.counters
            .add(Counter::LiveSyncDroppedStranger, total - self.counted);
        self.counted = total;
    }
}
