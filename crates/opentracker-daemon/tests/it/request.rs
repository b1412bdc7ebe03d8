//! Requests of the HTTP protocol (BEP 3), octet by octet, and a client that sends them.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::bencode::Bencode;
use crate::datagram::{compact_v4, compact_v6};
use crate::program::PATIENCE;

/// A target of an announce with the two parameters that are required and any more.
pub(crate) fn announce(info_hash: &[u8; 20], port: u16, more: &str) -> String {
    let info_hash = encoded(info_hash);
    let target = format!("/announce?info_hash={info_hash}&port={port}");
    if more.is_empty() {
        target
    } else {
        format!("{target}&{more}")
    }
}

/// A target of a scrape.
pub(crate) fn scrape(info_hashes: &[[u8; 20]]) -> String {
    let parameters = info_hashes
        .iter()
        .map(|hash| format!("info_hash={}", encoded(hash)));
    format!("/scrape?{}", parameters.collect::<Vec<_>>().join("&"))
}

/// Every octet as an escape.
pub(crate) fn encoded(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("%{octet:02X}")).collect()
}

/// Gets a target over a connection of its own.
pub(crate) fn get(server: SocketAddr, target: &str) -> Response {
    get_with(server, target, &[])
}

/// Gets a target with header fields.
pub(crate) fn get_with(server: SocketAddr, target: &str, fields: &[(&str, &str)]) -> Response {
    let mut connection = Connection::to(server);
    connection.send(head("GET", target, fields, &["Connection: close"]).as_bytes());
    let response = connection.response();
    assert!(
        connection.is_at_end(),
        "octets after the response to {target}"
    );
    response
}

/// Writes a head of HTTP/1.1.
pub(crate) fn head(method: &str, target: &str, fields: &[(&str, &str)], lines: &[&str]) -> String {
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: tracker.test\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    for line in lines {
        head.push_str(&format!("{line}\r\n"));
    }
    head + "\r\n"
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// `HTTP/1.1`, or what the server says instead.
    pub(crate) version: String,
    pub(crate) status: u16,
    /// Names in lower case, values without white space around them.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(field, _)| field == name);
        let (_, value) = values.next()?;
        assert!(values.next().is_none(), "{name} twice: {self:?}");
        Some(value)
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn bencode(&self) -> Bencode {
        Bencode::read(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Reads the reply to an announce, which must be exactly what the protocol says.
    pub(crate) fn announced(&self) -> Announced {
        assert_eq!(self.status, 200, "{self:?}");
        let reply = self.bencode();
        let number = |key: &str| {
            let value = reply
                .get(key)
                .unwrap_or_else(|| panic!("no {key}: {self:?}"));
            u32::try_from(value.integer()).unwrap()
        };
        let peers = reply
            .get("peers")
            .unwrap_or_else(|| panic!("no peers: {self:?}"));
        let peers6 = reply.get("peers6").map(|peers| compact_v6(peers.string()));
        Announced {
            complete: number("complete"),
            downloaded: number("downloaded"),
            incomplete: number("incomplete"),
            interval: number("interval"),
            min_interval: number("min interval"),
            external_ip: reply.get("external ip").map(|ip| address(ip.string())),
            peers: compact_v4(peers.string()),
            peers6,
        }
    }

    /// Reads a refusal: the reason, and when to try again.
    pub(crate) fn refusal(&self) -> (String, Option<Bencode>) {
        assert_eq!(self.status, 200, "{self:?}");
        let reply = self.bencode();
        assert!(reply.get("peers").is_none(), "{self:?}");
        (self.failure_reason(), reply.get("retry in").cloned())
    }

    /// Reads the `failure reason`.
    pub(crate) fn failure_reason(&self) -> String {
        let reply = self.bencode();
        let reason = reply
            .get("failure reason")
            .unwrap_or_else(|| panic!("no reason: {self:?}"));
        String::from_utf8(reason.string().to_vec()).unwrap()
    }
}

/// The reply to an announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) complete: u32,
    pub(crate) downloaded: u32,
    pub(crate) incomplete: u32,
    pub(crate) interval: u32,
    pub(crate) min_interval: u32,
    pub(crate) external_ip: Option<IpAddr>,
    pub(crate) peers: Vec<SocketAddr>,
    pub(crate) peers6: Option<Vec<SocketAddr>>,
}

impl Announced {
    /// The peers of both families.
    pub(crate) fn all(&self) -> BTreeSet<SocketAddr> {
        let peers6 = self.peers6.iter().flatten();
        let all: Vec<_> = self.peers.iter().chain(peers6).copied().collect();
        let set: BTreeSet<_> = all.iter().copied().collect();
        assert_eq!(all.len(), set.len(), "a peer twice: {self:?}");
        set
    }
}

fn address(octets: &[u8]) -> IpAddr {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        octets.into()
    } else {
        <[u8; 16]>::try_from(octets).unwrap().into()
    }
}

/// A connection to the server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// What has been received and not been read.
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn to(server: SocketAddr) -> Self {
        Self::over(TcpStream::connect(server).unwrap())
    }

    /// A connection from an address of this host.
    pub(crate) fn at(ip: &str, server: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
        let local = SocketAddr::new(ip.parse().unwrap(), 0);
        socket.bind(&local.into()).unwrap();
        socket.connect(&server.into()).unwrap();
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).unwrap();
    }

    /// Sends a server what it may not want: it may close before it has read everything.
    pub(crate) fn offer(&mut self, octets: &[u8]) {
        // The response, or that there is none, is what the caller looks at.
        self.stream.write_all(octets).ok();
    }

    /// Another handle, to send while this one receives.
    pub(crate) fn sender(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Gets a target and keeps the connection.
    pub(crate) fn get(&mut self, target: &str) -> Response {
        self.send(head("GET", target, &[], &[]).as_bytes());
        self.response()
    }

    /// Receives the response to a request other than HEAD.
    pub(crate) fn response(&mut self) -> Response {
        let mut response = self.response_head();
        response.body = if response.field("transfer-encoding") == Some("chunked") {
            self.chunks()
        } else if let Some(length) = response.field("content-length") {
            let length = length.parse().unwrap();
            self.take(length)
        } else {
            assert_eq!(response.field("connection"), Some("close"), "{response:?}");
            self.rest()
        };
        response
    }

    /// Receives a response up to its body.
    pub(crate) fn response_head(&mut self) -> Response {
        let head = self.take_through(b"\r\n\r\n");
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let mut words = lines.next().unwrap().splitn(3, ' ');
        let version = words.next().unwrap().to_owned();
        assert!(version.starts_with("HTTP/1."), "{head}");
        let status = words.next().unwrap().parse().unwrap();
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a field has a colon");
            assert!(!name.is_empty() && !name.contains(' '), "{head}");
            (name.to_lowercase(), value.trim().to_owned())
        });
        Response {
            version,
            status,
            fields: fields.collect(),
            body: Vec::new(),
        }
    }

    /// Waits for the end of the stream; `false` if something comes before it.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }

    /// Receives everything up to the end of the stream.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.take_through(b"\r\n");
            let size = str::from_utf8(&line).unwrap().trim_end();
            let size = usize::from_str_radix(size, 16).unwrap();
            body.extend(self.take(size));
            assert_eq!(self.take(2), b"\r\n");
            if size == 0 {
                return body;
            }
        }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(
                self.fill(),
                "closed too early after {}",
                self.buffer.escape_ascii()
            );
        }
        self.buffer.drain(..length).collect()
    }

    fn take_through(&mut self, end: &[u8]) -> Vec<u8> {
        let mut searched = 0;
        loop {
            let found = self.buffer[searched..]
                .windows(end.len())
                .position(|part| part == end);
            if let Some(at) = found {
                return self.take(searched + at + end.len());
            }
            searched = self.buffer.len().saturating_sub(end.len());
            assert!(
                self.fill(),
                "closed too early after {}",
                self.buffer.escape_ascii()
            );
        }
    }

    /// Receives more; `false` at the end of the stream.
    fn fill(&mut self) -> bool {
        let mut octets = [0; 1 << 14];
        loop {
            return match self.stream.read(&mut octets) {
                Ok(length) => {
                    self.buffer.extend(&octets[..length]);
                    length > 0
                }
                // The process was stopped and goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // Closed by a server that had not read everything.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
                Err(error) => panic!("{error} after {}", self.buffer.escape_ascii()),
            };
        }
    }
}
