//! Sockets that the service manager has opened and passed (sd_listen_fds(3)).

use std::env;

use listenfd::ListenFd;
use opentracker::{PassedKind, PassedSocket};

/// The number of the first descriptor that is passed.
const FIRST: usize = 3;

/// Takes the sockets that were passed to this process. To be called before there is another thread,
/// because it takes variables out of the environment.
///
/// # Errors
///
/// Says which descriptor is not of a kind that is served.
pub(crate) fn take() -> Result<Vec<PassedSocket>, String> {
    let process = env::var("LISTEN_PID").unwrap_or_default();
    if process.parse() != Ok(std::process::id()) {
        return Ok(Vec::new());
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = ListenFd::from_env();
    (0..passed.len())
        .map(|place| {
            let name = names.next().unwrap_or_default().to_owned();
            let kind = take_one(&mut passed, place).ok_or_else(|| {
                let number = FIRST + place;
                format!(
                    "descriptor {number}, which was passed as {name:?}, is neither a UDP socket nor \
                     a TCP or Unix listener"
                )
            })?;
            Ok(PassedSocket { name, kind })
        })
        .collect()
}

fn take_one(passed: &mut ListenFd, place: usize) -> Option<PassedKind> {
    if let Ok(Some(socket)) = passed.take_udp_socket(place) {
        return Some(PassedKind::Udp(socket));
    }
    if let Ok(Some(listener)) = passed.take_tcp_listener(place) {
        return Some(PassedKind::Tcp(listener));
    }
    let listener = passed.take_unix_listener(place).ok()??;
    Some(PassedKind::Unix(listener))
}
