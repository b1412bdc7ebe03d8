use std::hash::{BuildHasherDefault, Hasher};

use dashmap::DashMap;
use dashmap::mapref::one::{Ref, RefMut};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags, SwarmCounts};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::bucket::Bucket;
use crate::cell::{AnyCell, PeerKeys, Report};
use crate::clock::{Minute, Moment};
use crate::key::HashKey;
use crate::kind::PerKind;
use crate::picker::{PeerBuffers, Picker};
use crate::requester::{Entered, Requester};
use crate::swarm::SwarmCell;
use crate::torrent::{Torrent, TorrentSummary, counts_of, summary_of};

/// Buckets of a store. Each is locked, swept and grown on its own, so this bounds how long a
/// single step takes: 100 million torrents are 25,000 a bucket.
const BUCKETS: u16 = 4096;

/// Locks of a store; 16 buckets share one.
const STRIPES: usize = 256;

/// What a peer reports, as far as the store cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// The peer is there.
    Here {
        /// It has everything.
        seeding: bool,
        /// It says that it has just completed the download; counts only if `seeding`.
        completed: bool,
    },
    /// The peer goes away.
    Gone,
}

impl From<PeerFlags> for Presence {
    /// Reads the flags of a live-sync record: `STOPPED` wins over everything, and `COMPLETED`
    /// counts only together with `SEEDING`.
    fn from(flags: PeerFlags) -> Self {
        if flags.contains(PeerFlags::STOPPED) {
            return Self::Gone;
        }
        Self::Here {
            seeding: flags.contains(PeerFlags::SEEDING),
            completed: flags.contains(PeerFlags::SEEDING.with(PeerFlags::COMPLETED)),
        }
    }
}

/// One peer's announce, from a client or from a sibling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The peer. It must have a scope ([`PeerAddr::scope`]).
    pub peer: PeerAddr,
    /// What it reports.
    pub presence: Presence,
}

/// What became of an announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The swarm's counts, the announcer included.
    pub counts: SwarmCounts,
    /// The peer was known before.
    pub was_known: bool,
    /// The torrent was not known before.
    pub new_torrent: bool,
    /// The peer completed the download for the first time.
    pub has_completed: bool,
    /// The cluster must hear of this: the peer is new, comes back after the renew boundary, has
    /// completed for the first time, changed between leeching and seeding, or has stopped.
    pub tell: bool,
}

/// How a download count from a sibling (SCRAPE_TELL) compares with ours, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The torrent was not known and has been created.
    Created,
    /// Our download count was smaller and has been raised.
    Raised,
    /// Both are equal.
    Equal,
    /// Our download count is larger: the sibling could learn from us.
    OursIsLarger,
}

/// What there is in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Torrents, those without peers included.
    pub torrents: u64,
    /// Peers.
    pub peers: PerKind<u64>,
}

/// All swarms of a tracker, in memory, shared by any number of threads.
#[derive(Debug)]
pub struct Store {
    buckets: DashMap<u16, Bucket, BuildHasherDefault<SpreadBucket>>,
    /// One less than the number of buckets, a power of two.
    bucket_mask: u16,
    hash_key: HashKey,
    peer_keys: PeerKeys,
}

impl Store {
    /// Makes an empty store. The seed keys its hash functions and must come from the system's
    /// randomness, so that no client can choose keys that collide.
    pub fn new(seed: [u8; 32]) -> Self {
        Self::with_parts(seed, BUCKETS)
    }

    /// Makes an empty store of fewer parts than [`Self::new`] does, for few torrents or for many
    /// stores: walks and sweeps go through `parts` steps, which is rounded up to a power of two
    /// from 2 to 32,768.
    pub fn with_parts(seed: [u8; 32], parts: u16) -> Self {
        let parts = parts.clamp(2, 1 << 15).next_power_of_two();
        let buckets = DashMap::with_capacity_and_hasher_and_shard_amount(
            usize::from(parts),
            BuildHasherDefault::default(),
            STRIPES.min(usize::from(parts)),
        );
        for number in 0..parts {
            buckets.insert(number, Bucket::default());
        }
        let mut rng = StdRng::from_seed(seed);
        Self {
            buckets,
            bucket_mask: parts - 1,
            hash_key: HashKey::new(&mut rng),
            peer_keys: PeerKeys {
                mask: rng.next_u64(),
                factor: rng.next_u64() | 1,
            },
        }
    }

    /// Enters, refreshes or removes a peer, and writes up to `want` others into `out`: uniformly
    /// chosen without replacement, never the announcer, leechers only for a seeder, and loopback
    /// and private peers only for their like. A peer that goes away gets none.
    pub fn announce(
        &self,
        announce: &Announce,
        moment: &Moment,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
    ) -> Announced {
        let select = |torrent: &Torrent, requester: &Requester| {
            torrent.swarm.select(requester, want, picker, out);
        };
        self.dispatch(announce, false, moment, select)
    }

    /// Applies what a sibling in the cluster announced (docs/livesync.md, "Peer sync"): like an
    /// announce that asks for no peers and is never told onward.
    pub fn apply(&self, announce: &Announce, moment: &Moment) -> Announced {
        self.dispatch(announce, true, moment, |_, _| ())
    }

    /// Applies a sibling's download count (docs/livesync.md, "Scrape sync"): the torrent is
    /// created if it is not known, as last announced `idle_minutes` ago, and its count becomes the
    /// larger of the two.
    pub fn apply_downloads(
        &self,
        info_hash: &InfoHash,
        idle_minutes: u32,
        downloads: u64,
        moment: &Moment,
    ) -> Comparison {
        let downloads = u32::try_from(downloads).unwrap_or(u32::MAX);
        let hash = self.hash_key.hash(info_hash);
        let mut bucket = self.bucket_mut(hash);
        let Some(at) = bucket.find(hash, info_hash) else {
            let announced = Minute::new(moment.now.get().saturating_sub(idle_minutes));
            let at = bucket.insert(hash, *info_hash, announced, &self.hash_key);
            bucket.torrent_mut(at).downloads = downloads;
            return Comparison::Created;
        };
        let torrent = bucket.torrent_mut(at);
        match torrent.downloads.cmp(&downloads) {
            std::cmp::Ordering::Less => {
                torrent.downloads = downloads;
                Comparison::Raised
            }
            std::cmp::Ordering::Equal => Comparison::Equal,
            std::cmp::Ordering::Greater => Comparison::OursIsLarger,
        }
    }

    /// Returns a torrent's counts, or `None` for an unknown one.
    pub fn scrape(&self, info_hash: &InfoHash) -> Option<SwarmCounts> {
        let hash = self.hash_key.hash(info_hash);
        let bucket = self.bucket(hash);
        bucket.get(hash, info_hash).map(counts_of)
    }

    /// Returns what an iteration would show of a torrent, or `None` for an unknown one.
    pub fn summary(&self, info_hash: &InfoHash, moment: &Moment) -> Option<TorrentSummary> {
        let hash = self.hash_key.hash(info_hash);
        let bucket = self.bucket(hash);
        bucket
            .get(hash, info_hash)
            .map(|torrent| summary_of(torrent, moment))
    }

    /// Counts everything, bucket by bucket; takes some hundred microseconds.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for bucket in &self.buckets {
            totals.torrents += bucket.len() as u64;
            totals.peers += bucket.peers;
        }
        totals
    }

    /// Octets that the store has on the heap, without the allocator's own. Walks all torrents.
    pub fn heap_octets(&self) -> usize {
        let swarms =
            |bucket: &Bucket| -> usize { bucket.torrents().map(|t| t.swarm.heap_octets()).sum() };
        self.buckets
            .iter()
            .map(|bucket| bucket.heap_octets() + swarms(&bucket))
            .sum()
    }

    /// Number of parts that [`Self::visit`] and a [`Sweeper`](crate::Sweeper) go through.
    pub const fn parts(&self) -> u16 {
        self.bucket_mask + 1
    }

    /// Calls `visit` for every torrent of one part, in no particular order. The part is locked
    /// for writing until it returns: collect, and write afterwards.
    ///
    /// A walk over all parts sees every torrent that is there from its beginning to its end.
    ///
    /// # Panics
    ///
    /// If `part` is not below [`Self::parts`].
    pub fn visit(&self, part: u16, moment: &Moment, mut visit: impl FnMut(TorrentSummary)) {
        let bucket = self.part(part);
        for torrent in bucket.torrents() {
            visit(summary_of(torrent, moment));
        }
    }

    /// Calls `visit` with every peer of a torrent in compact form (6 or 18 octets) and whether it
    /// is a seeder. The torrent's part is locked for writing until it returns.
    pub fn visit_peers(&self, info_hash: &InfoHash, visit: impl FnMut(&[u8], bool)) {
        let hash = self.hash_key.hash(info_hash);
        if let Some(torrent) = self.bucket(hash).get(hash, info_hash) {
            torrent.swarm.for_each_peer(visit);
        }
    }

    pub(crate) fn part(&self, part: u16) -> Ref<'_, u16, Bucket> {
        self.buckets.get(&part).expect("every bucket is there")
    }

    pub(crate) fn part_mut(&self, part: u16) -> RefMut<'_, u16, Bucket> {
        self.buckets.get_mut(&part).expect("every bucket is there")
    }

    pub(crate) fn hash_key(&self) -> &HashKey {
        &self.hash_key
    }

    pub(crate) fn peer_keys(&self) -> &PeerKeys {
        &self.peer_keys
    }

    pub(crate) fn bucket(&self, hash: u64) -> Ref<'_, u16, Bucket> {
        self.part(self.bucket_of(hash))
    }

    fn bucket_mut(&self, hash: u64) -> RefMut<'_, u16, Bucket> {
        self.part_mut(self.bucket_of(hash))
    }

    /// Bits from 40 on choose the bucket: inside it the index takes positions from the low bits
    /// and tags from the top seven.
    fn bucket_of(&self, hash: u64) -> u16 {
        let [_, _, _, _, _, low, high, _] = hash.to_le_bytes();
        u16::from_le_bytes([low, high]) & self.bucket_mask
    }

    fn dispatch(
        &self,
        announce: &Announce,
        heard: bool,
        moment: &Moment,
        select: impl FnOnce(&Torrent, &Requester),
    ) -> Announced {
        match AnyCell::from(announce.peer) {
            AnyCell::V4(cell) => self.enter_or_leave(announce, cell, heard, moment, select),
            AnyCell::V6(cell) => self.enter_or_leave(announce, cell, heard, moment, select),
        }
    }

    fn enter_or_leave<C: SwarmCell>(
        &self,
        announce: &Announce,
        cell: C,
        heard: bool,
        moment: &Moment,
        select: impl FnOnce(&Torrent, &Requester),
    ) -> Announced {
        let info_hash = &announce.info_hash;
        let hash = self.hash_key.hash(info_hash);
        let mut bucket = self.bucket_mut(hash);
        let found = bucket.find(hash, info_hash);
        let Presence::Here { seeding, completed } = announce.presence else {
            return self.leave(&mut bucket, found, &cell, heard, moment);
        };
        let at =
            found.unwrap_or_else(|| bucket.insert(hash, *info_hash, moment.now, &self.hash_key));
        let report = Report {
            seeding,
            completed,
            heard,
        };
        let torrent = bucket.torrent_mut(at);
        let Entered {
            location,
            was_seeding,
            refreshed,
        } = torrent.swarm.enter(cell, report, moment, &self.peer_keys);
        if refreshed.has_completed {
            torrent.downloads = torrent.downloads.saturating_add(1);
        }
        let requester = Requester {
            scope: cell.scope(),
            seeding,
            family: C::FAMILY,
            location,
        };
        select(torrent, &requester);
        let counts = counts_of(torrent);
        if was_seeding != Some(seeding) {
            if let Some(seeding) = was_seeding {
                bucket.peers[(C::FAMILY, seeding)] -= 1;
            }
            bucket.peers[(C::FAMILY, seeding)] += 1;
        }
        Announced {
            counts,
            was_known: was_seeding.is_some(),
            new_torrent: found.is_none(),
            has_completed: refreshed.has_completed,
            tell: refreshed.tell && !heard,
        }
    }

    fn leave<C: SwarmCell>(
        &self,
        bucket: &mut Bucket,
        found: Option<usize>,
        cell: &C,
        heard: bool,
        moment: &Moment,
    ) -> Announced {
        let mut announced = Announced {
            counts: SwarmCounts::default(),
            was_known: false,
            new_torrent: false,
            has_completed: false,
            // Another node may know the peer that we missed.
            tell: !heard,
        };
        if let Some(at) = found {
            let torrent = bucket.torrent_mut(at);
            let was_seeding = torrent.swarm.leave(cell, moment, &self.peer_keys);
            announced.counts = counts_of(torrent);
            if let Some(seeding) = was_seeding {
                announced.was_known = true;
                let is_worthless = torrent.swarm.is_empty() && torrent.downloads == 0;
                bucket.peers[(C::FAMILY, seeding)] -= 1;
                if is_worthless {
                    bucket.remove(at, &self.hash_key);
                }
            }
        }
        announced
    }
}

/// Spreads bucket numbers over dashmap's stripes. The numbers come from a keyed hash already.
#[derive(Debug, Default, Clone, Copy)]
struct SpreadBucket(u64);

impl Hasher for SpreadBucket {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for &octet in octets {
            self.write_u16(u16::from(octet));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
