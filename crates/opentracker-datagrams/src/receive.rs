use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::calls;
use crate::meta::Meta;
use crate::{DATAGRAM_OCTETS, MAX_BATCH};

/// Up to [`MAX_BATCH`] datagrams that came with one system call.
#[derive(Debug)]
pub struct ReceiveBatch {
    buffers: Box<[[u8; DATAGRAM_OCTETS]]>,
    metas: Box<[Meta]>,
    len: usize,
}

impl ReceiveBatch {
    /// Makes buffers for so many datagrams, at least 1 and at most [`MAX_BATCH`].
    pub fn new(datagrams: usize) -> Self {
        let datagrams = datagrams.clamp(1, MAX_BATCH);
        Self {
            buffers: vec![[0; DATAGRAM_OCTETS]; datagrams].into(),
            metas: vec![Meta::EMPTY; datagrams].into(),
            len: 0,
        }
    }

    /// Waits for datagrams in place of those of the last call, takes as many as are there, and
    /// returns how many.
    ///
    /// There is none if the socket's receive timeout is over, or a signal came. A socket that was
    /// [shut down](crate::shut_down) gives datagrams without a source, and does so at once.
    ///
    /// # Errors
    ///
    /// Fails when the system does: with `ECONNREFUSED`, say, after an earlier datagram was refused.
    /// The next call may well succeed.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.take(socket, true)
    }

    /// Does as [`Self::receive`] does, but never waits.
    ///
    /// # Errors
    ///
    /// Fails as [`Self::receive`] does.
    pub fn try_receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.take(socket, false)
    }

    fn take(&mut self, socket: &UdpSocket, wait: bool) -> io::Result<usize> {
        self.len = 0;
        self.len = calls::receive(socket, wait, &mut self.buffers, &mut self.metas)?;
        Ok(self.len)
    }

    /// Returns how many datagrams the last call has taken.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether the last call has taken none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns a datagram, cut off after [`DATAGRAM_OCTETS`], and its source; `None` if it has no
    /// internet address as its source.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`].
    pub fn get(&self, index: usize) -> Option<(&[u8], SocketAddr)> {
        let meta = &self.metas[..self.len][index];
        let octets = meta.received.min(DATAGRAM_OCTETS);
        Some((&self.buffers[index][..octets], meta.address()?))
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.buffers.len()
    }

    pub(crate) fn meta(&mut self, index: usize) -> &mut Meta {
        &mut self.metas[..self.len][index]
    }

    pub(crate) fn metas(&self) -> &[Meta] {
        &self.metas[..self.len]
    }
}
