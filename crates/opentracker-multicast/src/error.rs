use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Why a group could not be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The group's address is not one of 224.0.0.0/4.
    #[error("{group} is not a multicast address, those are in 224.0.0.0/4")]
    NotMulticast {
        /// The address.
        group: Ipv4Addr,
    },
    /// The group's port is 0.
    #[error("the multicast group {group} needs a port other than 0")]
    NoPort {
        /// The group's address.
        group: Ipv4Addr,
    },
    /// No interface has the address that was to join.
    #[error("no network interface of this host has the address {interface}")]
    NoSuchAddress {
        /// The address.
        interface: Ipv4Addr,
    },
    /// The kernel finds no way from the interface to the group, mostly because it is down.
    #[error("no route to {group} over the interface with the address {interface}, is it up?")]
    NoRoute {
        /// The group's address.
        group: Ipv4Addr,
        /// The interface's address.
        interface: Ipv4Addr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The group's port is taken by a program that does not share it, or is not for us.
    #[error("cannot bind {group}")]
    Bind {
        /// The group.
        group: SocketAddrV4,
        /// What the kernel said.
        source: io::Error,
    },
    /// A step failed that should not.
    #[error("cannot {step}")]
    Socket {
        /// What was tried.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl JoinError {
    /// Returns what turns an error of `step` into one of joining.
    pub(crate) fn at(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Socket { step, source }
    }
}
