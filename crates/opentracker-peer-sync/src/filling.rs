use std::mem;
use std::time::Instant;

use opentracker_livesync_wire::{LiveRecord, LiveWriter, Packet, PacketBuf};
use opentracker_types::TrackerId;

/// The packet that is being filled, and when it has to go at the latest.
#[derive(Debug, Clone)]
pub(crate) struct Filling {
    /// Begins a packet of the same type.
    begin: fn(TrackerId) -> LiveWriter,
    /// Whose name the packet was begun in.
    id: TrackerId,
    writer: LiveWriter,
    deadline: Option<Instant>,
}

impl Filling {
    pub(crate) fn new(begin: fn(TrackerId) -> LiveWriter, id: TrackerId) -> Self {
        Self {
            begin,
            id,
            writer: begin(id),
            deadline: None,
        }
    }

    /// Appends a record to a packet that is not full; `deadline` is called for the first one.
    #[inline]
    pub(crate) fn push(&mut self, record: &LiveRecord, deadline: impl FnOnce() -> Instant) {
        self.deadline.get_or_insert_with(deadline);
        self.append(record);
    }

    #[inline]
    pub(crate) const fn is_full(&self) -> bool {
        self.writer.is_full()
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
        let records = self.writer.len();
        Some((self.writer.take(), records))
    }

    /// Writes the packet anew in another name.
    fn rename(&mut self, id: TrackerId) {
        self.id = id;
        let packet = mem::replace(&mut self.writer, (self.begin)(id));
        match Packet::decode(packet.as_bytes()) {
            Ok(Packet::SyncLive(live)) => live.records().for_each(|record| self.append(&record)),
            Ok(Packet::SyncLive6(live)) => live.records().for_each(|record| self.append(&record)),
            other => unreachable!("a writer of announces wrote {other:?}"),
        }
    }

    #[inline]
    fn append(&mut self, record: &LiveRecord) {
        self.writer
            .push(record)
            .expect("a full packet was taken at once, and the family picked the writer");
    }
}
