use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use opentracker_core::Counters;
use opentracker_http::{Context, Session, Source};
use tokio::sync::Notify;

use super::connections::Connections;
use super::counters::Counter;
use super::socket::Socket;

/// A connection that asks for something else than announces and scrapes.
#[derive(Debug)]
#[non_exhaustive]
pub struct HandedOver {
    /// The connection, which does not block.
    pub socket: Socket,
    /// Who is at its other end.
    pub source: Source,
    /// What was read of it and not answered: the request, and what follows.
    pub octets: Vec<u8>,
}

/// Takes the connections that ask for something else than announces and scrapes.
#[derive(Clone)]
pub struct HandOver(Arc<dyn Fn(HandedOver) + Send + Sync>);

impl HandOver {
    /// Makes it from a function, which must not block: an announce thread calls it.
    pub fn new(take: impl Fn(HandedOver) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }
}

impl fmt::Debug for HandOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandOver")
    }
}

/// What all connections of a thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) context: RefCell<Context>,
    pub(super) counters: Counters<Counter>,
    /// Tells connections that the thread is about to end.
    pub(super) closing: Notify,
    pub(super) is_closing: Cell<bool>,
    pub(super) connections: Rc<Connections>,
    hand_over: HandOver,
}

impl Shared {
    pub(super) fn new(context: Context, counters: Counters<Counter>, hand_over: HandOver) -> Self {
        Self {
            context: RefCell::new(context),
            counters,
            closing: Notify::new(),
            is_closing: Cell::new(false),
            connections: Rc::default(),
            hand_over,
        }
    }

    /// Gives a connection away.
    pub(super) fn hand_over(&self, socket: Socket, session: Session) {
        self.counters.count(Counter::HandedOver);
        (self.hand_over.0)(HandedOver {
            socket,
            source: session.source(),
            octets: session.into_input(),
        });
    }
}
