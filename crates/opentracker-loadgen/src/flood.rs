//! What no client sends: random datagrams, and connections that only take up room. Nothing of it is
//! measured; another run beside it shows what clients notice.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use socket2::{Domain, SockRef, Socket, Type};

use crate::args::{Flood, FloodArgs};
use crate::guard;
use crate::sources::{Sources, free_bind};

/// Datagrams between two looks at the clock.
const LOT: usize = 256;

/// The longest datagram: what an Ethernet frame carries.
const MAX_DATAGRAM: usize = 1472;

/// Sources of datagrams, at most: each has a socket.
const MAX_SOCKETS: u64 = 1024;

/// How long each connection waits before it sends another octet.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a connection may take to be made: who floods waits for nobody.
const CONNECT: Duration = Duration::from_millis(100);

/// What a slow head begins with; its end is never sent.
const HEAD: &[u8] = b"GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=6881 HTTP/1.1\r\nX: ";

/// Floods a tracker.
///
/// # Errors
///
/// The target is refused, or the system has no socket.
pub(crate) fn run(args: &FloodArgs) -> Result<()> {
    let target = guard::resolve(&args.target, args.allow_public_target)?;
    let end = Instant::now() + args.duration;
    let sockets = args.sources.sources.min(MAX_SOCKETS);
    let sources = Sources::new(&args.sources, target.ip(), sockets)?;
    let sent = match args.flood {
        Flood::Datagrams => datagrams(target, sources, sockets, end)?,
        Flood::SlowHeads => connections(target, sources, args.connections, end, HEAD)?,
        Flood::Silence => connections(target, sources, args.connections, end, &[])?,
    };
    println!("{sent}");
    Ok(())
}

/// Sends random octets as fast as the system takes them.
fn datagrams(target: SocketAddr, sources: Sources, count: u64, end: Instant) -> Result<String> {
    let sockets: Result<Vec<UdpSocket>> = (0..count)
        .map(|number| {
            let socket = socket(target, sources, number, Type::DGRAM)?;
            socket.connect(&target.into())?;
            Ok(socket.into())
        })
        .collect();
    let sockets = sockets?;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut octets = [0; MAX_DATAGRAM];
    let mut sent = 0_u64;
    while Instant::now() < end {
        random.fill_bytes(&mut octets);
        for socket in sockets.iter().cycle().take(LOT) {
            let length = random.random_range(0..=MAX_DATAGRAM);
            // Refused or not, others follow.
            sent += u64::from(socket.send(&octets[..length]).is_ok());
        }
    }
    Ok(format!("{sent} datagrams"))
}

/// Keeps connections open, on each of which these octets are sent one by one.
fn connections(
    target: SocketAddr,
    sources: Sources,
    count: u64,
    end: Instant,
    octets: &[u8],
) -> Result<String> {
    let mut made = 0_u64;
    let mut connections: Vec<Option<Connection>> = (0..count).map(|_| None).collect();
    loop {
        for (number, place) in (0..).zip(&mut connections) {
            if Instant::now() >= end {
                return Ok(format!("{made} connections"));
            }
            if place
                .as_mut()
                .is_none_or(|connection| !connection.goes_on())
            {
                let stream = connect(target, sources, number % sources.count())?;
                made += u64::from(stream.is_some());
                *place = stream.map(|stream| Connection { stream, octets });
            }
        }
        thread::sleep(PAUSE);
    }
}

struct Connection<'a> {
    stream: TcpStream,
    /// What is still to be sent.
    octets: &'a [u8],
}

impl Connection<'_> {
    /// Sends another octet, if there is one, and tells whether the other end still listens.
    fn goes_on(&mut self) -> bool {
        let is_open = match self.stream.read(&mut [0; 1024]) {
            Ok(octets) => octets > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        let Some((octet, rest)) = self.octets.split_first() else {
            return is_open;
        };
        self.octets = rest;
        is_open && self.stream.write_all(&[*octet]).is_ok()
    }
}

/// Makes a connection; `None` if the tracker takes none now.
fn connect(target: SocketAddr, sources: Sources, source: u64) -> Result<Option<TcpStream>> {
    let socket = socket(target, sources, source, Type::STREAM)?;
    if socket.connect_timeout(&target.into(), CONNECT).is_err() {
        return Ok(None);
    }
    socket.set_nonblocking(true)?;
    Ok(Some(socket.into()))
}

fn socket(target: SocketAddr, sources: Sources, number: u64, kind: Type) -> Result<Socket> {
    let socket = Socket::new(Domain::for_address(target), kind, None)?;
    if sources.are_foreign() {
        free_bind(SockRef::from(&socket), target.is_ipv6())?;
    }
    let any = match target {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let local = SocketAddr::new(sources.address(number).unwrap_or(any), 0);
    socket
        .bind(&local.into())
        .with_context(|| format!("cannot send from {local}"))?;
    Ok(socket)
}
