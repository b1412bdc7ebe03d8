//! What a thread asks of the system beside sockets.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl::set_timerslack;
use nix::unistd::Pid;
use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// Keeps the calling thread on a processor, if one is given.
///
/// # Errors
///
/// There is no such processor.
pub(crate) fn pin(core: Option<usize>) -> Result<()> {
    let Some(core) = core else {
        return Ok(());
    };
    let mut set = CpuSet::new();
    set.set(core)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
        .with_context(|| format!("cannot run on processor {core}"))
}

/// Lets the calling thread sleep as exactly as the system can, not to the usual 50 µs.
///
/// # Errors
///
/// The system does not do so.
pub(crate) fn sleep_exactly() -> Result<()> {
    Ok(set_timerslack(1)?)
}

/// Turns the first SIGINT into a flag; the second ends the process as usual.
///
/// # Errors
///
/// The system gives no handler.
pub(crate) fn catch_interrupt() -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    // In this order: the first signal finds the flag still down.
    flag::register_conditional_default(SIGINT, Arc::clone(&flag))?;
    flag::register(SIGINT, Arc::clone(&flag))?;
    Ok(flag)
}

/// Tells whether a call is worth repeating later: nothing there yet, or a signal came between.
pub(crate) fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_does_not_exist_is_refused() {
        assert!(pin(Some(usize::MAX)).is_err());
        assert!(pin(Some(1023)).is_err(), "more processors than expected");
    }
}
