use std::iter::Sum;
use std::ops::{Add, AddAssign, Index, IndexMut, SubAssign};

/// The family of a peer's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// One value for each kind of peers, usually how many there are. An index is a family and whether
/// the peers are seeders; those of WebTorrent have no address, and so no family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerKind<T> {
    /// IPv4 peers that have everything.
    pub v4_seeders: T,
    /// Other IPv4 peers.
    pub v4_leechers: T,
    /// IPv6 peers that have everything.
    pub v6_seeders: T,
    /// Other IPv6 peers.
    pub v6_leechers: T,
    /// WebTorrent peers that have everything.
    pub web_seeders: T,
    /// Other WebTorrent peers.
    pub web_leechers: T,
}

impl<T: Copy + Add<Output = T>> PerKind<T> {
    /// Returns the sum over all peers.
    pub fn total(&self) -> T {
        self.seeders() + self.leechers()
    }

    /// Returns the sum over the peers that have everything.
    pub fn seeders(&self) -> T {
        self.v4_seeders + self.v6_seeders + self.web_seeders
    }

    /// Returns the sum over the other peers.
    pub fn leechers(&self) -> T {
        self.v4_leechers + self.v6_leechers + self.web_leechers
    }
}

impl<T> Index<(Family, bool)> for PerKind<T> {
    type Output = T;

    fn index(&self, kind: (Family, bool)) -> &T {
        match kind {
            (Family::V4, true) => &self.v4_seeders,
            (Family::V4, false) => &self.v4_leechers,
            (Family::V6, true) => &self.v6_seeders,
            (Family::V6, false) => &self.v6_leechers,
        }
    }
}

impl<T> IndexMut<(Family, bool)> for PerKind<T> {
    fn index_mut(&mut self, kind: (Family, bool)) -> &mut T {
        match kind {
            (Family::V4, true) => &mut self.v4_seeders,
            (Family::V4, false) => &mut self.v4_leechers,
            (Family::V6, true) => &mut self.v6_seeders,
            (Family::V6, false) => &mut self.v6_leechers,
        }
    }
}

impl<T: AddAssign> AddAssign for PerKind<T> {
    fn add_assign(&mut self, other: Self) {
        self.v4_seeders += other.v4_seeders;
        self.v4_leechers += other.v4_leechers;
        self.v6_seeders += other.v6_seeders;
        self.v6_leechers += other.v6_leechers;
        self.web_seeders += other.web_seeders;
        self.web_leechers += other.web_leechers;
    }
}

impl<T: SubAssign> SubAssign for PerKind<T> {
    fn sub_assign(&mut self, other: Self) {
        self.v4_seeders -= other.v4_seeders;
        self.v4_leechers -= other.v4_leechers;
        self.v6_seeders -= other.v6_seeders;
        self.v6_leechers -= other.v6_leechers;
        self.web_seeders -= other.web_seeders;
        self.web_leechers -= other.web_leechers;
    }
}

impl<T: AddAssign> Add for PerKind<T> {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl<T: AddAssign + Default> Sum for PerKind<T> {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_value() {
        let mut peers = PerKind::default();
        for (weight, kind) in [
            (1, (Family::V4, true)),
            (10, (Family::V4, false)),
            (100, (Family::V6, true)),
            (1000, (Family::V6, false)),
        ] {
            peers[kind] += weight;
            assert_eq!(peers[kind], weight);
        }
        peers.web_seeders += 10_000;
        peers.web_leechers += 100_000;
        assert_eq!(
            (peers.seeders(), peers.leechers(), peers.total()),
            (10_101, 101_010, 111_111)
        );
        let sum: PerKind<i32> = [peers, peers, peers].into_iter().sum();
        assert_eq!(sum.v6_leechers, 3000);
        let mut rest = sum;
        rest -= peers + peers;
        assert_eq!(rest, peers);
    }
}
