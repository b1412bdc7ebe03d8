use std::fmt::Debug;
use std::time::Instant;

use opentracker_core::{Cluster, CounterRegistry, Counters};
use opentracker_livesync_wire::{LiveRecord, PacketBuf};
use opentracker_peer_sync::{self as peer_sync, Accumulator, Output};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

use crate::Counter;

/// Where a worker's packets go: to the one thread that names their sender, seals and sends them.
pub trait Transmit: Debug + Send {
    /// Hands a packet over without waiting, for [`Instance::tell`](crate::Instance::tell), and says
    /// whether none had to give way to it.
    fn transmit(&self, packet: PacketBuf) -> bool;
}

/// One worker's end of the cluster: its own accumulator, and its own way to the thread that sends.
/// Telling waits for nobody, and no announce pays for a hash or a socket.
#[derive(Debug)]
pub struct Teller<T> {
    accumulator: Accumulator,
    network: T,
    counters: Counters<Counter>,
    counted: peer_sync::Counters,
}

impl<T: Transmit> Teller<T> {
    /// Makes the end of the cluster that one more worker owns.
    pub fn new(settings: peer_sync::Settings, network: T, counters: &CounterRegistry) -> Self {
        Self {
            accumulator: Accumulator::new(settings),
            network,
            counters: counters.register(),
            counted: peer_sync::Counters::default(),
        }
    }

    fn send_ready(&mut self) {
        while let Some(Output::Send(packet)) = self.accumulator.poll_output() {
            if !self.network.transmit(packet) {
                self.counters.count(Counter::QueueFull);
            }
        }
    }

    /// Carries what the accumulator has counted over to the tracker's counters.
    fn count(&mut self) {
        let now = self.accumulator.counters();
        let told = now.records - self.counted.records;
        let unspoken = now.unspoken_records - self.counted.unspoken_records;
        self.counters.add(Counter::AnnouncesTold, told);
        self.counters.add(Counter::Unspoken, unspoken);
        self.counted = now;
    }
}

impl<T: Transmit> Cluster for Teller<T> {
    fn tell(&mut self, info_hash: &InfoHash, peer: PeerAddr, flags: PeerFlags, now: Instant) {
        let record = LiveRecord::new(*info_hash, peer, flags);
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
