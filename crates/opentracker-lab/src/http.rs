//! A client of HTTP/1.1 that knows nothing of the tracker's codecs. It panics where a server does
//! not keep to the protocol.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a read or a write may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection. Each of its reads and writes may take 20 seconds.
#[derive(Debug)]
pub struct Client<S = TcpStream> {
    /// Its socket, or what is on it, for what the methods do not do.
    pub stream: S,
    received: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Status line and header fields.
    pub head: String,
    /// The body, without the sizes of chunks.
    pub body: Vec<u8>,
}

impl Response {
    /// The body, which has to be text.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body with what is no text replaced.
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of the first header field of this name, in any case of letters.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
        let options = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_nodelay(true));
        options.expect("a socket takes these options");
        Self::over(stream)
    }
}

impl<S: Read + Write> Client<S> {
    /// Speaks over a stream that is there.
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Sends all of a text.
    pub fn send(&mut self, text: &str) {
        let sent = self.stream.write_all(text.as_bytes());
        sent.expect("the server takes it");
    }

    /// Reads a response to a `GET`.
    pub fn response(&mut self) -> Response {
        let mut response = self.response_to_head();
        if response.field("Transfer-Encoding") == Some("chunked") {
            response.body = self.chunks();
            return response;
        }
        let length = response.field("Content-Length");
        let length = length.and_then(|length| length.parse().ok());
        let length: usize = length.expect("it has its length");
        while self.received.len() < length {
            assert!(self.read_some(), "the body is cut off: {}", response.head);
        }
        response.body = self.received.drain(..length).collect();
        response
    }

    /// Reads a body in chunks.
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                let end = self.received.windows(2).position(|at| at == b"\r\n");
                if let Some(end) = end {
                    break end;
                }
                assert!(self.read_some(), "the body is cut off");
            };
            let length = str::from_utf8(&self.received[..end]).ok();
            let length = length.and_then(|length| usize::from_str_radix(length, 16).ok());
            let length = length.expect("a chunk has its length");
            let (start, end) = (end + 2, end + 2 + length);
            while self.received.len() < end + 2 {
                assert!(self.read_some(), "a chunk is cut off");
            }
            assert_eq!(&self.received[end..end + 2], b"\r\n");
            body.extend_from_slice(&self.received[start..end]);
            self.received.drain(..end + 2);
            if length == 0 {
                return body;
            }
        }
    }

    /// Reads everything until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.read_some() {}
        std::mem::take(&mut self.received)
    }

    /// Reads a response to a `HEAD`.
    pub fn response_to_head(&mut self) -> Response {
        let end = loop {
            let end = self.received.windows(4).position(|at| at == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            let so_far = String::from_utf8_lossy(&self.received).into_owned();
            assert!(self.read_some(), "the head is cut off: {so_far:?}");
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = String::from_utf8(head).expect("the head is text");
        let (version, status) = head.split_at("HTTP/1.x ".len());
        assert!(["HTTP/1.0 ", "HTTP/1.1 "].contains(&version), "{head}");
        let status = status[..3].parse().expect("three digits");
        Response {
            status,
            head,
            body: Vec::new(),
        }
    }

    /// Checks that the server says nothing more and closes.
    pub fn expect_end(&mut self) {
        let is_open = self.read_some();
        let rest = String::from_utf8_lossy(&self.received);
        assert!(!is_open && rest.is_empty(), "more comes: {rest:?}");
    }

    /// Returns whether there was something.
    fn read_some(&mut self) -> bool {
        let mut octets = [0; 4096];
        let read = self.stream.read(&mut octets).expect("the server answers");
        self.received.extend_from_slice(&octets[..read]);
        read > 0
    }
}
