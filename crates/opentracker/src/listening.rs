//! What is served where: the addresses of the configuration, those that were passed, and how many
//! sockets that takes.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::thread::available_parallelism;

use nix::unistd::Uid;
use opentracker_http::Limits;
use opentracker_net::http::UnixListen;
use opentracker_net::{Listen, http, udp};

use crate::config::{Config, ListenAddress, Process, UdpBackend, XdpMode};
use crate::descriptors::Sockets;
use crate::passed::{PassedSockets, Purposes};
use crate::privileges::{self, PrivilegeError};

/// An address that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// `udp`, `http`, `https`, `admin` or `control`.
    pub protocol: &'static str,
    /// The address, with the port that the system chose where it was asked to.
    pub address: ListenAddress,
    /// Whether it is for proxies, which name the client before what it sends.
    pub proxy_protocol: bool,
    /// It was passed to the process.
    pub is_passed: bool,
}

/// Counts the sockets that will be open; `None`: there is nothing to serve.
pub(crate) fn sockets(
    udp: &udp::Config,
    http: &http::Config,
    passed: &PassedSockets,
) -> Option<Sockets> {
    let addresses = |passed: usize, configured: usize| match passed {
        0 => configured,
        passed => passed,
    };
    let passed_http = passed.http.len() + passed.unix.len();
    let sockets = Sockets {
        udp: addresses(passed.udp.len(), udp.listen.len()) * udp.workers,
        http_addresses: addresses(passed_http, http.listen.len() + http.unix.len()),
        http_threads: http.threads,
    };
    match sockets {
        Sockets {
            udp: 0,
            http_addresses: 0,
            ..
        } => None,
        sockets => Some(sockets),
    }
}

/// Returns what the servers are bound with. Where sockets were passed the addresses only say how one
/// of them is served.
pub(crate) fn server_configs(config: &Config, is_passed: Purposes) -> (udp::Config, http::Config) {
    let cores = available_parallelism().map_or(1, usize::from);
    let wanted = Wanted::of(config, is_passed);
    let udp = udp::Config {
        listen: wanted.udp,
        workers: match config.udp.workers {
            0 => cores,
            workers => usize::from(workers),
        },
        max_payload: usize::from(config.udp.max_payload),
    };
    let http = http::Config {
        listen: wanted.http,
        unix: wanted.unix,
        threads: cores,
        limits: Limits {
            idle_timeout: config.http.idle_timeout,
            ..Limits::default()
        },
        ..http::Config::default()
    };
    (udp, http)
}

/// Returns the interfaces that are served below the network stack, if any are.
pub(crate) fn xdp_config(config: &Config) -> Option<udp::xdp::Config> {
    let xdp = &config.xdp;
    (config.udp.backend == UdpBackend::Xdp).then(|| udp::xdp::Config {
        interfaces: xdp.interfaces.clone(),
        queues: xdp.queues.iter().copied().map(u32::from).collect(),
        mode: match xdp.mode {
            XdpMode::Auto => udp::xdp::Mode::Auto,
            XdpMode::Native => udp::xdp::Mode::Native,
            XdpMode::Generic => udp::xdp::Mode::Generic,
            XdpMode::ZeroCopy => udp::xdp::Mode::ZeroCopy,
        },
    })
}

/// Returns the user and the group that the process becomes, whose the files of Unix sockets are.
pub(crate) fn owner(process: &Process) -> Result<Option<(u32, u32)>, PrivilegeError> {
    if process.user.is_empty() || !Uid::effective().is_root() {
        return Ok(None);
    }
    let (user, group) = privileges::look_up(&process.user)?;
    Ok(Some((user.as_raw(), group.as_raw())))
}

/// Returns the addresses of a protocol that are served once it is bound.
pub(crate) fn listeners(
    protocol: &'static str,
    addresses: &[SocketAddr],
    listen: &[Listen],
    is_passed: bool,
) -> Vec<Listener> {
    let listener = |(place, &address): (usize, &SocketAddr)| {
        let configured = match is_passed {
            true => listen.iter().find(|listen| listen.address == address),
            false => listen.get(place),
        };
        let is_secure = configured.is_some_and(|listen| listen.tls);
        Listener {
            protocol: if is_secure { "https" } else { protocol },
            address: ListenAddress::Internet(address),
            proxy_protocol: configured.is_some_and(|listen| listen.proxy_protocol),
            is_passed,
        }
    };
    addresses.iter().enumerate().map(listener).collect()
}

/// The same of paths.
pub(crate) fn unix_listeners(
    paths: Vec<PathBuf>,
    listen: &[UnixListen],
    is_passed: bool,
) -> Vec<Listener> {
    let listener = |path: PathBuf| Listener {
        protocol: "http",
        proxy_protocol: listen
            .iter()
            .any(|listen| listen.path == path && listen.proxy_protocol),
        address: ListenAddress::Unix(path),
        is_passed,
    };
    paths.into_iter().map(listener).collect()
}

/// What is to be served.
struct Wanted {
    udp: Vec<Listen>,
    http: Vec<Listen>,
    unix: Vec<UnixListen>,
}

impl Wanted {
    /// Reads it from the configuration. Of what nobody has written, a family that the kernel lacks is
    /// left out. Where sockets were passed the addresses only say how one of them is served.
    fn of(config: &Config, is_passed: Purposes) -> Self {
        let mut wanted = Self {
            udp: Vec::new(),
            http: Vec::new(),
            unix: Vec::new(),
        };
        let udp = config.udp.listen.iter().map(|listener| (listener, true));
        let http = config.http.listen.iter().map(|listener| (listener, false));
        let mut lacking = None;
        for (listener, is_udp) in udp.chain(http) {
            let proxy_protocol = listener.proxy_protocol;
            let is_bound = !(if is_udp {
                is_passed.udp
            } else {
                is_passed.http
            });
            match &listener.address {
                ListenAddress::Internet(address)
                    if is_bound && listener.by_default && !has_family(*address) =>
                {
                    lacking = lacking.or(Some(*address));
                }
                ListenAddress::Internet(address) => {
                    let listen = Listen::new(*address)
                        .with_v6_only(listener.v6_only)
                        .with_proxy_protocol(proxy_protocol)
                        .with_tls(listener.tls);
                    let addresses = if is_udp {
                        &mut wanted.udp
                    } else {
                        &mut wanted.http
                    };
                    addresses.push(listen);
                }
                ListenAddress::Unix(path) => wanted.unix.push(UnixListen {
                    path: path.clone(),
                    owner: None,
                    proxy_protocol,
                }),
            }
        }
        if let Some(address) = lacking {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            tracing::warn!("this host has no {family}, which is left out");
        }
        wanted
    }
}

/// Tells whether the kernel knows the family of an address. What else may be wrong is said when
/// the address is bound.
fn has_family(address: SocketAddr) -> bool {
    let lacks = [
        nix::errno::Errno::EAFNOSUPPORT as i32,
        nix::errno::Errno::EADDRNOTAVAIL as i32,
    ];
    match UdpSocket::bind((address.ip(), 0)) {
        Ok(_) => true,
        Err(error) => !error
            .raw_os_error()
            .is_some_and(|code| lacks.contains(&code)),
    }
}
