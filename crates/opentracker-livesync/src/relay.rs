use std::collections::VecDeque;
use std::time::Instant;

use opentracker_livesync_wire::{LiveRecord, MAX_SEALED_PACKET, Packet, PacketBuf};
use opentracker_peer_sync::{self as peer_sync, Accumulator};

use crate::{Class, Dialect, Kind, Kinds, Output, Settings};

/// Joins the carriers of an instance: what is new on one goes out on the others.
///
/// It remembers nothing: a packet is new once, by the window of its sender, so relays in a ring make no
/// loop. C nodes have no identity that anybody needs, and what they tell goes on in our own packets.
#[derive(Debug)]
pub(crate) struct Relay {
    carriers: Kinds,
    dialect: Dialect,
    passing: VecDeque<Output>,
    told: Accumulator,
}

impl Relay {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            carriers: settings.carriers,
            dialect: settings.peer_sync.dialect,
            passing: VecDeque::new(),
            told: Accumulator::new(settings.peer_sync),
        }
    }

    /// Takes a datagram whose packet was taken as new, to be passed as it is.
    pub(crate) fn pass(&mut self, datagram: &[u8], packet: &Packet<'_>, via: Kind) {
        let is_live = is_live(packet);
        let mut to = self.carriers.without(via);
        if !is_for_group(packet, self.dialect, is_live) {
            to = to.without(Kind::Group);
        }
        let class = match packet {
            Packet::ScrapeTell(_) => Class::Tell,
            Packet::SyncLive(_) | Packet::SyncLive6(_) if !is_live => Class::Tell,
            _ => Class::Live,
        };
        if to.is_empty() || datagram.len() > MAX_SEALED_PACKET {
            return;
        }
        let packet =
            PacketBuf::copy_of(datagram).expect("a sealed packet is no longer than others");
        self.passing.push_back(Output::Send { packet, class, to });
    }

    /// Takes what a C node told.
    pub(crate) fn tell(&mut self, record: &LiveRecord, now: Instant) {
        self.told.handle_announce(record, now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.told.handle_timeout(now);
    }

    pub(crate) fn flush(&mut self) {
        self.told.flush();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.told.poll_timeout()
    }

    /// Returns a packet that is passed.
    pub(crate) fn poll_passing(&mut self) -> Option<Output> {
        self.passing.pop_front()
    }

    /// Returns a packet of what C nodes told, to be sent in our name, and where.
    pub(crate) fn poll_told(&mut self) -> Option<(PacketBuf, Kinds)> {
        let peer_sync::Output::Send(packet) = self.told.poll_output()?;
        Some((packet, self.carriers.without(Kind::Group)))
    }
}

/// Tells whether a packet says what clients have just announced.
fn is_live(packet: &Packet<'_>) -> bool {
    match packet {
        Packet::SyncLive(live) => live.records().all(|record| record.age.is_none()),
        Packet::SyncLive6(live) => live.records().all(|record| record.age.is_none()),
        _ => false,
    }
}

/// Tells whether a packet may go to a group, where C nodes may be.
const fn is_for_group(packet: &Packet<'_>, dialect: Dialect, is_live: bool) -> bool {
    match dialect {
        Dialect::Full => true,
        // Those of 2010 take SYNC_LIVE6 for a beacon.
        Dialect::CV4 => is_live && matches!(packet, Packet::SyncLive(_)),
        Dialect::CDual => is_live,
    }
}
