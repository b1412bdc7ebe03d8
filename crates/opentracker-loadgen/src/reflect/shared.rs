//! What all reflectors share.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use opentracker_datagrams::{Listen, TcpOptions, bind_tcp};

/// When to end.
#[derive(Debug)]
pub(super) struct Until {
    pub(super) deadline: Instant,
    pub(super) stop: Arc<AtomicBool>,
}

impl Until {
    /// Tells whether it is time.
    pub(super) fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

/// Tells whoever started this that it answers, and where.
pub(super) fn say(protocol: &str, address: SocketAddr) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "listening on {protocol} {address}")?;
    Ok(output.flush()?)
}

/// The one listener, or socket, of a reflector.
pub(super) const fn listen(address: SocketAddr) -> Listen {
    Listen {
        address,
        v6_only: false,
        sockets: 1,
    }
}

/// Listens for connections.
///
/// # Errors
///
/// The address cannot be bound.
pub(super) fn bind_listener(address: SocketAddr) -> Result<TcpListener> {
    let options = TcpOptions {
        backlog: 4096,
        send_buffer: None,
    };
    Ok(bind_tcp(listen(address), &options)?.remove(0))
}

/// The most octets of a body.
const MAX_BODY_OCTETS: usize = 16 << 10;

/// The reply to an announce over HTTP of so many octets, most of them peers.
pub(super) fn body(octets: usize) -> Result<Vec<u8>> {
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
