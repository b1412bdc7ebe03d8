//! Browsers of this node and of the others of its cluster: their messages over NATS, on a thread of its
//! own.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use opentracker_core::{Counters, Worker};
use opentracker_livesync::{Class, Status};
use opentracker_livesync_wire::Keys;
use opentracker_nats::{Link, NatsConfig};
use opentracker_net::http::{NodePost, WebSocketCounter};
use opentracker_webtorrent::{Context, Counter, NodeId, NodeMessage, Nodes};
use tokio::sync::oneshot;
use tokio::time::sleep_until;

use crate::config::Config;
use crate::{livesync, unix_time};

/// What follows the subject of the cluster: that is for all, and with an id behind it for one.
const WORD: &str = "webtorrent";

/// The most messages that wait for NATS. Each has 64 KiB at most, and mostly less than ten.
const MAX_WAITING: usize = 512;

/// How often it is counted what the connection has done.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// What browsers need to meet those of other nodes.
#[derive(Debug)]
pub(crate) struct Plan {
    nats: NatsConfig,
    keys: Arc<ArcSwap<Keys>>,
    nodes: Arc<Nodes>,
    /// Whether browsers are served from the start; else it connects when the first has something for
    /// others.
    is_enabled: bool,
}

/// The thread. Dropped, it ends without being waited for.
#[derive(Debug)]
pub(crate) struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Plan {
    /// Makes it where NATS is a carrier of the cluster, which has a secret then.
    pub(crate) fn of(config: &Config, keys: Option<&Arc<ArcSwap<Keys>>>) -> Option<Self> {
        let mut nats = livesync::nats(config)?;
        nats.subject = nats.subject.with(WORD).expect("it is a word");
        let id = NodeId::new(rand::random());
        Some(Self {
            nats,
            keys: Arc::clone(keys?),
            nodes: Arc::new(Nodes::new(id, Instant::now())),
            is_enabled: config.webtorrent.enabled,
        })
    }

    pub(crate) fn nodes(&self) -> Arc<Nodes> {
        Arc::clone(&self.nodes)
    }

    /// Starts the thread.
    pub(crate) fn start(self, post: NodePost, worker: Worker) -> io::Result<Server> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let run = async move { Exchange::new(self, post, worker).run(stopped).await };
        let thread = std::thread::Builder::new()
            .name("browsers".to_owned())
            .spawn(move || runtime.block_on(run))?;
        Ok(Server { stop, thread })
    }
}

impl Server {
    /// Ends the thread. What waits is for browsers that are about to be sent away.
    pub(crate) fn shutdown(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread of browsers has panicked");
        }
    }
}

struct Exchange {
    plan: Plan,
    post: NodePost,
    worker: Worker,
    context: Context,
    link: Option<Link>,
    counters: Counters<Counter>,
    deliveries: Counters<WebSocketCounter>,
    /// What the connection has done, as far as it is counted.
    counted: Status,
}

impl Exchange {
    fn new(plan: Plan, post: NodePost, worker: Worker) -> Self {
        let registry = worker.tracker().counters();
        let mut exchange = Self {
            context: Context::new(&worker).with_nodes(Some(plan.nodes())),
            counters: registry.register(),
            deliveries: registry.register(),
            plan,
            post,
            worker,
            link: None,
            counted: Status::default(),
        };
        if exchange.plan.is_enabled {
            exchange.connect();
        }
        exchange
    }

    fn connect(&mut self) {
        let all = self.plan.nats.subject.clone();
        let own = all.with(&self.plan.nodes.id().to_string());
        let own = own.expect("it is a word");
        match Link::start(self.plan.nats.clone(), vec![all, own], MAX_WAITING) {
            Ok(link) => self.link = Some(link),
            Err(error) => tracing::warn!(%error, "browsers do not meet those of other nodes"),
        }
    }

    async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut count_at = Instant::now() + COUNT_INTERVAL;
        loop {
            let post = self.post.clone();
            tokio::select! {
                _ = &mut stopped => break,
                message = next(&mut self.link) => self.take(&message),
                (messages, lost) = post.receive() => {
                    self.counters.add(Counter::NodeQueue, lost);
                    messages.into_iter().for_each(|message| self.send(message));
                }
                () = sleep_until(count_at.into()) => {
                    self.count();
                    count_at = Instant::now() + COUNT_INTERVAL;
                }
            }
        }
        self.count();
    }

    /// Takes what another node has sent.
    fn take(&mut self, message: &[u8]) {
        let unix_secs = unix_time::now().as_secs();
        let keys = self.plan.keys.load_full();
        let (worker, now) = (&mut self.worker, Instant::now());
        self.context
            .receive(message, (&keys, unix_secs), worker, now);
        for delivery in self.context.deliveries.drain(..) {
            let lost = self.post.deliver(delivery);
            self.deliveries.add(WebSocketCounter::Overflow, lost);
        }
        for message in std::mem::take(&mut self.context.messages) {
            self.send(message);
        }
    }

    fn send(&mut self, mut message: NodeMessage) {
        if self.link.is_none() {
            self.connect();
        }
        let Some(link) = &self.link else {
            return self.counters.count(Counter::NodeQueue);
        };
        let all = &self.plan.nats.subject;
        let subject = message.to.map(|node| all.with(&node.to_string()));
        let subject = subject.transpose().expect("it is a word");
        message.seal(unix_time::now().as_secs(), self.plan.keys.load().first());
        let octets = Bytes::from(message.octets);
        link.send(subject.as_ref().unwrap_or(all), octets, Class::Live);
    }

    /// Counts what the connection has done since the last time.
    fn count(&mut self) {
        let Some(link) = &self.link else {
            return;
        };
        let status = link.status();
        let before = std::mem::replace(&mut self.counted, status);
        for (counter, now, before) in [
            (Counter::NodeMessageOut, status.sent, before.sent),
            (Counter::NodeQueue, status.dropped, before.dropped),
            (Counter::NodeSend, status.send_errors, before.send_errors),
            (Counter::NodeBacklog, status.backlog, before.backlog),
        ] {
            self.counters.add(counter, now.saturating_sub(before));
        }
    }
}

/// Waits for a message of another node.
async fn next(link: &mut Option<Link>) -> Bytes {
    match link {
        Some(link) => poll_fn(|cx| link.poll_recv(cx)).await,
        None => pending().await,
    }
}
