//! A socket with TLS on it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::{AlertDescription, Error, InvalidMessage};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Tls;
use super::handshakes::Handshakers;
use super::machine::{MAX_OVERHEAD, MAX_PLAIN, MAX_RECORD, Machine};

/// So often a stream is read in vain, because no record is complete, before others get their turn.
const MAX_ROUNDS: usize = 4;

/// What all streams of a thread read into and encrypt into.
struct Scratch {
    input: Box<[u8]>,
    output: Box<[u8]>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; MAX_RECORD].into(),
        output: vec![0; MAX_PLAIN + MAX_OVERHEAD].into(),
    });
}

/// A socket with TLS on it, as an `AsyncRead` and `AsyncWrite` of what is inside.
///
/// A write that was pending has to be tried again with the same octets, be there more of them or not,
/// as hyper and `write_all` do: they are encrypted by then.
#[derive(Debug)]
pub struct Stream<S> {
    socket: S,
    machine: Box<Machine>,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The client has closed the connection, or the system has.
    #[error("the connection is closed")]
    Closed(#[source] io::Error),
    /// More handshakes wait than there may.
    #[error("too many handshakes wait")]
    Overloaded,
    /// What came is not TLS.
    #[error("what came is not TLS")]
    NotTls,
    /// Client and server have no version, suite or protocol in common.
    #[error("there is nothing that both sides speak")]
    Incompatible(#[source] Error),
    /// The client has refused, most often because it does not trust the certificate.
    #[error("the client refused")]
    Refused(#[source] Error),
    /// The client has not kept to the protocol.
    #[error("the client has not kept to the protocol")]
    Broken(#[source] Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => Self::NotTls,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::Incompatible(error),
            Error::AlertReceived(
                AlertDescription::CloseNotify | AlertDescription::UserCanceled,
            ) => Self::Closed(io::ErrorKind::UnexpectedEof.into()),
            Error::AlertReceived(_) => Self::Refused(error),
            error => Self::Broken(error),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Shakes hands with a client, of whom octets may have been read before. Without threads for what
    /// takes long, this one does it.
    ///
    /// # Errors
    ///
    /// Says why there is no connection. The client has been told, if it could be.
    pub async fn accept(
        tls: &Tls,
        socket: S,
        earlier: Vec<u8>,
        handshakers: Option<&Handshakers>,
    ) -> Result<Self, Failure> {
        let machine = Box::new(Machine::new(tls)?);
        let mut stream = Self { socket, machine };
        stream.machine.received = earlier;
        let mut has_octets = !stream.machine.received.is_empty();
        while stream.machine.is_handshaking() {
            if !has_octets {
                poll_fn(|cx| stream.poll_records(cx)).await?;
            }
            has_octets = false;
            let taken = match handshakers {
                Some(handshakers) if stream.machine.is_costly() => {
                    let Self { socket, machine } = stream;
                    let (machine, taken) = handshakers.take_received(machine).await?;
                    stream = Self { socket, machine };
                    taken
                }
                _ => stream.machine.take_received(),
            };
            if let Err(error) = taken {
                // The client may know why, if its socket takes it.
                poll_fn(|cx| Poll::Ready(stream.poll_unsent(cx).is_ready())).await;
                return Err(error.into());
            }
            let sent = poll_fn(|cx| stream.poll_unsent(cx)).await;
            sent.map_err(Failure::Closed)?;
        }
        Ok(stream)
    }

    /// Tells whether an earlier session was resumed.
    pub fn is_resumed(&self) -> bool {
        self.machine.is_resumed()
    }

    /// Waits for octets, and puts them behind those that were received.
    fn poll_records(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let received = &mut self.machine.received;
        SCRATCH.with_borrow_mut(|scratch| {
            let room = MAX_RECORD.saturating_sub(received.len());
            if room == 0 {
                return Poll::Ready(Err(Failure::NotTls));
            }
            let mut input = ReadBuf::new(&mut scratch.input[..room]);
            let read = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut input));
            if let Err(error) = read {
                return Poll::Ready(Err(Failure::Closed(error)));
            }
            if input.filled().is_empty() {
                let error = io::ErrorKind::UnexpectedEof.into();
                return Poll::Ready(Err(Failure::Closed(error)));
            }
            received.extend_from_slice(input.filled());
            Poll::Ready(Ok(()))
        })
    }
}

impl<S> Stream<S> {
    /// Puts another socket in place of this one, which is the same in another shape.
    ///
    /// # Errors
    ///
    /// Fails as `change` does.
    pub fn try_map<T>(self, change: impl FnOnce(S) -> io::Result<T>) -> io::Result<Stream<T>> {
        Ok(Stream {
            socket: change(self.socket)?,
            machine: self.machine,
        })
    }
}

impl<S: AsyncRead + Unpin> Stream<S> {
    /// Reads records once, and gives what is in them.
    fn poll_read_once(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let machine = &mut *self.machine;
        SCRATCH.with_borrow_mut(|scratch| {
            let held = machine.received.len();
            if held >= scratch.input.len() {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            let mut input = ReadBuf::new(&mut scratch.input[held..]);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut input))?;
            let filled = held + input.filled().len();
            if filled == held {
                // A request says where it ends, so nothing can be cut off unseen.
                machine.has_ended = true;
                return Poll::Ready(Ok(()));
            }
            scratch.input[..held].copy_from_slice(&machine.received);
            let give = |octets: &[u8]| {
                let taken = octets.len().min(buffer.remaining());
                buffer.put_slice(&octets[..taken]);
                taken
            };
            let taken = machine.take_records(&mut scratch.input, filled, give);
            Poll::Ready(taken.map_err(broken))
        })
    }
}

impl<S: AsyncWrite + Unpin> Stream<S> {
    /// Sends what is encrypted.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.machine.unsent().is_empty() {
            let unsent = self.machine.unsent();
            let sent = ready!(Pin::new(&mut self.socket).poll_write(cx, unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.machine.note_sent(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Encrypts octets, sends what the socket takes, and keeps the rest. Returns whether there is one.
    fn send(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> io::Result<bool> {
        SCRATCH.with_borrow_mut(|scratch| {
            let length = self.machine.encrypt(octets, &mut scratch.output);
            let records = &scratch.output[..length.map_err(broken)?];
            let sent = match Pin::new(&mut self.socket).poll_write(cx, records) {
                Poll::Ready(sent) => sent?,
                Poll::Pending => 0,
            };
            self.machine.keep_unsent(&records[sent..]);
            Ok(sent < records.len())
        })
    }
}

fn broken(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        for _ in 0..MAX_ROUNDS {
            let decrypted = this.machine.decrypted();
            if !decrypted.is_empty() {
                let taken = decrypted.len().min(buffer.remaining());
                buffer.put_slice(&decrypted[..taken]);
                this.machine.note_taken(taken);
            }
            if buffer.filled().len() > before || this.machine.has_ended {
                return Poll::Ready(Ok(()));
            }
            let read = this.poll_read_once(cx, buffer);
            // Tickets, new keys and alerts; whoever waits to read waits for them, too.
            if let Poll::Ready(Err(error)) = this.poll_unsent(cx) {
                return Poll::Ready(Err(error));
            }
            ready!(read)?;
        }
        if buffer.filled().len() == before && !this.machine.has_ended {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_unsent(cx))?;
        if this.machine.owed > 0 {
            let owed = std::mem::take(&mut this.machine.owed);
            return Poll::Ready(Ok(owed.min(octets.len())));
        }
        let octets = &octets[..octets.len().min(MAX_PLAIN)];
        if this.send(cx, octets)? {
            this.machine.owed = octets.len();
            // The socket wakes the task if it takes no more.
            ready!(this.poll_unsent(cx))?;
            this.machine.owed = 0;
        }
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_unsent(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.machine.close();
        ready!(this.poll_unsent(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}
