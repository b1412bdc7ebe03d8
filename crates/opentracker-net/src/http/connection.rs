//! A connection on its socket.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use opentracker_core::Histogram;
use opentracker_http::{Context, Session, Step};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::futures::Notified;
use tokio::task::spawn_local;
use tokio::time::Sleep;

use super::connections::Open;
use super::counters::Counter;
use super::deadline::poll_deadline;
use super::prefixes::Counted;
use super::shared::Shared;
use super::socket::{AsyncSocket, Socket};
use super::websocket;

/// After so many reads or writes, others get their turn.
const MAX_ROUNDS: usize = 4;

/// Serves a connection until it ends or is handed over.
pub(super) async fn run(
    socket: AsyncSocket,
    session: Session,
    counted: Option<Counted>,
    shared: Rc<Shared>,
    open: Open,
) {
    let mut connection = Connection { socket, session };
    let served = {
        let closing = pin!(shared.closing.notified());
        // One timer for all deadlines: it is set anew only when it goes off too early, or when a
        // deadline comes before it.
        let timer = pin!(tokio::time::sleep_until(
            connection.session.deadline().into()
        ));
        connection.serve(&shared, &open, timer, closing).await
    };
    let handed_over = match served {
        Ok(End::Closed) => return connection.socket.close().await,
        Ok(End::HandOver) => connection.socket.into_std(),
        Ok(End::Upgrade) => {
            drop(open);
            if let Some(upgrade) = connection.session.into_upgrade() {
                let served = websocket::run(connection.socket, upgrade, counted, shared);
                spawn_local(served);
            }
            return;
        }
        Err(error) => Err(error),
    };
    match handed_over {
        Ok(socket) => shared.hand_over(socket, connection.session, counted),
        Err(error) => tracing::trace!(%error, "a connection failed"),
    }
}

/// Reads once, answers what is complete, and sends once, without waiting for anything. Most
/// connections that serve a single request are over then, and never meet the runtime.
pub(super) fn serve_at_once(
    mut socket: &Socket,
    session: &mut Session,
    context: &mut Context,
    durations: &Histogram,
    now: Instant,
) -> io::Result<()> {
    use std::io::{Read, Write};

    let filled = match socket.read(&mut context.input) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(filled) => filled,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    };
    let requests = session.serve(context, filled, now);
    let sent = send(session, context, now, |octets| match socket.write(octets) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        sent => sent,
    });
    observe(durations, requests, now);
    sent
}

/// Takes note of how long requests took that were read together.
fn observe(durations: &Histogram, requests: u64, began: Instant) {
    if requests > 0 {
        durations.observe(began.elapsed(), requests);
    }
}

/// Sends what there is to send, and keeps the rest.
fn send(
    session: &mut Session,
    context: &Context,
    now: Instant,
    write: impl FnOnce(&[u8]) -> io::Result<usize>,
) -> io::Result<()> {
    if !context.output.is_empty() {
        let sent = write(&context.output)?;
        session.keep_unsent(&context.output[sent..], &context.limits, now);
    }
    Ok(())
}

struct Connection {
    socket: AsyncSocket,
    session: Session,
}

/// How serving a connection ended.
enum End {
    Closed,
    HandOver,
    Upgrade,
}

/// What one step has led to.
enum Round {
    Done,
    End(End),
}

impl Connection {
    async fn serve(
        &mut self,
        shared: &Shared,
        open: &Open,
        mut timer: Pin<&mut Sleep>,
        mut closing: Pin<&mut Notified<'_>>,
    ) -> io::Result<End> {
        poll_fn(|cx| self.poll(cx, shared, open, timer.as_mut(), closing.as_mut())).await
    }

    /// Goes on until the connection ends.
    fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        shared: &Shared,
        open: &Open,
        mut timer: Pin<&mut Sleep>,
        mut closing: Pin<&mut Notified<'_>>,
    ) -> Poll<io::Result<End>> {
        for _ in 0..MAX_ROUNDS {
            match self.poll_round(cx, shared)? {
                Poll::Ready(Round::Done) => {}
                Poll::Ready(Round::End(end)) => return Poll::Ready(Ok(end)),
                Poll::Pending => {
                    let is_idle = self.session.is_idle();
                    // A client asks again if a connection that it has used is closed, but not if a
                    // new one is, whose request is still under way.
                    if is_idle
                        && !self.session.is_new()
                        && (closing.as_mut().poll(cx).is_ready() || shared.is_closing.get())
                    {
                        return Poll::Ready(Ok(End::Closed));
                    }
                    if open.wait(is_idle.then(|| self.session.deadline()), cx) {
                        shared.add(Counter::Evicted, self.session.listener());
                        return Poll::Ready(Ok(End::Closed));
                    }
                    let now = ready!(poll_deadline(self.session.deadline(), cx, timer.as_mut()));
                    self.session.expire(&mut shared.context.borrow_mut(), now);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_round(&mut self, cx: &mut TaskContext<'_>, shared: &Shared) -> Poll<io::Result<Round>> {
        let context = &mut *shared.context.borrow_mut();
        let socket = Pin::new(&mut self.socket);
        match self.session.next_step() {
            Step::Read | Step::Serve => return self.poll_serve(cx, context, &shared.durations),
            Step::Send => {
                let sent = ready!(socket.poll_write(cx, self.session.unsent()))?;
                if sent == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.session
                    .note_sent(sent, &context.limits, Instant::now());
            }
            Step::ShutDown => {
                ready!(socket.poll_shutdown(cx))?;
                self.session.note_shut_down(Instant::now());
            }
            Step::Discard => {
                let mut input = ReadBuf::new(&mut context.input);
                ready!(socket.poll_read(cx, &mut input))?;
                match input.filled().len() {
                    0 => return Poll::Ready(Ok(Round::End(End::Closed))),
                    octets => self.session.note_discarded(octets),
                }
            }
            Step::HandOver => return Poll::Ready(Ok(Round::End(End::HandOver))),
            Step::Upgrade => return Poll::Ready(Ok(Round::End(End::Upgrade))),
            Step::Close => return Poll::Ready(Ok(Round::End(End::Closed))),
        }
        Poll::Ready(Ok(Round::Done))
    }

    fn poll_serve(
        &mut self,
        cx: &mut TaskContext<'_>,
        context: &mut Context,
        durations: &Histogram,
    ) -> Poll<io::Result<Round>> {
        let mut filled = self.session.load(&mut context.input);
        let mut socket = Pin::new(&mut self.socket);
        if self.session.next_step() == Step::Read {
            let mut input = ReadBuf::new(&mut context.input[filled..]);
            ready!(socket.as_mut().poll_read(cx, &mut input))?;
            match input.filled().len() {
                0 => return Poll::Ready(Ok(Round::End(End::Closed))),
                octets => filled += octets,
            }
        }
        let now = Instant::now();
        let requests = self.session.serve(context, filled, now);
        let sent = send(&mut self.session, context, now, |octets| {
            match socket.as_mut().poll_write(cx, octets) {
                Poll::Ready(sent) => sent,
                Poll::Pending => Ok(0),
            }
        });
        observe(durations, requests, now);
        sent?;
        Poll::Ready(Ok(Round::Done))
    }
}
