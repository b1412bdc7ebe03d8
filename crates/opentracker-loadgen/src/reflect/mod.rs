//! Answers without a tracker behind it: what the kernel's way of a request and its reply costs.

mod bare;
mod hyper;
mod shared;
mod udp;

use std::time::Instant;

use anyhow::Result;

use crate::args::{Engine, Protocol, ReflectArgs};
use crate::{guard, host};
use shared::Until;

/// Answers until the time is over or SIGINT comes.
///
/// # Errors
///
/// The address cannot be listened on, or is not one of this site.
pub(crate) fn run(args: &ReflectArgs) -> Result<()> {
    guard::check(args.listen.ip(), false)?;
    host::pin(args.core)?;
    let until = Until {
        deadline: Instant::now() + args.duration,
        stop: host::catch_interrupt()?,
    };
    match (args.protocol, args.engine) {
        (Protocol::Udp, _) => udp::run(args, &until),
        (Protocol::Http, Engine::Bare) => bare::run(args, &until),
        (Protocol::Http, Engine::Hyper) => hyper::run(args, &until),
    }
}
