/// Defines the writer of a packet that is a list of records: everything but `push`.
macro_rules! record_writer {
    ($(#[$doc:meta])* $writer:ident fills $packet:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $writer {
            packet: $crate::PacketBuf,
        }

        impl $writer {
            /// Starts a packet without records.
            pub fn new(sender: opentracker_types::TrackerId) -> Self {
                Self {
                    packet: $crate::PacketBuf::new(sender, $packet::TYPE),
                }
            }

            /// Returns how many records are in the packet.
            pub const fn len(&self) -> usize {
                self.packet.body_len() / $packet::RECORD_LEN
            }

            /// Tells whether there is no record in the packet.
            pub const fn is_empty(&self) -> bool {
                self.packet.body_len() == 0
            }

            /// Tells whether no further record fits.
            pub const fn is_full(&self) -> bool {
                self.len() == $packet::MAX_RECORDS
            }

            /// Returns the packet as it stands.
            pub fn as_bytes(&self) -> &[u8] {
                self.packet.as_bytes()
            }

            /// Returns the packet and starts the next one.
            pub fn take(&mut self) -> $crate::PacketBuf {
                self.packet.take()
            }
        }
    };
}

pub(crate) use record_writer;
