use std::ops::{Deref, DerefMut};

use opentracker_types::{InfoHash, PeerId, SavedPeer, SavedTorrent, SwarmCounts};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::announce::{Announce, Announced, Comparison, Heard, Presence, Told, WebAnnounce};
use crate::bucket::{Bucket, Secrets};
use crate::cell::{AnyCell, PeerKeys, Report};
use crate::clock::Moment;
use crate::key::{InfoHasher, Key};
use crate::kind::PerKind;
use crate::picker::{PeerBuffers, Picker};
use crate::requester::Requester;
use crate::saved::Restored;
use crate::stripes::Stripes;
use crate::swarm::{Swarm, SwarmCell};
use crate::torrent::TorrentSummary;
use crate::usage::Room;
use crate::web::{WebPeer, WebSwarm};

/// Buckets of a store. Each is locked, swept and grown on its own, so this bounds how long a
/// single step takes: 100 million torrents are 50,000 a bucket. Few enough that what leads to their
/// torrents stays in a processor's second cache.
const BUCKETS: u16 = 2048;

/// What there is in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Torrents, those without peers included.
    pub torrents: u64,
    /// Peers.
    pub peers: PerKind<u64>,
}

/// What a sweep or a purge removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Torrents.
    pub torrents: u64,
    /// Peers, those of the torrents included.
    pub peers: u64,
}

/// All swarms of a tracker, in memory, shared by any number of threads.
#[derive(Debug)]
pub struct Store {
    buckets: Stripes,
    secrets: Secrets,
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
        let mut rng = StdRng::from_seed(seed);
        let secrets = Secrets {
            info_hashes: InfoHasher::new(&mut rng),
            peers: PeerKeys {
                mask: rng.next_u64(),
                factor: rng.next_u64() | 1,
            },
        };
        Self {
            buckets: Stripes::new(parts),
            secrets,
        }
    }

    /// Makes the key of a torrent, by which all other calls name it.
    ///
    /// This hashes the info hash; keep the key while a request or a batch is served.
    #[inline]
    pub fn key(&self, info_hash: &InfoHash) -> Key {
        self.secrets.info_hashes.key(info_hash)
    }

    /// Enters, refreshes or removes a peer, and writes up to `want` others into `out`: uniformly
    /// chosen without replacement, never the announcer, leechers only for a seeder, and loopback
    /// and private peers only for their like. A peer that goes away gets none, and so does a new
    /// one that a bound keeps out ([`Moment::with_limits`]).
    pub fn announce(
        &self,
        announce: &Announce,
        moment: &Moment,
        want: usize,
        picker: &mut Picker,
        out: &mut PeerBuffers<'_>,
    ) -> Announced {
        let select = |swarm: &Swarm, requester: &Requester| {
            swarm.select(requester, want, picker, out);
        };
        self.dispatch(announce, false, moment, select)
    }

    /// Enters, refreshes or removes a WebTorrent peer, and adds up to `want` others to `out`: uniformly
    /// chosen without replacement, never the announcer, and leechers only for a seeder. It is in the
    /// counts as all peers are, and handed to none that is not of its kind. `want` is small: the time
    /// grows with its square.
    pub fn announce_web(
        &self,
        announce: &WebAnnounce,
        moment: &Moment,
        want: usize,
        picker: &mut Picker,
        out: &mut Vec<WebPeer>,
    ) -> Announced {
        let (key, peer, secrets) = (&announce.key, announce.peer, &self.secrets);
        let room = self.room(moment);
        let mut bucket = self.write(key);
        let Presence::Here { seeding, completed } = announce.presence else {
            return bucket.leave_web(key, &peer, moment, secrets);
        };
        let report = Report {
            seeding,
            completed,
            heard: false,
        };
        let select = |web: &WebSwarm| web.select(&peer, seeding, want, picker, out);
        let peer = (peer, announce.ip);
        bucket.enter_web(key, peer, report, (moment, room.as_ref()), secrets, select)
    }

    /// Adds up to `want` WebTorrent peers of a torrent to `out`, chosen as by [`Self::announce_web`], for
    /// one that another tracker of the cluster has. Returns how many the torrent has here.
    pub fn choose_web(
        &self,
        key: &Key,
        seeding: bool,
        want: usize,
        picker: &mut Picker,
        out: &mut Vec<WebPeer>,
    ) -> PerKind<u64> {
        self.read(key).choose_web(key, seeding, want, picker, out)
    }

    /// Adds the WebTorrent peers of a torrent that call themselves so to `out`.
    pub fn find_web(&self, key: &Key, peer_id: PeerId, out: &mut Vec<WebPeer>) {
        self.read(key).find_web(key, peer_id, out);
    }

    /// Applies what a sibling in the cluster announced (docs/livesync.md, "Peer sync"): like an
    /// announce that asks for no peers and is never told onward.
    pub fn apply(&self, announce: &Announce, moment: &Moment) -> Announced {
        self.dispatch(announce, true, moment, |_, _| ())
    }

    /// Applies a peer that a sibling told of (docs/livesync.md, "Peers follow the counts"): one that is
    /// not known is entered as if it had announced then, and a known one is changed only if that
    /// was more than a minute later than its announce here. No download is counted.
    pub fn apply_told(&self, told: &Told, moment: &Moment) -> Heard {
        match AnyCell::from(told.peer) {
            AnyCell::V4(cell) => self.enter_told(told, cell, moment),
            AnyCell::V6(cell) => self.enter_told(told, cell, moment),
        }
    }

    /// Applies a sibling's download count (docs/livesync.md, "Scrape sync"): the torrent is
    /// created if it is not known, as last announced `idle_minutes` ago, and its count becomes the
    /// larger of the two.
    pub fn apply_downloads(
        &self,
        key: &Key,
        idle_minutes: u32,
        downloads: u64,
        moment: &Moment,
    ) -> Comparison {
        let announced = moment.now.before(idle_minutes);
        let room = self.room(moment);
        let mut bucket = self.write(key);
        bucket.apply_downloads(key, announced, downloads, room.as_ref(), &self.secrets)
    }

    /// Enters a torrent and peers of it, all or a part, as they were `passed_minutes` ago, but for
    /// the peers that have timed out since. The torrent's part is locked until it returns.
    ///
    /// What is there already stays if it is newer, and of two download counts the larger one. So
    /// restoring twice is restoring once. What is new is under the limits.
    pub fn restore(
        &self,
        key: &Key,
        torrent: &SavedTorrent,
        peers: impl Iterator<Item = SavedPeer> + Clone,
        passed_minutes: u32,
        moment: &Moment,
    ) -> Restored {
        let room = self.room(moment);
        let mut bucket = self.write(key);
        let moment = (moment, room.as_ref());
        bucket.restore(key, torrent, peers, passed_minutes, moment, &self.secrets)
    }

    /// Returns a torrent's counts, or `None` for an unknown one.
    pub fn scrape(&self, key: &Key) -> Option<SwarmCounts> {
        let bucket = self.read(key);
        bucket.get(key).map(|torrent| bucket.counts(torrent))
    }

    /// Returns what an iteration would show of a torrent, or `None` for an unknown one.
    pub fn summary(&self, key: &Key, moment: &Moment) -> Option<TorrentSummary> {
        let bucket = self.read(key);
        let torrent = bucket.get(key)?;
        Some(bucket.summary(torrent, moment))
    }

    /// Removes a torrent with its peers and its download count, and returns the counts that it
    /// had; `None` for an unknown one.
    pub fn remove(&self, key: &Key) -> Option<SwarmCounts> {
        let mut bucket = self.write(key);
        let at = bucket.find(key)?;
        let counts = bucket.counts(bucket.torrent(at));
        let removed = bucket.remove(at, &self.secrets.info_hashes);
        // Without the lock: a large swarm has much memory to give back.
        drop(bucket);
        drop(removed);
        Some(counts)
    }

    /// Removes the torrents of one part that `keep` refuses, with their peers and download counts.
    /// The part is locked until `keep` has been asked for each of its torrents.
    ///
    /// # Panics
    ///
    /// If `part` is not below [`Self::parts`].
    pub fn retain(&self, part: u16, keep: impl FnMut(&InfoHash) -> bool) -> Removed {
        let hasher = &self.secrets.info_hashes;
        // Their memory is given back at the end, without the lock.
        let (removed, peers) = self.buckets.write(part).retain(keep, hasher);
        Removed {
            torrents: removed.len() as u64,
            peers,
        }
    }

    /// Counts everything, bucket by bucket; takes some hundred microseconds.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for bucket in self.buckets.iter() {
            totals.torrents += bucket.len() as u64;
            totals.peers += bucket.peers;
        }
        totals
    }

    /// Octets that the torrents and peers have on the heap, with what the allocator keeps of each
    /// block for itself. They are added up as they come and go, so this is quick.
    pub fn heap_octets(&self) -> u64 {
        self.buckets.usage().octets()
    }

    /// Number of parts that [`Self::visit`] and a [`Sweeper`](crate::Sweeper) go through.
    pub const fn parts(&self) -> u16 {
        self.buckets.count()
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
        let bucket = self.buckets.read(part);
        for torrent in bucket.torrents() {
            visit(bucket.summary(torrent, moment));
        }
    }

    /// Calls `visit` with every peer of a torrent that has an address, in compact form (6 or 18
    /// octets), and whether it is a seeder. The torrent's part is locked for writing until it returns.
    pub fn visit_peers(&self, key: &Key, visit: impl FnMut(&[u8], bool)) {
        if let Some(torrent) = self.read(key).get(key) {
            torrent.swarm.for_each_peer(visit);
        }
    }

    pub(crate) fn buckets(&self) -> &Stripes {
        &self.buckets
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    fn read(&self, key: &Key) -> impl Deref<Target = Bucket> {
        self.buckets.read(self.number(key))
    }

    fn write(&self, key: &Key) -> impl DerefMut<Target = Bucket> {
        self.buckets.write(self.number(key))
    }

    /// The number of the bucket that a torrent belongs to.
    fn number(&self, key: &Key) -> u16 {
        debug_assert_eq!(self.key(key.info_hash()), *key, "another store's key");
        self.buckets.number(key.hash())
    }

    /// Returns whether there is room for more; `None`: there are no bounds.
    #[inline]
    fn room(&self, moment: &Moment) -> Option<Room> {
        let limits = moment.limits.as_ref()?;
        Some(self.buckets.usage().room(limits))
    }

    fn enter_told<C: SwarmCell>(&self, told: &Told, cell: C, moment: &Moment) -> Heard {
        if moment.living_age(told.age_minutes.into()).is_none() {
            return Heard::TimedOut;
        }
        let room = self.room(moment);
        let mut bucket = self.write(&told.key);
        bucket.enter_told(told, cell, (moment, room.as_ref()), &self.secrets)
    }

    fn dispatch(
        &self,
        announce: &Announce,
        heard: bool,
        moment: &Moment,
        select: impl FnOnce(&Swarm, &Requester),
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
        select: impl FnOnce(&Swarm, &Requester),
    ) -> Announced {
        let (key, secrets) = (&announce.key, &self.secrets);
        let room = self.room(moment);
        let mut bucket = self.write(key);
        match announce.presence {
            Presence::Here { seeding, completed } => {
                let report = Report {
                    seeding,
                    completed,
                    heard,
                };
                bucket.enter(key, cell, report, (moment, room.as_ref()), secrets, select)
            }
            Presence::Gone => bucket.leave(key, &cell, heard, moment, secrets),
        }
    }
}
