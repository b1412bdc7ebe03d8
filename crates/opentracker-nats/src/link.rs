use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use async_nats::{Statistics, Subscriber};
use bytes::Bytes;
use futures_core::Stream;
use opentracker_livesync::{Class, Status};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::task::coop::has_budget_remaining;

use crate::connection;
use crate::shared::Shared;
use crate::{NatsConfig, StartError, Subject};

/// Messages over subjects of NATS, whatever happens to its servers: those of some subjects come, and any
/// may be sent to. Our own do not come.
///
/// It belongs to the tokio runtime in which it was started. Dropping it ends the connection.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    /// Subscriptions for each connection that is made.
    subscriptions: mpsc::Receiver<Incoming>,
    incoming: Option<Incoming>,
    received: u64,
    received_octets: u64,
    /// What was dropped of former ones.
    backlog: u64,
    /// Ends with this.
    connection: JoinSet<()>,
}

/// What comes over one connection.
#[derive(Debug)]
pub(crate) struct Incoming {
    subscribers: Vec<Subscriber>,
    /// The one that is asked first.
    first: usize,
    statistics: Arc<Statistics>,
    taken: u64,
    backlog: u64,
}

impl Link {
    /// Begins to connect, and to connect again whenever the connection breaks, and waits for neither.
    /// `subjects` are those whose messages come, and so many may wait to be sent, of which then the oldest
    /// is dropped. To be called within a tokio runtime that has I/O and time; names are resolved on its
    /// threads for blocking work.
    ///
    /// # Errors
    ///
    /// Fails where [`NatsConfig::check`] does.
    pub fn start(
        config: NatsConfig,
        subjects: Vec<Subject>,
        max_waiting: usize,
    ) -> Result<Self, StartError> {
        config.check()?;
        let shared = Arc::new(Shared::new(max_waiting));
        let (new_subscriptions, subscriptions) = mpsc::channel(1);
        let mut connection = JoinSet::new();
        connection.spawn(connection::keep_up(
            config,
            subjects,
            Arc::clone(&shared),
            new_subscriptions,
        ));
        Ok(Self {
            shared,
            subscriptions,
            incoming: None,
            received: 0,
            received_octets: 0,
            backlog: 0,
            connection,
        })
    }

    /// Takes a message to those who have subscribed its subject, and never waits: it goes, or waits in the
    /// queue, or is dropped and counted.
    pub fn send(&self, subject: &Subject, message: Bytes, class: Class) {
        self.shared.push(subject.clone(), message, class);
    }

    /// Returns the next message that came.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        while let Poll::Ready(Some(new)) = self.subscriptions.poll_recv(cx) {
            let old = self.incoming.replace(new);
            self.backlog += old.map_or(0, Incoming::left);
        }
        let Some(incoming) = &mut self.incoming else {
            return Poll::Pending;
        };
        match incoming.poll(cx) {
            Poll::Ready(Some(message)) => {
                self.received += 1;
                self.received_octets += message.len() as u64;
                Poll::Ready(message)
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

    /// Is ready when what waits to be sent has left, or there is no connection. Nothing is sent after.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.shared.is_up() {
            return Poll::Ready(());
        }
        self.shared.close();
        self.connection.poll_join_next(cx).map(drop)
    }

    /// Returns how it does.
    pub fn status(&self) -> Status {
        let [sent, sent_octets, send_errors] = self.shared.counts();
        let is_up = self.shared.is_up();
        let queue = self.shared.queue();
        Status {
            is_up,
            destinations: usize::from(is_up),
            waiting: queue.len(),
            received: self.received,
            sent,
            received_octets: self.received_octets,
            sent_octets,
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
    pub(crate) const fn new(subscribers: Vec<Subscriber>, statistics: Arc<Statistics>) -> Self {
        Self {
            subscribers,
            first: 0,
            statistics,
            taken: 0,
            backlog: 0,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let count = self.subscribers.len();
        for turn in 0..count {
            let number = (self.first + turn) % count;
            match Pin::new(&mut self.subscribers[number]).poll_next(cx) {
                Poll::Ready(Some(message)) => {
                    self.first = number + 1;
                    self.taken += 1;
                    return Poll::Ready(Some(message.payload));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {}
            }
        }
        // All that waited is taken, so what came and was not taken was dropped. It may also be that this
        // task has had its turn.
        if has_budget_remaining() {
            self.backlog = self.not_taken();
        }
        Poll::Pending
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
