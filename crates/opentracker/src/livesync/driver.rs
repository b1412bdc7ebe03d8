//! The loop of the live-sync thread: between the carriers and the instance.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use ipnet::IpNet;
use opentracker_core::Counters;
use opentracker_livesync::{Counter, Instance, Keys, Kind, Output, Source, View};
use opentracker_livesync_wire::MAX_PACKET;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::carriers::{Carriers, Counted, LiveSyncError, Plan};
use super::outbox::Outboxes;
use crate::sandbox::Sandbox;
use crate::unix_time;

/// Packets taken in one turn of the loop before it looks after its other duties.
const PACKETS_PER_TURN: usize = 64;

/// How often the view of the cluster is published, and what the carriers have counted.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// How long the last packets may take to leave at an end.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// What the loop serves, which is there later than the carriers.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) instance: Instance,
    /// What is in force, of a cluster that seals.
    pub(super) keys: Option<Arc<ArcSwap<Keys>>>,
    pub(super) outboxes: Arc<Outboxes>,
    pub(super) counters: Counters<Counter>,
    pub(super) view: Arc<ArcSwap<View>>,
    pub(super) sandbox: Option<Arc<Sandbox>>,
}

/// From where packets are taken over the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Networks {
    /// All others are strangers.
    pub(super) nodes: Vec<IpNet>,
    /// Those that need no seal, in a cluster that seals.
    pub(super) unsealed: Vec<IpNet>,
}

/// Opens the carriers and says so, waits for what to serve, and serves it until nobody is there any
/// more who could replace the networks.
pub(super) fn run(
    plan: Plan,
    opened: &SyncSender<Result<(), LiveSyncError>>,
    served: oneshot::Receiver<Served>,
    networks: watch::Receiver<Networks>,
) {
    // Whoever waits for the answer may be gone, and then nothing follows either.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = opened.send(Err(LiveSyncError::Thread(source)));
            return;
        }
    };
    runtime.block_on(async {
        let carriers = match plan.open() {
            Ok(carriers) => carriers,
            Err(error) => {
                let _ = opened.send(Err(error));
                return;
            }
        };
        let _ = opened.send(Ok(()));
        if let Ok(served) = served.await {
            if let Some(sandbox) = &served.sandbox {
                sandbox.enter();
            }
            Driver::new(carriers, served).run(networks).await;
        }
    });
}

struct Driver {
    carriers: Carriers,
    /// Networks of the group whose packets need no seal.
    unsealed: Vec<IpNet>,
    /// What is in force, and what the instance has of it.
    keys: Option<Arc<ArcSwap<Keys>>>,
    known_keys: Option<Arc<Keys>>,
    instance: Instance,
    outboxes: Arc<Outboxes>,
    counters: Counters<Counter>,
    view: Arc<ArcSwap<View>>,
    publish_at: Instant,
    /// What the carriers have counted, as far as it is counted here.
    counted: Counted,
    buffer: [u8; 2 * MAX_PACKET],
}

impl Driver {
    fn new(carriers: Carriers, served: Served) -> Self {
        let Served {
            instance,
            keys,
            outboxes,
            counters,
            view,
            sandbox: _,
        } = served;
        Self {
            carriers,
            unsealed: Vec::new(),
            known_keys: keys.as_ref().map(|keys| keys.load_full()),
            keys,
            instance,
            outboxes,
            counters,
            view,
            publish_at: Instant::now(),
            counted: Counted::default(),
            buffer: [0; 2 * MAX_PACKET],
        }
    }

    /// What came first, then what is due, then what is to be sent, then whoever wants to know;
    /// and then waits. At the end all that the workers and the relay have left goes out.
    async fn run(mut self, mut networks: watch::Receiver<Networks>) {
        tracing::info!(id = %self.view.load().id, "live sync begins");
        self.set_networks(networks.borrow_and_update().clone());
        let outboxes = Arc::clone(&self.outboxes);
        loop {
            let now = Instant::now();
            self.instance.handle_clock(unix_time::now().as_secs());
            self.look_at_keys();
            self.instance.handle_timeout(now);
            self.send();
            self.publish(now);
            let due = self.due();
            tokio::select! {
                biased;
                changed = networks.changed() => match changed {
                    Ok(()) => self.set_networks(networks.borrow_and_update().clone()),
                    Err(_) => break,
                },
                () = poll_fn(|cx| self.poll_carriers(cx)) => {}
                () = outboxes.filled() => {}
                () = tokio::time::sleep_until(due.into()) => {}
            }
        }
        self.instance.flush();
        self.send();
        self.close().await;
    }

    /// Waits until what was sent has left by all carriers, or some take too long.
    async fn close(&mut self) {
        let all = poll_fn(|cx| {
            let closed = self
                .carriers
                .iter_mut()
                .map(|c| c.poll_close(cx).is_ready());
            match closed.fold(true, |all, is_closed| all & is_closed) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        if timeout(CLOSE_PATIENCE, all).await.is_err() {
            tracing::warn!("the last packets of live sync have not left in time");
        }
    }

    fn set_networks(&mut self, networks: Networks) {
        self.unsealed = networks.unsealed;
        if let Some(group) = &mut self.carriers.group {
            group.set_sources(networks.nodes);
        }
    }

    /// Takes keys that have come into force since.
    fn look_at_keys(&mut self) {
        let (Some(keys), Some(known)) = (&self.keys, &mut self.known_keys) else {
            return;
        };
        let keys = keys.load();
        if !Arc::ptr_eq(&keys, known) {
            known.clone_from(&keys);
            self.instance.set_keys(Arc::clone(&keys));
        }
    }

    /// Takes what has come, up to a turn's budget of each carrier; pending if nothing has.
    fn poll_carriers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let interface = self.carriers.interface;
        let mut has_come = Poll::Pending;
        for carrier in self.carriers.iter_mut() {
            for _ in 0..PACKETS_PER_TURN {
                match carrier.poll_recv(cx, &mut self.buffer) {
                    Poll::Pending => break,
                    Poll::Ready(Ok((octets, address))) => {
                        let mut source = Source::new(carrier.kind(), address);
                        place(&mut source, interface, &self.unsealed);
                        self.instance
                            .handle_packet(&self.buffer[..octets], source, now);
                    }
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(%error, "cannot receive from {}", carrier.kind().name());
                    }
                }
                has_come = Poll::Ready(());
            }
        }
        has_come
    }

    /// Sends what the workers have filled, and then what the instance has to say, which it bounds
    /// itself.
    fn send(&mut self) {
        let Self {
            instance,
            outboxes,
            carriers,
            counters,
            ..
        } = self;
        let mut send = |Output::Send { packet, class, to }: Output| {
            let packet = Bytes::copy_from_slice(packet.as_bytes());
            for carrier in carriers.iter_mut().filter(|carrier| to.has(carrier.kind())) {
                carrier.send(&packet, class);
            }
            counters.count(Counter::Sent);
        };
        outboxes.drain(|packet| send(instance.tell(packet)));
        while let Some(output) = instance.poll_output() {
            send(output);
        }
    }

    fn publish(&mut self, now: Instant) {
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + PUBLISH_INTERVAL;
        let carriers: Vec<_> = self
            .carriers
            .iter()
            .map(|c| (c.kind(), c.status()))
            .collect();
        let counted = self.carriers.counted(&carriers);
        let before = std::mem::replace(&mut self.counted, counted);
        self.counters
            .add(Counter::Stranger, counted.strangers - before.strangers);
        self.counters.add(
            Counter::SendFailed,
            counted.send_errors - before.send_errors,
        );
        self.counters
            .add(Counter::QueueFull, counted.dropped - before.dropped);
        self.counters
            .add(Counter::Backlog, counted.backlog - before.backlog);
        self.view.store(Arc::new(self.instance.view(carriers, now)));
    }

    /// Returns when there is something to do though nothing comes.
    fn due(&self) -> Instant {
        let due = self.instance.poll_timeout();
        due.map_or(self.publish_at, |due| due.min(self.publish_at))
    }
}

/// Says of a source what its address tells.
fn place(source: &mut Source, interface: Option<Ipv4Addr>, unsealed: &[IpNet]) {
    let Some(address) = source.address.filter(|_| source.via == Kind::Group) else {
        return;
    };
    source.is_this_host = interface.is_some_and(|ip| address.ip() == IpAddr::V4(ip));
    source.may_be_unsealed = unsealed.iter().any(|net| net.contains(&address.ip()));
}
