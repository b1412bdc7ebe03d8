//! A thread of the server: its listeners, its connections and its timeouts.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::LoggedAddress;
use opentracker_http::{Context, Session, Source, Step};
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::{spawn_local, yield_now};
use tokio::time::{sleep, timeout_at};

use super::accept::Listener;
use super::counters::Counter;
use super::prefixes::Prefixes;
use super::secure::Secure;
use super::shared::{HandOver, Shared};
use super::socket::Socket;
use super::websocket::{Browsers, Post};
use super::{accept, connection, secure};
use crate::duration::REQUEST_DURATION;
use crate::heartbeat::Heartbeat;
use crate::tls::{Handshakers, Tls};

/// After so many connections were accepted, others get their turn.
const MAX_ACCEPTS: usize = 64;

/// Connections that are accepted from a listener before it is closed, since others may come for as
/// long as it is open.
const MAX_LAST_ACCEPTS: usize = 4096;

/// How long nothing is accepted after the system had no descriptor or no memory for it, and no
/// idle connection could give way.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often that is logged at most.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// How often the thread shows that it is not stuck, and looks after the cluster's timeouts, at least.
const TICK: Duration = Duration::from_millis(250);

/// What a thread starts with.
pub(super) struct Start {
    pub(super) listeners: Vec<Listener>,
    /// Their names in the metrics.
    pub(super) names: Vec<Arc<str>>,
    /// Another process keeps the listeners when this one ends.
    pub(super) are_passed: bool,
    pub(super) context: Context,
    pub(super) hand_over: HandOver,
    /// What TLS listeners serve with, if there are any.
    pub(super) tls: Option<(Tls, Arc<Handshakers>)>,
    pub(super) prefixes: Arc<Prefixes>,
    /// Which of the threads it is.
    pub(super) number: usize,
    pub(super) post: Arc<Post>,
    pub(super) max_connections: usize,
    pub(super) heartbeat: Heartbeat,
    /// Until when connections may go on.
    pub(super) stop: watch::Receiver<Option<Instant>>,
}

struct Thread {
    shared: Rc<Shared>,
    are_passed: bool,
    max_connections: usize,
    heartbeat: Heartbeat,
    warned: Cell<Option<Instant>>,
}

/// Runs a thread until `stop` says until when connections may go on, or is gone. Whether it could
/// start is told to `started`.
pub(super) fn run(mut start: Start, started: impl FnOnce(io::Result<()>)) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return started(Err(error)),
    };
    runtime.block_on(async {
        let listeners = std::mem::take(&mut start.listeners);
        let registry = start.context.handler.worker().tracker().counters();
        let secure = start.tls.take();
        let secure = secure.map(|tls| Secure::new(tls, registry, &listeners, &start.names));
        let listeners: io::Result<Vec<_>> = listeners
            .into_iter()
            .map(|listener| accept::register(listener).map(Rc::new))
            .collect();
        let listeners = match listeners {
            Ok(listeners) => listeners,
            Err(error) => return started(Err(error)),
        };
        started(Ok(()));
        let registry = start.context.handler.worker().tracker().counters();
        let names = start.names.iter();
        let counters = names.map(|name| registry.register_for(name)).collect();
        let durations = registry.register_histogram(&REQUEST_DURATION, "http");
        let worker = start.context.handler.worker();
        let browsers = Browsers::new(start.number, start.post, worker);
        let thread = Rc::new(Thread {
            shared: Rc::new(Shared::new(
                start.context,
                counters,
                durations,
                browsers,
                start.prefixes,
                start.hand_over,
                secure,
            )),
            are_passed: start.are_passed,
            max_connections: start.max_connections,
            heartbeat: start.heartbeat,
            warned: Cell::new(None),
        });
        let deadline = thread.serve(listeners, &mut start.stop).await;
        thread.wind_up(deadline).await;
    });
}

impl Thread {
    /// Accepts connections until it is told to stop, and returns until when those that are there
    /// may go on.
    async fn serve(
        self: &Rc<Self>,
        listeners: Vec<Rc<AsyncFd<Listener>>>,
        stop: &mut watch::Receiver<Option<Instant>>,
    ) -> Instant {
        let mut tasks = vec![spawn_local(tick(Rc::clone(self)))];
        let shared = Rc::clone(&self.shared);
        tasks.push(spawn_local(async move { shared.browsers.receive().await }));
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
        self.shared.is_closing.set(true);
        self.shared.context.borrow_mut().is_closing = true;
        // The system resets what waits to be accepted when a listener is closed. One that another
        // process keeps stays open, and whoever comes next is waited for in it.
        for listener in listeners.iter().filter(|_| !self.are_passed) {
            let waiting = std::iter::from_fn(|| listener.get_ref().accept().ok());
            for (socket, source) in waiting.take(MAX_LAST_ACCEPTS) {
                self.admit(socket, source, listener.get_ref());
            }
        }
        deadline
    }

    /// Lets the connections finish, and the cluster hear of everything.
    async fn wind_up(&self, deadline: Instant) {
        self.shared.closing.notify_waiters();
        self.shared.browsers.send_away();
        let connections = &self.shared.connections;
        if timeout_at(deadline.into(), connections.closed())
            .await
            .is_err()
        {
            tracing::debug!(connections = connections.len(), "cut off");
        }
        let context = &mut *self.shared.context.borrow_mut();
        context.handler.worker().flush(Instant::now());
    }

    /// Accepts what there is, but no more than [`MAX_ACCEPTS`], and one where another has to give way for
    /// it: that closes before the next comes.
    async fn accept_some(&self, listener: &AsyncFd<Listener>) -> io::Result<()> {
        let mut ready = listener.readable().await?;
        for _ in 0..MAX_ACCEPTS {
            match ready.try_io(|listener| listener.get_ref().accept()) {
                Ok(Ok((socket, source))) => self.admit(socket, source, listener.get_ref()),
                Ok(Err(error)) if is_exhaustion(&error) => return Err(error),
                // The connection is gone already.
                Ok(Err(error)) => tracing::trace!(%error, "nothing accepted"),
                Err(_would_block) => break,
            }
            if self.is_full() {
                break;
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.shared.connections.len() >= self.max_connections
    }

    /// Serves a new connection, at once or as a task.
    fn admit(&self, socket: Socket, source: Source, listener: &Listener) {
        let shared = &self.shared;
        let number = listener.number;
        shared.add(Counter::Accepted, number);
        let now = Instant::now();
        let context = &mut *shared.context.borrow_mut();
        let Ok(counted) = shared.count(source, context.handler.worker().rules()) else {
            return shared.add(Counter::BeyondPrefix, number);
        };
        let mut session = if listener.proxy_protocol {
            Session::behind_proxy(source, number, context, now)
        } else {
            Session::new(source, number, &context.limits, now)
        };
        if session.next_step() == Step::Close {
            let is_full = context.handler.worker().rules().settings.full_addresses;
            let source = LoggedAddress::new(source.ip(), is_full);
            return tracing::debug!(%source, "no trusted proxy");
        }
        if self.is_full() && shared.connections.evict() == 0 {
            shared.add(Counter::Overloaded, number);
            return;
        }
        if let Err(error) = socket.set_nonblocking() {
            return tracing::debug!(%error, "a connection is unusable");
        }
        if listener.tls {
            return match socket.into_async() {
                Ok(socket) => {
                    let shared = Rc::clone(shared);
                    let open = shared.connections.open();
                    drop(spawn_local(secure::run(
                        socket, session, counted, shared, open,
                    )));
                }
                Err(error) => tracing::debug!(%error, "a connection is unusable"),
            };
        }
        let served =
            connection::serve_at_once(&socket, &mut session, context, &shared.durations, now);
        if let Err(error) = served {
            return tracing::trace!(%error, "a connection failed");
        }
        match session.next_step() {
            Step::Close => return,
            Step::HandOver => return shared.hand_over(socket, session, counted),
            _ => {}
        }
        match socket.into_async() {
            Ok(socket) => {
                let shared = Rc::clone(shared);
                // It counts from now on, and not from when its task begins.
                let open = shared.connections.open();
                spawn_local(connection::run(socket, session, counted, shared, open));
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

async fn accept(thread: Rc<Thread>, listener: Rc<AsyncFd<Listener>>) {
    loop {
        match thread.accept_some(&listener).await {
            Ok(()) => yield_now().await,
            // Those that give way have their turn to close.
            Err(_) if thread.shared.connections.evict() > 0 => yield_now().await,
            Err(error) => {
                thread.warn(&error);
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Shows that the thread is not stuck, and looks after the cluster's timeouts.
async fn tick(thread: Rc<Thread>) {
    loop {
        thread.heartbeat.beat();
        let now = Instant::now();
        let due = {
            let mut context = thread.shared.context.borrow_mut();
            let worker = context.handler.worker();
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
