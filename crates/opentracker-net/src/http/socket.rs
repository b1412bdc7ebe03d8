//! The sockets of connections: of TCP, or of a program of this host, and TLS on them.

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::tls;

/// The socket of a connection.
#[derive(Debug)]
pub enum Socket {
    /// Of TCP.
    Tcp(TcpStream),
    /// Of a program of this host.
    Unix(UnixStream),
    /// TLS on one of the others; it is read and written once it is registered.
    Tls(Box<tls::Stream<Self>>),
}

/// The same, registered with the runtime of its thread.
#[derive(Debug)]
pub enum AsyncSocket {
    /// Of TCP.
    Tcp(tokio::net::TcpStream),
    /// Of a program of this host.
    Unix(tokio::net::UnixStream),
    /// TLS on one of the others.
    Tls(Box<tls::Stream<Self>>),
}

impl Socket {
    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(true),
            Self::Unix(stream) => stream.set_nonblocking(true),
            Self::Tls(_) => Ok(()),
        }
    }

    /// Registers it with the runtime of this thread.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn into_async(self) -> io::Result<AsyncSocket> {
        Ok(match self {
            Self::Tcp(stream) => AsyncSocket::Tcp(tokio::net::TcpStream::from_std(stream)?),
            Self::Unix(stream) => AsyncSocket::Unix(tokio::net::UnixStream::from_std(stream)?),
            Self::Tls(stream) => AsyncSocket::Tls(Box::new(stream.try_map(Self::into_async)?)),
        })
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => { stream }.read(buffer),
            Socket::Unix(stream) => { stream }.read(buffer),
            Socket::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl Write for &Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => { stream }.write(octets),
            Socket::Unix(stream) => { stream }.write(octets),
            Socket::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncSocket {
    pub(super) fn into_std(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => Socket::Tcp(stream.into_std()?),
            Self::Unix(stream) => Socket::Unix(stream.into_std()?),
            Self::Tls(stream) => Socket::Tls(Box::new(stream.try_map(Self::into_std)?)),
        })
    }

    /// Tells the client of TLS that nothing more comes, if its socket takes that at once: else it would
    /// have to take the end for an attack.
    pub(super) async fn close(mut self) {
        if matches!(self, Self::Tls(_)) {
            poll_fn(|cx| Poll::Ready(Pin::new(&mut self).poll_shutdown(cx).is_ready())).await;
        }
    }
}

impl AsyncRead for AsyncSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for AsyncSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, octets),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
