/// Defines the writer of a packet that is a list of records: everything but `push`.
macro_rules! record_writer {
    ($(#[$doc:meta])* $writer:ident fills $packet:ident) => {
        $(#[$doc])*
        ///
        /// It is full at [`MAX_PACKET`](crate::MAX_PACKET) octets, or at fewer where
        /// [`with_max_octets`](Self::with_max_octets) says so.
        #[derive(Debug, Clone)]
        pub struct $writer {
            packet: $crate::PacketBuf,
            /// At most `MAX_PACKET`.
            max_octets: usize,
        }

        impl $writer {
            /// Starts a packet without records.
            pub fn new(sender: opentracker_types::TrackerId) -> Self {
                Self {
                    packet: $crate::PacketBuf::new(sender, $packet::TYPE),
                    max_octets: $crate::MAX_PACKET,
                }
            }

            /// Sets the most octets of a packet, the header among them, so that something may
            /// follow the records; more than [`MAX_PACKET`](crate::MAX_PACKET) counts as that.
            /// With no room for one record the writer is always full.
            #[must_use]
            pub fn with_max_octets(mut self, max_octets: usize) -> Self {
                self.max_octets = max_octets.min($crate::MAX_PACKET);
                self
            }

            /// Returns how many records are in the packet.
            pub const fn len(&self) -> usize {
                (self.packet.len() - $crate::HEADER_LEN) / $packet::RECORD_LEN
            }

            /// Tells whether there is no record in the packet.
            pub const fn is_empty(&self) -> bool {
                self.packet.len() == $crate::HEADER_LEN
            }

            /// Tells whether no further record fits.
            #[inline]
            pub const fn is_full(&self) -> bool {
                self.packet.len() + $packet::RECORD_LEN > self.max_octets
            }

            /// Returns the packet as it stands.
            pub fn as_bytes(&self) -> &[u8] {
                self.packet.as_bytes()
            }

            /// Returns the packet and starts the next one.
            pub fn take(&mut self) -> $crate::PacketBuf {
                self.packet.take()
            }

            #[inline]
            fn append(
                &mut self,
                record: &[u8; $packet::RECORD_LEN],
            ) -> Result<(), $crate::PushError> {
                self.packet.push(record, self.max_octets)
            }
        }
    };
}

pub(crate) use record_writer;
