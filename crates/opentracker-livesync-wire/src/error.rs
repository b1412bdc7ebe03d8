/// Why a datagram is not a live-sync packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The datagram is shorter than the header.
    #[error("the packet ends at octet {at}, within its header")]
    Header {
        /// Offset at which the datagram ends.
        at: usize,
    },
    /// The header names a type that live sync has not.
    #[error("packet type {packet_type} at octet 4 is unknown")]
    UnknownType {
        /// The type as received.
        packet_type: u32,
    },
    /// No packet of this type has this length.
    #[error("a packet of type {packet_type} cannot have {octets} octets, it goes wrong at {at}")]
    Length {
        /// The type as received.
        packet_type: u32,
        /// Length of the datagram.
        octets: usize,
        /// Offset at which the datagram ends too early, or at which it should have ended.
        at: usize,
    },
    /// The packet has no whole record where it must have one.
    #[error("a packet of type {packet_type} has no whole record at octet 8")]
    NoRecord {
        /// The type as received.
        packet_type: u32,
    },
}

impl DecodeError {
    /// Returns the offset, in octets from the packet's start, at which decoding went wrong.
    pub const fn offset(&self) -> usize {
        match *self {
            Self::Header { at } | Self::Length { at, .. } => at,
            Self::UnknownType { .. } => 4,
            Self::NoRecord { .. } => crate::HEADER_LEN,
        }
    }

    /// Returns a short word for the kind of error, fit to label a counter of dropped packets.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Header { .. } => "header",
            Self::UnknownType { .. } => "type",
            Self::Length { .. } => "length",
            Self::NoRecord { .. } => "no_record",
        }
    }
}

/// Why a writer did not take a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// One more record would make the packet longer than [`MAX_PACKET`](crate::MAX_PACKET).
    #[error("the packet is full")]
    Full,
    /// A SYNC_LIVE packet has no room for an IPv6 address.
    #[error("the peer is not an IPv4 peer")]
    NotIpv4,
}
