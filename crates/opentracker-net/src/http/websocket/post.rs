//! How a message gets to a connection of another thread.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentracker_core::WebConnection;
use opentracker_webtorrent::{Delivery, NodeMessage, Nodes};
use tokio::sync::Notify;

/// The most messages that wait for a thread, and their octets.
const MAX_WAITING: usize = 4096;
const MAX_WAITING_OCTETS: usize = 16 * 1024 * 1024;

/// Bits of the number of a connection that count the connections of its thread.
const COUNT_BITS: u32 = 48;

/// A mailbox for each thread, and one for what goes to other nodes.
#[derive(Debug)]
pub(in crate::http) struct Post {
    threads: Vec<Mailbox<Delivery>>,
    nodes: Option<Arc<Nodes>>,
    for_nodes: Mailbox<NodeMessage>,
}

/// The way from the browsers of a server to those of other nodes, and back.
#[derive(Debug, Clone)]
pub struct NodePost(Arc<Post>);

/// The messages that wait for a thread.
#[derive(Debug)]
struct Mailbox<M> {
    waiting: Mutex<Waiting<M>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting<M> {
    messages: VecDeque<M>,
    octets: usize,
    /// How many were lost since they were last taken.
    lost: u64,
}

/// What has octets.
trait Message {
    fn len(&self) -> usize;
}

impl Post {
    pub(in crate::http) fn new(threads: usize, nodes: Option<Arc<Nodes>>) -> Arc<Self> {
        Arc::new(Self {
            threads: (0..threads).map(|_| Mailbox::default()).collect(),
            nodes,
            for_nodes: Mailbox::default(),
        })
    }

    /// Gives the connections of a thread their numbers, from a count.
    pub(super) fn number(thread: usize, count: u64) -> WebConnection {
        WebConnection(((thread as u64) << COUNT_BITS) | (count % (1 << COUNT_BITS)))
    }

    /// The thread of a connection.
    pub(super) fn thread_of(connection: WebConnection) -> usize {
        usize::try_from(connection.0 >> COUNT_BITS).expect("it has 16 bits")
    }

    /// What is known of other nodes, if there are any.
    pub(super) const fn nodes(&self) -> Option<&Arc<Nodes>> {
        self.nodes.as_ref()
    }

    /// Passes a message to the thread of its connection, and returns how many are lost for it.
    pub(super) fn send(&self, message: Delivery) -> u64 {
        match self.threads.get(Self::thread_of(message.to)) {
            Some(mailbox) => mailbox.put(message),
            None => 1,
        }
    }

    /// Passes a message to whoever sends it to other nodes.
    pub(super) fn send_to_nodes(&self, message: NodeMessage) {
        self.for_nodes.put(message);
    }

    /// Waits for messages for the connections of a thread, and takes them.
    pub(super) async fn receive(&self, thread: usize) -> VecDeque<Delivery> {
        self.threads[thread].take().await.messages
    }
}

impl NodePost {
    pub(in crate::http) const fn new(post: Arc<Post>) -> Self {
        Self(post)
    }

    /// Waits for messages to other nodes, and takes them. There is one who waits. Says as well how many,
    /// older than these, were lost since the last time because too many waited.
    pub async fn receive(&self) -> (VecDeque<NodeMessage>, u64) {
        let waiting = self.0.for_nodes.take().await;
        (waiting.messages, waiting.lost)
    }

    /// Passes a frame to the thread of its connection, and returns how many are lost for it.
    pub fn deliver(&self, delivery: Delivery) -> u64 {
        self.0.send(delivery)
    }
}

impl<M: Message> Mailbox<M> {
    /// Puts a message in, and returns how many are lost for it: the oldest.
    fn put(&self, message: M) -> u64 {
        let mut waiting = self.lock();
        waiting.octets += message.len();
        waiting.messages.push_back(message);
        let mut lost = 0;
        while waiting.messages.len() > MAX_WAITING || waiting.octets > MAX_WAITING_OCTETS {
            let Some(oldest) = waiting.messages.pop_front() else {
                break;
            };
            waiting.octets -= oldest.len();
            lost += 1;
        }
        waiting.lost += lost;
        drop(waiting);
        self.arrived.notify_one();
        lost
    }

    /// Waits until there are messages, and takes them all.
    async fn take(&self) -> Waiting<M> {
        loop {
            let waiting = std::mem::take(&mut *self.lock());
            if !waiting.messages.is_empty() {
                return waiting;
            }
            self.arrived.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<M>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Default for Mailbox<M> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Notify::new(),
        }
    }
}

impl<M> Default for Waiting<M> {
    fn default() -> Self {
        Self {
            messages: VecDeque::new(),
            octets: 0,
            lost: 0,
        }
    }
}

impl Message for Delivery {
    fn len(&self) -> usize {
        self.octets.len()
    }
}

impl Message for NodeMessage {
    fn len(&self) -> usize {
        self.octets.len()
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
        let post = Post::new(2, None);
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

    #[test]
    fn what_other_nodes_do_not_get_is_said_with_what_they_do() {
        let post = Post::new(1, None);
        let message = |octet| NodeMessage {
            to: None,
            octets: vec![octet; MAX_WAITING_OCTETS / 2],
        };
        for octet in 0..5 {
            post.send_to_nodes(message(octet));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let received = runtime.unwrap().block_on(NodePost::new(post).receive());
        assert_eq!(received, ([3, 4].map(message).into(), 3));
    }
}
