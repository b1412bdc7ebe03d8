//! A thread of the server: its listeners, its connections and its timeouts.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Counter, Counters, Tracker};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, watch};
use tokio::task::{spawn_local, yield_now};
use tokio::time::{sleep, timeout_at};

use crate::config::Limits;
use crate::connection;
use crate::handler::Handler;
use crate::session::{Desk, Session, Wish};
use crate::sys;
use crate::top::TopCache;

/// After so many connections were accepted, others get their turn.
const MAX_ACCEPTS: usize = 64;

/// Connections that are accepted from a listener before it is closed, since others may come for as
/// long as it is open.
const MAX_LAST_ACCEPTS: usize = 4096;

/// How long nothing is accepted after the system had no descriptor or no memory for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often that is logged at most.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// How often the cluster's timeouts are looked after at least.
const TICK: Duration = Duration::from_millis(250);

/// What all connections of a thread share.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) desk: RefCell<Desk>,
    pub(crate) tracker: Arc<Tracker>,
    pub(crate) top: Arc<TopCache>,
    /// Tells connections that the thread is about to end.
    pub(crate) closing: Notify,
    pub(crate) counters: Arc<Counters>,
    open: Cell<usize>,
    /// Says that there is no connection any more.
    all_closed: Notify,
    warned: Cell<Option<Instant>>,
}

/// Runs a thread until `stop` says until when connections may go on, or is gone. Whether it could
/// start is told to `started`.
pub(crate) fn run(
    listeners: Vec<TcpListener>,
    handler: Handler,
    limits: Limits,
    top: Arc<TopCache>,
    mut stop: watch::Receiver<Option<Instant>>,
    started: impl FnOnce(io::Result<()>),
) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return started(Err(error)),
    };
    runtime.block_on(async {
        let listeners: io::Result<Vec<_>> = listeners
            .into_iter()
            .map(|listener| sys::register(listener).map(Rc::new))
            .collect();
        let listeners = match listeners {
            Ok(listeners) => listeners,
            Err(error) => return started(Err(error)),
        };
        started(Ok(()));
        let thread = Rc::new(Thread::new(handler, limits, top));
        let deadline = thread.serve(listeners, &mut stop).await;
        thread.wind_up(deadline).await;
    });
}

impl Thread {
    fn new(mut handler: Handler, limits: Limits, top: Arc<TopCache>) -> Self {
        let worker = handler.worker();
        Self {
            tracker: Arc::clone(worker.tracker()),
            counters: Arc::clone(worker.counters()),
            desk: RefCell::new(Desk::new(handler, limits)),
            top,
            closing: Notify::new(),
            open: Cell::new(0),
            all_closed: Notify::new(),
            warned: Cell::new(None),
        }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.desk.borrow().is_closing
    }

    /// Accepts connections until it is told to stop, and returns until when those that are there
    /// may go on.
    async fn serve(
        self: &Rc<Self>,
        listeners: Vec<Rc<AsyncFd<TcpListener>>>,
        stop: &mut watch::Receiver<Option<Instant>>,
    ) -> Instant {
        let mut tasks = vec![spawn_local(look_after_cluster(Rc::clone(self)))];
        for listener in &listeners {
            let thread = Rc::clone(self);
            tasks.push(spawn_local(accept(thread, Rc::clone(listener))));
        }
        let deadline = match stop.wait_for(Option::is_some).await {
            Ok(deadline) => deadline.unwrap_or_else(Instant::now),
            Err(_gone) => Instant::now(),
        };
        for task in tasks {
            task.abort();
        }
        self.desk.borrow_mut().is_closing = true;
        // The system resets what waits to be accepted when a listener is closed.
        for listener in &listeners {
            let waiting = std::iter::from_fn(|| listener.get_ref().accept().ok());
            for (stream, address) in waiting.take(MAX_LAST_ACCEPTS) {
                self.admit(stream, address);
            }
        }
        deadline
    }

    /// Lets the connections finish, and the cluster hear of everything.
    async fn wind_up(&self, deadline: Instant) {
        self.closing.notify_waiters();
        while self.open.get() > 0 {
            let closed = timeout_at(deadline.into(), self.all_closed.notified()).await;
            if closed.is_err() {
                tracing::debug!(connections = self.open.get(), "cut off");
                break;
            }
        }
        self.desk
            .borrow_mut()
            .handler
            .worker()
            .flush(Instant::now());
    }

    /// Accepts what there is, but no more than [`MAX_ACCEPTS`].
    async fn accept_some(self: &Rc<Self>, listener: &AsyncFd<TcpListener>) -> io::Result<()> {
        let mut ready = listener.readable().await?;
        for _ in 0..MAX_ACCEPTS {
            match ready.try_io(|listener| listener.get_ref().accept()) {
                Ok(Ok((stream, address))) => self.admit(stream, address),
                Ok(Err(error)) if is_exhaustion(&error) => return Err(error),
                // The connection is gone already.
                Ok(Err(error)) => tracing::trace!(%error, "nothing accepted"),
                Err(_would_block) => break,
            }
        }
        Ok(())
    }

    /// Serves a new connection, at once or as a task.
    fn admit(self: &Rc<Self>, stream: TcpStream, address: SocketAddr) {
        self.counters.count(Counter::HttpAccepted);
        let desk = &mut *self.desk.borrow_mut();
        if self.open.get() >= desk.limits.max_connections {
            self.counters.count(Counter::HttpOverloaded);
            return;
        }
        if let Err(error) = stream.set_nonblocking(true) {
            tracing::debug!(%error, "a connection is unusable");
            return;
        }
        let now = Instant::now();
        let mut session = Session::new(address.ip().to_canonical(), &desk.limits, now);
        // A fault in the handling of one request ends its connection, as it does in a task, and
        // not the accepting of all others. It has been logged by then.
        let served = catch_unwind(AssertUnwindSafe(|| {
            connection::serve_at_once(&stream, &mut session, desk, now)
        }));
        let page = match served {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => return tracing::trace!(%error, "a connection failed"),
            Err(_panic) => return,
        };
        if page.is_none() && session.wish() == Wish::Close {
            return;
        }
        match tokio::net::TcpStream::from_std(stream) {
            Ok(stream) => {
                let open = Open::new(self);
                spawn_local(async move {
                    connection::run(stream, session, page, Rc::clone(&open.0)).await;
                });
            }
            Err(error) => tracing::debug!(%error, "a connection is unusable"),
        }
    }

    fn warn(&self, error: &io::Error) {
        let now = Instant::now();
        let is_due = |warned: Instant| now.duration_since(warned) >= WARN_INTERVAL;
        if self.warned.get().is_none_or(is_due) {
            self.warned.set(Some(now));
            tracing::warn!(%error, "no connection can be accepted at the moment");
        }
    }
}

/// An open connection, for counting them.
struct Open(Rc<Thread>);

impl Open {
    fn new(thread: &Rc<Thread>) -> Self {
        thread.open.set(thread.open.get() + 1);
        Self(Rc::clone(thread))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = self.0.open.get() - 1;
        self.0.open.set(open);
        if open == 0 {
            self.0.all_closed.notify_one();
        }
    }
}

async fn accept(thread: Rc<Thread>, listener: Rc<AsyncFd<TcpListener>>) {
    loop {
        match thread.accept_some(&listener).await {
            Ok(()) => yield_now().await,
            Err(error) => {
                thread.warn(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn look_after_cluster(thread: Rc<Thread>) {
    loop {
        let now = Instant::now();
        let due = {
            let mut desk = thread.desk.borrow_mut();
            let worker = desk.handler.worker();
            worker.handle_timeout(now);
            worker.poll_timeout()
        };
        let wait = due.map_or(TICK, |due| due.saturating_duration_since(now).min(TICK));
        sleep(wait).await;
    }
}

/// Tells whether the system lacks something that may come back.
fn is_exhaustion(error: &io::Error) -> bool {
    const LACKING: [i32; 4] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| LACKING.contains(&code))
}
