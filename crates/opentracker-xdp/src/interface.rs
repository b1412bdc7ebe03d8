//! An interface with the program on it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;

use crate::bpf::{self, Attachment, Place};
use crate::calls;
use crate::error::is_in_use;
use crate::memory::Shared;
use crate::network::{Link, Network};
use crate::program::{PASS, steering};
use crate::queue::Queue;
use crate::table::{TABLE_OCTETS, Table};
use crate::{OpenError, Step};

/// Where frames are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// In the driver, without a copy where it can do that; where it knows no XDP at all, above it.
    #[default]
    Auto,
    /// In the driver, each frame copied.
    Native,
    /// Above the driver, which works with any.
    Generic,
    /// In the driver, which reads and writes the frames itself.
    ZeroCopy,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Generic => "generic",
            Self::ZeroCopy => "zero-copy",
        })
    }
}

/// What is to be opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The interface.
    pub interface: String,
    /// Its queues by number; empty: all.
    pub queues: Vec<u32>,
    /// Where frames are taken.
    pub mode: Mode,
    /// Frames of each queue that are for requests which are made here, not for those that come.
    pub reserve: usize,
}

/// An interface with the program on it, which is taken off when this is dropped, or the process ends.
///
/// Nothing is taken from the kernel before [`Self::steer`] has said for which addresses.
#[derive(Debug)]
pub struct Interface {
    name: String,
    index: u32,
    mtu: u32,
    queues: usize,
    mode: Mode,
    table: Shared,
    program: OwnedFd,
    /// Why the driver does not run the program, if it does not.
    fallback: Option<io::Error>,
    _attachment: Attachment,
}

/// The most queues of an interface.
const MAX_QUEUES: u32 = 1024;

impl Interface {
    /// Puts the program on an interface, and opens sockets of its queues.
    ///
    /// # Errors
    ///
    /// The first step that fails.
    pub fn open(config: &Config) -> Result<(Self, Vec<Queue>), OpenError> {
        let name = &config.interface;
        let fault = |step| {
            move |cause| OpenError {
                interface: name.clone(),
                step,
                cause,
            }
        };
        let link = find(name)?;
        let numbers = numbers(config)?;
        let table_map = bpf::shared_value(TABLE_OCTETS).map_err(fault(Step::Load))?;
        let sockets = bpf::socket_map(MAX_QUEUES).map_err(fault(Step::Load))?;
        let code = steering(table_map.as_fd(), sockets.as_fd(), link.is_loopback);
        let program = bpf::load(&code).map_err(fault(Step::Load))?;
        let table = Shared::map(table_map.as_fd(), 0, TABLE_OCTETS).map_err(fault(Step::Load))?;
        let attached = attach(&program, link.index, config.mode).map_err(fault(Step::Attach))?;
        let flags = match config.mode {
            Mode::Auto if attached.fallback.is_none() => 0,
            Mode::ZeroCopy => libc::XDP_ZEROCOPY,
            Mode::Auto | Mode::Native | Mode::Generic => libc::XDP_COPY,
        };
        let queue = |number| {
            let queue = Queue::open((name, link.index), number, flags, config.reserve)?;
            let set = bpf::set_socket(sockets.as_fd(), number, queue.socket());
            set.map_err(fault(Step::Bind(number))).map(|()| queue)
        };
        let queues: Vec<_> = numbers.into_iter().map(queue).collect::<Result<_, _>>()?;
        let interface = Self {
            name: name.clone(),
            index: link.index,
            mtu: calls::mtu(name).map_err(fault(Step::Find))?,
            queues: queues.len(),
            mode: match &attached.fallback {
                _ if !queues.is_empty() && queues.iter().all(Queue::is_zero_copy) => Mode::ZeroCopy,
                None if config.mode != Mode::Generic => Mode::Native,
                _ => Mode::Generic,
            },
            table,
            program,
            fallback: attached.fallback,
            _attachment: attached.attachment,
        };
        Ok((interface, queues))
    }

    /// Tries all of this that leaves the interface as it is.
    ///
    /// # Errors
    ///
    /// The first step that fails.
    pub fn check(config: &Config) -> Result<(), OpenError> {
        let fault = |cause| OpenError {
            interface: config.interface.clone(),
            step: Step::Load,
            cause,
        };
        let link = find(&config.interface)?;
        numbers(config)?;
        let table = bpf::shared_value(TABLE_OCTETS).map_err(fault)?;
        let sockets = bpf::socket_map(MAX_QUEUES).map_err(fault)?;
        let code = steering(table.as_fd(), sockets.as_fd(), link.is_loopback);
        bpf::load(&code).map_err(fault).map(|_program| ())
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the most octets of a datagram over IPv6 that fits into one frame of the interface.
    pub fn max_payload(&self) -> usize {
        usize::try_from(self.mtu).map_or(0, |mtu| mtu.saturating_sub(40 + 8))
    }

    /// Returns how many of its queues have a socket.
    pub fn queues(&self) -> usize {
        self.queues
    }

    /// Returns where frames are taken, which is never [`Mode::Auto`].
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns why the program does not run in the driver, where it was to run there if it can.
    pub fn fallback(&self) -> Option<&io::Error> {
        self.fallback.as_ref()
    }

    /// Returns the interface as it is now, if it is still there.
    pub fn find_in<'a>(&self, network: &'a Network) -> Option<&'a Link> {
        network
            .link(&self.name)
            .filter(|link| link.index == self.index)
    }

    /// Returns how many queues it has now that have no socket. What comes there is the kernel's.
    pub fn queues_left_out(&self) -> usize {
        let queues = calls::queues(&self.name).unwrap_or(0);
        usize::try_from(queues).map_or(0, |queues| queues.saturating_sub(self.queues))
    }

    /// Tells whether it takes the tags of VLANs off by now, before the program sees a frame. A reply to
    /// such a frame would go to another network, so their addresses are not to be taken.
    pub fn takes_tags_off(&self) -> bool {
        calls::takes_tags_off(&self.name).unwrap_or(false)
    }

    /// Takes what is sent to the link-layer address, and to one of these addresses and ports over UDP,
    /// from now on; returns how many of them there was no room for. What is not taken is the kernel's.
    pub fn steer(&self, link: [u8; 6], to: impl IntoIterator<Item = SocketAddr>) -> usize {
        let (table, left_out) = Table::new(link, to);
        // A frame that comes between two of these is not found, or found as before.
        for (place, word) in self.table.words().iter().zip(table.words()) {
            if place.load(Ordering::Relaxed) != *word {
                place.store(*word, Ordering::Relaxed);
            }
        }
        left_out
    }

    /// Asks the kernel what the program does with a frame of the first queue: takes it, or not.
    ///
    /// # Errors
    ///
    /// Fails when the kernel does; it runs nothing on less than an Ethernet header.
    pub fn takes(&self, frame: &[u8]) -> io::Result<bool> {
        let answer = bpf::run(self.program.as_fd(), frame)?;
        Ok(answer != PASS.cast_unsigned())
    }
}

struct Attached {
    attachment: Attachment,
    fallback: Option<io::Error>,
}

fn attach(program: &OwnedFd, interface: u32, mode: Mode) -> io::Result<Attached> {
    let at = |place| Attachment::new(program.as_fd(), interface, place);
    let (attachment, fallback) = match mode {
        Mode::Generic => (at(Place::Stack)?, None),
        Mode::Native | Mode::ZeroCopy => (at(Place::Driver)?, None),
        Mode::Auto => match at(Place::Driver) {
            Ok(attachment) => (attachment, None),
            Err(cause) if is_in_use(&cause) || cause.raw_os_error() == Some(libc::EPERM) => {
                return Err(cause);
            }
            Err(cause) => (at(Place::Stack)?, Some(cause)),
        },
    };
    Ok(Attached {
        attachment,
        fallback,
    })
}

fn find(name: &str) -> Result<Link, OpenError> {
    let fault = |cause| OpenError {
        interface: name.to_owned(),
        step: Step::Find,
        cause,
    };
    let network = Network::look().map_err(fault)?;
    let link = network.link(name).cloned();
    link.ok_or_else(|| fault(io::Error::from_raw_os_error(libc::ENODEV)))
}

/// Returns the numbers of the queues, which are all there.
fn numbers(config: &Config) -> Result<Vec<u32>, OpenError> {
    let fault = |step, cause| OpenError {
        interface: config.interface.clone(),
        step,
        cause,
    };
    let there = calls::queues(&config.interface);
    let there = there
        .map_err(|cause| fault(Step::Find, cause))?
        .min(MAX_QUEUES);
    if let Some(&missing) = config.queues.iter().find(|number| **number >= there) {
        let cause = io::Error::other(format!("there are {there}"));
        return Err(fault(Step::Queue(missing), cause));
    }
    let mut numbers = config.queues.clone();
    if numbers.is_empty() {
        numbers.extend(0..there);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}
