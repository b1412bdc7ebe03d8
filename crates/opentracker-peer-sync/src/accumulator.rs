use std::collections::VecDeque;
use std::time::Instant;

use opentracker_livesync_wire::{HEADER_LEN, LiveRecord, LiveWriter, PacketBuf, SyncLive6};
use opentracker_types::TrackerId;

use crate::filling::Filling;
use crate::{Dialect, Settings};

/// How many finished packets wait to be polled. With more than that the driver has stalled; the
/// oldest is dropped then, and counted, because what it says is the most likely to be outdated.
pub const MAX_READY: usize = 32;

/// Gathers announces into packets for the cluster.
///
/// Its packets have no sender yet: whoever sends them writes in whose name they go, which may change
/// while they wait.
///
/// Taking a record neither allocates nor waits. All memory is had at the start: two packets that
/// are being filled and room for [`MAX_READY`] finished ones.
#[derive(Debug)]
pub struct Accumulator {
    settings: Settings,
    ipv4: Filling,
    ipv6: Filling,
    ready: VecDeque<Ready>,
    counters: Counters,
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this packet to the group.
    Send(PacketBuf),
}

/// What an [`Accumulator`] has done since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Records that were put into packets.
    pub records: u64,
    /// Packets that were finished.
    pub packets: u64,
    /// Announces of peers that the dialect has no packet for.
    pub unspoken_records: u64,
    /// Finished packets that were dropped because nobody polled them.
    pub dropped_packets: u64,
    /// Records in these packets.
    pub dropped_records: u64,
}

impl Accumulator {
    /// Makes an accumulator. A packet has room for one record at least.
    pub fn new(settings: Settings) -> Self {
        let max_octets = settings.max_octets.max(HEADER_LEN + SyncLive6::RECORD_LEN);
        let nobody = TrackerId::new([0; TrackerId::LEN]);
        let filling = |writer: LiveWriter| Filling::new(writer.with_max_octets(max_octets));
        Self {
            settings,
            ipv4: filling(LiveWriter::sync_live(nobody)),
            ipv6: filling(LiveWriter::sync_live6(nobody)),
            ready: VecDeque::with_capacity(MAX_READY),
            counters: Counters::default(),
        }
    }

    /// Takes an announce that the cluster must hear of.
    ///
    /// A packet that is full with it is finished at once.
    #[inline]
    pub fn handle_announce(&mut self, record: &LiveRecord, now: Instant) {
        let filling = match (self.settings.dialect, record.peer.is_ipv4()) {
            (Dialect::Full | Dialect::CV4, true) => &mut self.ipv4,
            (Dialect::Full, false) | (Dialect::CDual, _) => &mut self.ipv6,
            (Dialect::CV4, false) => {
                self.counters.unspoken_records += 1;
                return;
            }
        };
        filling.push(record, || now + self.settings.max_delay);
        self.counters.records += 1;
        if filling.is_full() {
            let packet = filling.take();
            self.finish(packet);
        }
    }

    /// Finishes the packets whose first record has waited long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |filling: &mut Filling| {
            let deadline = filling.deadline()?;
            if deadline <= now {
                filling.take()
            } else {
                None
            }
        };
        let packets = [due(&mut self.ipv4), due(&mut self.ipv6)];
        packets.into_iter().for_each(|packet| self.finish(packet));
    }

    /// Finishes the packets as they are, for a tracker that is about to stop.
    pub fn flush(&mut self) {
        let packets = [self.ipv4.take(), self.ipv6.take()];
        packets.into_iter().for_each(|packet| self.finish(packet));
    }

    /// Returns what to do next, or `None` when all is done. To be called until then after every
    /// other call.
    #[inline]
    pub fn poll_output(&mut self) -> Option<Output> {
        let Ready { packet, .. } = self.ready.pop_front()?;
        Some(Output::Send(packet))
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), or `None` while no record
    /// waits.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.ipv4.deadline(), self.ipv6.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns what was done so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn finish(&mut self, packet: Option<(PacketBuf, usize)>) {
        let Some((packet, records)) = packet else {
            return;
        };
        if self.ready.len() == MAX_READY
            && let Some(oldest) = self.ready.pop_front()
        {
            self.counters.dropped_packets += 1;
            self.counters.dropped_records += oldest.records as u64;
        }
        self.ready.push_back(Ready { packet, records });
        self.counters.packets += 1;
    }
}

/// A finished packet and how many records it has.
#[derive(Debug)]
struct Ready {
    packet: PacketBuf,
    records: usize,
}
