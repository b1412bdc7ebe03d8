//! One TCP connection.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use nix::errno::Errno;
use opentracker_datagrams::postpone_port;
use opentracker_types::Event;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::response::{Parsed, Response, parse};
use super::tls::{Layer, Tls};
use crate::host::is_transient;
use crate::sources::{Sources, free_bind};
use crate::tally::Kind;

/// A place for a connection, which may be open or not.
#[derive(Debug, Default)]
pub(super) struct Connection {
    stream: Option<TcpStream>,
    /// What is on the stream, if it is TLS.
    layer: Option<Layer>,
    /// Requests, of which the first `written` octets have left.
    output: Vec<u8>,
    written: usize,
    /// Responses, of which the first `filled` octets have come.
    input: Vec<u8>,
    filled: usize,
    /// Responses that have been taken.
    taken: u64,
    /// The requests that wait for their responses, in order.
    pub(super) waiting: VecDeque<Waiting>,
}

/// A request that waits for its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) kind: Kind,
    /// What an announce reports.
    pub(super) event: Event,
    /// When it was sent, or was due: nanoseconds of the run's clock.
    pub(super) since: u64,
}

/// Octets of a response's first buffer, which holds most announces.
const INPUT_OCTETS: usize = 4 << 10;

/// The longest response that is understood.
const MAX_INPUT_OCTETS: usize = 1 << 20;

impl Connection {
    /// Tells whether it is open.
    pub(super) const fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Tells whether the other side may have ended this connection before it saw the requests that
    /// wait, as HTTP allows it to after any response; a client then sends them again.
    pub(super) const fn ends_in_order(&self) -> bool {
        self.taken > 0 && self.filled == 0
    }

    /// Starts to connect from a source to another address, and returns the socket to watch.
    pub(super) fn open(
        &mut self,
        sources: &Sources,
        source: u64,
        target: SocketAddr,
        stays: bool,
        tls: Option<&Tls>,
    ) -> io::Result<&mut TcpStream> {
        let socket = Socket::new(
            Domain::for_address(target),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        if let Some(from) = sources.address(source) {
            postpone_port(&socket)?;
            if sources.are_foreign() {
                free_bind(SockRef::from(&socket), from.is_ipv6())?;
            }
            socket.bind(&SockAddr::from(SocketAddr::new(from, 0)))?;
        }
        if stays || tls.is_some() {
            // What follows something else must not wait for its acknowledgement.
            socket.set_tcp_nodelay(true)?;
        }
        match socket.connect(&target.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {}
            Err(error) => return Err(error),
        }
        self.layer = tls.map(Tls::connect).transpose()?;
        Ok(self.stream.insert(TcpStream::from_std(socket.into())))
    }

    /// Closes the connection and forgets what was on its way.
    pub(super) fn close(&mut self) {
        self.stream = None;
        self.layer = None;
        self.output.clear();
        self.written = 0;
        self.filled = 0;
        self.taken = 0;
        self.waiting.clear();
    }

    /// The buffer to append requests to.
    pub(super) const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Writes as much as the system takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        if let Some(layer) = &mut self.layer {
            let octets = &self.output[self.written..];
            self.written = self.output.len();
            match layer.write(octets, stream) {
                Err(error) if is_transient(&error) => return Ok(()),
                written => written?,
            }
        }
        while self.written < self.output.len() {
            match stream.write(&self.output[self.written..]) {
                Ok(octets) => self.written += octets,
                // Not connected yet, or the system's buffer is full: the poller will say.
                Err(error) if is_transient(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads what is there; returns whether the other side has closed.
    ///
    /// With `to_end`, it reads until there is nothing more; else a read that leaves room in the
    /// buffer is enough, since new octets make the poller speak again.
    pub(super) fn read(&mut self, to_end: bool) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else {
            return Ok(false);
        };
        loop {
            if self.filled == self.input.len() {
                if self.filled >= MAX_INPUT_OCTETS {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                let octets = (2 * self.filled).max(INPUT_OCTETS);
                self.input.resize(octets, 0);
            }
            let room = self.input.len() - self.filled;
            let buffer = &mut self.input[self.filled..];
            let read = match &mut self.layer {
                Some(layer) => layer.read(buffer, stream),
                None => stream.read(buffer),
            };
            match read {
                Ok(0) => return Ok(true),
                Ok(octets) => {
                    self.filled += octets;
                    // TLS may hold more that the poller knows nothing of.
                    if octets < room && !to_end && self.layer.is_none() {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_transient(&error) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the responses that have come, in order, until `take` says to stop; returns whether
    /// what came was understood.
    pub(super) fn take_responses(
        &mut self,
        has_ended: bool,
        mut take: impl FnMut(Waiting, &Response<'_>) -> bool,
    ) -> bool {
        let mut start = 0;
        let mut is_good = true;
        while start < self.filled {
            let Some(&waiting) = self.waiting.front() else {
                // Nobody asked for this.
                is_good = false;
                break;
            };
            match parse(&self.input[start..self.filled], has_ended) {
                Parsed::Complete(response) => {
                    start += response.octets;
                    self.taken += 1;
                    self.waiting.pop_front();
                    if !take(waiting, &response) {
                        break;
                    }
                }
                Parsed::Partial => break,
                Parsed::Malformed => {
                    is_good = false;
                    break;
                }
            }
        }
        self.input.copy_within(start..self.filled, 0);
        self.filled -= start;
        is_good
    }
}
