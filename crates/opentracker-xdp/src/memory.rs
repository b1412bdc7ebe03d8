//! Memory that this process and the kernel both read and write.
#![expect(unsafe_code, reason = "mapped memory is a pointer")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

use libc::c_void;

/// Octets of a frame.
pub(crate) const FRAME_OCTETS: usize = 4096;

/// Mapped pages.
#[derive(Debug)]
struct Pages {
    start: NonNull<c_void>,
    octets: usize,
}

// SAFETY: it is memory of the whole process, and what is done with it goes through atomics or through
// a frame that one owner has.
unsafe impl Send for Pages {}
// SAFETY: as above; nothing changes through a shared reference but atomics.
unsafe impl Sync for Pages {}

impl Pages {
    /// Maps octets of a file, or of no file.
    fn map(file: Option<(BorrowedFd<'_>, libc::off_t)>, octets: usize) -> io::Result<Self> {
        let (descriptor, offset, flags) = match file {
            Some((file, offset)) => (file.as_raw_fd(), offset, libc::MAP_SHARED),
            None => (-1, 0, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS),
        };
        // SAFETY: the kernel chooses a place that nothing has.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                octets,
                libc::PROT_READ | libc::PROT_WRITE,
                flags | libc::MAP_POPULATE,
                descriptor,
                offset,
            )
        };
        match NonNull::new(start) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED => Ok(Self { start, octets }),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: these pages were mapped, and nobody has a reference into them any more. What the
        // kernel still uses of them it holds itself.
        unsafe { libc::munmap(self.start.as_ptr(), self.octets) };
    }
}

/// Numbers that change while others look.
#[derive(Debug)]
pub(crate) struct Shared(Pages);

impl Shared {
    pub(crate) fn map(
        file: BorrowedFd<'_>,
        offset: libc::off_t,
        octets: usize,
    ) -> io::Result<Self> {
        Pages::map(Some((file, offset)), octets).map(Self)
    }

    pub(crate) fn words(&self) -> &[AtomicU32] {
        let count = self.0.octets / size_of::<AtomicU32>();
        // SAFETY: so many octets are mapped as long as `self` is there, from a whole page on, and any
        // octets are a number.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr().cast(), count) }
    }

    pub(crate) fn doubles(&self) -> &[AtomicU64] {
        let count = self.0.octets / size_of::<AtomicU64>();
        // SAFETY: as for `words`. Nothing is used both as words and as a double.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr().cast(), count) }
    }
}

/// Frames of a socket.
#[derive(Debug)]
pub(crate) struct Frames {
    pages: Pages,
    count: u32,
}

/// A frame that this process has, and the kernel does not. It cannot be copied: who gives one away
/// does not have it any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame(u32);

impl Frames {
    pub(crate) fn new(count: u32) -> io::Result<(Self, Vec<Frame>)> {
        let pages = Pages::map(None, octets(count))?;
        // From the front.
        let frames = (0..count).rev().map(Frame).collect();
        Ok((Self { pages, count }, frames))
    }

    /// Where they are: the first octet, and how many.
    pub(crate) fn place(&self) -> (u64, u64) {
        let octets = u64::from(self.count) * FRAME_OCTETS as u64;
        (self.pages.start.as_ptr().expose_provenance() as u64, octets)
    }

    /// Takes a frame that the kernel gives back, by an address in it; returns it with where in it that
    /// is. The kernel gives back what it was given, once.
    pub(crate) fn take_back(&self, address: u64) -> (Frame, usize) {
        let octets = FRAME_OCTETS as u64;
        let number = u32::try_from(address / octets).unwrap_or(u32::MAX);
        assert!(number < self.count, "the kernel gives frames back");
        let within = usize::try_from(address % octets).expect("a frame is small");
        (Frame(number), within)
    }

    pub(crate) fn octets(&mut self, frame: &Frame) -> &mut [u8] {
        // SAFETY: the frame is within the pages. Whoever has it is the only one, so the kernel neither
        // reads nor writes it, and the exclusive borrow keeps all other references away.
        unsafe {
            let start = self.pages.start.cast::<u8>().add(octets(frame.0));
            std::slice::from_raw_parts_mut(start.as_ptr(), FRAME_OCTETS)
        }
    }
}

impl Frame {
    /// The address of an octet of it, as the kernel counts them.
    pub(crate) fn address(&self, within: usize) -> u64 {
        u64::from(self.0) * FRAME_OCTETS as u64 + within as u64
    }
}

fn octets(frames: u32) -> usize {
    usize::try_from(frames).expect("32 bits") * FRAME_OCTETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_apart_and_come_back_by_any_of_their_addresses() {
        let (mut frames, free) = Frames::new(3).unwrap();
        for (frame, filling) in free.iter().zip(1..) {
            frames.octets(frame).fill(filling);
        }
        for (frame, filling) in free.iter().zip(1..) {
            assert!(frames.octets(frame).iter().all(|octet| *octet == filling));
            assert_eq!(frames.take_back(frame.address(77)).0, *frame);
            assert_eq!(frames.take_back(frame.address(77)).1, 77);
        }
        assert_eq!(frames.place().1, 3 * FRAME_OCTETS as u64);
    }

    #[test]
    #[should_panic(expected = "gives frames back")]
    fn what_is_no_frame_is_not_taken() {
        Frames::new(1).unwrap().0.take_back(FRAME_OCTETS as u64);
    }
}
