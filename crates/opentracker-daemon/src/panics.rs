//! A panic in any thread ends the process. One thread less would be a tracker that answers half of
//! its clients, and nobody starts that anew.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::{panic, process, thread};

use tracing::Level;

use crate::LAST_LINES_TIMEOUT;
use crate::logging::Output;

/// Lets every panic from now on be the last thing that the program says, whether or not it was
/// built to unwind. It is said like all other lines, so that a reader that hangs cannot keep the
/// process alive, as it could if this were left to the standard library.
pub(crate) fn end_the_process(output: &Output) {
    let output = output.clone();
    panic::set_hook(Box::new(move |panic| {
        let thread = thread::current();
        let mut text = format!("thread {}: {panic}", thread.name().unwrap_or("?"));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            text += &format!("\n{trace}");
        }
        for line in text.lines() {
            output.say(Level::ERROR, &format!("opentracker: {line}"));
        }
        output.flush(LAST_LINES_TIMEOUT);
        process::abort();
    }));
}
