use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::Range;

use crate::calls;
use crate::meta::Meta;
use crate::{DATAGRAM_OCTETS, MAX_BATCH};

/// What became of the datagrams of a batch.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many the system took.
    pub sent: usize,
    /// How many it did not.
    pub failed: usize,
    /// Why not, of the last of them.
    pub error: Option<io::Error>,
}

/// Up to [`MAX_BATCH`] datagrams that leave with one system call.
///
/// Datagrams of the same length that follow each other between the same addresses can go through
/// the kernel as one *train*, which it takes apart at the end (udp(7), `UDP_SEGMENT`). The receiver
/// sees no difference, and the sender saves most of the way.
#[derive(Debug)]
pub struct SendBatch {
    max_train: usize,
    /// The datagrams, one after the other.
    octets: Box<[u8]>,
    used: usize,
    datagrams: usize,
    trains: Vec<Train>,
}

/// Datagrams that the kernel gets as one.
#[derive(Debug)]
struct Train {
    to: SocketAddr,
    from: Option<IpAddr>,
    octets: Range<usize>,
    /// Octets of each datagram; the last may be shorter.
    segment: usize,
    datagrams: usize,
    /// Given its control messages when it is whole.
    meta: Meta,
}

/// The most octets that IPv4 carries in one datagram, which a train is until it is taken apart.
const MAX_TRAIN_OCTETS: usize = 65_507;

impl SendBatch {
    /// Makes the buffers, and trains of up to `max_train` datagrams; with 1 there are none.
    pub fn new(max_train: usize) -> Self {
        Self {
            max_train,
            octets: vec![0; MAX_BATCH * DATAGRAM_OCTETS].into(),
            used: 0,
            datagrams: 0,
            trains: Vec::with_capacity(MAX_BATCH),
        }
    }

    /// Returns how many datagrams wait.
    pub const fn len(&self) -> usize {
        self.datagrams
    }

    /// Tells whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.datagrams == 0
    }

    /// Tells whether [`MAX_BATCH`] wait, and there is no room for another.
    pub const fn is_full(&self) -> bool {
        self.datagrams == MAX_BATCH
    }

    /// Returns the buffer of the next datagram, of [`DATAGRAM_OCTETS`], which [`Self::push`] then
    /// queues.
    ///
    /// # Panics
    ///
    /// The batch is full.
    pub fn buffer(&mut self) -> &mut [u8] {
        assert!(!self.is_full(), "a batch has room for so many datagrams");
        &mut self.octets[self.used..self.used + DATAGRAM_OCTETS]
    }

    /// Queues the first `octets` of [`Self::buffer`] for `to`; it leaves from an address of this
    /// host, or the one that the system chooses.
    ///
    /// # Panics
    ///
    /// The batch is full, or the datagram longer than the buffer.
    pub fn push(&mut self, octets: usize, to: SocketAddr, from: Option<IpAddr>) {
        assert!(!self.is_full(), "a batch has room for so many datagrams");
        assert!(octets <= DATAGRAM_OCTETS, "longer than its buffer");
        let start = self.used;
        self.used += octets;
        self.datagrams += 1;
        if let Some(train) = self.trains.last_mut()
            && train.takes(octets, to, from, self.max_train)
        {
            train.octets.end = self.used;
            train.datagrams += 1;
            return;
        }
        self.trains.push(Train {
            to,
            from,
            octets: start..self.used,
            segment: octets,
            datagrams: 1,
            meta: Meta::new(to, from),
        });
    }

    /// Sends all that is queued, and waits for room in the socket's buffer if there is none.
    ///
    /// What the system does not take is skipped and counted; a train fails as a whole.
    pub fn send(&mut self, socket: &UdpSocket) -> Sent {
        for train in self.trains.iter_mut().filter(|train| train.datagrams > 1) {
            train.meta.push_segment(train.segment);
        }
        let mut sent = Sent::default();
        let messages = self
            .trains
            .iter()
            .map(|train| (&self.octets[train.octets.clone()], &train.meta));
        calls::send(socket, messages, |index, error| {
            sent.failed += self.trains[index].datagrams;
            sent.error = Some(error);
        });
        sent.sent = self.datagrams - sent.failed;
        self.trains.clear();
        self.used = 0;
        self.datagrams = 0;
        sent
    }
}

impl Train {
    /// Tells whether a datagram can be the next of this train.
    fn takes(&self, octets: usize, to: SocketAddr, from: Option<IpAddr>, max_train: usize) -> bool {
        let is_whole_so_far = self.octets.len() == self.segment * self.datagrams;
        self.datagrams < max_train
            && octets <= self.segment
            && is_whole_so_far
            && self.octets.len() + octets <= MAX_TRAIN_OCTETS
            && (self.to, self.from) == (to, from)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A server that does not wait forever, its address, and a client for it.
    fn pair() -> (UdpSocket, SocketAddr, UdpSocket) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let patience = Some(Duration::from_secs(5));
        server.set_read_timeout(patience).unwrap();
        let target = server.local_addr().unwrap();
        (server, target, UdpSocket::bind("0.0.0.0:0").unwrap())
    }

    fn loopback(last: u8) -> Option<IpAddr> {
        Some([127, 5, 5, last].into())
    }

    #[test]
    fn datagrams_leave_from_the_chosen_addresses() {
        let (server, target, client) = pair();
        let mut batch = SendBatch::new(1);
        for last in [1, 2] {
            batch.push(1, target, loopback(last));
        }
        batch.push(1, target, None);
        assert_eq!(batch.send(&client).sent, 3);
        for source in ["127.5.5.1", "127.5.5.2", "127.0.0.1"] {
            let (_, from) = server.recv_from(&mut [0; 9]).unwrap();
            assert_eq!(from.ip().to_string(), source);
        }
    }

    #[test]
    fn what_has_the_address_of_another_host_fails_and_the_rest_goes() {
        let (server, target, client) = pair();
        let mut batch = SendBatch::new(2);
        let foreign = Some([198, 51, 100, 1].into());
        batch.push(3, target, foreign);
        batch.push(1, target, foreign);
        batch.push(2, target, None);
        let sent = batch.send(&client);
        assert_eq!((sent.sent, sent.failed), (1, 2));
        assert!(sent.error.is_some());
        assert_eq!(server.recv(&mut [0; 9]).unwrap(), 2);
    }

    #[test]
    fn a_train_arrives_as_its_datagrams() {
        let (server, target, client) = pair();
        let mut batch = SendBatch::new(2);
        // Trains: two of source 1 (the longest allowed), one more of it that ends with a shorter
        // one, one that cannot follow a shorter one, one that is longer, one of source 2.
        let pushed = [
            (8, 1),
            (8, 1),
            (8, 1),
            (5, 1),
            (5, 1),
            (9, 1),
            (9, 2),
            (9, 2),
        ];
        for (number, (octets, source)) in (0_u8..).zip(pushed) {
            batch.buffer()[..octets].fill(number);
            batch.push(octets, target, loopback(source));
        }
        assert_eq!(batch.len(), pushed.len());
        let trains: Vec<usize> = batch.trains.iter().map(|train| train.datagrams).collect();
        assert_eq!(trains, [2, 2, 1, 1, 2]);
        assert_eq!(batch.send(&client).sent, pushed.len());
        assert!(batch.is_empty());
        for (number, (octets, source)) in (0_u8..).zip(pushed) {
            let mut buffer = [0; 99];
            let (received, from) = server.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..received], vec![number; octets]);
            assert_eq!(Some(from.ip()), loopback(source));
        }
    }

    #[test]
    fn a_full_batch_of_long_datagrams_is_more_than_one_train() {
        let (server, target, client) = pair();
        // A train of all of them would be longer than a datagram can be.
        let mut batch = SendBatch::new(MAX_BATCH);
        while !batch.is_full() {
            batch.push(1_496, target, None);
        }
        assert_eq!(batch.trains.len(), 2);
        let sent = batch.send(&client);
        assert_eq!((sent.sent, sent.failed), (MAX_BATCH, 0));
        assert_eq!(server.recv(&mut [0; 2_000]).unwrap(), 1_496);
    }

    #[test]
    #[should_panic(expected = "room for so many")]
    fn there_is_no_room_beyond_a_batch() {
        let mut batch = SendBatch::new(1);
        for _ in 0..=MAX_BATCH {
            batch.push(0, ([127, 0, 0, 1], 1).into(), None);
        }
    }
}
