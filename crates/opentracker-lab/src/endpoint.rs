use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use opentracker_types::{InfoHash, SwarmCounts};

use crate::bencode::Value;
use crate::host::Host;
use crate::uninterrupted::uninterrupted;

/// How long one request waits for its answer. Who asks again does so in a loop around it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The magic number of a connect request (BEP 15).
const PROTOCOL_ID: u64 = 0x0417_2710_1980;

/// What a UDP request wants (BEP 15).
const ACTION_CONNECT: u32 = 0;
const ACTION_SCRAPE: u32 = 2;

/// The protocol that a tracker is asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// UDP (BEP 15).
    Udp,
    /// HTTP (BEP 3).
    Http,
    /// The same over TLS, which [`Endpoint::scrape`] does not speak.
    Https,
}

impl fmt::Display for Scheme {
    /// Writes the scheme as it stands in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// Where and by what protocol a tracker is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    address: SocketAddr,
}

impl Endpoint {
    /// Names an endpoint.
    pub fn new(scheme: Scheme, address: SocketAddr) -> Self {
        Self { scheme, address }
    }

    /// Returns the address of the tracker.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the announce URL, with the address as it is.
    pub fn announce_url(&self) -> String {
        format!("{}://{}/announce", self.scheme, self.address)
    }

    /// Returns the announce URL with a domain name in the place of the address.
    pub fn announce_url_at(&self, name: &str) -> String {
        format!("{}://{name}:{}/announce", self.scheme, self.address.port())
    }

    /// Asks from `host` how many peers a swarm has. The UDP form counts zeros for a torrent that
    /// the tracker does not know, and so does this function for HTTP.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer within a second or if it is not a scrape reply.
    pub fn scrape(&self, host: &Host, info_hash: InfoHash) -> io::Result<SwarmCounts> {
        host.enter(|| match self.scheme {
            Scheme::Udp => scrape_udp(self.address, info_hash),
            Scheme::Http => scrape_http(self.address, info_hash),
            Scheme::Https => Err(io::ErrorKind::Unsupported.into()),
        })
    }
}

fn scrape_udp(tracker: SocketAddr, info_hash: InfoHash) -> io::Result<SwarmCounts> {
    let any: IpAddr = match tracker {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(tracker)?;
    socket.set_read_timeout(Some(PATIENCE))?;

    let connected = ask_udp(&socket, PROTOCOL_ID, ACTION_CONNECT, &[])?;
    let id: [u8; 8] = connected.try_into().map_err(|_| wrong("connection id"))?;
    let answer = ask_udp(
        &socket,
        u64::from_be_bytes(id),
        ACTION_SCRAPE,
        info_hash.as_bytes(),
    )?;
    match answer.as_chunks() {
        ([seeders, downloads, leechers], []) => Ok(SwarmCounts {
            seeders: u32::from_be_bytes(*seeders),
            leechers: u32::from_be_bytes(*leechers),
            downloads: u32::from_be_bytes(*downloads).into(),
        }),
        _ => Err(wrong("scrape reply")),
    }
}

/// Sends a request and returns the body of its reply.
fn ask_udp(socket: &UdpSocket, id: u64, action: u32, body: &[u8]) -> io::Result<Vec<u8>> {
    // Each socket has one request under way, so the transaction id need not differ.
    let mut head = action.to_be_bytes().to_vec();
    head.extend_from_slice(b"olab");
    let request = [&id.to_be_bytes(), &head[..], body].concat();
    socket.send(&request)?;
    let mut reply = [0; 1500];
    let len = uninterrupted(|| socket.recv(&mut reply))?;
    reply[..len]
        .strip_prefix(&head[..])
        .map(<[u8]>::to_vec)
        .ok_or_else(|| wrong("action or transaction id"))
}

fn scrape_http(tracker: SocketAddr, info_hash: InfoHash) -> io::Result<SwarmCounts> {
    let mut connection = TcpStream::connect_timeout(&tracker, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let query: String = info_hash
        .as_bytes()
        .iter()
        .map(|octet| format!("%{octet:02x}"))
        .collect();
    write!(
        connection,
        "GET /scrape?info_hash={query} HTTP/1.1\r\nHost: {tracker}\r\nConnection: close\r\n\r\n"
    )?;
    let mut reply = Vec::new();
    connection.read_to_end(&mut reply)?;
    if !reply.starts_with(b"HTTP/1.") || reply.get(8..13) != Some(b" 200 ") {
        return Err(wrong("status line"));
    }
    let head = reply
        .windows(4)
        .position(|octets| octets == b"\r\n\r\n")
        .ok_or_else(|| wrong("end of the head"))?;
    let body = Value::decode(&reply[head + 4..]).ok_or_else(|| wrong("bencoding"))?;
    let files = body.get("files").ok_or_else(|| wrong("`files`"))?;
    let Some(file) = files.get(info_hash.as_bytes()) else {
        return Ok(SwarmCounts::default());
    };
    fn count<T: TryFrom<i64>>(file: &Value, key: &str) -> io::Result<T> {
        file.get(key)
            .and_then(Value::as_integer)
            .and_then(|count| count.try_into().ok())
            .ok_or_else(|| wrong(key))
    }
    Ok(SwarmCounts {
        seeders: count(file, "complete")?,
        leechers: count(file, "incomplete")?,
        downloads: count(file, "downloaded")?,
    })
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the tracker's reply has no right {what}"),
    )
}

/// Reads peers of a compact list (BEP 23, 7): `PEER` octets each, of which the address has `IP`.
///
/// # Panics
///
/// The list ends within a peer.
pub fn compact_peers<const IP: usize, const PEER: usize>(octets: &[u8]) -> Vec<SocketAddr>
where
    IpAddr: From<[u8; IP]>,
{
    let (peers, torn) = octets.as_chunks::<PEER>();
    assert!(torn.is_empty(), "whole peers");
    let peers = peers.iter().map(|peer| {
        let (ip, port) = peer.split_at(IP);
        let ip: [u8; IP] = ip.try_into().expect("it is cut so");
        let port: [u8; 2] = port.try_into().expect("two octets are left");
        SocketAddr::new(ip.into(), u16::from_be_bytes(port))
    });
    peers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_brackets_ipv6() {
        let url = |scheme, address: &str| {
            let address = address.parse().expect("it is an address");
            Endpoint::new(scheme, address).announce_url()
        };
        assert_eq!(
            url(Scheme::Udp, "10.0.0.1:6969"),
            "udp://10.0.0.1:6969/announce"
        );
        assert_eq!(
            url(Scheme::Http, "[fd00::1]:80"),
            "http://[fd00::1]:80/announce"
        );
    }
}
