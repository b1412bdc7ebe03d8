//! Requests over TCP in a loop over the sockets: each head gets the same response, whatever it asks
//! for.

use std::io::{self, Read, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use httparse::{EMPTY_HEADER, Status};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

use super::shared::{Until, bind_listener, body, say};
use crate::args::ReflectArgs;
use crate::head::{MAX_HEADERS, closes};
use crate::host::is_transient;

/// How long to wait for events before looking at the clock.
const WAIT: Duration = Duration::from_millis(100);

/// The longest run of requests that is read at a time, and the longest head.
const INPUT_OCTETS: usize = 16 << 10;

/// The token of the listener; a connection's is its place.
const LISTENER: Token = Token(usize::MAX);

pub(super) fn run(args: &ReflectArgs, until: &Until) -> Result<()> {
    let body = body(args.octets)?;
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n");
    let mut listener = TcpListener::from_std(bind_listener(args.listen)?);
    say("http", listener.local_addr()?)?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(256);
    let mut server = Server {
        input: vec![0; INPUT_OCTETS].into(),
        response: [head.as_bytes(), &body].concat(),
        connections: Vec::new(),
        vacant: Vec::new(),
    };
    while !until.is_over() {
        match poll.poll(&mut events, Some(WAIT)) {
            Err(error) if !is_transient(&error) => return Err(error).context("cannot poll"),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => server.accept(&listener, poll.registry())?,
                Token(place) => server.attend(place, event.is_read_closed()),
            }
        }
    }
    Ok(())
}

struct Server {
    /// Room for what is read.
    input: Box<[u8]>,
    response: Vec<u8>,
    connections: Vec<Option<Connection>>,
    /// Places without a connection.
    vacant: Vec<usize>,
}

struct Connection {
    stream: TcpStream,
    /// The beginning of a head that has not all come.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Whether to close when the output has left.
    closes: bool,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, registry: &Registry) -> Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if is_transient(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("cannot accept"),
            };
            let place = self.vacant.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let changes = Interest::READABLE | Interest::WRITABLE;
            registry.register(&mut stream, Token(place), changes)?;
            self.connections[place] = Some(Connection {
                stream,
                input: Vec::new(),
                output: Vec::new(),
                closes: false,
            });
            // The request is often there already.
            self.attend(place, false);
        }
    }

    fn attend(&mut self, place: usize, is_read_closed: bool) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let stays = connection.exchange(&mut self.input, is_read_closed, &self.response);
        if !matches!(stays, Ok(true)) {
            self.connections[place] = None;
            self.vacant.push(place);
        }
    }
}

impl Connection {
    /// Answers what has come; returns whether the connection stays.
    fn exchange(
        &mut self,
        buffer: &mut [u8],
        is_read_closed: bool,
        response: &[u8],
    ) -> io::Result<bool> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(false),
                Ok(octets) => {
                    self.answer(&buffer[..octets], response)?;
                    self.flush()?;
                    // There is no more for now. What comes later is an event of its own, but an end
                    // that has come with this is not.
                    if octets < buffer.len() && !is_read_closed {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_transient(&error) => break,
                Err(error) => return Err(error),
            }
            if self.closes {
                break;
            }
        }
        self.flush()?;
        Ok(!(self.closes && self.output.is_empty()))
    }

    fn answer(&mut self, octets: &[u8], response: &[u8]) -> io::Result<()> {
        self.input.extend_from_slice(octets);
        let mut start = 0;
        while !self.closes
            && let Some((octets, closes)) = head(&self.input[start..])?
        {
            start += octets;
            self.closes = closes;
            self.output.extend_from_slice(response);
        }
        if self.input.len() - start > INPUT_OCTETS {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.input.drain(..start);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(octets) => drop(self.output.drain(..octets)),
                Err(error) if is_transient(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Finds the head of a request: its octets, and whether the connection ends with its response.
/// `None` if it has not all come.
fn head(input: &[u8]) -> io::Result<Option<(usize, bool)>> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(input);
    let Status::Complete(octets) = parsed.map_err(|_| io::ErrorKind::InvalidData)? else {
        return Ok(None);
    };
    Ok(Some((octets, closes(request.version, request.headers))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_whether_the_connection_stays() {
        for (lines, closes) in [
            ("HTTP/1.1\r\n", false),
            ("HTTP/1.0\r\n", true),
            ("HTTP/1.1\r\nHost: a\r\nCONNECTION:  Close \r\n", true),
            ("HTTP/1.0\r\nConnection: keep-alive\r\n", false),
        ] {
            let input = format!("GET /announce?x=%00 {lines}\r\nGET");
            let octets = input.len() - 3;
            let found = head(input.as_bytes()).unwrap();
            assert_eq!(found, Some((octets, closes)), "{lines}");
            assert_eq!(head(&input.as_bytes()[..octets - 1]).unwrap(), None);
        }
        assert!(head(b"SSH-2.0-x\r\n\r\n").is_err());
    }
}
