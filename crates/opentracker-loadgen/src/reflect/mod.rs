//! Answers without a tracker behind it: what the kernel's way of a request and its reply costs.

mod bare;
mod hyper;
mod udp;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::args::{Engine, Protocol, ReflectArgs};
use crate::{guard, host};

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

/// When to end.
#[derive(Debug)]
struct Until {
    deadline: Instant,
    stop: Arc<AtomicBool>,
}

impl Until {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

/// Tells whoever started this that it answers, and where.
fn say(protocol: &str, address: SocketAddr) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "listening on {protocol} {address}")?;
    Ok(output.flush()?)
}

/// The most octets of a body.
const MAX_BODY_OCTETS: usize = 16 << 10;

/// The reply to an announce over HTTP of so many octets, most of them peers.
fn body(octets: usize) -> Result<Vec<u8>> {
    let start = |peers: usize| format!("d8:intervali1800e5:peers{peers}:");
    let whole = |peers: usize| start(peers).len() + peers + 1;
    // A number of peers with one digit more can make a length impossible.
    let peers = (0..=octets).rev().find(|&peers| whole(peers) <= octets);
    let peers = peers.context("a body has at least 27 octets")?;
    ensure!(
        whole(peers) < MAX_BODY_OCTETS,
        "a body has less than {MAX_BODY_OCTETS} octets"
    );
    let mut body = start(peers).into_bytes();
    body.resize(body.len() + peers, 1);
    body.push(b'e');
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_as_many_octets_as_it_can() {
        for octets in [27, 36, 146, 1_000] {
            let body = body(octets).unwrap();
            assert!(body.starts_with(b"d8:intervali1800e5:peers") && body.ends_with(b"e"));
            assert!(octets - body.len() <= 1, "{octets}");
        }
        assert!(body(26).is_err());
        assert!(body(1 << 20).is_err());
    }
}
