//! A connection: hyper on its socket.

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use opentracker_http::Source;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::counters::Counter;
use crate::rights::ListenerKind;
use crate::router::Router;
use crate::stream::Stream;

/// The most octets of a request head, and of what is read at a time.
const MAX_HEAD_OCTETS: usize = 8 * 1024;

/// The most header fields of a head.
const MAX_HEADER_FIELDS: usize = 64;

/// How long, and for how many octets, a connection that ends is read from, so that the client
/// gets the last response although it has sent more than was looked at.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 256 * 1024;

const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\
                           Content-Length: 0\r\n\r\n";

/// A connection before it is served.
#[derive(Debug)]
pub(crate) struct NewConnection {
    pub(crate) source: Source,
    /// What was read of it before.
    pub(crate) octets: Vec<u8>,
    pub(crate) listener: ListenerKind,
    /// It may serve more than one request.
    pub(crate) is_kept: bool,
    /// It has TLS on it.
    pub(crate) is_secure: bool,
}

/// Goes with the requests of a connection that has TLS on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsSecure;

/// Serves a connection until it ends, or after the request at hand once `stop` says so.
pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    new: NewConnection,
    router: Rc<Router>,
    mut stop: watch::Receiver<Option<Instant>>,
) {
    let NewConnection {
        source,
        octets,
        listener,
        is_kept,
        is_secure,
    } = new;
    let limits = &router.config().limits;
    let stream = Stream::new(socket, octets, limits.stall_timeout);
    // The client may be sending what nobody reads.
    let lingers = Cell::new(false);
    let answer = |request: Request<Incoming>| {
        let has_body = !request.body().is_end_stream();
        lingers.set(has_body);
        let router = Rc::clone(&router);
        async move {
            let (mut head, _body) = request.into_parts();
            if is_secure {
                head.extensions.insert(IsSecure);
            }
            Ok::<_, Infallible>(router.respond(listener, source, &head, has_body).await)
        }
    };
    let mut connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_timeout)
        .max_headers(MAX_HEADER_FIELDS)
        .max_buf_size(MAX_HEAD_OCTETS)
        .keep_alive(is_kept)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let served = tokio::select! {
        biased;
        served = &mut connection => Some(served),
        _ = stop.wait_for(Option::is_some) => None,
    };
    let served = match served {
        Some(served) => served,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    if let Err(error) = served {
        let counter = fault(&error, parts.read_buf.is_empty());
        if let Some(counter) = counter {
            router.counters().count(counter);
        }
        if counter == Some(Counter::Timeout) {
            // It fails if the client is gone, who does not need it then.
            let _ = stream.write_all(TIMED_OUT).await;
        }
        lingers.set(counter.is_some_and(|counter| counter != Counter::Stalled));
        tracing::trace!(%error, "a connection failed");
    }
    if lingers.get() {
        linger(stream).await;
    }
}

/// Says what of a connection's end is counted.
fn fault(error: &hyper::Error, is_idle: bool) -> Option<Counter> {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    if error.is_parse_too_large() {
        Some(Counter::HeadTooLarge)
    } else if error.is_parse() {
        Some(Counter::BadHead)
    } else if error.is_timeout() {
        (!is_idle).then_some(Counter::Timeout)
    } else if cause.is_some_and(|cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut) {
        Some(Counter::Stalled)
    } else {
        None
    }
}

/// Reads for a while what the client still sends.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: Stream<S>) {
    let discard = async {
        stream.shutdown().await?;
        let mut octets = vec![0; MAX_HEAD_OCTETS];
        let mut left = LINGER_OCTETS;
        while left > 0 {
            match stream.read(&mut octets).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // Whatever comes of it, the connection is over.
    let _ = timeout(LINGER, discard).await;
}
