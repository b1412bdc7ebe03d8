use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use opentracker_core::{Counters, Worker};
use opentracker_http::Source;
use tokio::sync::{mpsc, watch};

use crate::counters::Counter;
use crate::router::Router;
use crate::settings::Config;
use crate::thread::{self, HandedOver, Inputs, Listeners, Socket};

/// Connections that may wait until the plane takes them. Beyond them they are closed.
const MAX_QUEUED: usize = 256;

/// A running operator plane. Dropped, it stops without anybody waiting for it.
///
/// It has one thread: pages are cheap, what takes long goes step by step and lets others have
/// their turn, and so it never takes more than one core from the announce threads.
#[derive(Debug)]
pub struct Plane {
    handle: Handle,
    stop: watch::Sender<Option<Instant>>,
    thread: JoinHandle<()>,
}

/// What others reach a plane by: the announce threads hand connections over. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    queue: mpsc::Sender<HandedOver>,
    /// Of the connections that are turned away, which is rare.
    counters: Arc<Mutex<Counters<Counter>>>,
    is_draining: Arc<AtomicBool>,
}

impl Plane {
    /// Starts the plane, which serves when this returns: what is handed over, and the operator's own
    /// `listeners`. `worker` is for announces that come on a connection after
    /// something else.
    ///
    /// # Errors
    ///
    /// Fails if the system does not give a thread or what its event loop needs.
    pub fn start(config: Config, worker: Worker, listeners: Listeners) -> io::Result<Self> {
        let (sender, queue) = mpsc::channel(MAX_QUEUED);
        let (stop, stopped) = watch::channel(None);
        let handle = Handle {
            queue: sender,
            counters: Arc::new(Mutex::new(worker.tracker().counters().register())),
            is_draining: Arc::default(),
        };
        let is_draining = Arc::clone(&handle.is_draining);
        let inputs = Inputs {
            queue,
            stop: stopped,
        };
        let (started, start) = std::sync::mpsc::channel();
        let started = move |result| {
            // The receiver waits for it, below.
            let _ = started.send(result);
        };
        let router = Router::new(worker, config, is_draining);
        let thread = std::thread::Builder::new()
            .name("operator".to_owned())
            .spawn(move || thread::run(router, listeners, inputs, started))?;
        start
            .recv()
            .unwrap_or_else(|error| Err(io::Error::other(error)))?;
        Ok(Self {
            handle,
            stop,
            thread,
        })
    }

    /// Returns what others reach the plane by.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Stops the plane and waits for its thread.
    ///
    /// Nothing is accepted any more, connections that wait for a request are closed, and others
    /// after the response to the request at hand. What is left after `grace` is cut off. At last
    /// the cluster hears of every announce that it has not heard of.
    pub fn shutdown(self, grace: Duration) {
        self.handle.set_draining(true);
        // It fails only if the thread has ended already.
        let _ = self.stop.send(Some(Instant::now() + grace));
        if self.thread.join().is_err() {
            tracing::error!("the operator thread has panicked");
        }
    }
}

impl Handle {
    /// Takes a connection over from an announce thread, with what was read of it and not
    /// answered: as a rule a whole request head. Never waits: a connection for which there is no
    /// room is closed and counted. `kept` is dropped with the connection.
    pub fn take(
        &self,
        socket: impl Into<Socket>,
        source: Source,
        octets: Vec<u8>,
        kept: impl Any + Send,
    ) {
        let handed_over = HandedOver {
            socket: socket.into(),
            source,
            octets,
            kept: Box::new(kept),
        };
        if self.queue.try_send(handed_over).is_err() {
            let counters = self.counters.lock();
            let counters = counters.unwrap_or_else(PoisonError::into_inner);
            counters.count(Counter::QueueFull);
        }
    }

    /// Says whether the tracker is about to stop serving: `/readyz` answers 503 then, and
    /// connections are closed after each response.
    pub fn set_draining(&self, is_draining: bool) {
        self.is_draining.store(is_draining, Ordering::Relaxed);
    }
}
