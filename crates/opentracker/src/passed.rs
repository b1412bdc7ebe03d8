//! Sockets that were opened before the process began, and that outlive it: a service manager holds
//! them, so that what arrives during a restart waits in them.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;

use crate::config::Config;

/// A socket that was passed to the process.
#[derive(Debug)]
pub struct PassedSocket {
    /// What it is called: `udp`, `http` and `admin` say what it is for. Any other name leaves that
    /// to what it is: a listener with an address of `admin.listen` is the operator's.
    pub name: String,
    /// The socket.
    pub kind: PassedKind,
}

/// A passed socket by what it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum PassedKind {
    /// A UDP socket.
    Udp(UdpSocket),
    /// A TCP socket that listens.
    Tcp(TcpListener),
    /// A Unix socket that listens, which is for HTTP.
    Unix(UnixListener),
}

/// Why a passed socket cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the socket that was passed as {name:?} is {kind}")]
pub struct PassedError {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
}

/// The passed sockets by what they are for. Where there is one for a purpose, it is used in place of
/// all addresses of the configuration for that purpose.
#[derive(Debug, Default)]
pub(crate) struct PassedSockets {
    pub(crate) udp: Vec<UdpSocket>,
    pub(crate) http: Vec<TcpListener>,
    pub(crate) unix: Vec<UnixListener>,
    pub(crate) admin: Vec<TcpListener>,
}

/// For which purposes sockets were passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Purposes {
    pub(crate) udp: bool,
    pub(crate) http: bool,
    pub(crate) admin: bool,
}

impl PassedSockets {
    pub(crate) fn purposes(&self) -> Purposes {
        Purposes {
            udp: !self.udp.is_empty(),
            http: !self.http.is_empty() || !self.unix.is_empty(),
            admin: !self.admin.is_empty(),
        }
    }

    /// Finds out what they are for.
    pub(crate) fn sort(passed: Vec<PassedSocket>, config: &Config) -> Result<Self, PassedError> {
        let mut sorted = Self::default();
        for PassedSocket { name, kind } in passed {
            match (kind, name.as_str()) {
                (PassedKind::Udp(_), "http" | "admin") => {
                    let kind = "a UDP socket";
                    return Err(PassedError { name, kind });
                }
                (PassedKind::Tcp(_), "udp") => {
                    let kind = "a TCP listener";
                    return Err(PassedError { name, kind });
                }
                (PassedKind::Unix(_), "udp" | "admin") => {
                    let kind = "a Unix socket";
                    return Err(PassedError { name, kind });
                }
                (PassedKind::Udp(socket), _) => sorted.udp.push(socket),
                (PassedKind::Unix(listener), _) => sorted.unix.push(listener),
                (PassedKind::Tcp(listener), "http") => sorted.http.push(listener),
                (PassedKind::Tcp(listener), "admin") => sorted.admin.push(listener),
                (PassedKind::Tcp(listener), _) => {
                    let is_admin = |address: SocketAddr| config.admin.listen.contains(&address);
                    match listener.local_addr() {
                        Ok(address) if is_admin(address) => sorted.admin.push(listener),
                        _ => sorted.http.push(listener),
                    }
                }
            }
        }
        Ok(sorted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Values;

    fn udp(name: &str) -> PassedSocket {
        PassedSocket {
            name: name.to_owned(),
            kind: PassedKind::Udp(UdpSocket::bind("127.0.0.1:0").unwrap()),
        }
    }

    fn tcp(name: &str) -> (PassedSocket, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let kind = PassedKind::Tcp(listener);
        let name = name.to_owned();
        (PassedSocket { name, kind }, address)
    }

    #[test]
    fn sockets_are_told_apart_by_name_kind_and_address() {
        let (http, _) = tcp("opentracker.socket");
        let (by_name, _) = tcp("admin");
        let (by_address, admin) = tcp("opentracker.socket");
        let (named_otherwise, _) = tcp("http");
        let mut values = Values::default();
        values.admin.listen = vec![admin];
        let config = values.validate().unwrap();
        let passed = vec![
            udp("udp"),
            http,
            by_name,
            udp("x"),
            by_address,
            named_otherwise,
        ];
        let sorted = PassedSockets::sort(passed, &config).unwrap();
        let counts = (sorted.udp.len(), sorted.http.len(), sorted.admin.len());
        assert_eq!(counts, (2, 2, 2));
        assert_eq!(sorted.admin[1].local_addr().unwrap(), admin);
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        for (passed, said) in [
            (
                tcp("udp").0,
                "the socket that was passed as \"udp\" is a TCP listener",
            ),
            (
                udp("http"),
                "the socket that was passed as \"http\" is a UDP socket",
            ),
            (
                udp("admin"),
                "the socket that was passed as \"admin\" is a UDP socket",
            ),
        ] {
            let error = PassedSockets::sort(vec![passed], &Config::default()).unwrap_err();
            assert_eq!(error.to_string(), said);
        }
    }
}
