use std::time::Instant;

use opentracker_livesync_wire::{LiveRecord, LiveWriter, PacketBuf};

/// The packet that is being filled, and when it has to go at the latest.
#[derive(Debug, Clone)]
pub(crate) struct Filling {
    writer: LiveWriter,
    deadline: Option<Instant>,
}

impl Filling {
    pub(crate) const fn new(writer: LiveWriter) -> Self {
        Self {
            writer,
            deadline: None,
        }
    }

    /// Appends a record to a packet that is not full; `deadline` is called for the first one.
    #[inline]
    pub(crate) fn push(&mut self, record: &LiveRecord, deadline: impl FnOnce() -> Instant) {
        self.deadline.get_or_insert_with(deadline);
        self.writer
            .push(record)
            .expect("a full packet was taken at once, and the family picked the writer");
    }

    #[inline]
    pub(crate) const fn is_full(&self) -> bool {
        self.writer.is_full()
    }

    /// Returns when the packet has to go, or `None` while there is nothing in it.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes the packet and the number of its records, or nothing where it is empty.
    pub(crate) fn take(&mut self) -> Option<(PacketBuf, usize)> {
        self.deadline.take()?;
        let records = self.writer.len();
        Some((self.writer.take(), records))
    }
}
