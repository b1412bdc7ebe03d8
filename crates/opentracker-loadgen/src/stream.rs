//! A TCP connection, with TLS or without, and without a protocol: what waits to leave, and what has come.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use nix::errno::Errno;
use opentracker_datagrams::postpone_port;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::host::is_transient;
use crate::sources::{Sources, free_bind};
use crate::tls::{Layer, Tls};

/// A place for a connection, which may be open or not.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    socket: Option<TcpStream>,
    /// What is on the socket, if it is TLS.
    layer: Option<Layer>,
    /// Requests, of which the first `written` octets have left.
    output: Vec<u8>,
    written: usize,
    /// Answers, of which the first `filled` octets have come.
    input: Vec<u8>,
    filled: usize,
}

/// Octets of the first buffer for answers, which holds most announces.
const INPUT_OCTETS: usize = 4 << 10;

/// The longest answer that is understood.
const MAX_INPUT_OCTETS: usize = 1 << 20;

impl Stream {
    /// Tells whether it is open.
    pub(crate) const fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Starts to connect from a source to another address, and returns the socket to watch.
    pub(crate) fn open(
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
        Ok(self.socket.insert(TcpStream::from_std(socket.into())))
    }

    /// Closes the connection and forgets what was on its way.
    pub(crate) fn close(&mut self) {
        self.socket = None;
        self.layer = None;
        self.output.clear();
        self.written = 0;
        self.filled = 0;
    }

    /// The buffer to append requests to.
    pub(crate) const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Writes as much as the system takes.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        if let Some(layer) = &mut self.layer {
            let octets = &self.output[self.written..];
            self.written = self.output.len();
            match layer.write(octets, socket) {
                Err(error) if is_transient(&error) => return Ok(()),
                written => written?,
            }
        }
        while self.written < self.output.len() {
            match socket.write(&self.output[self.written..]) {
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
    pub(crate) fn read(&mut self, to_end: bool) -> io::Result<bool> {
        let Some(socket) = &mut self.socket else {
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
                Some(layer) => layer.read(buffer, socket),
                None => socket.read(buffer),
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

    /// What has come and was not dropped.
    pub(crate) fn received(&self) -> &[u8] {
        &self.input[..self.filled]
    }

    /// Drops octets from the front of what has come.
    pub(crate) fn drop_first(&mut self, octets: usize) {
        self.input.copy_within(octets..self.filled, 0);
        self.filled -= octets;
    }

    /// Gives the memory back that holds nothing.
    pub(crate) fn shrink(&mut self) {
        if self.filled == 0 {
            self.input = Vec::new();
        }
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }
}
