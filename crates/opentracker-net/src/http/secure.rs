//! Connections of TLS until their first request.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use opentracker_core::{CounterRegistry, Counters};
use opentracker_http::{Session, Step};
use opentracker_proxy_wire::HeaderV2;
use tokio::io::AsyncReadExt;
use tokio::time::sleep_until;

use super::accept::Listener;
use super::connection;
use super::connections::Open;
use super::counters::Counter;
use super::prefixes::Counted;
use super::shared::Shared;
use super::socket::AsyncSocket;
use crate::tls::{Failure, Handshakers, Stream, Tls};

opentracker_core::counters! {
    /// What comes of TLS handshakes.
    pub enum TlsCounter by listener {
        "opentracker_tls_handshakes_total" handshakes "TLS handshakes done, by kind." ["kind"] {
            /// Handshakes with a signature.
            Full ["full"],
            /// Handshakes that resumed an earlier session, without one.
            Resumed ["resumed"],
        }
        "opentracker_tls_handshake_failures_total" handshakes "TLS handshakes that failed, by reason." ["reason"] {
            /// The client closed the connection.
            Closed ["closed"],
            /// The handshake took too long.
            TimedOut ["timeout"],
            /// More handshakes waited than may.
            Overloaded ["overload"],
            /// What came was not TLS.
            NotTls ["not_tls"],
            /// Client and server had nothing in common.
            Incompatible ["incompatible"],
            /// The client refused, most often because it does not trust the certificate.
            Refused ["refused"],
            /// The client did not keep to the protocol.
            Broken ["protocol"],
        }
    }
}

/// Octets that may have come when a PROXY header is whole.
const MAX_PROXY_HEADER: usize = HeaderV2::MAX_WIRE_LEN;

/// What a thread serves its TLS listeners with.
#[derive(Debug)]
pub(super) struct Secure {
    tls: Tls,
    handshakers: Arc<Handshakers>,
    /// Of each listener, if it is one of TLS.
    counters: Vec<Option<Counters<TlsCounter>>>,
}

impl Secure {
    pub(super) fn new(
        (tls, handshakers): (Tls, Arc<Handshakers>),
        registry: &CounterRegistry,
        listeners: &[Listener],
        names: &[Arc<str>],
    ) -> Self {
        let is_of_tls =
            |number| (listeners.iter()).any(|listener| listener.number == number && listener.tls);
        let names = names.iter().enumerate();
        let counters =
            names.map(|(number, name)| is_of_tls(number).then(|| registry.register_for(name)));
        Self {
            tls,
            handshakers,
            counters: counters.collect(),
        }
    }

    fn count(&self, counter: TlsCounter, listener: usize) {
        if let Some(counters) = &self.counters[listener] {
            counters.count(counter);
        }
    }
}

/// How a handshake ended.
enum End {
    Done(Stream<AsyncSocket>),
    Failed(Failure),
    /// It took longer than a request head may.
    Late,
    /// It gave way to another connection.
    Evicted,
}

/// Shakes hands with a client, and serves it.
pub(super) async fn run(
    socket: AsyncSocket,
    mut session: Session,
    counted: Option<Counted>,
    shared: Rc<Shared>,
    open: Open,
) {
    let Some(secure) = &shared.secure else { return };
    let listener = session.listener();
    let counter = match shake_hands(socket, &mut session, &shared, secure, &open).await {
        End::Done(stream) => {
            let counter = match stream.is_resumed() {
                true => TlsCounter::Resumed,
                false => TlsCounter::Full,
            };
            secure.count(counter, listener);
            let socket = AsyncSocket::Tls(Box::new(stream));
            let shared = Rc::clone(&shared);
            return connection::run(socket, session, counted, shared, open).await;
        }
        End::Evicted => return shared.add(Counter::Evicted, listener),
        End::Late => TlsCounter::TimedOut,
        End::Failed(failure) => {
            tracing::trace!(error = &failure as &dyn std::error::Error, "no handshake");
            counter_of(&failure)
        }
    };
    secure.count(counter, listener);
}

fn counter_of(failure: &Failure) -> TlsCounter {
    match failure {
        Failure::Closed(_) => TlsCounter::Closed,
        Failure::Overloaded => TlsCounter::Overloaded,
        Failure::NotTls => TlsCounter::NotTls,
        Failure::Incompatible(_) => TlsCounter::Incompatible,
        Failure::Refused(_) => TlsCounter::Refused,
        Failure::Broken(_) => TlsCounter::Broken,
    }
}

/// Shakes hands within the time that a request head has. Meanwhile the connection is one of those that
/// give way to others.
async fn shake_hands(
    socket: AsyncSocket,
    session: &mut Session,
    shared: &Shared,
    secure: &Secure,
    open: &Open,
) -> End {
    let limit = shared.context.borrow().limits.head_timeout;
    let deadline = Instant::now() + limit;
    let mut timer = pin!(sleep_until(deadline.into()));
    let mut handshake = pin!(begin(socket, session, shared, secure));
    poll_fn(|cx| {
        if let Poll::Ready(result) = handshake.as_mut().poll(cx) {
            return Poll::Ready(result.map_or_else(End::Failed, End::Done));
        }
        if open.wait(Some(deadline), cx) {
            return Poll::Ready(End::Evicted);
        }
        timer.as_mut().poll(cx).map(|()| End::Late)
    })
    .await
}

/// Takes the PROXY header, if there has to be one, and shakes hands.
async fn begin(
    mut socket: AsyncSocket,
    session: &mut Session,
    shared: &Shared,
    secure: &Secure,
) -> Result<Stream<AsyncSocket>, Failure> {
    let mut received = Vec::new();
    while session.awaits_proxy_header() {
        let room = MAX_PROXY_HEADER - received.len();
        let mut rest = (&mut socket).take(room as u64);
        let read = rest.read_buf(&mut received).await;
        if read.map_err(Failure::Closed)? == 0 {
            return Err(Failure::Closed(io::ErrorKind::UnexpectedEof.into()));
        }
        let header = session.strip_proxy_header(&received, &mut shared.context.borrow_mut());
        received.drain(..header);
        if session.next_step() == Step::Close {
            return Err(Failure::NotTls);
        }
    }
    Stream::accept(&secure.tls, socket, received, Some(&*secure.handshakers)).await
}
