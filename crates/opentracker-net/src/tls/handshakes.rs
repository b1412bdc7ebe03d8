//! Threads for what takes long in a handshake, a signature and an exchange of keys, so that those that
//! answer announces need not.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::Error;
use tokio::sync::oneshot;

use super::machine::Machine;
use super::stream::Failure;

/// Handshakes that may wait for each thread. With an RSA key of 2048 bits that is a quarter of a second;
/// who would have to wait longer is turned away.
const MAX_WAITING: usize = 256;

/// A step of a handshake, and who waits for it.
struct Step {
    machine: Box<Machine>,
    done: oneshot::Sender<Done>,
}

type Done = (Box<Machine>, Result<(), Error>);

/// Threads that shake hands. They end when it is dropped.
#[derive(Debug)]
pub struct Handshakers {
    queue: SyncSender<Step>,
}

impl Handshakers {
    /// Starts threads, `tls-0` and so on.
    ///
    /// # Errors
    ///
    /// Fails if the system does not give them.
    pub fn start(threads: usize) -> io::Result<Self> {
        let (queue, steps) = sync_channel(threads * MAX_WAITING);
        let steps = Arc::new(Mutex::new(steps));
        for number in 0..threads {
            let steps = Arc::clone(&steps);
            std::thread::Builder::new()
                .name(format!("tls-{number}"))
                .spawn(move || run(&steps))?;
        }
        Ok(Self { queue })
    }

    /// Lets a thread take the records that a machine has received.
    ///
    /// # Errors
    ///
    /// Fails if too many wait.
    pub(super) async fn take_received(&self, machine: Box<Machine>) -> Result<Done, Failure> {
        let (done, is_done) = oneshot::channel();
        let queued = self.queue.try_send(Step { machine, done });
        queued.map_err(|_full| Failure::Overloaded)?;
        is_done.await.map_err(|_gone| Failure::Overloaded)
    }
}

fn run(steps: &Mutex<Receiver<Step>>) {
    loop {
        let step = steps.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Step { mut machine, done }) = step else {
            return;
        };
        // Nobody waits for it any more if its time is up.
        if !done.is_closed() {
            let taken = machine.take_received();
            let _ = done.send((machine, taken));
        }
    }
}
