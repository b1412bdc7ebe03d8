//! The socket of a connection: what was read of it before comes first, and a client that does not
//! read is cut off.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// A client gets a new deadline with each so many octets that it takes.
const STALL_OCTETS: usize = 32 * 1024;

#[derive(Debug)]
pub(crate) struct Stream<S> {
    socket: S,
    /// Octets that were read before.
    earlier: Vec<u8>,
    /// So many of them have been read again.
    reread: usize,
    stall_timeout: Duration,
    /// Runs while there is something that the socket does not take.
    stall: Option<Pin<Box<Sleep>>>,
    /// Octets that the socket has taken since the deadline was set.
    taken: usize,
}

impl<S> Stream<S> {
    pub(crate) fn new(socket: S, earlier: Vec<u8>, stall_timeout: Duration) -> Self {
        Self {
            socket,
            earlier,
            reread: 0,
            stall_timeout,
            stall: None,
            taken: 0,
        }
    }

    fn note_written(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(octets)) => {
                self.taken += octets;
                if self.taken >= STALL_OCTETS {
                    self.note_progress();
                }
                Poll::Ready(Ok(octets))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let timeout = self.stall_timeout;
                let stall = self
                    .stall
                    .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
                ready!(stall.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn note_progress(&mut self) {
        self.taken = 0;
        self.stall = None;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = &this.earlier[this.reread..];
        if rest.is_empty() {
            this.earlier = Vec::new();
            this.reread = 0;
            return pin!(&mut this.socket).poll_read(cx, buf);
        }
        let octets = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..octets]);
        this.reread += octets;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.socket).poll_write(cx, octets);
        self.note_written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = pin!(&mut self.socket).poll_write_vectored(cx, slices);
        self.note_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// Is called when everything has been written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.note_progress();
        pin!(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.socket).poll_shutdown(cx)
    }
}
