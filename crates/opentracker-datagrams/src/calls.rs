//! The two batched system calls.
//!
//! What they read is built on the stack for each call. That costs a few nanoseconds a datagram, and
//! spares structures that point into themselves: no pointer outlives the call that it is made for,
//! and nothing that one points to is borrowed anew until that has returned.
#![expect(unsafe_code, reason = "std has no batched datagrams")]

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

use libc::c_uint;

use crate::meta::{CONTROL_OCTETS, Meta, NAME_OCTETS};
use crate::{DATAGRAM_OCTETS, MAX_BATCH};

/// Takes as many datagrams as are there, at most one for each buffer, and returns how many.
///
/// With `wait` it waits for the first, for as long as the socket's receive timeout says; without,
/// or after that, there may be none.
pub(crate) fn receive(
    socket: &UdpSocket,
    wait: bool,
    buffers: &mut [[u8; DATAGRAM_OCTETS]],
    metas: &mut [Meta],
) -> io::Result<usize> {
    let count = buffers.len().min(metas.len()).min(MAX_BATCH);
    let (mut vectors, mut headers) = (uninit(), uninit());
    for (((header, vector), buffer), meta) in headers
        .iter_mut()
        .zip(&mut vectors)
        .zip(&mut *buffers)
        .zip(&mut *metas)
    {
        let header = &mut header
            .write(message(vector, ptr::from_mut::<[u8]>(buffer)))
            .msg_hdr;
        header.msg_name = (&raw mut meta.name).cast();
        header.msg_namelen = count_of(NAME_OCTETS);
        header.msg_control = (&raw mut meta.control).cast();
        header.msg_controllen = CONTROL_OCTETS as _;
    }
    let flags = if wait {
        libc::MSG_WAITFORONE
    } else {
        libc::MSG_DONTWAIT
    };
    // SAFETY: the first `count` headers point to a vector, a name and a buffer for control messages
    // each, of the stated lengths, and the vector to a buffer; all of them outlive the call, and
    // nothing else refers to them meanwhile.
    let received = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr().cast(),
            count_of(count),
            flags as _,
            ptr::null_mut(),
        )
    };
    let Ok(received) = usize::try_from(received) else {
        let error = io::Error::last_os_error();
        return if is_transient(&error) {
            Ok(0)
        } else {
            Err(error)
        };
    };
    for (meta, header) in metas.iter_mut().zip(&headers[..received]) {
        // SAFETY: the kernel fills headers in order, and no more than the `count` that were set.
        let header = unsafe { header.assume_init_ref() };
        meta.received = header.msg_len as usize;
        meta.name_len = header.msg_hdr.msg_namelen;
        meta.control_len = header.msg_hdr.msg_controllen as _;
    }
    Ok(received)
}

/// Sends messages, the octets and their destination each, and waits for room in the socket's
/// buffer if there is none.
///
/// A message that the system does not take (its destination is unreachable, say) is skipped, and
/// `failed` is told its index.
pub(crate) fn send<'a>(
    socket: &UdpSocket,
    messages: impl ExactSizeIterator<Item = (&'a [u8], &'a Meta)>,
    mut failed: impl FnMut(usize, io::Error),
) {
    let count = messages.len().min(MAX_BATCH);
    let (mut vectors, mut headers) = (uninit(), uninit());
    for ((header, vector), (octets, meta)) in headers.iter_mut().zip(&mut vectors).zip(messages) {
        let octets = ptr::from_ref(octets).cast_mut();
        let header = &mut header.write(message(vector, octets)).msg_hdr;
        header.msg_name = (&raw const meta.name).cast_mut().cast();
        header.msg_namelen = meta.name_len;
        if meta.control_len > 0 {
            header.msg_control = (&raw const meta.control).cast_mut().cast();
            header.msg_controllen = meta.control_len as _;
        }
    }
    let mut next = 0;
    while next < count {
        let rest = ptr::from_mut(&mut headers[next..count]);
        // SAFETY: the headers up to `count` are set, and point to a vector and a name each, and
        // some to control messages, of lengths that `Meta` keeps within its arrays, and the vector
        // to octets; all of them outlive the call, which only reads them (and writes the headers'
        // `msg_len`).
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.cast(), count_of(rest.len()), 0) };
        match usize::try_from(sent) {
            Ok(sent) => next += sent,
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    failed(next, error);
                    next += 1;
                }
            }
        }
    }
}

/// Tells whether a call is worth repeating: nothing is there yet, or a signal came between.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut
    )
}

const fn uninit<T>() -> [MaybeUninit<T>; MAX_BATCH] {
    [const { MaybeUninit::uninit() }; MAX_BATCH]
}

/// Returns a header without a name that points to a vector, which it lets point to octets.
fn message(vector: &mut MaybeUninit<libc::iovec>, octets: *mut [u8]) -> libc::mmsghdr {
    let vector = vector.write(libc::iovec {
        iov_base: octets.cast(),
        iov_len: octets.len(),
    });
    // SAFETY: all-zero octets are a valid value of this plain C structure.
    let mut header = unsafe { mem::zeroed::<libc::mmsghdr>() };
    header.msg_hdr.msg_iov = ptr::from_mut(vector);
    header.msg_hdr.msg_iovlen = 1;
    header
}

fn count_of(few: usize) -> c_uint {
    c_uint::try_from(few).expect("at most a batch")
}
