use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::calls;
use crate::receive::ReceiveBatch;
use crate::send::Sent;

/// Up to [`MAX_BATCH`](crate::MAX_BATCH) datagrams and the replies to them.
///
/// Requests are read and replies written in any order: each request has a reply buffer of its own.
#[derive(Debug)]
pub struct Batch {
    requests: ReceiveBatch,
    replies: Box<[u8]>,
    reply_octets: usize,
    queued: Vec<Queued>,
}

/// A reply that waits to be sent.
#[derive(Debug, Clone, Copy)]
struct Queued {
    index: usize,
    octets: usize,
}

impl Batch {
    /// Makes buffers for so many datagrams, at least 1 and at most [`MAX_BATCH`](crate::MAX_BATCH),
    /// and for replies of up to `reply_octets` each.
    pub fn new(datagrams: usize, reply_octets: usize) -> Self {
        let requests = ReceiveBatch::new(datagrams);
        Self {
            replies: vec![0; reply_octets * requests.capacity()].into(),
            reply_octets,
            queued: Vec::with_capacity(requests.capacity()),
            requests,
        }
    }

    /// Waits for datagrams in place of those of the last call, takes as many as are there, and
    /// returns how many. Replies that were queued and not sent are forgotten.
    ///
    /// There is none if the socket's receive timeout is over, or a signal came. A socket that was
    /// [shut down](crate::shut_down) gives datagrams without a source, and does so at once.
    ///
    /// # Errors
    ///
    /// Fails when the system does: with an ICMP error of an earlier reply, say. The next call may
    /// well succeed.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.queued.clear();
        self.requests.receive(socket)
    }

    /// Returns how many datagrams the last [`Self::receive`] has taken.
    pub const fn len(&self) -> usize {
        self.requests.len()
    }

    /// Tells whether the last [`Self::receive`] has taken none.
    pub const fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Returns a datagram, cut off after [`DATAGRAM_OCTETS`](crate::DATAGRAM_OCTETS), and its
    /// source; `None` if it has no internet address as its source.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`].
    pub fn request(&self, index: usize) -> Option<(&[u8], SocketAddr)> {
        self.requests.get(index)
    }

    /// Returns the buffer for the reply to a request, with what an earlier reply left in it.
    ///
    /// # Panics
    ///
    /// The index is not below the number of datagrams that the batch was made for.
    pub fn reply(&mut self, index: usize) -> &mut [u8] {
        let start = index * self.reply_octets;
        &mut self.replies[start..start + self.reply_octets]
    }

    /// Returns a request as [`Self::request`] does, and the buffer for the reply beside it.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`].
    pub fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        let (request, source) = self.requests.get(index)?;
        let start = index * self.reply_octets;
        let reply = &mut self.replies[start..start + self.reply_octets];
        Some((request, source, reply))
    }

    /// Queues the first `octets` of [`Self::reply`], to be sent to the source of the request from
    /// the address that was asked. What is longer than the buffer is cut off.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`], or more replies are queued than there are requests.
    pub fn queue(&mut self, index: usize, octets: usize) {
        assert!(self.queued.len() < self.len(), "one reply a request");
        self.requests.meta(index).turn_to_reply();
        let octets = octets.min(self.reply_octets);
        self.queued.push(Queued { index, octets });
    }

    /// Sends what is queued, and waits for room in the socket's buffer if there is none.
    ///
    /// What the system does not take is skipped and counted.
    pub fn send(&mut self, socket: &UdpSocket) -> Sent {
        let metas = self.requests.metas();
        let messages = self.queued.iter().map(|&Queued { index, octets }| {
            let start = index * self.reply_octets;
            (&self.replies[start..start + octets], &metas[index])
        });
        let mut sent = Sent::default();
        calls::send(socket, messages, |_, error| {
            sent.failed += 1;
            sent.error = Some(error);
        });
        sent.sent = self.queued.len() - sent.failed;
        self.queued.clear();
        sent
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::{SendBatch, enable_packet_info, shut_down};

    const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

    #[test]
    fn a_batch_is_received_and_answered_from_the_address_that_was_asked() {
        let server = UdpSocket::bind("0.0.0.0:0").unwrap();
        enable_packet_info(&server).unwrap();
        let port = server.local_addr().unwrap().port();
        let clients: Vec<_> = (1..=5)
            .map(|last| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.set_read_timeout(PATIENCE).unwrap();
                // Connected, so that a reply from any other address would not get through.
                client.connect((format!("127.0.0.{last}"), port)).unwrap();
                client.send(&[last; 30]).unwrap();
                client
            })
            .collect();
        let mut batch = Batch::new(64, 100);
        let mut answered = 0;
        while answered < clients.len() {
            let received = batch.receive(&server).unwrap();
            // Backwards: the order is of no account.
            for index in (0..received).rev() {
                let (request, source, reply) = batch.exchange(index).unwrap();
                assert_eq!(source.ip(), Ipv4Addr::LOCALHOST);
                assert_eq!(request.len(), 30);
                reply[..2].copy_from_slice(&request[..2]);
                batch.queue(index, 2);
            }
            assert_eq!(batch.send(&server).sent, received);
            answered += received;
        }
        for (client, last) in clients.iter().zip(1..) {
            let mut reply = [0; 100];
            assert_eq!(client.recv(&mut reply).unwrap(), 2);
            assert_eq!(reply[..2], [last, last]);
        }
    }

    #[test]
    fn an_ipv6_wildcard_answers_both_families_from_the_address_that_was_asked() {
        let server = UdpSocket::bind("[::]:0").unwrap();
        enable_packet_info(&server).unwrap();
        let port = server.local_addr().unwrap().port();
        let mut batch = Batch::new(64, 10);
        for (own, target) in [("[::1]:0", "::1"), ("127.0.0.1:0", "127.0.0.9")] {
            let client = UdpSocket::bind(own).unwrap();
            client.set_read_timeout(PATIENCE).unwrap();
            client.connect((target, port)).unwrap();
            client.send(b"?").unwrap();
            assert_eq!(batch.receive(&server).unwrap(), 1);
            let (_, source) = batch.request(0).unwrap();
            let client_address = client.local_addr().unwrap();
            assert_eq!(source.ip().to_canonical(), client_address.ip());
            batch.reply(0)[0] = b'!';
            batch.queue(0, 1);
            assert_eq!(batch.send(&server).sent, 1);
            assert_eq!(client.recv(&mut [0; 10]).unwrap(), 1);
        }
    }

    #[test]
    fn the_replies_of_one_batch_are_not_those_of_the_next() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = server.local_addr().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(PATIENCE).unwrap();
        let mut batch = Batch::new(1, 10);
        for number in 0..3 {
            client.send_to(&[number], target).unwrap();
            assert_eq!(batch.receive(&server).unwrap(), 1);
            let (request, _, reply) = batch.exchange(0).unwrap();
            reply[0] = request[0];
            // The reply to the request before is never sent.
            batch.queue(0, usize::from(number) + 100);
        }
        let sent = batch.send(&server);
        assert_eq!((sent.sent, sent.failed), (1, 0));
        let mut reply = [0; 99];
        assert_eq!(client.recv(&mut reply).unwrap(), 10);
        assert_eq!(reply[0], 2);
        assert_eq!(batch.send(&server).sent, 0);
    }

    #[test]
    fn a_reply_that_cannot_go_is_counted_and_the_others_go() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = server.local_addr().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(PATIENCE).unwrap();
        let mut requests = SendBatch::new(1);
        for _ in 0..2 {
            requests.push(1, target, None);
        }
        assert_eq!(requests.send(&client).sent, 2);
        // More than a datagram can hold.
        let mut batch = Batch::new(64, 1 << 16);
        assert_eq!(batch.receive(&server).unwrap(), 2);
        batch.queue(0, 1 << 16);
        batch.queue(1, 7);
        let sent = batch.send(&server);
        assert_eq!((sent.sent, sent.failed), (1, 1));
        assert!(sent.error.is_some());
        assert_eq!(client.recv(&mut [0; 99]).unwrap(), 7);
    }

    #[test]
    fn a_wait_ends_with_the_timeout_and_with_the_shutdown_of_the_socket() {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        assert_eq!(Batch::new(64, 10).receive(&socket).unwrap(), 0);

        socket.set_read_timeout(None).unwrap();
        let other = socket.try_clone().unwrap();
        let waiting = std::thread::spawn(move || {
            let mut batch = Batch::new(64, 10);
            let received = batch.receive(&other).unwrap_or(0);
            (0..received).all(|index| batch.request(index).is_none())
        });
        while !waiting.is_finished() {
            shut_down(&socket);
            std::thread::yield_now();
        }
        assert!(waiting.join().unwrap(), "there was no datagram");
    }
}
