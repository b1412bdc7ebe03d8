//! Batched datagrams: `recvmmsg`, `sendmmsg` and the packet information that makes a reply leave
//! from the address that was asked. The only unsafe code of this crate.
#![expect(unsafe_code, reason = "std has no batched datagram calls")]

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, c_uint, c_void};
use opentracker_udp::Datagrams;

/// Datagrams of one system call.
pub(crate) const BATCH: usize = 64;

const BATCH_LEN: c_uint = 64;

const _: () = assert!(BATCH_LEN as usize == BATCH);

/// Octets taken of a datagram. The longest meaningful one is a scrape of 74 info hashes, 1,496;
/// the rest of a longer one is cut off.
pub(crate) const REQUEST_OCTETS: usize = 2048;

/// Room for one control message with packet information of either family, aligned as the kernel
/// wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_OCTETS]);

const CONTROL_OCTETS: usize = 64;

/// Up to [`BATCH`] datagrams and their replies, in buffers that live as long as the worker.
pub(crate) struct Batch {
    requests: Box<[[u8; REQUEST_OCTETS]]>,
    replies: Box<[u8]>,
    reply_octets: usize,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    request_vectors: Box<[libc::iovec]>,
    reply_vectors: Box<[libc::iovec]>,
    /// Point into `requests`, `names`, `controls` and `request_vectors`.
    received: Box<[libc::mmsghdr]>,
    /// Point into `replies`, `names`, `controls` and `reply_vectors`.
    queued: Box<[libc::mmsghdr]>,
    received_len: usize,
    queued_len: usize,
}

// SAFETY: the pointers in the headers go to heap blocks that the batch owns and never replaces,
// so they stay good when the batch moves to another thread.
unsafe impl Send for Batch {}

impl Batch {
    /// Makes the buffers for replies of up to `reply_octets`.
    pub(crate) fn new(reply_octets: usize) -> Self {
        // SAFETY: all-zero octets are a valid value of these plain C structures.
        let (name, vector, header) = unsafe {
            (
                mem::zeroed::<libc::sockaddr_storage>(),
                mem::zeroed::<libc::iovec>(),
                mem::zeroed::<libc::mmsghdr>(),
            )
        };
        let mut batch = Self {
            requests: vec![[0; REQUEST_OCTETS]; BATCH].into(),
            replies: vec![0; reply_octets * BATCH].into(),
            reply_octets,
            names: vec![name; BATCH].into(),
            controls: vec![Control([0; CONTROL_OCTETS]); BATCH].into(),
            request_vectors: vec![vector; BATCH].into(),
            reply_vectors: vec![vector; BATCH].into(),
            received: vec![header; BATCH].into(),
            queued: vec![header; BATCH].into(),
            received_len: 0,
            queued_len: 0,
        };
        batch.link();
        batch
    }

    /// Waits for datagrams and takes as many as are there.
    ///
    /// Fails after the socket's receive timeout; a socket that was shut down gives datagrams
    /// without a source.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        for header in &mut self.received[..self.received_len] {
            header.msg_hdr.msg_namelen = NAME_OCTETS;
            header.msg_hdr.msg_controllen = CONTROL_OCTETS;
        }
        self.received_len = 0;
        self.queued_len = 0;
        let flags = libc::MSG_WAITFORONE as _;
        // SAFETY: the headers point to live buffers of the stated lengths, see `link`.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.received.as_mut_ptr(),
                BATCH_LEN,
                flags,
                ptr::null_mut(),
            )
        };
        match usize::try_from(received) {
            Ok(received) => {
                self.received_len = received;
                Ok(received)
            }
            Err(_) => Err(io::Error::last_os_error()),
        }
    }

    fn request_octets(&self, index: usize) -> usize {
        let octets = usize::try_from(self.received[index].msg_len).unwrap_or(0);
        octets.min(REQUEST_OCTETS)
    }

    fn source(&self, index: usize) -> Option<SocketAddr> {
        if self.received[index].msg_hdr.msg_namelen == 0 {
            return None;
        }
        socket_address(&self.names[index])
    }

    /// Queues the first `octets` of a datagram's reply.
    fn queue(&mut self, index: usize, octets: usize) {
        let received = &self.received[index].msg_hdr;
        let (namelen, controllen) = (received.msg_namelen, received.msg_controllen);
        // SAFETY: the header's control pointer and length were filled by the kernel.
        let control = unsafe { answer_control(received) };
        let vector = &mut self.reply_vectors[self.queued_len];
        let start = index * self.reply_octets;
        vector.iov_base = self.replies[start..start + self.reply_octets]
            .as_mut_ptr()
            .cast();
        vector.iov_len = octets.min(self.reply_octets);
        let header = &mut self.queued[self.queued_len].msg_hdr;
        header.msg_name = ptr::from_mut(&mut self.names[index]).cast();
        header.msg_namelen = namelen;
        if control {
            header.msg_control = ptr::from_mut(&mut self.controls[index]).cast();
            header.msg_controllen = controllen;
        } else {
            header.msg_control = ptr::null_mut();
            header.msg_controllen = 0;
        }
        self.queued_len += 1;
    }

    /// Sends what is queued and returns how many datagrams went out and how many the system did
    /// not take.
    pub(crate) fn send(&mut self, socket: &UdpSocket) -> (usize, usize) {
        let (mut next, mut failed) = (0, 0);
        while next < self.queued_len {
            let rest = &mut self.queued[next..self.queued_len];
            // SAFETY: the headers point to live buffers of the stated lengths, see `link` and
            // `queue`.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    rest.as_mut_ptr(),
                    c_uint::try_from(rest.len()).expect("at most a batch"),
                    0,
                )
            };
            match usize::try_from(sent) {
                Ok(sent) => next += sent,
                Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                // The first of the rest did not go (its address is unreachable, say): skip it.
                Err(_) => {
                    next += 1;
                    failed += 1;
                }
            }
        }
        let sent = self.queued_len - failed;
        self.queued_len = 0;
        (sent, failed)
    }

    /// Lets the headers point to their buffers.
    fn link(&mut self) {
        for index in 0..BATCH {
            let request = &mut self.request_vectors[index];
            request.iov_base = self.requests[index].as_mut_ptr().cast();
            request.iov_len = REQUEST_OCTETS;
            let received = &mut self.received[index].msg_hdr;
            received.msg_name = ptr::from_mut(&mut self.names[index]).cast();
            received.msg_namelen = NAME_OCTETS;
            received.msg_iov = ptr::from_mut(&mut self.request_vectors[index]);
            received.msg_iovlen = 1;
            received.msg_control = ptr::from_mut(&mut self.controls[index]).cast();
            received.msg_controllen = CONTROL_OCTETS;
            let queued = &mut self.queued[index].msg_hdr;
            queued.msg_iov = ptr::from_mut(&mut self.reply_vectors[index]);
            queued.msg_iovlen = 1;
        }
    }
}

impl Datagrams for Batch {
    fn len(&self) -> usize {
        self.received_len
    }

    fn request(&self, index: usize) -> Option<(&[u8], SocketAddr)> {
        let octets = self.request_octets(index);
        Some((&self.requests[index][..octets], self.source(index)?))
    }

    fn exchange(&mut self, index: usize) -> (&[u8], &mut [u8]) {
        let octets = self.request_octets(index);
        let start = index * self.reply_octets;
        let reply = &mut self.replies[start..start + self.reply_octets];
        (&self.requests[index][..octets], reply)
    }

    fn reply(&mut self, index: usize, octets: usize) {
        self.queue(index, octets);
    }
}

/// Asks the kernel to say which address each datagram was sent to.
pub(crate) fn enable_packet_info(socket: &UdpSocket, is_ipv6: bool) -> io::Result<()> {
    if is_ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// Sets the receive buffer beyond the system's limit if the process has the right to, else up to
/// it.
pub(crate) fn set_receive_buffer(socket: &UdpSocket, octets: c_int) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, octets)
        .or_else(|_| set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, octets))
}

/// Ends a blocked [`Batch::receive`] on another thread, and all that follow.
pub(crate) fn shut_down(socket: &UdpSocket) {
    // SAFETY: the descriptor is open as long as the socket is borrowed.
    // An unconnected socket reports ENOTCONN, but its waiting readers are woken all the same.
    unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RD) };
}

const NAME_OCTETS: libc::socklen_t = 128;

const _: () = assert!(size_of::<libc::sockaddr_storage>() == 128);

fn set_option(socket: &UdpSocket, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: the value lives through the call and has the stated size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(&value).cast::<c_void>(),
            4,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn socket_address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says which structure the kernel wrote; the storage is large and
            // aligned enough for it.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            let port = u16::from_be(name.sin_port);
            Some(SocketAddr::V4(SocketAddrV4::new(ip, port)))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let name = unsafe { &*ptr::from_ref(name).cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, port, 0, 0)))
        }
        _ => None,
    }
}

/// Turns received packet information, in place, into what makes the reply leave from the address
/// that was asked. Returns whether there is any.
///
/// # Safety
///
/// The header must have been filled by `recvmmsg`, and its buffers must be live.
unsafe fn answer_control(header: &libc::msghdr) -> bool {
    // SAFETY: as the caller promises.
    let control = unsafe { libc::CMSG_FIRSTHDR(header) };
    if control.is_null() {
        return false;
    }
    // SAFETY: CMSG_FIRSTHDR returned a whole control message within the buffer, and the level and
    // type say which structure is its data; it may be unaligned for that, hence the raw copies.
    unsafe {
        match ((*control).cmsg_level, (*control).cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let data = libc::CMSG_DATA(control).cast::<libc::in_pktinfo>();
                let mut info = ptr::read_unaligned(data);
                // The routing table chooses the interface, as for any other packet.
                info.ipi_ifindex = 0;
                ptr::write_unaligned(data, info);
                true
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let data = libc::CMSG_DATA(control).cast::<libc::in6_pktinfo>();
                let mut info = ptr::read_unaligned(data);
                let is_link_local = info.ipi6_addr.s6_addr[..2] == [0xfe, 0x80];
                // A link-local address means nothing without its interface.
                if !is_link_local {
                    info.ipi6_ifindex = 0;
                }
                ptr::write_unaligned(data, info);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_batch_is_received_and_answered_from_the_address_that_was_asked() {
        let server = UdpSocket::bind("0.0.0.0:0").unwrap();
        enable_packet_info(&server, false).unwrap();
        let port = server.local_addr().unwrap().port();
        let clients: Vec<_> = (1..=5)
            .map(|last| {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client
                    .set_read_timeout(Some(Duration::from_secs(5)))
                    .unwrap();
                // Connected, so that a reply from any other address would not get through.
                client.connect((format!("127.0.0.{last}"), port)).unwrap();
                client.send(&[last; 30]).unwrap();
                client
            })
            .collect();
        let mut batch = Batch::new(100);
        let mut answered = 0;
        while answered < clients.len() {
            let received = batch.receive(&server).unwrap();
            for index in 0..received {
                let (_, source) = batch.request(index).unwrap();
                assert_eq!(source.ip(), Ipv4Addr::LOCALHOST);
                let (request, reply) = batch.exchange(index);
                assert_eq!(request.len(), 30);
                reply[..2].copy_from_slice(&request[..2]);
                batch.reply(index, 2);
            }
            assert_eq!(batch.send(&server), (received, 0));
            answered += received;
        }
        for (client, last) in clients.iter().zip(1..) {
            let mut reply = [0; 100];
            assert_eq!(client.recv(&mut reply).unwrap(), 2);
            assert_eq!(reply[..2], [last, last]);
        }
    }

    #[test]
    fn shutting_down_ends_a_wait() {
        let socket = UdpSocket::bind("[::1]:0").unwrap();
        let other = socket.try_clone().unwrap();
        let waiting = std::thread::spawn(move || {
            let mut batch = Batch::new(10);
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
