//! bpf(2): maps, programs, and links between a program and an interface.
#![expect(unsafe_code, reason = "std has no bpf(2)")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;

use crate::calls::owned;

/// Commands.
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE: libc::c_int = 2;
const PROGRAM_LOAD: libc::c_int = 5;
const PROGRAM_TEST_RUN: libc::c_int = 10;
const LINK_CREATE: libc::c_int = 28;
const LINK_DETACH: libc::c_int = 34;

/// Types of maps, of programs and of attachments.
const ARRAY: u32 = 2;
const SOCKETS: u32 = 17;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;

/// A map that can be mapped into memory.
const MAPPABLE: u32 = 1 << 10;

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the kernel has made a packet of a frame.
    Driver = 1 << 2,
    /// After that.
    Stack = 1 << 1,
}

/// What the verifier of the kernel may say of a program.
const LOG_OCTETS: usize = 64 << 10;

/// How often a program is loaded again when a signal has stopped the verifier.
const MAX_INTERRUPTED: u32 = 10;

/// `union bpf_attr`, in the parts that are used.
#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_octets: u32,
    value_octets: u32,
    entries: u32,
    flags: u32,
}

#[repr(C)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramLoad {
    kind: u32,
    instructions: u32,
    first: u64,
    licence: u64,
    log_level: u32,
    log_octets: u32,
    log: u64,
    version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attachment: u32,
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attachment: u32,
    flags: u32,
}

#[repr(C)]
struct LinkDetach {
    link: u32,
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    answer: u32,
    octets_in: u32,
    octets_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

/// Makes an array of one value that can be mapped.
pub(crate) fn shared_value(octets: usize) -> io::Result<OwnedFd> {
    let mut map = MapCreate {
        kind: ARRAY,
        key_octets: 4,
        value_octets: u32::try_from(octets).expect("a table is small"),
        entries: 1,
        flags: MAPPABLE,
    };
    // SAFETY: the command reads this structure alone.
    unsafe { call(MAP_CREATE, &mut map) }.and_then(owned)
}

/// Makes a map of sockets, one for each queue.
pub(crate) fn socket_map(queues: u32) -> io::Result<OwnedFd> {
    let mut map = MapCreate {
        kind: SOCKETS,
        key_octets: 4,
        value_octets: 4,
        entries: queues,
        ..MapCreate::default()
    };
    // SAFETY: the command reads this structure alone.
    unsafe { call(MAP_CREATE, &mut map) }.and_then(owned)
}

/// Puts a socket into a map of sockets.
pub(crate) fn set_socket(
    map: BorrowedFd<'_>,
    queue: u32,
    socket: BorrowedFd<'_>,
) -> io::Result<()> {
    let value = number(socket);
    let mut update = MapUpdate {
        map: number(map),
        padding: 0,
        key: address(&queue),
        value: address(&value),
        flags: 0,
    };
    // SAFETY: key and value live through the call and have the octets that the map was made with.
    unsafe { call(MAP_UPDATE, &mut update) }.map(|_zero| ())
}

/// Loads an XDP program.
pub(crate) fn load(instructions: &[u64]) -> io::Result<OwnedFd> {
    load_logged(instructions, &mut []).or_else(|error| {
        let mut log = vec![0; LOG_OCTETS];
        load_logged(instructions, &mut log).map_err(|_the_same| {
            let said = log.split(|octet| *octet == 0).next().unwrap_or_default();
            let said = String::from_utf8_lossy(said);
            match said.lines().rev().nth(1) {
                Some(line) => io::Error::other(format!("{error}: {line}")),
                None => error,
            }
        })
    })
}

fn load_logged(instructions: &[u64], log: &mut [u8]) -> io::Result<OwnedFd> {
    let licence = c"MIT OR Apache-2.0";
    let has_log = !log.is_empty();
    let mut program = ProgramLoad {
        kind: XDP,
        instructions: u32::try_from(instructions.len()).expect("some hundred"),
        first: instructions.as_ptr().expose_provenance() as u64,
        licence: licence.as_ptr().expose_provenance() as u64,
        log_level: u32::from(has_log),
        log_octets: u32::try_from(log.len()).expect("64 KiB"),
        log: if has_log {
            log.as_mut_ptr().expose_provenance() as u64
        } else {
            0
        },
        version: 0,
        flags: 0,
        name: *b"opentracker\0\0\0\0\0",
        interface: 0,
        expected_attachment: ATTACH_XDP,
    };
    let mut interrupted = 0;
    loop {
        // SAFETY: instructions, licence and log live through the call and have the stated lengths;
        // nothing else uses the log meanwhile.
        match unsafe { call(PROGRAM_LOAD, &mut program) }.and_then(owned) {
            Err(error)
                if error.kind() == io::ErrorKind::WouldBlock && interrupted < MAX_INTERRUPTED =>
            {
                interrupted += 1;
            }
            result => return result,
        }
    }
}

/// A program on an interface, which is taken off when this is dropped, or the process ends.
#[derive(Debug)]
pub(crate) struct Attachment(OwnedFd);

impl Attachment {
    /// Puts a program on an interface.
    pub(crate) fn new(program: BorrowedFd<'_>, interface: u32, place: Place) -> io::Result<Self> {
        let mut link = LinkCreate {
            program: number(program),
            interface,
            attachment: ATTACH_XDP,
            flags: place as u32,
        };
        // SAFETY: the command reads this structure alone.
        let link = unsafe { call(LINK_CREATE, &mut link) }.and_then(owned)?;
        Ok(Self(link))
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut link = LinkDetach {
            link: number(self.0.as_fd()),
        };
        // To close it is not enough: a child that is being started has a copy until it runs its own
        // program. It may fail where the interface or the capabilities have gone; then closing does.
        // SAFETY: the command reads this structure alone.
        let _ = unsafe { call(LINK_DETACH, &mut link) };
    }
}

/// Has the kernel run a program on a frame; returns what it answers.
pub(crate) fn run(program: BorrowedFd<'_>, frame: &[u8]) -> io::Result<u32> {
    let mut run = TestRun {
        program: number(program),
        octets_in: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        data_in: frame.as_ptr().expose_provenance() as u64,
        ..TestRun::default()
    };
    // SAFETY: the frame lives through the call, which reads it, and writes into the structure alone.
    unsafe { call(PROGRAM_TEST_RUN, &mut run)? };
    Ok(run.answer)
}

/// # Safety
///
/// The command must take this structure, and what addresses in it point to must live through the call
/// and be as large as the structure says, and be used by nobody else if the command writes it.
unsafe fn call<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the attributes live through the call and have the stated size; for the rest see above.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    match result {
        0.. => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

fn address<T>(value: &T) -> u64 {
    ptr::from_ref(value).expose_provenance() as u64
}
