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

/// What is served: the torrents on the allow list, if there is one, less those on the deny list,
/// to all but the denied clients and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessLists {
    /// Only these are served; `None`: all.
    pub allow: Option<HashList>,
    /// These are never served, whatever the allow list says; `None`: none.
    pub deny: Option<HashList>,
    /// These are refused; `None`: none.
    pub deny_clients: Option<ClientList>,
    /// These get no answer, and no peer is there; `None`: none.
    pub deny_networks: Option<Networks>,
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

    /// Tells whether every torrent is served: there is neither list of them.
    pub fn serve_all(&self) -> bool {
        self.allow.is_none() && self.deny.is_none()
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Served,
    Denied,
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
        assert!(AccessLists::default().serves(&A));
        let nothing = AccessLists {
            allow: Some(HashList::default()),
            ..AccessLists::default()
        };
        assert!(!nothing.serves(&A));
    }
}
