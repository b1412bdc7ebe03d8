//! Connections that go on with WebSocket: the browsers of WebTorrent.

mod connection;
mod counters;
mod outbox;
mod post;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use opentracker_core::{Counters, WebConnection, Worker};
use opentracker_webtorrent::{Context, Delivery, NodeMessage};

pub(super) use connection::run;
pub use counters::Counter;
pub use post::NodePost;
pub(super) use post::Post;

use outbox::Outbox;

/// The browsers of a thread.
#[derive(Debug)]
pub(super) struct Browsers {
    thread: usize,
    /// How many there have been.
    count: Cell<u64>,
    open: RefCell<HashMap<WebConnection, Rc<Outbox>>>,
    context: RefCell<Context>,
    counters: Counters<Counter>,
    post: Arc<Post>,
}

impl Browsers {
    pub(super) fn new(thread: usize, post: Arc<Post>, worker: &Worker) -> Self {
        Self {
            thread,
            count: Cell::new(0),
            open: RefCell::default(),
            context: RefCell::new(Context::new(worker).with_nodes(post.nodes().cloned())),
            counters: worker.tracker().counters().register(),
            post,
        }
    }

    /// Passes on what comes from other threads, for ever.
    pub(super) async fn receive(&self) {
        loop {
            for message in self.post.receive(self.thread).await {
                self.deliver(&message);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Lets all connections end, because the thread does.
    pub(super) fn send_away(&self) {
        for outbox in self.open.borrow().values() {
            outbox.send_away();
        }
    }

    /// Adds a connection.
    fn open(&self) -> (WebConnection, Rc<Outbox>) {
        self.count.set(self.count.get() + 1);
        let connection = Post::number(self.thread, self.count.get());
        let outbox = Rc::new(Outbox::default());
        let mut open = self.open.borrow_mut();
        open.insert(connection, Rc::clone(&outbox));
        self.counters.count(Counter::Opened);
        (connection, outbox)
    }

    fn close(&self, connection: WebConnection, reason: Counter) {
        self.open.borrow_mut().remove(&connection);
        self.counters.count(reason);
    }

    /// Passes a message on to its connection, or to the thread that has it.
    fn send(&self, message: Delivery) {
        if Post::thread_of(message.to) == self.thread {
            self.deliver(&message);
        } else {
            let lost = self.post.send(message);
            self.counters.add(Counter::Overflow, lost);
        }
    }

    /// Passes a message on to whoever sends it to other nodes.
    fn send_to_nodes(&self, message: NodeMessage) {
        self.post.send_to_nodes(message);
    }

    /// Passes a message on to a connection of this thread.
    fn deliver(&self, message: &Delivery) {
        match self.open.borrow().get(&message.to) {
            None => self.counters.count(Counter::Gone),
            Some(outbox) => {
                if !outbox.deliver(&message.octets) {
                    self.counters.count(Counter::Full);
                }
            }
        }
    }
}
