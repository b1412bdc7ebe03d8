//! TLS of one connection without its socket: records in, octets out, and the other way round.

use std::fmt;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{Error, HandshakeKind};

use super::Tls;

/// Octets of a record at most, with its header (RFC 5246, 6.2.3, which allows more than TLS 1.3).
/// What is not complete by then is refused.
pub(super) const MAX_RECORD: usize = 5 + 16 * 1024 + 2048;

/// Octets that one record takes, and so one call of [`Machine::encrypt`].
pub(super) const MAX_PLAIN: usize = 16 * 1024;

/// Octets that a record takes besides, and a message of new keys that may come before it.
pub(super) const MAX_OVERHEAD: usize = 256;

/// The TLS of a connection. At rest it holds the keys and nothing else.
pub struct Machine {
    connection: UnbufferedServerConnection,
    /// Records that are not complete.
    pub(super) received: Vec<u8>,
    /// What the client has said and nobody has taken.
    decrypted: Vec<u8>,
    /// Octets of `decrypted` that have been taken after all.
    taken: usize,
    /// Records that the socket has not taken.
    unsent: Vec<u8>,
    /// Octets of `unsent` that have been sent after all.
    sent: usize,
    /// Octets that count as written once `unsent` is sent.
    pub(super) owed: usize,
    /// The client says nothing more.
    pub(super) has_ended: bool,
    is_closed: bool,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

type Traffic<'a> = WriteTraffic<'a, ServerConnectionData>;

impl Machine {
    /// Begins a connection.
    ///
    /// # Errors
    ///
    /// Those of the library.
    pub(super) fn new(tls: &Tls) -> Result<Self, Error> {
        Ok(Self {
            connection: tls.connection()?,
            received: Vec::new(),
            decrypted: Vec::new(),
            taken: 0,
            unsent: Vec::new(),
            sent: 0,
            owed: 0,
            has_ended: false,
            is_closed: false,
        })
    }

    /// Tells whether the handshake is not over.
    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Tells whether what comes next may take a signature or a key exchange.
    pub(super) fn is_costly(&self) -> bool {
        self.is_handshaking() && self.connection.negotiated_key_exchange_group().is_none()
    }

    /// Tells whether an earlier session was resumed.
    pub(super) fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Takes the records in `received`, as far as they are complete.
    pub(super) fn take_received(&mut self) -> Result<(), Error> {
        let mut records = std::mem::take(&mut self.received);
        let filled = records.len();
        self.take_records(&mut records, filled, |_| 0)
    }

    /// Takes the records in the first `filled` octets, and keeps those that are not complete. Each part
    /// of what the client says goes to `give`, which returns how much of it it has taken.
    pub(super) fn take_records(
        &mut self,
        records: &mut [u8],
        filled: usize,
        mut give: impl FnMut(&[u8]) -> usize,
    ) -> Result<(), Error> {
        let records = &mut records[..filled];
        let decrypted = &mut self.decrypted;
        let mut start = 0;
        let result = loop {
            let rest = &mut records[start..];
            let UnbufferedStatus {
                mut discard, state, ..
            } = self.connection.process_tls_records(rest);
            let mut is_done = false;
            let result = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
                    match traffic.next_record() {
                        None => break Ok(()),
                        Some(Err(error)) => break Err(error),
                        Some(Ok(record)) => {
                            discard += record.discard;
                            // What was not taken before comes before it.
                            let taken = match decrypted.is_empty() {
                                true => give(record.payload),
                                false => 0,
                            };
                            decrypted.extend_from_slice(&record.payload[taken..]);
                        }
                    }
                },
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.unsent),
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    Ok(())
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.has_ended = true;
                    Ok(())
                }
                Ok(_nothing_to_be_done) => {
                    is_done = true;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            start += discard;
            if is_done || result.is_err() {
                break result;
            }
        };
        match result {
            Ok(()) => {
                self.received = records[start..].to_vec();
                Ok(())
            }
            Err(error) => {
                self.say_why(&mut records[start..]);
                Err(error)
            }
        }
    }

    /// Lets the alert be sent that tells the client of an error.
    fn say_why(&mut self, rest: &mut [u8]) {
        let status = self.connection.process_tls_records(rest);
        if let Ok(ConnectionState::EncodeTlsData(data)) = status.state {
            // There is nothing else to be said.
            let _ = encode(data, &mut self.unsent);
        }
    }

    /// Encrypts [`MAX_PLAIN`] octets at most, and returns how many these have become.
    pub(super) fn encrypt(&mut self, octets: &[u8], records: &mut [u8]) -> Result<usize, Error> {
        self.write(|traffic| traffic.encrypt(octets, records))
    }

    /// Says that nothing more comes.
    pub(super) fn close(&mut self) {
        if self.is_closed || self.is_handshaking() {
            return;
        }
        self.is_closed = true;
        let mut alert = [0; MAX_OVERHEAD];
        // If it cannot be said any more the socket is closed all the same.
        if let Ok(octets) = self.write(|traffic| traffic.queue_close_notify(&mut alert)) {
            self.unsent.extend_from_slice(&alert[..octets]);
        }
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut Traffic<'_>) -> Result<usize, EncryptError>,
    ) -> Result<usize, Error> {
        // The library remembers where in it an incomplete message lies.
        let status = self.connection.process_tls_records(&mut self.received);
        match status.state? {
            ConnectionState::WriteTraffic(mut traffic) => {
                write(&mut traffic).map_err(|_exhausted| Error::EncryptError)
            }
            _ => Err(Error::HandshakeNotComplete),
        }
    }

    /// Octets that the client has said and nobody has taken.
    pub(super) fn decrypted(&self) -> &[u8] {
        &self.decrypted[self.taken..]
    }

    /// Takes note that so many of [`Self::decrypted`] have been taken.
    pub(super) fn note_taken(&mut self, octets: usize) {
        self.taken += octets;
        if self.taken >= self.decrypted.len() {
            self.decrypted = Vec::new();
            self.taken = 0;
        }
    }

    /// Octets that are to be sent.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.unsent[self.sent..]
    }

    /// Keeps octets to be sent.
    pub(super) fn keep_unsent(&mut self, records: &[u8]) {
        self.unsent.extend_from_slice(records);
    }

    /// Takes note that so many of [`Self::unsent`] have been sent.
    pub(super) fn note_sent(&mut self, octets: usize) {
        self.sent += octets;
        if self.sent >= self.unsent.len() {
            self.unsent = Vec::new();
            self.sent = 0;
        }
    }
}

/// Puts a message of the handshake behind others that are to be sent.
fn encode(
    mut message: EncodeTlsData<'_, ServerConnectionData>,
    unsent: &mut Vec<u8>,
) -> Result<(), Error> {
    let Err(EncodeError::InsufficientSize(needed)) = message.encode(&mut []) else {
        return Ok(());
    };
    let start = unsent.len();
    unsent.resize(start + needed.required_size, 0);
    message
        .encode(&mut unsent[start..])
        .map(drop)
        .map_err(|_never| Error::EncryptError)
}
