//! The thread of the plane: its listeners, its connections and its end of the cluster.

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use opentracker_http::Source;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout_at};

use crate::connection::{self, NewConnection};
use crate::counters::Counter;
use crate::rights::ListenerKind;
use crate::router::Router;

/// How long nothing is accepted after the system had no descriptor or no memory for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often the cluster's timeouts are looked after at least.
const TICK: Duration = Duration::from_millis(250);

const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\
                            Content-Length: 0\r\n\r\n";

/// Listeners that are the operator's own.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Those that he reads from, and with a token changes what there is.
    pub tcp: Vec<TcpListener>,
    /// Control sockets: who can connect may do everything.
    pub control: Vec<UnixListener>,
}

/// The socket of a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Socket {
    /// Of TCP.
    Tcp(TcpStream),
    /// Of a program of this host.
    Unix(UnixStream),
    /// One of the others with TLS on it.
    Tls(OverTls),
}

/// A connection with TLS on it, which another crate knows about.
pub struct OverTls(Box<dyn FnOnce() -> io::Result<Box<dyn Duplex>> + Send>);

/// What is read and written.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

impl OverTls {
    /// Makes it of a function that registers the socket with the runtime of the thread that calls it.
    pub fn new<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        register: impl FnOnce() -> io::Result<S> + Send + 'static,
    ) -> Self {
        Self(Box::new(|| Ok(Box::new(register()?))))
    }
}

impl fmt::Debug for OverTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OverTls")
    }
}

impl Socket {
    fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
            Self::Tls(_) => Ok(()),
        }
    }

    /// Writes as much as it takes at once, and closes it.
    fn say_last(self, octets: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(mut stream) => stream.write(octets).map(drop),
            Self::Unix(mut stream) => stream.write(octets).map(drop),
            Self::Tls(stream) => {
                let mut stream = (stream.0)()?;
                let cx = &mut Context::from_waker(Waker::noop());
                if Pin::new(&mut stream).poll_write(cx, octets)?.is_ready() {
                    let _ = Pin::new(&mut stream).poll_shutdown(cx)?;
                }
                Ok(())
            }
        }
    }
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<OverTls> for Socket {
    fn from(stream: OverTls) -> Self {
        Self::Tls(stream)
    }
}

impl From<UnixStream> for Socket {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

/// A connection that an announce thread has handed over.
#[derive(Debug)]
pub(crate) struct HandedOver {
    pub(crate) socket: Socket,
    pub(crate) source: Source,
    pub(crate) octets: Vec<u8>,
    /// Dropped with the connection.
    pub(crate) kept: Box<dyn Any + Send>,
}

/// What reaches the thread from others.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) queue: mpsc::Receiver<HandedOver>,
    /// Until when connections may go on.
    pub(crate) stop: watch::Receiver<Option<Instant>>,
}

struct Thread {
    router: Rc<Router>,
    public: ConnectionSlots,
    operator: ConnectionSlots,
    control: ConnectionSlots,
    stop: watch::Receiver<Option<Instant>>,
}

/// The slots of connections of one kind.
struct ConnectionSlots {
    free: Arc<Semaphore>,
    count: u32,
}

impl ConnectionSlots {
    fn new(count: usize) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
        Self {
            free: Arc::new(Semaphore::new(count as usize)),
            count,
        }
    }

    /// Tells whether connections may take their time, because half of the slots are free.
    fn are_plenty(&self) -> bool {
        self.free.available_permits() >= self.count.div_ceil(2) as usize
    }

    async fn all_free(&self) {
        // It fails only if the semaphore is closed, which it never is.
        let _ = self.free.acquire_many(self.count).await;
    }

    fn taken(&self) -> usize {
        (self.count as usize).saturating_sub(self.free.available_permits())
    }
}

/// Runs the thread until it is told to stop, or nobody is left to tell it. Whether it could start
/// is told to `started`.
pub(crate) fn run(
    router: Router,
    listeners: Listeners,
    inputs: Inputs,
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
        let listeners = match Registered::new(listeners) {
            Ok(listeners) => listeners,
            Err(error) => return started(Err(error)),
        };
        started(Ok(()));
        let limits = &router.config().limits;
        let thread = Rc::new(Thread {
            public: ConnectionSlots::new(limits.max_public),
            operator: ConnectionSlots::new(limits.max_operator),
            control: ConnectionSlots::new(limits.max_operator),
            router: Rc::new(router),
            stop: inputs.stop,
        });
        let deadline = thread.serve(listeners, inputs.queue).await;
        thread.wind_up(deadline).await;
    });
}

/// The operator's listeners, known to the runtime.
struct Registered {
    tcp: Vec<tokio::net::TcpListener>,
    control: Vec<tokio::net::UnixListener>,
}

impl Registered {
    fn new(listeners: Listeners) -> io::Result<Self> {
        let tcp = listeners.tcp.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        let control = listeners.control.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::UnixListener::from_std(listener)
        });
        Ok(Self {
            tcp: tcp.collect::<io::Result<_>>()?,
            control: control.collect::<io::Result<_>>()?,
        })
    }
}

impl Thread {
    /// Takes connections until it is told to stop, and returns until when those that are there
    /// may go on.
    async fn serve(
        self: &Rc<Self>,
        listeners: Registered,
        mut queue: mpsc::Receiver<HandedOver>,
    ) -> Instant {
        let mut tasks = vec![spawn_local(look_after_cluster(Rc::clone(&self.router)))];
        for listener in listeners.tcp {
            tasks.push(spawn_local(accept(Rc::clone(self), listener)));
        }
        for listener in listeners.control {
            tasks.push(spawn_local(accept_control(Rc::clone(self), listener)));
        }
        let mut stop = self.stop.clone();
        let deadline = loop {
            tokio::select! {
                deadline = stop.wait_for(Option::is_some) => {
                    break deadline.ok().and_then(|deadline| *deadline);
                }
                Some(handed_over) = queue.recv() => self.take(handed_over),
            }
        };
        for task in tasks {
            task.abort();
        }
        queue.close();
        while let Ok(handed_over) = queue.try_recv() {
            self.take(handed_over);
        }
        deadline.unwrap_or_else(Instant::now)
    }

    fn take(&self, handed_over: HandedOver) {
        let HandedOver {
            socket,
            source,
            octets,
            kept,
        } = handed_over;
        self.admit(socket, source, octets, kept, ListenerKind::Public);
    }

    /// Serves a connection that came through a listener of the operator.
    fn admit_own(&self, socket: Socket, source: Source, listener: ListenerKind) {
        self.admit(socket, source, Vec::new(), Box::new(()), listener);
    }

    /// Serves a connection, if there is a slot for it.
    fn admit(
        &self,
        socket: Socket,
        source: Source,
        octets: Vec<u8>,
        kept: Box<dyn Any + Send>,
        listener: ListenerKind,
    ) {
        let counters = self.router.counters();
        let (slots, counter) = match listener {
            ListenerKind::Public => (&self.public, Counter::PublicConnection),
            ListenerKind::Operator => (&self.operator, Counter::OperatorConnection),
            ListenerKind::Control => (&self.control, Counter::ControlConnection),
        };
        counters.count(counter);
        if let Err(error) = socket.set_nonblocking() {
            return tracing::debug!(%error, "a connection is unusable");
        }
        let Ok(slot) = Arc::clone(&slots.free).try_acquire_owned() else {
            counters.count(Counter::Overloaded);
            // If the socket does not take so little, the client waits for it in vain.
            let _ = socket.say_last(OVERLOADED);
            return;
        };
        let new = NewConnection {
            source,
            octets,
            listener,
            is_kept: slots.are_plenty(),
            is_secure: matches!(socket, Socket::Tls(_)),
        };
        let held = (slot, kept);
        let served = match socket {
            Socket::Tcp(stream) => tokio::net::TcpStream::from_std(stream)
                .map(|stream| self.serve_connection(stream, new, held)),
            Socket::Unix(stream) => tokio::net::UnixStream::from_std(stream)
                .map(|stream| self.serve_connection(stream, new, held)),
            Socket::Tls(stream) => {
                (stream.0)().map(|stream| self.serve_connection(stream, new, held))
            }
        };
        if let Err(error) = served {
            tracing::debug!(%error, "a connection is unusable");
        }
    }

    fn serve_connection<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
        stream: S,
        new: NewConnection,
        held: (OwnedSemaphorePermit, Box<dyn Any + Send>),
    ) {
        let serve = connection::run(stream, new, Rc::clone(&self.router), self.stop.clone());
        spawn_local(async {
            serve.await;
            drop(held);
        });
    }

    /// Lets the connections finish, and the cluster hear of everything.
    async fn wind_up(&self, deadline: Instant) {
        let all_free = async {
            self.public.all_free().await;
            self.operator.all_free().await;
            self.control.all_free().await;
        };
        if timeout_at(deadline.into(), all_free).await.is_err() {
            let left = self.public.taken() + self.operator.taken() + self.control.taken();
            tracing::debug!(connections = left, "cut off");
            let left = u64::try_from(left).expect("a usize has 64 bits at most");
            self.router.counters().add(Counter::CutOff, left);
        }
        self.router
            .with_worker(|worker| worker.flush(Instant::now()));
    }
}

async fn accept(thread: Rc<Thread>, listener: tokio::net::TcpListener) {
    loop {
        let accepted = listener.accept().await;
        let accepted = accepted.and_then(|(stream, address)| Ok((stream.into_std()?, address)));
        if let Some((stream, address)) = accepted_or_pause(accepted).await {
            // Without it a response only comes a little later.
            let _ = stream.set_nodelay(true);
            let source = Source::Socket(address.ip());
            thread.admit_own(stream.into(), source, ListenerKind::Operator);
        }
    }
}

async fn accept_control(thread: Rc<Thread>, listener: tokio::net::UnixListener) {
    loop {
        let accepted = listener.accept().await;
        let accepted = accepted.and_then(|(stream, _)| stream.into_std());
        if let Some(stream) = accepted_or_pause(accepted).await {
            thread.admit_own(stream.into(), Source::Local, ListenerKind::Control);
        }
    }
}

async fn accepted_or_pause<T>(accepted: io::Result<T>) -> Option<T> {
    if let Err(error) = &accepted {
        tracing::debug!(%error, "no connection can be accepted at the moment");
        sleep(ACCEPT_PAUSE).await;
    }
    accepted.ok()
}

async fn look_after_cluster(router: Rc<Router>) {
    loop {
        let now = Instant::now();
        let due = router.with_worker(|worker| {
            worker.handle_timeout(now);
            worker.poll_timeout()
        });
        let wait = due.map_or(TICK, |due| due.saturating_duration_since(now).min(TICK));
        sleep(wait).await;
    }
}
