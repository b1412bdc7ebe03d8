//! The loop of the live-sync thread: between the group and the instance.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use opentracker_core::Counters;
use opentracker_livesync::{Counter, Instance, Output, Source, View};
use opentracker_livesync_wire::MAX_PACKET;
use opentracker_multicast::{Group, GroupConfig, JoinError, Sender};
use tokio::sync::{oneshot, watch};

use crate::sandbox::Sandbox;

/// Packets taken in one turn of the loop before it looks after its other duties.
const PACKETS_PER_TURN: usize = 64;

/// How often the view of the cluster is published, and what the group has counted.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(1);

/// What the loop serves, which is there later than the group.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) instance: Instance,
    pub(super) counters: Counters<Counter>,
    pub(super) view: Arc<ArcSwap<View>>,
    pub(super) sandbox: Option<Arc<Sandbox>>,
}

/// Joins the group and says so, waits for what to serve, and serves it until nobody is there any
/// more who could replace the sources.
pub(super) fn run(
    config: GroupConfig,
    joined: &SyncSender<Result<Sender, JoinError>>,
    served: oneshot::Receiver<Served>,
    sources: watch::Receiver<Vec<IpNet>>,
) {
    // Whoever waits for the answer may be gone, and then nothing follows either.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(source) => {
            let step = "start a runtime";
            let _ = joined.send(Err(JoinError::Socket { step, source }));
            return;
        }
    };
    runtime.block_on(async {
        let interface = config.interface;
        let group = match Group::join(config) {
            Ok(group) => group,
            Err(error) => {
                let _ = joined.send(Err(error));
                return;
            }
        };
        let _ = joined.send(Ok(group.sender()));
        if let Ok(served) = served.await {
            if let Some(sandbox) = &served.sandbox {
                sandbox.enter();
            }
            Driver::new(group, interface, served).run(sources).await;
        }
    });
}

struct Driver {
    group: Group,
    sender: Sender,
    /// Where our own packets come from.
    interface: Ipv4Addr,
    instance: Instance,
    counters: Counters<Counter>,
    view: Arc<ArcSwap<View>>,
    publish_at: Instant,
    /// Datagrams of strangers that are counted already.
    strangers: u64,
    buffer: [u8; 2 * MAX_PACKET],
}

impl Driver {
    fn new(group: Group, interface: Ipv4Addr, served: Served) -> Self {
        let Served {
            instance,
            counters,
            view,
            sandbox: _,
        } = served;
        Self {
            sender: group.sender(),
            group,
            interface,
            instance,
            counters,
            view,
            publish_at: Instant::now(),
            strangers: 0,
            buffer: [0; 2 * MAX_PACKET],
        }
    }

    /// What came first, then what is due, then what is to be sent, then whoever wants to know;
    /// and then waits.
    async fn run(mut self, mut sources: watch::Receiver<Vec<IpNet>>) {
        tracing::info!(id = %self.view.load().id, "live sync begins");
        loop {
            let is_idle = self.receive();
            let now = Instant::now();
            self.instance.handle_timeout(now);
            self.send();
            self.publish(now);
            // With more packets waiting, only a look at whether to stop.
            let due = if is_idle { self.due() } else { now };
            tokio::select! {
                biased;
                changed = sources.changed() => match changed {
                    Ok(()) => self.group.set_sources(sources.borrow_and_update().clone()),
                    Err(_) => return,
                },
                received = self.group.recv(&mut self.buffer) => match received {
                    Ok((octets, source)) => self.handle(octets, source, Instant::now()),
                    Err(error) => tracing::debug!(%error, "cannot receive from the group"),
                },
                () = tokio::time::sleep_until(due.into()) => {}
            }
        }
    }

    /// Takes what has come, up to a turn's budget; returns whether that was all.
    fn receive(&mut self) -> bool {
        let now = Instant::now();
        for _ in 0..PACKETS_PER_TURN {
            match self.group.try_recv(&mut self.buffer) {
                Ok(Some((octets, source))) => self.handle(octets, source, now),
                Ok(None) | Err(_) => return true,
            }
        }
        false
    }

    fn handle(&mut self, octets: usize, source: SocketAddrV4, now: Instant) {
        let mut from = Source::new(source.into());
        from.is_this_host = from.address.ip() == IpAddr::V4(self.interface);
        self.instance
            .handle_packet(&self.buffer[..octets], from, now);
    }

    /// Sends what is to be sent, which the instance itself bounds.
    fn send(&mut self) {
        while let Some(Output::Send { packet, .. }) = self.instance.poll_output() {
            self.counters.count(match self.sender.try_send(&packet) {
                Ok(()) => Counter::Sent,
                Err(_) => Counter::SendFailed,
            });
        }
    }

    fn publish(&mut self, now: Instant) {
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + PUBLISH_INTERVAL;
        let view = self.instance.view(self.group.is_joined(), now);
        self.view.store(Arc::new(view));
        let strangers = self.group.counters().strangers;
        self.counters
            .add(Counter::Stranger, strangers - self.strangers);
        self.strangers = strangers;
    }

    /// Returns when there is something to do though nothing comes.
    fn due(&self) -> Instant {
        let due = self.instance.poll_timeout();
        due.map_or(self.publish_at, |due| due.min(self.publish_at))
    }
}
