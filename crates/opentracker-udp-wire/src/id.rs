use core::fmt;

/// Pairs a reply with its request (BEP 15 `transaction_id`): four opaque octets that a client
/// chooses and the tracker echoes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TransactionId([u8; Self::LEN]);

impl TransactionId {
    /// Octets of a transaction id.
    pub const LEN: usize = 4;

    /// Wraps the octets.
    pub const fn new(octets: [u8; Self::LEN]) -> Self {
        Self(octets)
    }

    /// Returns the octets, as they stand on the wire.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl From<u32> for TransactionId {
    fn from(number: u32) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<TransactionId> for u32 {
    fn from(id: TransactionId) -> Self {
        Self::from_be_bytes(id.0)
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from(*self))
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({self})")
    }
}

/// Proves that a client receives at the address it sends from (BEP 15 `connection_id`): eight
/// octets that the tracker hands out and a client repeats. Opaque here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ConnectionId([u8; Self::LEN]);

impl ConnectionId {
    /// Octets of a connection id.
    pub const LEN: usize = 8;

    /// Wraps the octets.
    pub const fn new(octets: [u8; Self::LEN]) -> Self {
        Self(octets)
    }

    /// Returns the octets, as they stand on the wire.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl From<u64> for ConnectionId {
    fn from(number: u64) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<ConnectionId> for u64 {
    fn from(id: ConnectionId) -> Self {
        Self::from_be_bytes(id.0)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from(*self))
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_big_endian_numbers() {
        let transaction = TransactionId::new([0x01, 0x02, 0x03, 0x04]);
        assert_eq!(u32::from(transaction), 0x0102_0304);
        assert_eq!(TransactionId::from(0x0102_0304), transaction);
        assert_eq!(transaction.to_string(), "01020304");

        let connection = ConnectionId::new([0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80]);
        assert_eq!(u64::from(connection), 0x0417_2710_1980);
        assert_eq!(ConnectionId::from(0x0417_2710_1980), connection);
        assert_eq!(connection.to_string(), "0000041727101980");
    }
}
