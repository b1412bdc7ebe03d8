//! Requests over TCP: each head gets the same response, whatever it asks for.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use super::{Until, say};
use crate::args::ReflectArgs;
use crate::head::Head;
use crate::sys::{self, Interest, Poller};

/// How long to wait for events before looking at the clock.
const WAIT: Duration = Duration::from_millis(100);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;

/// The longest run of requests that is read at a time, and the longest head.
const INPUT_OCTETS: usize = 16 << 10;

/// The token of the listener; a connection's is its place and one more.
const LISTENER: usize = 0;

pub(super) fn run(args: &ReflectArgs, until: Until) -> Result<()> {
    let listener = listen(args).with_context(|| format!("cannot listen on tcp {}", args.listen))?;
    say("http", listener.local_addr()?)?;
    let mut poller = Poller::new()?;
    poller.add(&listener, LISTENER, Interest::Readable)?;
    let mut server = Server {
        response: response(args.octets)?,
        connections: Vec::new(),
        vacant: Vec::new(),
    };
    while !until.is_over() {
        poller.wait(WAIT)?;
        for index in 0..poller.ready() {
            match poller.event(index).token {
                LISTENER => server.accept(&listener, &poller)?,
                token => server.attend(token - 1),
            }
        }
    }
    Ok(())
}

fn listen(args: &ReflectArgs) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(args.listen),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&args.listen.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// An announce's response whose body has so many octets, most of them peers.
fn response(octets: usize) -> Result<Vec<u8>> {
    let rest = |peers: usize| format!("d8:intervali1800e5:peers{peers}:e").len();
    let peers = (0..=octets)
        .rev()
        .find(|&peers| rest(peers) + peers <= octets);
    let peers = peers.context("a body has at least 27 octets")?;
    // A number of peers with one digit more can make a length impossible.
    let octets = rest(peers) + peers;
    ensure!(
        octets < INPUT_OCTETS,
        "a body has less than {INPUT_OCTETS} octets"
    );
    let mut response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {octets}\r\n\r\n\
         d8:intervali1800e5:peers{peers}:"
    )
    .into_bytes();
    response.resize(response.len() + peers, 1);
    response.push(b'e');
    Ok(response)
}

struct Server {
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
    fn accept(&mut self, listener: &TcpListener, poller: &Poller) -> Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if sys::is_transient(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error).context("cannot accept"),
            };
            stream.set_nonblocking(true)?;
            let place = self.vacant.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            poller.add(&stream, place + 1, Interest::Changes)?;
            self.connections[place] = Some(Connection {
                stream,
                input: Vec::new(),
                output: Vec::new(),
                closes: false,
            });
            // The request is often there already.
            self.attend(place);
        }
    }

    fn attend(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        let stays = connection.exchange(&self.response);
        if !matches!(stays, Ok(true)) {
            self.connections[place] = None;
            self.vacant.push(place);
        }
    }
}

impl Connection {
    /// Answers what has come; returns whether the connection stays.
    fn exchange(&mut self, response: &[u8]) -> io::Result<bool> {
        let mut buffer = [0; INPUT_OCTETS];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(octets) => {
                    self.answer(&buffer[..octets], response)?;
                    self.flush()?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if sys::is_transient(&error) => break,
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
            && let Some(head) = Head::find(&self.input[start..])
        {
            start += head.octets;
            self.closes = head.closes(head.first_line.ends_with(b" HTTP/1.0"));
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
                Err(error) if sys::is_transient(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_the_body_that_it_promises() {
        for octets in [27, 36, 146, 1_000] {
            let response = response(octets).unwrap();
            let head = response.windows(4).position(|end| end == b"\r\n\r\n");
            let body = &response[head.unwrap() + 4..];
            let promise = format!("\r\nContent-Length: {}\r\n\r\n", body.len());
            let found = response
                .windows(promise.len())
                .any(|part| part == promise.as_bytes());
            assert!(found, "{octets}");
            assert!(body.starts_with(b"d8:intervali1800e5:peers") && body.ends_with(b"e"));
            assert!(octets - body.len() <= 1, "{octets}");
        }
        assert!(response(26).is_err());
        assert!(response(1 << 20).is_err());
    }
}
