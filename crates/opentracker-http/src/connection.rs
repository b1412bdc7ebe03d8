//! A connection on its socket.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use opentracker_core::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::futures::Notified;
use tokio::task::yield_now;
use tokio::time::Sleep;

use crate::full_scrape::{FullScrape, Progress};
use crate::handler::{Page, PageKind};
use crate::session::{Desk, Session, Wish};
use crate::thread::Thread;

/// After so many reads or writes, others get their turn.
const MAX_ROUNDS: usize = 4;

/// Serves a connection until it ends, beginning with a page if it wants one already.
pub(crate) async fn run(
    stream: TcpStream,
    session: Session,
    mut page: Option<Page>,
    thread: Rc<Thread>,
) {
    let mut closing = pin!(thread.closing.notified());
    // One timer for all deadlines: it is set anew only when it goes off too early, or when a
    // deadline comes before it.
    let mut timer = pin!(tokio::time::sleep_until(session.deadline().into()));
    let mut connection = Connection { stream, session };
    loop {
        if let Some(page) = page.take() {
            let answered = connection.answer(page, &thread, timer.as_mut()).await;
            if let Err(error) = answered {
                return tracing::trace!(%error, "a connection failed");
            }
        }
        let next = poll_fn(|cx| connection.poll(cx, &thread, timer.as_mut(), closing.as_mut()));
        match next.await {
            Ok(Round::Page(requested)) => page = Some(requested),
            Ok(_) => return,
            Err(error) => return tracing::trace!(%error, "a connection failed"),
        }
    }
}

/// Reads once, answers what is complete, and sends once, without waiting for anything. Most
/// connections that serve a single request are over then, and never meet the runtime.
pub(crate) fn serve_at_once(
    mut stream: &std::net::TcpStream,
    session: &mut Session,
    desk: &mut Desk,
    now: Instant,
) -> io::Result<Option<Page>> {
    use std::io::{Read, Write};

    let filled = match stream.read(&mut desk.input) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(filled) => filled,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    let page = session.serve(desk, filled, now);
    send(session, desk, now, |octets| match stream.write(octets) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        sent => sent,
    })?;
    Ok(page)
}

/// Sends what the desk has to send, and keeps the rest.
fn send(
    session: &mut Session,
    desk: &Desk,
    now: Instant,
    write: impl FnOnce(&[u8]) -> io::Result<usize>,
) -> io::Result<()> {
    if !desk.output.is_empty() {
        let sent = write(&desk.output)?;
        session.keep_unsent(&desk.output[sent..], &desk.limits, now);
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    session: Session,
}

/// What one step has led to.
enum Round {
    Done,
    Page(Page),
    Closed,
}

impl Connection {
    /// Goes on until the connection ends or wants a page.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        thread: &Thread,
        mut timer: Pin<&mut Sleep>,
        mut closing: Pin<&mut Notified<'_>>,
    ) -> Poll<io::Result<Round>> {
        for _ in 0..MAX_ROUNDS {
            match self.poll_round(cx, thread) {
                Poll::Ready(Ok(Round::Done)) => {}
                Poll::Ready(end) => return Poll::Ready(end),
                Poll::Pending => {
                    if self.session.is_idle()
                        && (closing.as_mut().poll(cx).is_ready() || thread.is_closing())
                    {
                        return Poll::Ready(Ok(Round::Closed));
                    }
                    let now = ready!(self.poll_deadline(cx, timer.as_mut()));
                    self.session.expire(&mut thread.desk.borrow_mut(), now);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_round(&mut self, cx: &mut Context<'_>, thread: &Thread) -> Poll<io::Result<Round>> {
        let desk = &mut *thread.desk.borrow_mut();
        let stream = Pin::new(&mut self.stream);
        match self.session.wish() {
            Wish::Read | Wish::Serve => return self.poll_serve(cx, desk),
            Wish::Send => {
                let sent = ready!(stream.poll_write(cx, self.session.unsent()))?;
                if sent == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.session.note_sent(sent, &desk.limits, Instant::now());
            }
            Wish::ShutDown => {
                ready!(stream.poll_shutdown(cx))?;
                self.session.note_shut_down(Instant::now());
            }
            Wish::Discard => {
                let mut input = ReadBuf::new(&mut desk.input);
                ready!(stream.poll_read(cx, &mut input))?;
                match input.filled().len() {
                    0 => return Poll::Ready(Ok(Round::Closed)),
                    octets => self.session.note_discarded(octets),
                }
            }
            Wish::Close => return Poll::Ready(Ok(Round::Closed)),
        }
        Poll::Ready(Ok(Round::Done))
    }

    fn poll_serve(&mut self, cx: &mut Context<'_>, desk: &mut Desk) -> Poll<io::Result<Round>> {
        let mut filled = self.session.load(&mut desk.input);
        let mut stream = Pin::new(&mut self.stream);
        if self.session.wish() == Wish::Read {
            let mut input = ReadBuf::new(&mut desk.input[filled..]);
            ready!(stream.as_mut().poll_read(cx, &mut input))?;
            match input.filled().len() {
                0 => return Poll::Ready(Ok(Round::Closed)),
                octets => filled += octets,
            }
        }
        let now = Instant::now();
        let page = self.session.serve(desk, filled, now);
        send(&mut self.session, desk, now, |octets| {
            match stream.poll_write(cx, octets) {
                Poll::Ready(sent) => sent,
                Poll::Pending => Ok(0),
            }
        })?;
        Poll::Ready(Ok(page.map_or(Round::Done, Round::Page)))
    }

    async fn answer(
        &mut self,
        page: Page,
        thread: &Thread,
        timer: Pin<&mut Sleep>,
    ) -> io::Result<()> {
        let is_stream = match page.kind {
            PageKind::Top(request) => {
                let top = thread.top.get(&thread.tracker).await;
                let limits = &thread.desk.borrow().limits;
                self.session
                    .put(limits, Instant::now(), |out| request.put(&top, out));
                false
            }
            PageKind::FullScrape(scrape) => {
                // On the heap, lest every connection has room for it.
                Box::pin(self.stream(*scrape, thread, timer)).await?;
                true
            }
        };
        if page.is_last {
            self.session.end(is_stream);
        }
        Ok(())
    }

    /// Sends a full scrape as it is made, no faster than the client takes it.
    async fn stream(
        &mut self,
        mut scrape: FullScrape,
        thread: &Thread,
        mut timer: Pin<&mut Sleep>,
    ) -> io::Result<()> {
        loop {
            let progress = {
                let limits = &thread.desk.borrow().limits;
                let now = Instant::now();
                let step = |out: &mut Vec<u8>| scrape.step(&thread.tracker, now, out);
                self.session.put(limits, now, step)
            };
            if progress != Progress::Walking {
                poll_fn(|cx| self.poll_sent(cx, thread, timer.as_mut())).await?;
                let octets = scrape.take_octets();
                thread.counters.add(Counter::FullScrapeOctets, octets);
            }
            if progress == Progress::Done {
                thread.counters.count(Counter::HttpFullScrape);
                return Ok(());
            }
            // The other connections of this thread, and where cores are few the other threads:
            // announces over UDP would wait for milliseconds until this one has used up its time.
            yield_now().await;
            std::thread::yield_now();
        }
    }

    /// Waits until the socket has taken everything that is to be sent.
    fn poll_sent(
        &mut self,
        cx: &mut Context<'_>,
        thread: &Thread,
        timer: Pin<&mut Sleep>,
    ) -> Poll<io::Result<()>> {
        while self.session.wish() == Wish::Send {
            if let Poll::Ready(round) = self.poll_round(cx, thread) {
                round?;
            } else {
                ready!(self.poll_deadline(cx, timer));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Returns the present once the session's deadline has passed.
    fn poll_deadline(&self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<Instant> {
        let deadline = self.session.deadline();
        if deadline < timer.deadline().into_std() {
            timer.as_mut().reset(deadline.into());
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            if now >= deadline {
                return Poll::Ready(now);
            }
            timer.as_mut().reset(deadline.into());
        }
    }
}
