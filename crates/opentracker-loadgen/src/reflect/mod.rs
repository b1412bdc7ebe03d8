//! Answers without a tracker behind it: what the kernel's way of a request and its reply costs.

mod http;
mod udp;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;

use crate::args::{Protocol, ReflectArgs};
use crate::{drive, guard, sys};

/// Answers until the time is over or SIGINT comes.
///
/// # Errors
///
/// The address cannot be listened on, or is not one of this site.
pub(crate) fn run(args: &ReflectArgs) -> Result<()> {
    guard::check(args.listen.ip(), false)?;
    drive::pin(args.core)?;
    let until = Until {
        deadline: Instant::now() + args.duration,
        stop: sys::catch_interrupt(),
    };
    match args.protocol {
        Protocol::Udp => udp::run(args, until),
        Protocol::Http => http::run(args, until),
    }
}

/// When to end.
#[derive(Debug, Clone, Copy)]
struct Until {
    deadline: Instant,
    stop: &'static AtomicBool,
}

impl Until {
    fn is_over(self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

/// Tells whoever started this that it answers, and where.
fn say(protocol: &str, address: SocketAddr) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "listening on {protocol} {address}")?;
    Ok(output.flush()?)
}
