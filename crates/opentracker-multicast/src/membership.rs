use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{InterfaceIndexOrAddress, SockRef};
use tracing::{debug, info, warn};

use crate::interface::Interface;

/// A socket's membership of a group on the interface that has an address, and what is known of
/// that interface.
#[derive(Debug)]
pub(crate) struct Membership {
    group: SocketAddrV4,
    address: Ipv4Addr,
    /// The interface that the membership is of.
    index: u32,
    is_lost: bool,
}

impl Membership {
    /// Joins `socket` to the group on an interface, over which it also sends from now on.
    pub(crate) fn join(
        socket: SockRef<'_>,
        group: SocketAddrV4,
        address: Ipv4Addr,
        interface: &Interface,
    ) -> io::Result<Self> {
        join(&socket, *group.ip(), address, interface.index)?;
        if !interface.is_running {
            warn!(%address, interface = interface.name, "multicast interface has no link yet");
        }
        Ok(Self {
            group,
            address,
            index: interface.index,
            is_lost: !interface.is_running,
        })
    }

    /// Tells whether datagrams can flow, as far as is known.
    pub(crate) const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Looks whether the interface and the membership are still there, and joins again where they
    /// are back. Returns whether it did.
    pub(crate) fn check(&mut self, socket: SockRef<'_>) -> bool {
        let Self { group, address, .. } = *self;
        let interface = match Interface::with_address(address) {
            Ok(Some(interface)) if interface.is_running => interface,
            Ok(_) => {
                if !self.is_lost {
                    warn!(%address, %group, "multicast interface is gone or down");
                }
                self.is_lost = true;
                return false;
            }
            Err(error) => {
                debug!(%error, "cannot look at the network interfaces");
                return false;
            }
        };
        let is_same = interface.index == self.index && interface.is_in(*group.ip());
        if !self.is_lost && is_same {
            return false;
        }
        if !self.is_lost {
            warn!(%address, %group, "multicast membership was lost with the interface");
            self.is_lost = true;
        }
        if let Err(error) = self.join_again(&socket, interface.index) {
            debug!(%address, %group, %error, "cannot join the multicast group again yet");
            return false;
        }
        info!(%address, interface = interface.name, %group, "multicast group joined again");
        self.is_lost = false;
        true
    }

    fn join_again(&mut self, socket: &SockRef<'_>, index: u32) -> io::Result<()> {
        let group = *self.group.ip();
        // The socket counts as a member until it leaves, though the interface is none. Leaving
        // fails where the last attempt left and could not join.
        let old = InterfaceIndexOrAddress::Index(self.index);
        if let Err(error) = socket.leave_multicast_v4_n(&group, &old) {
            debug!(%error, "was not a member any more");
        }
        self.index = index;
        join(socket, group, self.address, index)
    }
}

fn join(socket: &SockRef<'_>, group: Ipv4Addr, address: Ipv4Addr, index: u32) -> io::Result<()> {
    socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index))?;
    // By address, which thereby becomes what is sent from.
    socket.set_multicast_if_v4(&address)
}
