//! Datagrams by the batch, from chosen addresses.
#![expect(unsafe_code, reason = "std has no batched datagrams")]

use std::io;
use std::mem;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use libc::{c_int, c_uint};
use socket2::SockAddr;

use super::is_transient;

/// Datagrams of one system call.
pub(crate) const BATCH: usize = 64;

/// Octets that a datagram may have; the rest of a longer one that arrives is cut off.
pub(crate) const DATAGRAM_OCTETS: usize = 2048;

const NAME_OCTETS: libc::socklen_t = 128;

const _: () = assert!(size_of::<libc::sockaddr_storage>() == 128);

/// Room for a control message with packet information of either family, and one with the octets
/// of a segment.
const CONTROL_OCTETS: usize = 80;

/// Control messages, laid out as the kernel wants them.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control {
    octets: [u8; CONTROL_OCTETS],
    len: usize,
}

impl Control {
    const EMPTY: Self = Self {
        octets: [0; CONTROL_OCTETS],
        len: 0,
    };

    /// Appends a message.
    fn push<T: Copy>(&mut self, level: c_int, kind: c_int, value: T) {
        let octets = c_uint::try_from(size_of::<T>()).expect("a few octets");
        // SAFETY: all-zero octets are a valid `msghdr`. Its control buffer is what is left of
        // `self.octets`, which is aligned for a `cmsghdr` (the structure is, and CMSG_SPACE only
        // returns multiples of that) and large enough for one with a `T`, as asserted; so
        // CMSG_FIRSTHDR returns its start and not null.
        unsafe {
            let space = usize::try_from(libc::CMSG_SPACE(octets)).expect("a few octets");
            let rest = &mut self.octets[self.len..];
            assert!(space <= rest.len(), "the control buffer is too small");
            let mut header = mem::zeroed::<libc::msghdr>();
            header.msg_control = rest.as_mut_ptr().cast();
            header.msg_controllen = rest.len() as _;
            let message = libc::CMSG_FIRSTHDR(&raw const header);
            (*message).cmsg_level = level;
            (*message).cmsg_type = kind;
            (*message).cmsg_len = libc::CMSG_LEN(octets) as _;
            ptr::write_unaligned(libc::CMSG_DATA(message).cast::<T>(), value);
            self.len += space;
        }
    }
}

/// The address that a datagram leaves from, in the form that the kernel understands.
#[derive(Clone, Copy)]
pub(crate) struct Origin(Control);

impl Origin {
    /// Leaves the choice to the system.
    pub(crate) const ANY: Self = Self(Control::EMPTY);

    /// Takes an address of this host.
    pub(crate) fn new(ip: IpAddr) -> Self {
        let mut control = Control::EMPTY;
        match ip {
            IpAddr::V4(ip) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(ip.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(ip) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: ip.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
        }
        Self(control)
    }
}

/// Up to [`BATCH`] datagrams that leave with one system call.
///
/// Datagrams of the same length between the same addresses can go through the kernel as one
/// *train*, which it takes apart at the end (`UDP_SEGMENT`). The receiver sees no difference, and the
/// sender saves most of the way.
pub(crate) struct Outbox {
    /// The datagrams, one after the other.
    octets: Box<[u8]>,
    used: usize,
    datagrams: usize,
    names: Box<[libc::sockaddr_storage]>,
    controls: Box<[Control]>,
    vectors: Box<[libc::iovec]>,
    /// Point into the four above.
    headers: Box<[libc::mmsghdr]>,
    trains: Vec<Train>,
}

/// Datagrams that the kernel gets as one.
#[derive(Debug, Clone, Copy)]
struct Train {
    /// What may be appended to it has the same.
    key: usize,
    /// Octets of each datagram; the last may be shorter.
    segment: usize,
    count: usize,
    is_open: bool,
}

// SAFETY: the pointers in the headers and vectors go to heap blocks that the box owns and never
// replaces, so they stay good when it moves to another thread.
unsafe impl Send for Outbox {}

/// What became of the datagrams of an [`Outbox`].
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// How many the system did not take.
    pub(crate) failed: u64,
    /// Why, of the last of them.
    pub(crate) error: Option<io::Error>,
}

impl Outbox {
    /// Makes the buffers.
    pub(crate) fn new() -> Self {
        let (name, vector, header) = zeroed();
        let mut outbox = Self {
            octets: vec![0; BATCH * DATAGRAM_OCTETS].into(),
            used: 0,
            datagrams: 0,
            names: vec![name; BATCH].into(),
            controls: vec![Control::EMPTY; BATCH].into(),
            vectors: vec![vector; BATCH].into(),
            headers: vec![header; BATCH].into(),
            trains: Vec::with_capacity(BATCH),
        };
        for index in 0..BATCH {
            let header = &mut outbox.headers[index].msg_hdr;
            header.msg_name = ptr::from_mut(&mut outbox.names[index]).cast();
            header.msg_iov = ptr::from_mut(&mut outbox.vectors[index]);
            header.msg_iovlen = 1;
            header.msg_control = outbox.controls[index].octets.as_mut_ptr().cast();
        }
        outbox
    }

    /// Number of datagrams that wait.
    pub(crate) const fn len(&self) -> usize {
        self.datagrams
    }

    /// The buffer of the next datagram, of [`DATAGRAM_OCTETS`], which [`Self::push`] then queues.
    ///
    /// # Panics
    ///
    /// The box is full.
    pub(crate) fn next(&mut self) -> &mut [u8] {
        &mut self.octets[self.used..self.used + DATAGRAM_OCTETS]
    }

    /// Queues the first `octets` of the buffer that [`Self::next`] gave, for `to`.
    pub(crate) fn push(&mut self, octets: usize, to: &SockAddr, origin: &Origin) {
        let index = self.trains.len();
        let (name, name_octets) = (to.as_ptr(), to.len());
        // SAFETY: the source is a socket address of `name_octets` octets, the destination is a
        // `sockaddr_storage`, which is at least as large, and they do not overlap.
        unsafe {
            ptr::copy_nonoverlapping(
                name.cast::<u8>(),
                ptr::from_mut(&mut self.names[index]).cast::<u8>(),
                usize::try_from(name_octets).expect("at most 128"),
            );
        }
        self.controls[index] = origin.0;
        self.start_train(octets, name_octets);
    }

    /// Queues like [`Self::push`], in a train of up to `longest` datagrams with those that were
    /// pushed just before with the same key, which stands for the same `to` and `origin`.
    pub(crate) fn push_in_train(
        &mut self,
        octets: usize,
        to: &SockAddr,
        origin: &Origin,
        key: usize,
        longest: usize,
    ) {
        if let Some(train) = self.trains.last_mut()
            && train.is_open
            && train.key == key
            && train.count < longest
            && octets <= train.segment
        {
            train.count += 1;
            train.is_open = octets == train.segment;
            self.vectors[self.trains.len() - 1].iov_len += octets;
            self.used += octets;
            self.datagrams += 1;
            return;
        }
        self.push(octets, to, origin);
        if let Some(train) = self.trains.last_mut() {
            train.key = key;
            train.is_open = true;
        }
    }

    /// Queues the first `octets` of the buffer that [`Self::next`] gave as an answer to the
    /// datagram `index` of an inbox.
    pub(crate) fn push_answer(&mut self, octets: usize, inbox: &Inbox, index: usize) {
        let place = self.trains.len();
        self.names[place] = inbox.names[index];
        self.controls[place] = Control::EMPTY;
        self.start_train(octets, inbox.headers[index].msg_hdr.msg_namelen);
    }

    fn start_train(&mut self, octets: usize, name_octets: libc::socklen_t) {
        assert!(
            octets <= DATAGRAM_OCTETS,
            "a datagram is longer than its buffer"
        );
        let index = self.trains.len();
        self.vectors[index].iov_base = self.octets[self.used..].as_mut_ptr().cast();
        self.vectors[index].iov_len = octets;
        self.headers[index].msg_hdr.msg_namelen = name_octets;
        self.trains.push(Train {
            key: 0,
            segment: octets,
            count: 1,
            is_open: false,
        });
        self.used += octets;
        self.datagrams += 1;
    }

    /// Sends all that is queued, and waits for room in the socket's buffer if there is none.
    pub(crate) fn send(&mut self, socket: &UdpSocket) -> Sent {
        for (index, train) in self.trains.iter().enumerate() {
            let control = &mut self.controls[index];
            if train.count > 1 {
                let segment = u16::try_from(train.segment).expect("at most a datagram");
                control.push(libc::SOL_UDP, libc::UDP_SEGMENT, segment);
            }
            self.headers[index].msg_hdr.msg_controllen = control.len as _;
        }
        let mut outcome = Sent::default();
        let mut next = 0;
        while next < self.trains.len() {
            let rest = &mut self.headers[next..self.trains.len()];
            let count = c_uint::try_from(rest.len()).expect("at most a batch");
            // SAFETY: the headers point to live buffers of the stated lengths, see `new`,
            // `start_train` and above.
            let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), count, 0) };
            match usize::try_from(sent) {
                Ok(sent) => next += sent,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        // The first of the rest did not go: skip it.
                        outcome.failed += self.trains[next].count as u64;
                        outcome.error = Some(error);
                        next += 1;
                    }
                }
            }
        }
        self.trains.clear();
        self.used = 0;
        self.datagrams = 0;
        outcome
    }
}

/// Up to [`BATCH`] datagrams that came with one system call.
pub(crate) struct Inbox {
    buffers: Box<[[u8; DATAGRAM_OCTETS]]>,
    names: Box<[libc::sockaddr_storage]>,
    /// Point into `buffers`.
    _vectors: Box<[libc::iovec]>,
    /// Point into `names` and the vectors.
    headers: Box<[libc::mmsghdr]>,
    len: usize,
}

// SAFETY: as for `Outbox`.
unsafe impl Send for Inbox {}

impl Inbox {
    /// Makes the buffers.
    pub(crate) fn new() -> Self {
        let (name, vector, header) = zeroed();
        let mut buffers: Box<[_]> = vec![[0; DATAGRAM_OCTETS]; BATCH].into();
        let mut names: Box<[_]> = vec![name; BATCH].into();
        let mut vectors: Box<[_]> = vec![vector; BATCH].into();
        let mut headers: Box<[_]> = vec![header; BATCH].into();
        for index in 0..BATCH {
            vectors[index].iov_base = buffers[index].as_mut_ptr().cast();
            vectors[index].iov_len = DATAGRAM_OCTETS;
            let header = &mut headers[index].msg_hdr;
            header.msg_name = ptr::from_mut(&mut names[index]).cast();
            header.msg_namelen = NAME_OCTETS;
            header.msg_iov = ptr::from_mut(&mut vectors[index]);
            header.msg_iovlen = 1;
        }
        Self {
            buffers,
            names,
            _vectors: vectors,
            headers,
            len: 0,
        }
    }

    /// Takes as many datagrams as are there, at most `limit`; with `wait`, waits for the first of
    /// them as long as the socket's timeout says.
    ///
    /// Returns 0 if there is none.
    pub(crate) fn receive(
        &mut self,
        socket: &UdpSocket,
        limit: usize,
        wait: bool,
    ) -> io::Result<usize> {
        for header in &mut self.headers[..self.len] {
            header.msg_hdr.msg_namelen = NAME_OCTETS;
        }
        self.len = 0;
        let flags = if wait {
            libc::MSG_WAITFORONE
        } else {
            libc::MSG_DONTWAIT
        };
        let limit = c_uint::try_from(limit.min(BATCH)).expect("at most a batch");
        // SAFETY: the headers point to live buffers of the stated lengths, see `new`.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                limit,
                flags as _,
                ptr::null_mut(),
            )
        };
        match usize::try_from(received) {
            Ok(received) => {
                self.len = received;
                Ok(received)
            }
            Err(_) => match io::Error::last_os_error() {
                error if is_transient(&error) => Ok(0),
                error => Err(error),
            },
        }
    }

    /// The datagram at an index below what [`Self::receive`] returned.
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let octets = usize::try_from(self.headers[index].msg_len).unwrap_or(DATAGRAM_OCTETS);
        &self.buffers[index][..octets.min(DATAGRAM_OCTETS)]
    }
}

fn zeroed() -> (libc::sockaddr_storage, libc::iovec, libc::mmsghdr) {
    // SAFETY: all-zero octets are a valid value of these plain C structures.
    unsafe { (mem::zeroed(), mem::zeroed(), mem::zeroed()) }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::sys::bind_wildcard;

    /// A server that does not wait forever, its address, and a client for it.
    fn pair() -> (UdpSocket, SocketAddr, UdpSocket) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let target = server.local_addr().unwrap();
        let client = bind_wildcard(target).unwrap();
        (server, target, client)
    }

    #[test]
    fn datagrams_leave_from_the_chosen_addresses_and_are_answered_in_a_batch() {
        let (server, target, client) = pair();
        let mut outbox = Outbox::new();
        for last in 1..=5 {
            outbox.next()[..3].copy_from_slice(&[last; 3]);
            let origin = Origin::new([127, 9, 0, last].into());
            outbox.push(3, &target.into(), &origin);
        }
        assert_eq!(outbox.len(), 5);
        assert_eq!(outbox.send(&client).failed, 0);

        let mut inbox = Inbox::new();
        let mut seen = Vec::new();
        while seen.len() < 5 {
            let received = inbox.receive(&server, BATCH, true).unwrap();
            assert_ne!(received, 0, "the datagrams did not arrive");
            for index in 0..received {
                let request = inbox.get(index).to_vec();
                outbox.next()[..3].copy_from_slice(&request);
                outbox.push_answer(3, &inbox, index);
                seen.push(request);
            }
            assert_eq!(outbox.send(&server).failed, 0);
        }
        assert_eq!(seen, (1..=5).map(|last| vec![last; 3]).collect::<Vec<_>>());

        // The answers went to the addresses that the requests came from, which are all the client's.
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut answered = 0;
        while answered < 5 {
            let received = inbox.receive(&client, 2, true).unwrap();
            assert!((1..=2).contains(&received), "the answers did not arrive");
            answered += received;
        }
        assert_eq!(inbox.receive(&client, BATCH, false).unwrap(), 0);
    }

    #[test]
    fn the_source_of_a_datagram_is_its_origin() {
        let (server, target, client) = pair();
        let mut outbox = Outbox::new();
        outbox.push(1, &target.into(), &Origin::new([127, 1, 2, 3].into()));
        outbox.push(1, &target.into(), &Origin::ANY);
        assert_eq!(outbox.send(&client).failed, 0);
        for source in ["127.1.2.3", "127.0.0.1"] {
            let (_, from) = server.recv_from(&mut [0; 9]).unwrap();
            assert_eq!(from.ip().to_string(), source);
        }
    }

    #[test]
    fn an_origin_of_another_host_fails_and_the_rest_goes() {
        let (server, target, client) = pair();
        let mut outbox = Outbox::new();
        let foreign = Origin::new([198, 51, 100, 1].into());
        outbox.push(1, &target.into(), &foreign);
        outbox.push(2, &target.into(), &Origin::ANY);
        let sent = outbox.send(&client);
        assert_eq!(sent.failed, 1);
        assert!(sent.error.is_some());
        assert_eq!(server.recv(&mut [0; 9]).unwrap(), 2);
    }

    #[test]
    fn a_train_arrives_as_its_datagrams() {
        let (server, target, client) = pair();
        let origins = [1, 2].map(|last| Origin::new([127, 5, 5, last].into()));
        let mut outbox = Outbox::new();
        // Trains: two of source 0 (the longest allowed), one more of it that ends with a shorter
        // one, one that cannot follow a shorter one, one that is longer, one of source 1.
        let pushed = [
            (8, 0),
            (8, 0),
            (8, 0),
            (5, 0),
            (5, 0),
            (9, 0),
            (9, 1),
            (9, 1),
        ];
        for (number, (octets, source)) in (0_u8..).zip(pushed) {
            outbox.next()[..octets].fill(number);
            outbox.push_in_train(octets, &target.into(), &origins[source], source, 2);
        }
        assert_eq!(outbox.len(), pushed.len());
        let trains: Vec<usize> = outbox.trains.iter().map(|train| train.count).collect();
        assert_eq!(trains, [2, 2, 1, 1, 2]);
        assert_eq!(outbox.send(&client).failed, 0);
        assert_eq!(outbox.len(), 0);
        for (number, (octets, source)) in (0_u8..).zip(pushed) {
            let mut buffer = [0; 99];
            let (received, from) = server.recv_from(&mut buffer).unwrap();
            assert_eq!(buffer[..received], vec![number; octets]);
            assert_eq!(from.ip().to_string(), format!("127.5.5.{}", source + 1));
        }
    }
}
