//! What file descriptors are needed for, and how many connections the rest is enough for.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What the process has open besides its sockets: standard streams, what the cluster and the
/// operator's thread need, the service manager, lists while they are read.
const OTHERS: usize = 24;

/// What the event loop of a thread needs.
const PER_LOOP: usize = 4;

/// Connections at a time, below which the limit is worth a warning.
const FEW_CONNECTIONS: usize = 256;

/// The system grants less file descriptors than the listeners need.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the listeners need {needed} file descriptors and the limit is {limit}: raise it (`ulimit -n`, \
     or LimitNOFILE of a unit), or set udp.workers to a smaller number"
)]
pub struct TooFewDescriptors {
    /// What is needed before the first connection.
    pub needed: usize,
    /// The limit.
    pub limit: usize,
}

/// Takes as many file descriptors as the system allows: each HTTP connection needs one, and the
/// limit that a shell hands down is usually 1,024. One that cannot be raised is warned of.
pub fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(now, most)| match now < most {
        true => setrlimit(Resource::RLIMIT_NOFILE, most, most),
        false => Ok(()),
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "cannot raise the limit of file descriptors");
    }
}

/// The sockets that receive or listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sockets {
    pub(crate) udp: usize,
    pub(crate) http_addresses: usize,
    /// Each has a socket of each address.
    pub(crate) http_threads: usize,
}

impl Sockets {
    /// Returns how many connections each HTTP thread may hold. A quarter of what there is is left to
    /// the operator's connections and to files.
    pub(crate) fn connections_per_thread(&self) -> Result<usize, TooFewDescriptors> {
        let limit = match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((limit, _)) => usize::try_from(limit).unwrap_or(usize::MAX),
            Err(_) => usize::MAX,
        };
        self.share(limit)
    }

    fn share(&self, limit: usize) -> Result<usize, TooFewDescriptors> {
        let threads = match self.http_addresses {
            0 => 0,
            _ => self.http_threads,
        };
        let needed = OTHERS + self.udp + threads * (self.http_addresses + PER_LOOP);
        // Two for each thread, so that one of them can be a connection.
        let rest = match limit.checked_sub(needed) {
            Some(rest) if rest >= 2 * threads => rest,
            _ => return Err(TooFewDescriptors { needed, limit }),
        };
        let connections = rest / 4 * 3;
        if threads > 0 && connections < FEW_CONNECTIONS {
            tracing::warn!(
                "the limit of {limit} file descriptors is enough for {connections} HTTP \
                 connections at a time"
            );
        }
        Ok((connections / threads.max(1)).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sockets_leave_is_shared() {
        let two_cores = Sockets {
            udp: 4,
            http_addresses: 2,
            http_threads: 2,
        };
        assert_eq!(two_cores.share(64), Ok(9));
        assert_eq!(two_cores.share(44), Ok(1), "as few as there can be");
        let error = two_cores.share(43).unwrap_err();
        let (needed, limit) = (40, 43);
        assert_eq!(error, TooFewDescriptors { needed, limit });
        let said = error.to_string();
        assert!(
            said.contains("need 40 file descriptors and the limit is 43"),
            "{said}"
        );
        assert_eq!(two_cores.share(1 << 20), Ok(393_201));
        assert!(two_cores.share(usize::MAX).is_ok());
        let without_http = Sockets {
            http_addresses: 0,
            ..two_cores
        };
        assert_eq!(without_http.share(28), Ok(1));
        assert!(without_http.share(27).is_err());
    }
}
