use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Cluster, Counter, Counters};
use opentracker_livesync_wire::LiveRecord;
use opentracker_multicast::Sender;
use opentracker_peer_sync::{self as peer_sync, Accumulator, Output};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

/// One worker's end of the cluster: its own accumulator, and its own hand on the socket. Telling
/// waits for nobody; a packet that the system does not take at once is dropped and counted, as
/// the network might have dropped it.
#[derive(Debug)]
pub(super) struct Teller {
    accumulator: Accumulator,
    sender: Sender,
    counters: Arc<Counters>,
    counted: peer_sync::Counters,
}

impl Teller {
    pub(super) fn new(accumulator: Accumulator, sender: Sender, counters: Arc<Counters>) -> Self {
        Self {
            accumulator,
            sender,
            counters,
            counted: peer_sync::Counters::default(),
        }
    }

    fn send_ready(&mut self) {
        while let Some(Output::Send(packet)) = self.accumulator.poll_output() {
            self.counters
                .count(match self.sender.try_send(packet.as_bytes()) {
                    Ok(()) => Counter::LiveSyncSent,
                    Err(_) => Counter::LiveSyncDroppedSend,
                });
        }
    }

    /// Carries what the accumulator has counted over to the tracker's counters.
    fn count(&mut self) {
        let now = self.accumulator.counters();
        let told = now.records - self.counted.records;
        let unspoken = now.unspoken_records - self.counted.unspoken_records;
        self.counters.add(Counter::LiveSyncTold, told);
        self.counters.add(Counter::LiveSyncDroppedDialect, unspoken);
        self.counted = now;
    }
}

impl Cluster for Teller {
    fn tell(&mut self, info_hash: &InfoHash, peer: PeerAddr, flags: PeerFlags, now: Instant) {
        let record = LiveRecord {
            info_hash: *info_hash,
            peer,
            flags,
        };
        self.accumulator.handle_announce(&record, now);
        self.send_ready();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.accumulator.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.accumulator.handle_timeout(now);
        self.send_ready();
        self.count();
    }

    fn flush(&mut self, _now: Instant) {
        self.accumulator.flush();
        self.send_ready();
        self.count();
    }
}
