//! System calls of AF_XDP sockets, and what they ask of an interface.
#![expect(unsafe_code, reason = "std has no AF_XDP")]

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_int, c_void, socklen_t};

/// Opens a socket of AF_XDP.
pub(crate) fn open() -> io::Result<OwnedFd> {
    socket(libc::AF_XDP, libc::SOCK_RAW)
}

fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: it takes no pointer.
    let descriptor = unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, 0) };
    owned(descriptor.into())
}

/// Takes a descriptor that a system call has returned, or its error.
pub(crate) fn owned(returned: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(returned) {
        // SAFETY: the kernel has just opened it, and nobody else has it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets an option, which is plain data.
pub(crate) fn set_option<T: Copy>(
    socket: BorrowedFd<'_>,
    (level, name): (c_int, c_int),
    value: &T,
) -> io::Result<()> {
    // SAFETY: the value lives through the call and has the stated size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(value).cast::<c_void>(),
            size_in_octets::<T>(),
        )
    };
    done(result)
}

/// What [`option`] reads: plain data of which any octets are a value.
///
/// # Safety
///
/// All octets, zeros among them, must be a value.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: numbers alone.
unsafe impl Plain for libc::xdp_mmap_offsets {}
// SAFETY: numbers alone.
unsafe impl Plain for libc::xdp_statistics {}
// SAFETY: a number.
unsafe impl Plain for libc::xdp_options {}

/// Reads an option of the level of XDP. What an older kernel does not know of it stays zero.
pub(crate) fn option<T: Plain>(socket: BorrowedFd<'_>, name: c_int) -> io::Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut octets = size_in_octets::<T>();
    // SAFETY: the value lives through the call and has the stated size.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_XDP,
            name,
            value.as_mut_ptr().cast(),
            &raw mut octets,
        )
    };
    // SAFETY: zeros are a value, and so is what the kernel writes over them.
    done(result).map(|()| unsafe { value.assume_init() })
}

/// Binds a socket to a queue of an interface.
pub(crate) fn bind(
    socket: BorrowedFd<'_>,
    interface: u32,
    queue: u32,
    flags: u16,
) -> io::Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP.cast_unsigned().try_into().expect("44"),
        sxdp_flags: flags,
        sxdp_ifindex: interface,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: 0,
    };
    // SAFETY: the address lives through the call and has the stated size.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_in_octets::<libc::sockaddr_xdp>(),
        )
    };
    done(result)
}

/// Has the kernel look at what is to be sent.
pub(crate) fn kick_transmission(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: nothing is read from a message without octets.
    let result = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            ptr::null(),
            0,
            libc::MSG_DONTWAIT,
            ptr::null(),
            0,
        )
    };
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns how many receive queues an interface has: one where the driver does not say.
pub(crate) fn queues(interface: &str) -> io::Result<u32> {
    const GET_CHANNELS: u32 = 0x3c;
    // `struct ethtool_channels`: the command, four limits, and what there is of each kind.
    let channels = ask_driver(interface, [GET_CHANNELS, 0, 0, 0, 0, 0, 0, 0, 0])?;
    Ok(channels.map_or(1, |[.., received, _, _, combined]| {
        (received + combined).max(1)
    }))
}

/// Tells whether an interface takes the tags of VLANs off before anybody sees the frame.
pub(crate) fn takes_tags_off(interface: &str) -> io::Result<bool> {
    const GET_FLAGS: u32 = 0x25;
    const RECEIVED_VLAN: u32 = 1 << 8;
    // `struct ethtool_value`: the command, and the flags.
    let answer = ask_driver(interface, [GET_FLAGS, 0])?;
    Ok(answer.is_some_and(|[_, flags]| flags & RECEIVED_VLAN != 0))
}

/// Has the driver of an interface write an answer over a question, whose first word is the command;
/// `None`: it does not say.
fn ask_driver<const WORDS: usize>(
    interface: &str,
    mut question: [u32; WORDS],
) -> io::Result<Option<[u32; WORDS]>> {
    /// `SIOCETHTOOL`.
    const ETHTOOL: libc::c_ulong = 0x8946;
    let mut request = request(interface)?;
    request.ifr_ifru.ifru_data = question.as_mut_ptr().cast();
    match ask(ETHTOOL, &mut request) {
        Ok(()) => Ok(Some(question)),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Tells whether an interface is a VLAN of another.
pub(crate) fn is_vlan(interface: &str) -> bool {
    /// `struct vlan_ioctl_args`.
    #[repr(C)]
    struct Question {
        command: c_int,
        interface: [u8; 24],
        number: c_int,
        more: [u8; 24],
    }
    /// `SIOCGIFVLAN`.
    const VLAN: libc::c_ulong = 0x8982;
    const GET_NUMBER: c_int = 9;
    let mut question = Question {
        command: GET_NUMBER,
        interface: [0; 24],
        number: 0,
        more: [0; 24],
    };
    if interface.len() >= question.interface.len() {
        return false;
    }
    question.interface[..interface.len()].copy_from_slice(interface.as_bytes());
    // A kernel without VLANs knows no such question, and other interfaces have no number.
    ask(VLAN, &mut question).is_ok()
}

/// Returns the most octets that an interface carries above Ethernet.
pub(crate) fn mtu(interface: &str) -> io::Result<u32> {
    let mut request = request(interface)?;
    ask(libc::SIOCGIFMTU, &mut request)?;
    // SAFETY: that is what the kernel has written.
    let octets = unsafe { request.ifr_ifru.ifru_mtu };
    Ok(octets.try_into().unwrap_or(0))
}

fn request(interface: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all-zero octets are a valid value of this plain C structure.
    let mut request = unsafe { mem::zeroed::<libc::ifreq>() };
    if interface.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (place, octet) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *place = octet.cast_signed() as _;
    }
    Ok(request)
}

fn ask<T>(what: libc::c_ulong, request: &mut T) -> io::Result<()> {
    let socket = socket(libc::AF_INET, libc::SOCK_DGRAM)?;
    // SAFETY: the request is of the kind that `what` takes. It lives through the call, and so does what
    // it points to, which is as large as what is asked for takes.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), what as _, ptr::from_mut(request)) };
    done(result)
}

fn done(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn size_in_octets<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).expect("a few octets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_one_queue_and_what_is_not_there_has_none() {
        assert_eq!(queues("lo").unwrap(), 1);
        assert!(mtu("lo").unwrap() > 1500);
        assert!(!takes_tags_off("lo").unwrap());
        assert!(!is_vlan("lo"));
        for name in ["no-such-link", "a-name-that-is-longer-than-names-are"] {
            let error = queues(name).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
            assert!(mtu(name).is_err());
            assert!(takes_tags_off(name).is_err());
            assert!(!is_vlan(name));
        }
    }
}
