//! Signals, waited for by a thread of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};
use signal_hook::flag::register_conditional_shutdown;

/// What an operator asks for by a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// SIGHUP.
    Reload,
    /// SIGTERM or SIGINT.
    Stop,
}

/// Signals that are held back from the whole process, until the thread that waits for them has
/// them.
#[derive(Debug)]
pub(crate) struct BlockedSignals(SigSet);

/// Makes a signal that asks for the end have it at once, as long as there is nothing to finish and
/// no thread that waits for signals: a file of the configuration may take its time. SIGHUP waits.
pub(crate) fn end_at_once() -> io::Result<()> {
    let mut reload = SigSet::empty();
    reload.add(Signal::SIGHUP);
    reload.thread_block()?;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let always = Arc::new(AtomicBool::new(true));
        register_conditional_shutdown(signal as i32, 0, always)?;
    }
    Ok(())
}

impl BlockedSignals {
    /// Holds the signals back from this thread and from all that it starts. To be called before
    /// there is another thread, so that a signal that comes early is kept, not fatal.
    pub(crate) fn block() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM] {
            signals.add(signal);
        }
        if is_init() {
            signals.add(Signal::SIGCHLD);
        }
        signals.thread_block()?;
        Ok(Self(signals))
    }

    /// Starts the thread, which tells of each signal. As the first process of a container it also
    /// takes note of the end of each process that has lost its parent, which nobody else does.
    pub(crate) fn watch(self, mut tell: impl FnMut(Request) + Send + 'static) -> io::Result<()> {
        let Self(signals) = self;
        let watch = move || {
            if is_init() {
                reap();
            }
            loop {
                match signals.wait() {
                    Ok(Signal::SIGHUP) => tell(Request::Reload),
                    Ok(Signal::SIGCHLD) => reap(),
                    Ok(_) => tell(Request::Stop),
                    Err(error) => tracing::error!(%error, "cannot wait for signals"),
                }
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(watch).map(drop)
    }
}

fn is_init() -> bool {
    getpid() == Pid::from_raw(1)
}

/// Takes note of all processes that have ended.
fn reap() {
    while let Ok(ended) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if ended == WaitStatus::StillAlive {
            return;
        }
        tracing::debug!(?ended, "a process of this container has ended");
    }
}
