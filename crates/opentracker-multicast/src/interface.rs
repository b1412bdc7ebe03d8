use std::io;
use std::net::{IpAddr, Ipv4Addr};

/// An interface that has the address that we look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    /// What the kernel calls it. An interface that is made anew mostly gets another index.
    pub(crate) index: u32,
    /// Whether it is up and has a link.
    pub(crate) is_running: bool,
}

impl Interface {
    /// Finds the interface that has an address, if there is one.
    pub(crate) fn with_address(address: Ipv4Addr) -> io::Result<Option<Self>> {
        let found = if_addrs::get_if_addrs()?
            .into_iter()
            .find(|entry| entry.ip() == address);
        // One without an index went between the two questions that this is.
        Ok(found.and_then(|entry| {
            Some(Self {
                is_running: entry.is_oper_up(),
                index: entry.index?,
                name: entry.name,
            })
        }))
    }

    /// Tells whether the kernel has this interface in a group, for whichever socket. Where it
    /// does not let us know, the answer is yes.
    ///
    /// An interface that is removed, or moved to another namespace, leaves its groups. Its
    /// successor may have the same index, and a socket does not hear of all that.
    pub(crate) fn is_in(&self, group: Ipv4Addr) -> bool {
        let table = std::fs::read_to_string("/proc/thread-self/net/igmp");
        table.map_or(true, |table| is_listed(&table, self.index, group))
    }
}

/// Returns the IPv4 addresses of this host, as far as it says them.
pub(crate) fn own_addresses() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = interfaces.iter().map(if_addrs::Interface::ip);
    let v4 = addresses.filter_map(|ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    v4.collect()
}

/// Looks a membership up in the kernel's table, which reads like this:
///
/// ```text
/// Idx     Device    : Count Querier       Group    Users Timer    Reporter
/// 2       eth0      :     2      V3
///                                 051700E0     1 0:00000000       0
///                                 010000E0     1 0:00000000       0
/// ```
///
/// The groups are hexadecimal, in the machine's order of octets.
fn is_listed(table: &str, index: u32, group: Ipv4Addr) -> bool {
    let group = u32::from_ne_bytes(group.octets());
    table
        .lines()
        .skip(1)
        .skip_while(|line| device_index(line) != Some(index))
        .skip(1)
        .take_while(|line| device_index(line).is_none())
        .filter_map(|line| line.split_whitespace().next())
        .any(|listed| u32::from_str_radix(listed, 16) == Ok(group))
}

/// Returns the index in a line that begins a device; the lines of its groups are indented.
fn device_index(line: &str) -> Option<u32> {
    let is_indented = line.starts_with(char::is_whitespace);
    let index = line.split_whitespace().next()?.parse().ok()?;
    (!is_indented).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn memberships_are_found_in_their_device() {
        let table = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
                     1\tlo        :     1      V3\n\
                     \t\t\t\t010000E0     1 0:00000000\t\t0\n\
                     12\teth0      :     2      V3\n\
                     \t\t\t\t051700E0     1 0:00000000\t\t0\n\
                     \t\t\t\t010000E0     1 0:00000000\t\t0\n";
        let livesync = Ipv4Addr::new(224, 0, 23, 5);
        let all_hosts = Ipv4Addr::new(224, 0, 0, 1);
        assert!(is_listed(table, 12, livesync));
        assert!(is_listed(table, 12, all_hosts));
        assert!(is_listed(table, 1, all_hosts));
        assert!(!is_listed(table, 1, livesync));
        assert!(!is_listed(table, 2, all_hosts));
        assert!(!is_listed("", 1, all_hosts));
        assert!(!is_listed("nonsense\n\nmore nonsense", 1, all_hosts));
    }

    #[test]
    fn the_loopback_interface_has_its_address() {
        assert!(own_addresses().contains(&Ipv4Addr::LOCALHOST));
        let lo = Interface::with_address(Ipv4Addr::LOCALHOST)
            .unwrap()
            .expect("a host without loopback cannot run these tests");
        assert!(lo.index > 0);
        assert!(lo.is_running);
        let nobody = Ipv4Addr::new(192, 0, 2, 1);
        assert_eq!(Interface::with_address(nobody).unwrap(), None);
    }
}
