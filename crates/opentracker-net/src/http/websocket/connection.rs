//! A connection of a browser on its socket.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, Instant};

use opentracker_http::Upgrade;
use opentracker_webtorrent::{CloseCode, Session, handshake_response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::counters::Counter;
use super::outbox::Outbox;
use crate::http::connections::Open;
use crate::http::deadline::poll_deadline;
use crate::http::prefixes::Counted;
use crate::http::shared::Shared;

/// After so many reads or writes, others get their turn.
const MAX_ROUNDS: usize = 4;

/// With so many octets to be sent to it, a client is not read from.
const MAX_UNREAD_OCTETS: usize = 32 * 1024;

/// How long nothing may come before a client is asked whether it is there. Proxies are known to give up
/// after a minute.
const PING_AFTER: Duration = Duration::from_secs(45);

/// How long it may then take to say something.
const PONG_WITHIN: Duration = Duration::from_secs(45);

/// How long a client may take nothing of what is to be sent to it.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a message may take from its first octet.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a client may take to end what the tracker has ended.
const LINGER: Duration = Duration::from_secs(2);

/// Serves a connection until it ends, from the response to its handshake on; `input` is what was read
/// behind that.
pub(in crate::http) async fn run(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    (upgrade, mut input): (Upgrade, Vec<u8>),
    counted: Option<Counted>,
    shared: Rc<Shared>,
) {
    let open = shared.connections.open();
    let (number, outbox) = shared.browsers.open();
    let now = Instant::now();
    outbox.push(handshake_response(upgrade.key()).as_bytes());
    let mut connection = Connection {
        stream,
        session: Session::new(number, upgrade.requester),
        outbox,
        wait: Wait::Message,
        since: now,
        is_shut_down: false,
        is_away: false,
    };
    connection.receive(&mut input, &shared, now);
    // It would be kept for as long as the connection is.
    drop(input);
    let reason = {
        let timer = pin!(tokio::time::sleep_until(connection.deadline().into()));
        connection.serve(&shared, &open, timer).await
    };
    let mut context = shared.context.borrow_mut();
    let worker = context.handler.worker();
    connection.session.leave(worker, Instant::now());
    shared.browsers.close(number, reason);
    drop(counted);
}

struct Connection<S> {
    stream: S,
    session: Session,
    outbox: Rc<Outbox>,
    wait: Wait,
    /// When that began.
    since: Instant,
    is_shut_down: bool,
    /// The tracker ends, or clients are to go elsewhere.
    is_away: bool,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// A message.
    Message,
    /// The rest of a message.
    Rest,
    /// Anything, after a ping.
    Pong,
    /// Room for what is to be sent.
    Room,
    /// The end.
    End,
}

impl Wait {
    const fn patience(self) -> Duration {
        match self {
            Self::Message => PING_AFTER,
            Self::Rest => MESSAGE_TIMEOUT,
            Self::Pong => PONG_WITHIN,
            Self::Room => STALL_TIMEOUT,
            Self::End => LINGER,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Goes on until the connection ends, and returns why it did.
    async fn serve(&mut self, shared: &Shared, open: &Open, mut timer: Pin<&mut Sleep>) -> Counter {
        poll_fn(|cx| self.poll(cx, shared, open, timer.as_mut())).await
    }

    fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        shared: &Shared,
        open: &Open,
        mut timer: Pin<&mut Sleep>,
    ) -> Poll<Counter> {
        for _ in 0..MAX_ROUNDS {
            if self.outbox.is_full() {
                return Poll::Ready(Counter::Slow);
            }
            match self.poll_round(cx, shared) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::trace!(%error, "a connection of WebSocket has ended");
                    return Poll::Ready(self.reason(Counter::ByClient));
                }
                Poll::Pending => {
                    self.outbox.wait(cx);
                    if open.wait(Some(self.deadline()), cx) {
                        return Poll::Ready(Counter::Evicted);
                    }
                    let now = ready!(poll_deadline(self.deadline(), cx, timer.as_mut()));
                    if let Some(reason) = self.expire(now) {
                        return Poll::Ready(reason);
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Sends once and reads once, as far as there is something to be sent or read.
    fn poll_round(&mut self, cx: &mut TaskContext<'_>, shared: &Shared) -> Poll<io::Result<()>> {
        let is_draining = || {
            shared
                .context
                .borrow_mut()
                .handler
                .worker()
                .tracker()
                .is_draining()
        };
        if !self.session.is_closing() && (self.outbox.is_going() || is_draining()) {
            self.send_away();
        }
        let sent = self.poll_send(cx)?;
        if self.session.is_closing() && self.outbox.len() == 0 && !self.is_shut_down {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut_down = true;
        }
        let read = if self.outbox.len() <= MAX_UNREAD_OCTETS {
            self.poll_read(cx, shared)?
        } else {
            Poll::Pending
        };
        match (sent, read) {
            (Poll::Pending, Poll::Pending) => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_send(&mut self, cx: &mut TaskContext<'_>) -> io::Result<Poll<()>> {
        if self.outbox.len() == 0 {
            return Ok(Poll::Pending);
        }
        let stream = Pin::new(&mut self.stream);
        let sent = self
            .outbox
            .send(|octets| match stream.poll_write(cx, octets) {
                Poll::Ready(Ok(sent)) => (sent, Poll::Ready(Ok(sent))),
                other => (0, other),
            });
        match sent {
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok(_)) => {
                if self.wait == Wait::Room {
                    self.await_next(Instant::now());
                }
                Ok(Poll::Ready(()))
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => {
                if self.wait != Wait::Room {
                    (self.wait, self.since) = (Wait::Room, Instant::now());
                }
                Ok(Poll::Pending)
            }
        }
    }

    fn poll_read(&mut self, cx: &mut TaskContext<'_>, shared: &Shared) -> io::Result<Poll<()>> {
        let mut input = std::mem::take(&mut shared.context.borrow_mut().input);
        let mut buffer = ReadBuf::new(&mut input);
        let read = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
        let filled = buffer.filled().len();
        let result = match read {
            Poll::Ready(Ok(())) if filled == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(Ok(())) => {
                self.receive(&mut input[..filled], shared, Instant::now());
                Ok(Poll::Ready(()))
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(Poll::Pending),
        };
        shared.context.borrow_mut().input = input;
        result
    }

    /// Serves what was read.
    fn receive(&mut self, input: &mut [u8], shared: &Shared, now: Instant) {
        let was_in_message = self.session.is_in_message();
        let browsers = &shared.browsers;
        let mut context = browsers.context.borrow_mut();
        {
            let mut http = shared.context.borrow_mut();
            let worker = http.handler.worker();
            self.session.receive(input, &mut context, worker, now);
        }
        if !context.output.is_empty() {
            self.outbox.push(&context.output);
            context.output.clear();
        }
        for delivery in context.deliveries.drain(..) {
            browsers.send(delivery);
        }
        for message in context.messages.drain(..) {
            browsers.send_to_nodes(message);
        }
        // A message in many small parts does not get more time with each.
        let is_same_message = was_in_message && self.session.is_in_message();
        match self.wait {
            Wait::Room | Wait::End => {}
            Wait::Rest if is_same_message => {}
            _ => self.await_next(now),
        }
    }

    fn send_away(&mut self) {
        self.is_away = true;
        let mut frame = Vec::new();
        self.session.close(CloseCode::Away, &mut frame);
        self.outbox.push(&frame);
        self.await_next(Instant::now());
    }

    /// Waits anew, for what comes next.
    fn await_next(&mut self, now: Instant) {
        self.since = now;
        self.wait = if self.session.is_closing() {
            Wait::End
        } else if self.session.is_in_message() {
            Wait::Rest
        } else {
            Wait::Message
        };
    }

    fn deadline(&self) -> Instant {
        self.since + self.wait.patience()
    }

    /// Does what is due after waiting in vain; returns why the connection ends, if it does.
    fn expire(&mut self, now: Instant) -> Option<Counter> {
        match self.wait {
            Wait::Message => {
                let mut frame = Vec::new();
                Session::ping(&mut frame);
                self.outbox.push(&frame);
                (self.wait, self.since) = (Wait::Pong, now);
                None
            }
            Wait::Rest => Some(Counter::Late),
            Wait::Pong => Some(Counter::Silent),
            Wait::Room => Some(Counter::Slow),
            Wait::End => Some(self.reason(Counter::ByClient)),
        }
    }

    /// Why a connection ends whose other side has gone.
    fn reason(&self, otherwise: Counter) -> Counter {
        if self.is_away {
            Counter::Away
        } else if self.session.is_refused() {
            Counter::Refused
        } else {
            otherwise
        }
    }
}

#[cfg(test)]
mod tests {
    use opentracker_core::{Requester, WebConnection};

    use super::*;

    fn connection(now: Instant) -> Connection<tokio::io::DuplexStream> {
        let requester = Requester::new([192, 0, 2, 1].into());
        let (stream, _) = tokio::io::duplex(1);
        Connection {
            stream,
            session: Session::new(WebConnection(1), requester),
            outbox: Rc::default(),
            wait: Wait::Message,
            since: now,
            is_shut_down: false,
            is_away: false,
        }
    }

    #[test]
    fn who_is_silent_is_asked_once_and_then_cut_off() {
        let start = Instant::now();
        let mut connection = connection(start);
        assert_eq!(connection.deadline(), start + PING_AFTER);
        assert_eq!(connection.expire(start + PING_AFTER), None);
        let ping = connection
            .outbox
            .send(|octets| (octets.len(), octets.to_vec()));
        assert_eq!(ping, [0x89, 0]);
        let end = start + PING_AFTER + PONG_WITHIN;
        assert_eq!(connection.deadline(), end);
        assert_eq!(connection.expire(end), Some(Counter::Silent));
        // An answer would have begun it all anew.
        connection.await_next(end);
        assert_eq!(connection.deadline(), end + PING_AFTER);
    }

    #[test]
    fn who_takes_nothing_or_does_not_go_on_is_cut_off() {
        let start = Instant::now();
        for (wait, patience, reason) in [
            (Wait::Room, STALL_TIMEOUT, Counter::Slow),
            (Wait::Rest, MESSAGE_TIMEOUT, Counter::Late),
            (Wait::End, LINGER, Counter::ByClient),
        ] {
            let mut connection = connection(start);
            connection.wait = wait;
            assert_eq!(connection.deadline(), start + patience);
            assert_eq!(connection.expire(start + patience), Some(reason));
        }
    }

    #[test]
    fn why_the_tracker_ends_it_is_told_apart() {
        let mut connection = connection(Instant::now());
        assert_eq!(connection.reason(Counter::ByClient), Counter::ByClient);
        connection.session.close(CloseCode::Size, &mut Vec::new());
        assert_eq!(connection.reason(Counter::ByClient), Counter::Refused);
        connection.send_away();
        assert_eq!(connection.wait, Wait::End);
        assert_eq!(connection.reason(Counter::ByClient), Counter::Away);
    }
}
