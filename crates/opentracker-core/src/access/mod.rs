//! Who may do what: which torrents are served, and which networks share a right.

mod hash_list;

use std::net::IpAddr;

use ipnet::IpNet;
use opentracker_types::InfoHash;

pub use hash_list::{HashList, Skipped};

/// Which torrents are served: those on the allow list, if there is one, less those on the deny
/// list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessLists {
    /// Only these are served; `None`: all.
    pub allow: Option<HashList>,
    /// These are never served, whatever the allow list says; `None`: none.
    pub deny: Option<HashList>,
}

impl AccessLists {
    pub(crate) fn verdict(&self, info_hash: &InfoHash) -> Verdict {
        if self
            .deny
            .as_ref()
            .is_some_and(|list| list.contains(info_hash))
        {
            Verdict::Denied
        } else if self
            .allow
            .as_ref()
            .is_some_and(|list| !list.contains(info_hash))
        {
            Verdict::NotAllowed
        } else {
            Verdict::Served
        }
    }

    /// Tells whether every torrent is served: there is neither list.
    pub fn serve_all(&self) -> bool {
        self.allow.is_none() && self.deny.is_none()
    }

    /// Tells whether a torrent is served.
    pub fn serves(&self, info_hash: &InfoHash) -> bool {
        self.verdict(info_hash) == Verdict::Served
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Served,
    Denied,
    NotAllowed,
}

/// Networks that share a right, like reading the statistics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Makes the set of all addresses in any of the networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Tells whether an address is in one of the networks; an IPv4-mapped IPv6 address counts as
    /// IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0.iter().any(|network| network.contains(&ip))
    }

    /// Tells whether every address of the same family is in one of the networks.
    pub fn contains_all_like(&self, ip: IpAddr) -> bool {
        let is_v4 = ip.to_canonical().is_ipv4();
        self.0
            .iter()
            .any(|network| network.prefix_len() == 0 && network.addr().is_ipv4() == is_v4)
    }

    /// Tells whether there is no network in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: InfoHash = InfoHash::new([0xaa; 20]);
    const B: InfoHash = InfoHash::new([0xbb; 20]);

    #[test]
    fn deny_wins_over_allow() {
        let lists = AccessLists {
            allow: Some([A, B].into_iter().collect()),
            deny: Some([B].into_iter().collect()),
        };
        assert_eq!(lists.verdict(&A), Verdict::Served);
        assert_eq!(lists.verdict(&B), Verdict::Denied);
        assert_eq!(
            lists.verdict(&InfoHash::new([0xcc; 20])),
            Verdict::NotAllowed
        );
        assert!(AccessLists::default().serves(&A));
        let nothing = AccessLists {
            allow: Some(HashList::default()),
            deny: None,
        };
        assert!(!nothing.serves(&A));
    }

    #[test]
    fn networks_hold_mapped_addresses() {
        let networks = Networks::new(["10.0.0.0/8".parse().unwrap()]);
        assert!(networks.contains("10.1.2.3".parse().unwrap()));
        assert!(networks.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!networks.contains("fd00::1".parse().unwrap()));
    }
}
