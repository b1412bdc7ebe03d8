//! A queue of an interface: its socket, its frames, and the batch of datagrams at hand.

use std::io::{self, PipeReader, PipeWriter};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::calls::{bind, kick_transmission, open, option, set_option};
use crate::error::is_in_use;
use crate::memory::{FRAME_OCTETS, Frame, Frames};
use crate::packet::{MAX_HEADERS, Packet, Route, headers, turn_link, write, write_link};
use crate::ring::{Consumer, Producer};
use crate::{MAX_BATCH, OpenError, PAYLOAD_OCTETS, Step};

/// Frames of a queue.
const FRAMES: u32 = 4096;

/// Entries of a ring: of those for frames that wait to be filled or come back there can be as many as
/// there are frames.
const ALL: u32 = FRAMES;
const SOME: u32 = FRAMES / 2;

/// Where in a frame a reply begins. Before that is what the kernel has received.
const REPLY: usize = FRAME_OCTETS / 2;

const _: () = assert!(REPLY + MAX_HEADERS + PAYLOAD_OCTETS <= FRAME_OCTETS);

/// `XDP_MAX_TX_SKB_BUDGET`: how many frames one call sends, where the kernel copies them (6.17).
const SEND_BUDGET: libc::c_int = 9;

/// Octets of frames that wait at the interface, as sockets count them, where the kernel copies them.
const SEND_BUFFER: libc::c_int = 4 << 20;

/// How often the kernel is told to go on before what waits is left to the next batch.
const KICKS: u32 = SOME / 16;

/// How long to wait for a queue that another socket has. The kernel frees the queue of a closed socket
/// by a work item, and only when no child that is being started has a copy of the socket.
const BIND_PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait between two looks at such a queue.
const BIND_PAUSE: Duration = Duration::from_millis(5);

/// How long to wait while something is still to be sent.
const SEND_PATIENCE: Duration = Duration::from_millis(1);

/// A queue of an interface, with a batch of up to [`MAX_BATCH`] datagrams.
///
/// A request lies where the kernel has put it, and its reply is written into the second half of the
/// same frame. Frames go round: from here to the kernel, which fills them, back with requests, to the
/// kernel with replies, and back once these have left.
#[derive(Debug)]
pub struct Queue {
    number: u32,
    socket: OwnedFd,
    frames: Frames,
    /// Frames that are here.
    free: Vec<Frame>,
    /// So many of them stay for requests that are made here.
    reserve: usize,
    fill: Producer<1>,
    completed: Consumer<1>,
    received: Consumer<2>,
    to_send: Producer<2>,
    batch: Vec<Received>,
    /// Frames that were received and dropped since the last look.
    malformed: u64,
    sent: Sent,
    /// As the kernel counted when it was last asked.
    lost: u64,
    is_gone: bool,
}

#[derive(Debug)]
struct Received {
    /// `None` once it was answered.
    frame: Option<Frame>,
    /// Where in the frame what came begins.
    start: usize,
    packet: Packet,
}

/// What became of the datagrams of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// How many the kernel has been given.
    pub sent: usize,
    /// How many there was no room for.
    pub failed: usize,
}

/// Frames that never became a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// A length or a checksum was wrong.
    pub malformed: u64,
    /// The rings had no room.
    pub overrun: u64,
}

/// What [`Queue::receive`] waits for besides datagrams: that the [`Stopper`] is dropped.
#[derive(Debug, Clone)]
pub struct Stop(Arc<PipeReader>);

/// Ends all waiting when it is dropped.
#[derive(Debug)]
pub struct Stopper {
    _open: PipeWriter,
}

impl Stop {
    /// Waits until it is time to stop, but not for longer than this; says whether it is.
    pub fn wait(&self, patience: Duration) -> bool {
        let mut open = [PollFd::new(self.0.as_fd(), PollFlags::empty())];
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        poll(&mut open, timeout).is_ok_and(|closed| closed > 0)
    }
}

/// Makes what ends the waiting of queues.
///
/// # Errors
///
/// Fails when the system does.
pub fn stop() -> io::Result<(Stopper, Stop)> {
    let (reader, writer) = io::pipe()?;
    Ok((Stopper { _open: writer }, Stop(Arc::new(reader))))
}

impl Queue {
    /// Opens the socket of a queue. `reserve` frames are for [`Self::ask`].
    pub(crate) fn open(
        (name, index): (&str, u32),
        number: u32,
        flags: u16,
        reserve: usize,
    ) -> Result<Self, OpenError> {
        let fault = |step| {
            move |cause| OpenError {
                interface: name.to_owned(),
                step,
                cause,
            }
        };
        let opened = Self::with_rings(number, reserve).map_err(fault(Step::Socket))?;
        let flags = flags | libc::XDP_USE_NEED_WAKEUP;
        opened
            .bind(index, flags)
            .map_err(fault(Step::Bind(number)))?;
        Ok(opened)
    }

    /// Binds to the queue, once the kernel has let go of a socket that was closed a moment ago.
    fn bind(&self, interface: u32, flags: u16) -> io::Result<()> {
        let begun = Instant::now();
        loop {
            match bind(self.socket.as_fd(), interface, self.number, flags) {
                Err(error) if is_in_use(&error) && begun.elapsed() < BIND_PATIENCE => {
                    std::thread::sleep(BIND_PAUSE);
                }
                result => return result,
            }
        }
    }

    fn with_rings(number: u32, reserve: usize) -> io::Result<Self> {
        let socket = open()?;
        let (frames, free) = Frames::new(FRAMES)?;
        let set = |name, entries: u32| set_option(socket.as_fd(), (libc::SOL_XDP, name), &entries);
        register(socket.as_fd(), &frames)?;
        set(libc::XDP_UMEM_FILL_RING, ALL)?;
        set(libc::XDP_UMEM_COMPLETION_RING, ALL)?;
        set(libc::XDP_RX_RING, SOME)?;
        set(libc::XDP_TX_RING, SOME)?;
        // An older kernel sends in more calls.
        let _ = set(SEND_BUDGET, SOME);
        for name in [libc::SO_SNDBUFFORCE, libc::SO_SNDBUF] {
            // With less it sends fewer at a time.
            if set_option(socket.as_fd(), (libc::SOL_SOCKET, name), &SEND_BUFFER).is_ok() {
                break;
            }
        }
        let offsets: libc::xdp_mmap_offsets = option(socket.as_fd(), libc::XDP_MMAP_OFFSETS)?;
        let place = |offset: u64| libc::off_t::try_from(offset).expect("six gigabytes");
        let fill = place(libc::XDP_UMEM_PGOFF_FILL_RING);
        let completed = place(libc::XDP_UMEM_PGOFF_COMPLETION_RING);
        let (rx, tx) = (libc::XDP_PGOFF_RX_RING, libc::XDP_PGOFF_TX_RING);
        let mut queue = Self {
            number,
            fill: Producer::map(socket.as_fd(), fill, &offsets.fr, ALL)?,
            completed: Consumer::map(socket.as_fd(), completed, &offsets.cr, ALL)?,
            received: Consumer::map(socket.as_fd(), rx, &offsets.rx, SOME)?,
            to_send: Producer::map(socket.as_fd(), tx, &offsets.tx, SOME)?,
            socket,
            frames,
            free,
            reserve,
            batch: Vec::with_capacity(MAX_BATCH),
            malformed: 0,
            sent: Sent::default(),
            lost: 0,
            is_gone: false,
        };
        queue.recycle();
        Ok(queue)
    }

    /// Returns its number.
    pub fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Tells whether the driver reads and writes the frames itself.
    pub fn is_zero_copy(&self) -> bool {
        option(self.socket(), libc::XDP_OPTIONS)
            .is_ok_and(|options: libc::xdp_options| options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0)
    }

    /// Waits for datagrams in place of those of the last call, takes as many as are there, and returns
    /// how many. There is none if the time is over, or it is to stop, or the interface is gone: then it
    /// waits for the time alone.
    ///
    /// # Errors
    ///
    /// Fails when the system does.
    pub fn receive(&mut self, stop: &Stop, patience: Duration) -> io::Result<usize> {
        if self.try_receive() == 0 && self.wait(stop, patience)? {
            self.try_receive();
        }
        Ok(self.batch.len())
    }

    /// Does as [`Self::receive`] does, but never waits.
    pub fn try_receive(&mut self) -> usize {
        for received in self.batch.drain(..) {
            self.free.extend(received.frame);
        }
        self.recycle();
        while self.batch.len() < MAX_BATCH
            && let Some([address, length]) = self.received.pop()
        {
            let (frame, start) = self.frames.take_back(address);
            let end = start + octets_of(length);
            match self
                .frames
                .octets(&frame)
                .get(start..end)
                .and_then(Packet::parse)
            {
                Some(packet) => self.batch.push(Received {
                    frame: Some(frame),
                    start,
                    packet,
                }),
                None => {
                    self.malformed += 1;
                    self.free.push(frame);
                }
            }
        }
        self.received.release();
        self.batch.len()
    }

    /// Returns how many datagrams the batch has.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Tells whether the batch has none.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Returns a datagram, its source, and room for a reply of [`PAYLOAD_OCTETS`], with what an
    /// earlier one left in it; `None` once it was answered.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`].
    pub fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        let received = &self.batch[index];
        let packet = &received.packet;
        let (front, back) = self
            .frames
            .octets(received.frame.as_ref()?)
            .split_at_mut(REPLY);
        let [start, end] = [packet.payload.start, packet.payload.end]
            .map(|place| (received.start + place).min(REPLY));
        let reply = headers(packet.link, packet.source);
        Some((
            &front[start..end],
            packet.source,
            &mut back[reply..reply + PAYLOAD_OCTETS],
        ))
    }

    /// Returns where a datagram was sent to.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`].
    pub fn destination(&self, index: usize) -> SocketAddr {
        self.batch[index].packet.destination
    }

    /// Returns the tag of 802.1Q that a datagram came with.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`].
    pub fn tag(&self, index: usize) -> Option<u16> {
        self.batch[index].packet.tag
    }

    /// Queues the first `octets` of the room for the reply, to be sent to where the request came from,
    /// from the address that was asked, with its tag of 802.1Q if it had one.
    ///
    /// # Panics
    ///
    /// The index is not below [`Self::len`].
    pub fn reply(&mut self, index: usize, octets: usize) {
        let Received {
            frame,
            start,
            packet,
        } = &mut self.batch[index];
        let Some(frame) = frame.take() else {
            return;
        };
        let (front, back) = self.frames.octets(&frame).split_at_mut(REPLY);
        let length = headers(packet.link, packet.source) + octets.min(PAYLOAD_OCTETS);
        turn_link(&front[*start..], packet.link, back);
        let (from, to) = (packet.destination, packet.source);
        write(&mut back[..length], packet.link, from, to);
        self.push(frame, length);
    }

    /// Queues a datagram that `write_payload` writes; it is given [`PAYLOAD_OCTETS`], and returns how
    /// many it has written. Returns `false` if no frame is free, which [`Self::try_receive`] changes
    /// once some have been sent.
    pub fn ask(
        &mut self,
        route: &Route,
        from: SocketAddr,
        to: SocketAddr,
        write_payload: impl FnOnce(&mut [u8]) -> usize,
    ) -> bool {
        let Some(frame) = self.free.pop() else {
            return false;
        };
        let octets = &mut self.frames.octets(&frame)[REPLY..];
        let link = write_link(route, to, octets);
        let start = headers(link, to);
        let payload = write_payload(&mut octets[start..start + PAYLOAD_OCTETS]);
        let length = start + payload.min(PAYLOAD_OCTETS);
        write(&mut octets[..length], link, from, to);
        self.push(frame, length);
        true
    }

    /// Sends what is queued. What there is no room for is dropped and counted.
    pub fn send(&mut self) -> Sent {
        if self.sent.sent > 0 {
            self.to_send.publish();
            self.kick();
        }
        std::mem::take(&mut self.sent)
    }

    /// Returns what was lost since the last call.
    pub fn lost(&mut self) -> Lost {
        let counted = option(self.socket(), libc::XDP_STATISTICS);
        let counted = counted.map_or(self.lost, |counted: libc::xdp_statistics| {
            counted.rx_dropped + counted.rx_ring_full
        });
        Lost {
            malformed: std::mem::take(&mut self.malformed),
            overrun: counted - std::mem::replace(&mut self.lost, counted),
        }
    }

    /// Returns how many frames are here or wait in the kernel to be filled: all of them, when nothing is
    /// under way.
    pub fn frames_at_rest(&mut self) -> (usize, usize) {
        self.recycle();
        let waiting = ALL - self.fill.room();
        let waiting = usize::try_from(waiting).expect("32 bits");
        (self.free.len() + waiting, FRAMES as usize)
    }

    /// Takes frames back that were sent, and has the kernel fill those that are free.
    fn recycle(&mut self) {
        while let Some([address]) = self.completed.pop() {
            self.free.push(self.frames.take_back(address).0);
        }
        self.completed.release();
        hand_over(&mut self.free, self.reserve, &mut self.fill);
    }

    fn push(&mut self, frame: Frame, length: usize) {
        if self.to_send.push([frame.address(REPLY), entry_of(length)]) {
            self.sent.sent += 1;
        } else {
            self.sent.failed += 1;
            self.free.push(frame);
        }
    }

    /// Has the kernel send what waits, as far as it can at once.
    fn kick(&mut self) {
        let mut room = None;
        for _ in 0..KICKS {
            if !self.to_send.wants_wakeup() {
                return;
            }
            let Err(error) = kick_transmission(self.socket.as_fd()) else {
                return;
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => {}
                // There is more, unless nothing has left this time.
                Some(libc::EAGAIN) if room != Some(self.to_send.room()) => {
                    room = Some(self.to_send.room());
                }
                // The interface is down, or has no room: it waits in the ring, or is lost.
                _ => return,
            }
        }
    }

    /// Waits; says whether there may be something.
    fn wait(&mut self, stop: &Stop, patience: Duration) -> io::Result<bool> {
        let is_sending = self.to_send.room() < SOME;
        let patience = if is_sending {
            patience.min(SEND_PATIENCE)
        } else {
            patience
        };
        let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
        let mut waited = [
            PollFd::new(stop.0.as_fd(), PollFlags::empty()),
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
        ];
        // A socket whose interface is gone would always have something to say.
        let waited = match self.is_gone {
            true => &mut waited[..1],
            false => &mut waited[..],
        };
        match poll(waited, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events = waited.get(1).and_then(PollFd::revents);
        let events = events.unwrap_or(PollFlags::empty());
        self.is_gone |= events.intersects(PollFlags::POLLERR | PollFlags::POLLHUP);
        Ok(events.contains(PollFlags::POLLIN))
    }
}

/// Has the kernel fill the frames that are free, all but a reserve.
fn hand_over(free: &mut Vec<Frame>, reserve: usize, fill: &mut Producer<1>) {
    while free.len() > reserve
        && let Some(frame) = free.pop()
    {
        // Although it has a place for each frame the ring may look full: the kernel passes on what it
        // has filled a moment before it says that it has taken it from here.
        if !fill.push([frame.address(0)]) {
            free.push(frame);
            break;
        }
    }
    fill.publish();
}

fn register(socket: BorrowedFd<'_>, frames: &Frames) -> io::Result<()> {
    let (start, octets) = frames.place();
    let memory = libc::xdp_umem_reg {
        addr: start,
        len: octets,
        chunk_size: u32::try_from(FRAME_OCTETS).expect("a page"),
        headroom: 0,
        flags: 0,
        tx_metadata_len: 0,
    };
    set_option(socket, (libc::SOL_XDP, libc::XDP_UMEM_REG), &memory)
}

/// The second half of `struct xdp_desc`: octets, and options, of which there are none.
fn entry_of(length: usize) -> u64 {
    let [a, b, c, d] = u32::try_from(length)
        .expect("a frame is small")
        .to_ne_bytes();
    u64::from_ne_bytes([a, b, c, d, 0, 0, 0, 0])
}

fn octets_of(entry: u64) -> usize {
    let [a, b, c, d, ..] = entry.to_ne_bytes();
    usize::try_from(u32::from_ne_bytes([a, b, c, d])).expect("32 bits")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    use nix::sys::memfd::{MFdFlags, memfd_create};

    use super::*;

    /// Where in the memory of a ring things are, in octets.
    const PLACES: libc::xdp_ring_offset = libc::xdp_ring_offset {
        producer: 0,
        consumer: 64,
        desc: 192,
        flags: 128,
    };

    /// A ring to fill and its memory, whose reader is the test.
    fn ring(entries: u32) -> (Producer<1>, File) {
        let memory = File::from(memfd_create("ring", MFdFlags::MFD_CLOEXEC).unwrap());
        memory.set_len(4096).unwrap();
        let ring = Producer::map(memory.as_fd(), 0, &PLACES, entries).unwrap();
        (ring, memory)
    }

    fn published(memory: &File) -> u32 {
        let mut number = [0; 4];
        memory.read_exact_at(&mut number, PLACES.producer).unwrap();
        u32::from_ne_bytes(number)
    }

    #[test]
    fn a_frame_that_comes_before_its_place_is_free_is_handed_over_later() {
        let (frames, mut free) = Frames::new(4).unwrap();
        let (mut fill, memory) = ring(4);
        hand_over(&mut free, 0, &mut fill);
        assert_eq!((free.len(), published(&memory)), (0, 4));

        let (frame, _) = frames.take_back(77);
        free.push(frame);
        hand_over(&mut free, 0, &mut fill);
        assert_eq!((free.len(), published(&memory)), (1, 4));

        let taken = 1_u32.to_ne_bytes();
        memory.write_all_at(&taken, PLACES.consumer).unwrap();
        hand_over(&mut free, 0, &mut fill);
        assert_eq!((free.len(), published(&memory)), (0, 5));
    }

    #[test]
    fn the_reserve_stays() {
        let (_frames, mut free) = Frames::new(4).unwrap();
        let (mut fill, memory) = ring(4);
        hand_over(&mut free, 3, &mut fill);
        assert_eq!((free.len(), published(&memory)), (3, 1));
    }
}
