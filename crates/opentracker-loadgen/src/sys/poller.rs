//! Waiting for sockets.
#![expect(unsafe_code, reason = "std has no epoll")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use libc::c_int;

use super::{check, is_transient};

/// Waits for sockets. std has no call for it, and a runtime would cost more than it saves: the
/// loops here own their sockets and do nothing else.
pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    ready: usize,
}

/// When a [`Poller`] speaks of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// As long as there is something to read.
    Readable,
    /// Once when there is something new to read or new room to write.
    Changes,
}

impl Poller {
    /// Makes a poller.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer; what it returns is a descriptor that nobody else owns.
        let epoll = unsafe {
            let epoll = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            OwnedFd::from_raw_fd(epoll)
        };
        Ok(Self {
            epoll,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; 256],
            ready: 0,
        })
    }

    /// Watches a socket under a token. Closing the socket ends it.
    pub(crate) fn add(
        &self,
        socket: &impl AsRawFd,
        token: usize,
        interest: Interest,
    ) -> io::Result<()> {
        let events = match interest {
            Interest::Readable => libc::EPOLLIN,
            Interest::Changes => libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET,
        };
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: token as u64,
        };
        // SAFETY: the event lives through the call.
        let result = unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                socket.as_raw_fd(),
                &raw mut event,
            )
        };
        check(result).map(|_| ())
    }

    /// Waits until a socket is ready or the time is over; below a millisecond it only looks.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let millis = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
        let room = c_int::try_from(self.events.len()).expect("a few hundred");
        // SAFETY: the buffer is live and has room for so many events.
        let ready = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                room,
                millis,
            )
        };
        self.ready = match usize::try_from(ready) {
            Ok(ready) => ready,
            Err(_) => match io::Error::last_os_error() {
                error if is_transient(&error) => 0,
                error => return Err(error),
            },
        };
        Ok(())
    }

    /// Number of sockets that the last [`Self::wait`] found ready.
    pub(crate) const fn ready(&self) -> usize {
        self.ready
    }

    /// What it found of one of them.
    pub(crate) fn event(&self, index: usize) -> Event {
        // Copies, because the structure is packed.
        let libc::epoll_event { events, u64 } = self.events[index];
        let hangup = libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR;
        Event {
            token: usize::try_from(u64).expect("tokens come from `add`"),
            is_hangup: events & hangup.cast_unsigned() != 0,
        }
    }
}

/// What a [`Poller`] found of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    /// The token that it was added under.
    pub(crate) token: usize,
    /// Whether the other side has closed, or the connection is broken.
    pub(crate) is_hangup: bool,
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_poller_tells_which_socket_is_readable() {
        let sockets = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let mut poller = Poller::new().unwrap();
        for (token, socket) in sockets.iter().enumerate() {
            poller.add(socket, token, Interest::Readable).unwrap();
        }
        poller.wait(Duration::ZERO).unwrap();
        assert_eq!(poller.ready(), 0);
        let target = sockets[2].local_addr().unwrap();
        sockets[0].send_to(b"x", target).unwrap();
        poller.wait(Duration::from_secs(5)).unwrap();
        assert_eq!(poller.ready(), 1);
        assert_eq!(
            poller.event(0),
            Event {
                token: 2,
                is_hangup: false
            }
        );
    }
}
