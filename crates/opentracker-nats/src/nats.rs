use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use async_nats::{Statistics, Subscriber};
use bytes::Bytes;
use futures_core::Stream;
use opentracker_livesync::{Carrier, Class, Kind, Status};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::task::coop::has_budget_remaining;

use crate::connection;
use crate::shared::Shared;
use crate::{NatsConfig, StartError};

/// A subject of NATS, to which packets are published and from which those of all others come.
///
/// It belongs to the tokio runtime in which it was started. Dropping it ends the connection.
#[derive(Debug)]
pub struct Nats {
    shared: Arc<Shared>,
    /// A subscription for each connection that is made.
    subscriptions: mpsc::Receiver<Incoming>,
    incoming: Option<Incoming>,
    received: u64,
    /// What was dropped of former subscriptions.
    backlog: u64,
    /// Ends with this.
    connection: JoinSet<()>,
}

/// What comes over one connection.
#[derive(Debug)]
pub(crate) struct Incoming {
    subscriber: Subscriber,
    statistics: Arc<Statistics>,
    taken: u64,
    backlog: u64,
}

impl Nats {
    /// Begins to connect, and to connect again whenever the connection breaks, and waits for neither.
    /// To be called within a tokio runtime that has I/O and time; names are resolved on its threads
    /// for blocking work.
    ///
    /// # Errors
    ///
    /// Fails where [`NatsConfig::check`] does.
    pub fn start(config: NatsConfig) -> Result<Self, StartError> {
        config.check()?;
        let shared = Arc::new(Shared::new());
        let (new_subscriptions, subscriptions) = mpsc::channel(1);
        let mut connection = JoinSet::new();
        connection.spawn(connection::keep_up(
            config,
            Arc::clone(&shared),
            new_subscriptions,
        ));
        Ok(Self {
            shared,
            subscriptions,
            incoming: None,
            received: 0,
            backlog: 0,
            connection,
        })
    }
}

impl Carrier for Nats {
    fn kind(&self) -> Kind {
        Kind::Nats
    }

    fn send(&mut self, packet: &Bytes, class: Class) {
        self.shared.push(packet.clone(), class);
    }

    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, Option<SocketAddr>)>> {
        while let Poll::Ready(Some(new)) = self.subscriptions.poll_recv(cx) {
            let old = self.incoming.replace(new);
            self.backlog += old.map_or(0, Incoming::left);
        }
        let Some(incoming) = &mut self.incoming else {
            return Poll::Pending;
        };
        match incoming.poll(cx) {
            Poll::Ready(Some(packet)) => {
                self.received += 1;
                let octets = packet.len().min(buffer.len());
                buffer[..octets].copy_from_slice(&packet[..octets]);
                Poll::Ready(Ok((octets, None)))
            }
            // The connection is gone. The next one wakes whoever waits.
            Poll::Ready(None) => {
                let old = self.incoming.take();
                self.backlog += old.map_or(0, Incoming::left);
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shared.is_up() {
            return Poll::Ready(());
        }
        self.shared.close();
        self.connection.poll_join_next(cx).map(drop)
    }

    fn status(&self) -> Status {
        let (sent, send_errors) = self.shared.counts();
        let is_up = self.shared.is_up();
        let queue = self.shared.queue();
        Status {
            is_up,
            destinations: usize::from(is_up),
            waiting: queue.len(),
            received: self.received,
            sent,
            send_errors,
            dropped: queue.dropped(),
            dropped_tells: queue.dropped_tells(),
            backlog: self.backlog
                + self
                    .incoming
                    .as_ref()
                    .map_or(0, |incoming| incoming.backlog),
        }
    }
}

impl Incoming {
    pub(crate) const fn new(subscriber: Subscriber, statistics: Arc<Statistics>) -> Self {
        Self {
            subscriber,
            statistics,
            taken: 0,
            backlog: 0,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match Pin::new(&mut self.subscriber).poll_next(cx) {
            Poll::Ready(Some(message)) => {
                self.taken += 1;
                Poll::Ready(Some(message.payload))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                // All that waited is taken, so what came and was not taken was dropped. It may also
                // be that this task has had its turn.
                if has_budget_remaining() {
                    self.backlog = self.not_taken();
                }
                Poll::Pending
            }
        }
    }

    /// Returns how many packets came and will not be taken.
    fn left(self) -> u64 {
        self.not_taken()
    }

    fn not_taken(&self) -> u64 {
        let came = self.statistics.in_messages.load(Ordering::Relaxed);
        came.saturating_sub(self.taken)
    }
}
