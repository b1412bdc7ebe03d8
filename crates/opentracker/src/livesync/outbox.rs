use std::sync::{Arc, Mutex, PoisonError};

use opentracker_livesync::{Class, Queue, Transmit};
use opentracker_livesync_wire::PacketBuf;
use tokio::sync::Notify;

/// Packets that wait for the live-sync thread, of each worker. With more than that it has stalled.
const MAX_WAITING: usize = 64;

/// The queues of all workers, and what wakes the thread that empties them.
#[derive(Debug, Default)]
pub(super) struct Outboxes {
    queues: Mutex<Vec<Arc<Waiting>>>,
    filled: Arc<Notify>,
}

/// One worker's end of its queue. The lock is shared with the thread that empties it alone, which
/// holds it while it takes one packet out.
#[derive(Debug)]
pub(super) struct Outbox {
    queue: Arc<Waiting>,
    filled: Arc<Notify>,
}

type Waiting = Mutex<Queue<PacketBuf>>;

impl Outboxes {
    /// Makes the end of one more worker.
    pub(super) fn register(&self) -> Outbox {
        let queue = Arc::new(Mutex::new(Queue::new(MAX_WAITING)));
        lock(&self.queues).push(Arc::clone(&queue));
        Outbox {
            queue,
            filled: Arc::clone(&self.filled),
        }
    }

    /// Waits until there is a packet, or has been since the last call.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Takes all packets that are there.
    pub(super) fn drain(&self, mut take: impl FnMut(PacketBuf)) {
        for queue in &*lock(&self.queues) {
            // No more than were there, if a worker fills it as fast.
            for _ in 0..MAX_WAITING {
                let Some((packet, _)) = lock(queue).pop() else {
                    break;
                };
                take(packet);
            }
        }
    }
}

impl Transmit for Outbox {
    fn transmit(&self, packet: PacketBuf) -> bool {
        let mut queue = lock(&self.queue);
        let dropped = queue.dropped();
        queue.push(packet, Class::Live);
        let has_room = queue.dropped() == dropped;
        drop(queue);
        self.filled.notify_one();
        has_room
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use opentracker_livesync_wire::Beacon;
    use opentracker_types::TrackerId;

    use super::*;

    fn packet(torrents: u64) -> PacketBuf {
        let sender = TrackerId::new(*b"ours");
        PacketBuf::from(&Beacon { sender, torrents })
    }

    #[test]
    fn the_oldest_packet_of_a_worker_gives_way() {
        let outboxes = Outboxes::default();
        let (one, other) = (outboxes.register(), outboxes.register());
        let most = MAX_WAITING as u64;
        assert!(other.transmit(packet(1000)));
        let given_way = (0..=most).filter(|&number| !one.transmit(packet(number)));
        assert_eq!(given_way.collect::<Vec<_>>(), [most]);
        let mut taken = Vec::new();
        outboxes.drain(|packet| taken.push(packet));
        let expected: Vec<_> = (1..=most).chain([1000]).map(packet).collect();
        assert_eq!(taken, expected);
        outboxes.drain(|packet| panic!("{packet:?} is there"));
    }
}
