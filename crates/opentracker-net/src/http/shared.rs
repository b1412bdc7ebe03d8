use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use opentracker_core::{Counters, Histogram, Rules};
use opentracker_http::{Context, Forwarding, Session, Source};
use tokio::sync::Notify;

use super::connections::Connections;
use super::counters::Counter;
use super::prefixes::{ConnectionLimit, Counted, Prefixes};
use super::secure::Secure;
use super::socket::Socket;
use super::websocket::Browsers;

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
    /// What counts the connection among those of its prefix, for as long as it is kept.
    pub counted: Option<Counted>,
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

/// A prefix has as many connections as it may have.
#[derive(Debug)]
pub(super) struct TooMany;

/// What all connections of a thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) context: RefCell<Context>,
    /// Of each listener.
    counters: Vec<Counters<Counter>>,
    pub(super) durations: Histogram,
    /// Tells connections that the thread is about to end.
    pub(super) closing: Notify,
    pub(super) is_closing: Cell<bool>,
    pub(super) connections: Rc<Connections>,
    pub(super) browsers: Browsers,
    prefixes: Arc<Prefixes>,
    hand_over: HandOver,
    /// What TLS listeners serve with.
    pub(super) secure: Option<Secure>,
}

impl Shared {
    pub(super) fn new(
        context: Context,
        counters: Vec<Counters<Counter>>,
        durations: Histogram,
        browsers: Browsers,
        prefixes: Arc<Prefixes>,
        hand_over: HandOver,
        secure: Option<Secure>,
    ) -> Self {
        Self {
            context: RefCell::new(context),
            counters,
            durations,
            closing: Notify::new(),
            is_closing: Cell::new(false),
            connections: Rc::default(),
            browsers,
            prefixes,
            hand_over,
            secure,
        }
    }

    /// Counts something that happens to a connection of a listener.
    pub(super) fn add(&self, counter: Counter, listener: usize) {
        self.counters[listener].count(counter);
    }

    /// Counts a new connection among those of its prefix, if they are limited.
    ///
    /// # Errors
    ///
    /// Fails if there are as many as there may be.
    pub(super) fn count(&self, source: Source, rules: &Rules) -> Result<Option<Counted>, TooMany> {
        let Some(limit) = rules.extension::<ConnectionLimit>() else {
            return Ok(None);
        };
        let is_trusted = || {
            let forwarding = rules.extension::<Forwarding>();
            forwarding.is_some_and(|forwarding| forwarding.trusts(source))
        };
        match (source, limit.per_prefix) {
            (Source::Socket(ip), Some(most)) if !limit.exempt.contains(ip) && !is_trusted() => {
                self.prefixes.open(ip, most).map(Some).ok_or(TooMany)
            }
            _ => Ok(None),
        }
    }

    /// Gives a connection away.
    pub(super) fn hand_over(&self, socket: Socket, session: Session, counted: Option<Counted>) {
        self.add(Counter::HandedOver, session.listener());
        (self.hand_over.0)(HandedOver {
            socket,
            source: session.source(),
            octets: session.into_input(),
            counted,
        });
    }
}
