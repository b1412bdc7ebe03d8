use std::time::Instant;

use opentracker_livesync_wire::{
    LiveRecord, Packet, PacketBuf, PushError, SyncLive6Writer, SyncLiveWriter,
};
use opentracker_types::TrackerId;

/// The packet that is being filled, and when it has to go at the latest.
#[derive(Debug, Clone)]
pub(crate) struct Filling {
    /// Whose name the packet was begun in.
    id: TrackerId,
    writer: Writer,
    deadline: Option<Instant>,
}

impl Filling {
    pub(crate) fn v4(id: TrackerId) -> Self {
        Self::new(id, Writer::V4(SyncLiveWriter::new(id)))
    }

    pub(crate) fn v6(id: TrackerId) -> Self {
        Self::new(id, Writer::V6(SyncLive6Writer::new(id)))
    }

    const fn new(id: TrackerId, writer: Writer) -> Self {
        Self {
            id,
            writer,
            deadline: None,
        }
    }

    /// Appends a record to a packet that is not full; `deadline` is called for the first one.
    #[inline]
    pub(crate) fn push(&mut self, record: &LiveRecord, deadline: impl FnOnce() -> Instant) {
        self.deadline.get_or_insert_with(deadline);
        self.writer.push(record);
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

    /// Takes the packet, in the name of `id`, and the number of its records; or nothing where it
    /// is empty.
    pub(crate) fn take(&mut self, id: TrackerId) -> Option<(PacketBuf, usize)> {
        self.deadline.take()?;
        if self.id != id {
            self.rename(id);
        }
        let (records, packet) = match &mut self.writer {
            Writer::V4(writer) => (writer.len(), writer.take()),
            Writer::V6(writer) => (writer.len(), writer.take()),
        };
        Some((packet, records))
    }

    /// Writes the packet anew in another name.
    fn rename(&mut self, id: TrackerId) {
        let (mut renamed, packet) = match &mut self.writer {
            Writer::V4(writer) => (Self::v4(id), writer.take()),
            Writer::V6(writer) => (Self::v6(id), writer.take()),
        };
        match Packet::decode(packet.as_bytes()) {
            Ok(Packet::SyncLive(live)) => live.records().for_each(|r| renamed.writer.push(&r)),
            Ok(Packet::SyncLive6(live)) => live.records().for_each(|r| renamed.writer.push(&r)),
            other => unreachable!("a writer of announces wrote {other:?}"),
        }
        *self = renamed;
    }
}

#[derive(Debug, Clone)]
enum Writer {
    V4(SyncLiveWriter),
    V6(SyncLive6Writer),
}

impl Writer {
    #[inline]
    fn push(&mut self, record: &LiveRecord) {
        let pushed: Result<(), PushError> = match self {
            Self::V4(writer) => writer.push(record),
            Self::V6(writer) => writer.push(record),
        };
        pushed.expect("a full packet was taken at once, and the family picked the writer");
    }
}
