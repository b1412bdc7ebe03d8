//! How a message gets to a connection of another thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentracker_core::WebConnection;
use opentracker_webtorrent::Delivery;
use tokio::sync::Notify;

/// The most messages that wait for a thread, and their octets.
const MAX_WAITING: usize = 4096;
const MAX_WAITING_OCTETS: usize = 16 * 1024 * 1024;

/// Bits of the number of a connection that count the connections of its thread.
const COUNT_BITS: u32 = 48;

/// A mailbox for each thread.
#[derive(Debug)]
pub(in crate::http) struct Post(Vec<Mailbox>);

/// The messages that wait for a thread.
#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Delivery>,
    octets: usize,
}

impl Post {
    pub(in crate::http) fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self((0..threads).map(|_| Mailbox::default()).collect()))
    }

    /// Gives the connections of a thread their numbers, from a count.
    pub(super) fn number(thread: usize, count: u64) -> WebConnection {
        WebConnection(((thread as u64) << COUNT_BITS) | (count % (1 << COUNT_BITS)))
    }

    /// The thread of a connection.
    pub(super) fn thread_of(connection: WebConnection) -> usize {
        usize::try_from(connection.0 >> COUNT_BITS).expect("it has 16 bits")
    }

    /// Passes a message to the thread of its connection, and returns how many are lost for it.
    pub(super) fn send(&self, message: Delivery) -> u64 {
        let Some(mailbox) = self.0.get(Self::thread_of(message.to)) else {
            return 1;
        };
        let mut waiting = mailbox.lock();
        waiting.octets += message.octets.len();
        waiting.messages.push_back(message);
        let mut lost = 0;
        while waiting.messages.len() > MAX_WAITING || waiting.octets > MAX_WAITING_OCTETS {
            let Some(oldest) = waiting.messages.pop_front() else {
                break;
            };
            waiting.octets -= oldest.octets.len();
            lost += 1;
        }
        drop(waiting);
        mailbox.arrived.notify_one();
        lost
    }

    /// Waits for messages for the connections of a thread, and takes them.
    pub(super) async fn receive(&self, thread: usize) -> VecDeque<Delivery> {
        loop {
            let waiting = std::mem::take(&mut *self.0[thread].lock());
            if !waiting.messages.is_empty() {
                return waiting.messages;
            }
            self.0[thread].arrived.notified().await;
        }
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(connection: WebConnection, octets: usize) -> Delivery {
        Delivery {
            to: connection,
            octets: vec![7; octets],
        }
    }

    #[test]
    fn a_full_mailbox_loses_the_oldest() {
        let post = Post::new(2);
        let to = |count| Post::number(1, count);
        let most = MAX_WAITING as u64;
        for count in 0..most {
            assert_eq!(post.send(message(to(count), 10)), 0);
        }
        assert_eq!(post.send(message(to(most), 10)), 1);
        assert_eq!(post.send(message(to(most + 1), MAX_WAITING_OCTETS)), most);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let received = runtime.unwrap().block_on(post.receive(1));
        let to = received.iter().map(|message| Post::thread_of(message.to));
        assert_eq!(to.collect::<Vec<_>>(), [1]);
        assert_eq!(
            post.send(message(Post::number(2, 0), 1)),
            1,
            "no such thread"
        );
    }
}
