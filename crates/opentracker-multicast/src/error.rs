use std::fmt;
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
    #[error("no interface has {interface}; this host has {}", Addresses(present))]
    NoSuchAddress {
        /// The address.
        interface: Ipv4Addr,
        /// The IPv4 addresses that there are.
        present: Vec<Ipv4Addr>,
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

/// Addresses in a sentence.
struct Addresses<'a>(&'a [Ipv4Addr]);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else {
            return f.write_str("no IPv4 address");
        };
        write!(f, "{first}")?;
        others.iter().try_for_each(|other| write!(f, ", {other}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_address_is_named_with_those_that_there_are() {
        let error = |present: &[Ipv4Addr]| {
            let interface = Ipv4Addr::new(192, 0, 2, 1);
            let present = present.to_vec();
            JoinError::NoSuchAddress { interface, present }.to_string()
        };
        assert_eq!(
            error(&[Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 0, 0, 2)]),
            "no interface has 192.0.2.1; this host has 127.0.0.1, 10.0.0.2"
        );
        assert_eq!(
            error(&[]),
            "no interface has 192.0.2.1; this host has no IPv4 address"
        );
    }
}
