use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use opentracker_livesync::{Class, Queue};
use tokio::sync::Notify;

use crate::Subject;

/// The most packets that wait to be sent. When there are more, the oldest is dropped.
pub const MAX_WAITING: usize = 8192;

/// The most received packets that wait to be taken. What comes then is dropped.
pub const MAX_INCOMING: usize = 8192;

/// What the carrier and the task of the connection both see.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: Mutex<Queue<(Subject, Bytes)>>,
    pushed: Notify,
    is_up: AtomicBool,
    is_closed: AtomicBool,
    sent: AtomicU64,
    sent_octets: AtomicU64,
    send_errors: AtomicU64,
}

impl Shared {
    /// Makes them with room for so many packets.
    pub(crate) fn new(max_waiting: usize) -> Self {
        Self {
            queue: Mutex::new(Queue::new(max_waiting)),
            pushed: Notify::new(),
            is_up: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            sent_octets: AtomicU64::new(0),
            send_errors: AtomicU64::new(0),
        }
    }

    /// Returns the queue, which is held for a few instructions at a time.
    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue<(Subject, Bytes)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, subject: Subject, packet: Bytes, class: Class) {
        self.queue().push((subject, packet), class);
        self.pushed.notify_one();
    }

    /// Waits for a packet to send; `None` after the last one. There is one who waits.
    pub(crate) async fn next(&self) -> Option<(Subject, Bytes)> {
        loop {
            let oldest = self.queue().pop();
            if let Some((packet, _)) = oldest {
                return Some(packet);
            }
            if self.is_closed() {
                return None;
            }
            self.pushed.notified().await;
        }
    }

    /// Says that nothing is pushed any more.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.pushed.notify_one();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Says whether there is a connection. What waits has been meant for another, and is dropped.
    pub(crate) fn set_up(&self, is_up: bool) {
        self.queue().clear();
        self.is_up.store(is_up, Ordering::Relaxed);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed)
    }

    pub(crate) fn count_sent(&self, octets: usize) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.sent_octets.fetch_add(octets as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_send_error(&self) {
        self.send_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many packets were sent, with how many octets, and how many packets were not.
    pub(crate) fn counts(&self) -> [u64; 3] {
        let counts = [&self.sent, &self.sent_octets, &self.send_errors];
        counts.map(|count| count.load(Ordering::Relaxed))
    }
}
