use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use ipnet::IpNet;

/// Which group to join, where, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// The group and the port that its datagrams are sent to.
    pub group: SocketAddrV4,
    /// The address of the interface that joins, which is also what is sent from.
    pub interface: Ipv4Addr,
    /// How many networks a datagram may cross; 1 keeps it in this one.
    pub ttl: u8,
    /// Whether members on this host get what is sent, the sender included.
    pub loopback: bool,
    /// How many octets the kernel is asked to hold for us while we are busy. It may grant less
    /// (`net.core.rmem_max`), which is logged.
    pub receive_buffer_octets: usize,
    /// The networks that datagrams are taken from. From others they are dropped and counted; so
    /// an empty list drops all.
    pub sources: Vec<IpNet>,
    /// How often to look whether the interface and the membership are still there. At least a
    /// millisecond: less counts as one.
    pub check_interval: Duration,
}

impl GroupConfig {
    /// Makes a configuration with a TTL of 1, no loopback, a receive buffer of 4 MiB, no sources
    /// and a check every two seconds.
    pub const fn new(group: SocketAddrV4, interface: Ipv4Addr) -> Self {
        Self {
            group,
            interface,
            ttl: 1,
            loopback: false,
            receive_buffer_octets: 4 << 20,
            sources: Vec::new(),
            check_interval: Duration::from_secs(2),
        }
    }
}
