use core::fmt;

use opentracker_types::TrackerId;

use crate::{Beacon, HEADER_LEN, Inquire, MAX_PACKET, PushError};

/// A packet of up to [`MAX_PACKET`] octets, in place and without an allocation.
#[derive(Clone, PartialEq, Eq)]
pub struct PacketBuf {
    octets: [u8; MAX_PACKET],
    len: usize,
}

impl PacketBuf {
    /// Returns the packet as it goes into a datagram.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets
            .get(..self.len)
            .expect("the length never passes the end of the buffer")
    }

    /// Copies a datagram, if it has a header and is no longer than [`MAX_PACKET`].
    pub fn copy_of(datagram: &[u8]) -> Option<Self> {
        let mut packet = Self {
            octets: [0; MAX_PACKET],
            len: datagram.len(),
        };
        packet
            .octets
            .get_mut(..packet.len)?
            .copy_from_slice(datagram);
        (packet.len >= HEADER_LEN).then_some(packet)
    }

    /// Writes in whose name the packet goes. A seal comes after that.
    pub fn set_sender(&mut self, sender: TrackerId) {
        let slot = self.octets.first_chunk_mut().expect("there is a header");
        *slot = *sender.as_bytes();
    }

    /// Starts a packet that is a header and nothing else.
    pub(crate) fn new(sender: TrackerId, packet_type: u32) -> Self {
        let mut packet = Self {
            octets: [0; MAX_PACKET],
            len: 0,
        };
        packet
            .push(sender.as_bytes(), HEADER_LEN)
            .and_then(|()| packet.push(&packet_type.to_be_bytes(), HEADER_LEN))
            .expect("an empty packet has room for a header");
        packet
    }

    fn of<const N: usize>(packet: &[u8; N]) -> Self {
        let mut buf = Self {
            octets: [0; MAX_PACKET],
            len: 0,
        };
        buf.push(packet, MAX_PACKET)
            .expect("a packet of fixed length fits");
        buf
    }

    /// Appends `field`, or leaves the packet as it is where it would grow beyond `max_octets`.
    #[inline]
    pub(crate) fn push<const N: usize>(
        &mut self,
        field: &[u8; N],
        max_octets: usize,
    ) -> Result<(), PushError> {
        let slot = self
            .octets
            .get_mut(self.len..max_octets)
            .and_then(<[u8]>::first_chunk_mut)
            .ok_or(PushError::Full)?;
        *slot = *field;
        self.len += N;
        Ok(())
    }

    /// Returns how many octets are in the packet, the header among them.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the packet and goes on with an empty one of the same header.
    pub(crate) fn take(&mut self) -> Self {
        let full = self.clone();
        self.len = HEADER_LEN;
        full
    }
}

impl From<&Beacon> for PacketBuf {
    fn from(beacon: &Beacon) -> Self {
        Self::of(&beacon.encode())
    }
}

impl From<&Inquire> for PacketBuf {
    fn from(inquire: &Inquire) -> Self {
        Self::of(&inquire.encode())
    }
}

impl AsRef<[u8]> for PacketBuf {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for PacketBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketBuf(")?;
        self.as_bytes()
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))?;
        write!(f, ")")
    }
}
