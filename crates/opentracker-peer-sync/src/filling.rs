use std::time::Instant;

use opentracker_livesync_wire::{
    LiveRecord, PacketBuf, PushError, SyncLive6Writer, SyncLiveWriter,
};

/// The packet that is being filled, and when it has to go at the latest.
#[derive(Debug, Clone)]
pub(crate) struct Filling {
    writer: Writer,
    deadline: Option<Instant>,
}

impl Filling {
    pub(crate) const fn new(writer: Writer) -> Self {
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
        match &self.writer {
            Writer::V4(writer) => writer.is_full(),
            Writer::V6(writer) => writer.is_full(),
        }
    }

    /// Returns when the packet has to go, or `None` while there is nothing in it.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes the packet and the number of its records, or nothing where it is empty.
    pub(crate) fn take(&mut self) -> Option<(PacketBuf, usize)> {
        self.deadline.take()?;
        let (records, packet) = match &mut self.writer {
            Writer::V4(writer) => (writer.len(), writer.take()),
            Writer::V6(writer) => (writer.len(), writer.take()),
        };
        Some((packet, records))
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Writer {
    V4(SyncLiveWriter),
    V6(SyncLive6Writer),
}

impl Writer {
    #[inline]
    fn push(&mut self, record: &LiveRecord) -> Result<(), PushError> {
        match self {
            Self::V4(writer) => writer.push(record),
            Self::V6(writer) => writer.push(record),
        }
    }
}
