//! How peers that are about to be entered are spread over the classes.

use opentracker_types::{SavedPeer, Scope};

use crate::cell::{Cell, Cell4, Cell6};
use crate::kind::Family;
use crate::requester::Class;

/// Numbers of peers by family, scope and whether they seed.
#[derive(Debug, Default)]
pub(crate) struct Mix([[[usize; 2]; SCOPES.len()]; 2]);

const SCOPES: [Scope; 3] = [Scope::Loopback, Scope::Private, Scope::Global];

impl Mix {
    pub(crate) fn of(peers: impl Iterator<Item = SavedPeer>) -> Self {
        let mut mix = Self::default();
        for peer in peers {
            let of_family = &mut mix.0[usize::from(peer.addr.is_ipv4())];
            let scope = peer.addr.scope().unwrap_or(Scope::Global);
            of_family[scope as usize][usize::from(peer.seeding)] += 1;
        }
        mix
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_flattened().as_flattened().iter().sum()
    }

    /// Octets that the cells of all of them take.
    pub(crate) fn octets(&self) -> usize {
        let [v6, v4] = self
            .0
            .map(|scopes| scopes.as_flattened().iter().sum::<usize>());
        v4 * Cell4::LEN + v6 * Cell6::LEN
    }

    /// Each class that has peers, with their number.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (Family, Class, usize)> {
        let families = [Family::V6, Family::V4].into_iter().zip(self.0);
        let classes = families.flat_map(|(family, scopes)| {
            let scopes = SCOPES.into_iter().zip(scopes);
            scopes.flat_map(move |(scope, [leechers, seeders])| {
                let class = |seeding| Class { scope, seeding };
                [
                    (family, class(false), leechers),
                    (family, class(true), seeders),
                ]
            })
        });
        classes.filter(|(_, _, peers)| *peers > 0)
    }
}
