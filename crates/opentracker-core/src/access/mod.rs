//! Who may do what: which torrents, clients and networks are served, and which networks share a
//! right.

mod client_list;
mod hash_list;
mod lines;
mod networks;

use std::net::IpAddr;

use opentracker_types::{InfoHash, PeerId};

pub use client_list::ClientList;
pub use hash_list::HashList;
pub use lines::Skipped;
pub use networks::Networks;

/// What is served: the torrents on the allow list, if there is one, less those on the deny list
/// and those that were blocked by hand, to all but the denied clients and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessLists {
    /// Only these are served; `None`: all.
    pub allow: Option<HashList>,
    /// These are never served, whatever the allow list says; `None`: none.
    pub deny: Option<HashList>,
    /// Nor are these, which somebody has blocked by hand; `None`: none.
    pub blocked: Option<HashList>,
    /// These are refused; `None`: none.
    pub deny_clients: Option<ClientList>,
    /// These get no answer, and no peer is there; `None`: none.
    pub deny_networks: Option<Networks>,
}

impl AccessLists {
    /// Says whether a torrent is served, and if not why. What was blocked by hand comes before the
    /// deny list, and that before the allow list.
    pub fn verdict(&self, info_hash: &InfoHash) -> Verdict {
        let is_on = |list: &Option<HashList>| {
            let list = list.as_ref();
            list.map(|list| list.contains(info_hash))
        };
        if is_on(&self.blocked) == Some(true) {
            Verdict::Blocked
        } else if is_on(&self.deny) == Some(true) {
            Verdict::Denied
        } else if is_on(&self.allow) == Some(false) {
            Verdict::NotAllowed
        } else {
            Verdict::Served
        }
    }

    /// Tells whether every torrent is served: there is no list of them.
    pub fn serve_all(&self) -> bool {
        self.allow.is_none() && self.deny.is_none() && self.blocked.is_none()
    }

    /// Returns the octets that all lists together have on the heap.
    pub fn heap_octets(&self) -> usize {
        let hashes = [&self.allow, &self.deny, &self.blocked]
            .into_iter()
            .flatten();
        let clients = self.deny_clients.iter().map(ClientList::heap_octets);
        let networks = self.deny_networks.iter().map(Networks::heap_octets);
        hashes
            .map(HashList::heap_octets)
            .chain(clients)
            .chain(networks)
            .sum()
    }

    /// Tells whether a torrent is served.
    pub fn serves(&self, info_hash: &InfoHash) -> bool {
        self.verdict(info_hash) == Verdict::Served
    }

    /// Tells whether an address is served at all.
    pub fn serves_address(&self, ip: IpAddr) -> bool {
        let networks = self.deny_networks.as_ref();
        !networks.is_some_and(|networks| networks.contains(ip))
    }

    /// Tells whether a client is served; one that does not say what it is cannot be told apart.
    pub(crate) fn serves_client(&self, peer_id: Option<&PeerId>) -> bool {
        match (&self.deny_clients, peer_id) {
            (Some(clients), Some(peer_id)) => !clients.contains(peer_id),
            _ => true,
        }
    }
}

/// Whether a torrent is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Served,
    /// Somebody has blocked it by hand.
    Blocked,
    /// It is on the deny list.
    Denied,
    /// It is not on the allow list.
    NotAllowed,
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
            ..AccessLists::default()
        };
        assert_eq!(lists.verdict(&A), Verdict::Served);
        assert_eq!(lists.verdict(&B), Verdict::Denied);
        assert_eq!(
            lists.verdict(&InfoHash::new([0xcc; 20])),
            Verdict::NotAllowed
        );
        let blocked = AccessLists {
            blocked: Some([A, B].into_iter().collect()),
            ..lists
        };
        assert_eq!(blocked.verdict(&B), Verdict::Blocked);
        assert!(!blocked.serves(&A));
        assert!(AccessLists::default().serves(&A));
        let nothing = AccessLists {
            allow: Some(HashList::default()),
            ..AccessLists::default()
        };
        assert!(!nothing.serves(&A));
    }
}
