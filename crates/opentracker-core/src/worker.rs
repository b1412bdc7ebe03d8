use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Cache};
use opentracker_store::{Announce, Moment, PeerBuffers, Picker, Presence};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerAddr, PeerFlags, SwarmCounts};

use crate::access::{AccessLists, Verdict};
use crate::counters::{Counter, Counters};
use crate::tracker::{Settings, Tracker};

/// Hears of the announces that siblings in a cluster must hear of.
///
/// Each thread owns one, so that no announce waits for another: it accumulates, and hands full
/// packets on.
pub trait Cluster: Debug + Send {
    /// Takes note of a peer. Must neither block nor fail.
    fn tell(&mut self, info_hash: &InfoHash, peer: PeerAddr, flags: PeerFlags, now: Instant);

    /// Returns when [`Self::handle_timeout`] wants to be called, if ever.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Hands on what has waited long enough.
    fn handle_timeout(&mut self, now: Instant);

    /// Hands on everything, because the thread ends.
    fn flush(&mut self, now: Instant);
}

/// The answer to an announce, but for the peers, which are in the caller's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnounceReply {
    /// The swarm's counts, the announcer included.
    pub counts: SwarmCounts,
    /// Seconds until the client shall announce again.
    pub interval_secs: u32,
    /// Seconds before which the client shall not announce again.
    pub min_interval_secs: u32,
}

/// Why an announce is not served. The `Display` form is what the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("{}", self.message())]
pub enum Refusal {
    /// The torrent is on the deny list.
    Denied,
    /// The torrent is not on the allow list.
    NotAllowed,
    /// The announced port is 0.
    Port,
    /// The source address cannot be a peer's.
    Address,
}

impl Refusal {
    /// Returns what the client is told.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Denied => "this torrent is blocked here",
            Self::NotAllowed => "this torrent is not served here",
            Self::Port => "port 0 cannot be a peer's",
            Self::Address => "this address cannot be a peer's",
        }
    }
}

/// What one thread needs to serve clients: the rules, its own randomness and its own counters.
#[derive(Debug)]
pub struct Worker {
    tracker: Arc<Tracker>,
    counters: Arc<Counters>,
    picker: Picker,
    cluster: Option<Box<dyn Cluster>>,
    /// The latest `now`, which is the same for a whole batch, and how the store sees it.
    moment: Option<(Instant, Moment)>,
    settings: Cache<Arc<ArcSwap<Settings>>, Arc<Settings>>,
    lists: Cache<Arc<ArcSwap<AccessLists>>, Arc<AccessLists>>,
}

impl Worker {
    pub(crate) fn new(tracker: Arc<Tracker>, seed: u64, cluster: Option<Box<dyn Cluster>>) -> Self {
        Self {
            counters: tracker.counters().register(),
            picker: Picker::new(seed),
            cluster,
            moment: None,
            settings: Cache::new(tracker.shared_settings()),
            lists: Cache::new(tracker.shared_lists()),
            tracker,
        }
    }

    /// Returns what all workers share.
    pub fn tracker(&self) -> &Arc<Tracker> {
        &self.tracker
    }

    /// Returns this thread's counters.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Serves an announce that came from `source` (any port), and writes the peers that it is
    /// given into `peers`.
    ///
    /// This is the one path of every announce of every front end: address, access lists, store,
    /// cluster.
    ///
    /// # Errors
    ///
    /// [`Refusal`], if the rules do not allow it; nothing has changed then.
    pub fn announce(
        &mut self,
        request: &AnnounceRequest,
        source: IpAddr,
        now: Instant,
        peers: &mut PeerBuffers<'_>,
    ) -> Result<AnnounceReply, Refusal> {
        let peer = PeerAddr::new(source, request.port);
        if peer.scope().is_none() {
            self.counters.count(Counter::RefusedAddress);
            return Err(if request.port == 0 {
                Refusal::Port
            } else {
                Refusal::Address
            });
        }
        match self.lists.load().verdict(&request.info_hash) {
            Verdict::Served => {}
            Verdict::Denied => {
                self.counters.count(Counter::RefusedDenied);
                return Err(Refusal::Denied);
            }
            Verdict::NotAllowed => {
                self.counters.count(Counter::RefusedNotAllowed);
                return Err(Refusal::NotAllowed);
            }
        }
        let settings = self.settings.load();
        let moment = match self.moment {
            Some((at, moment)) if at == now => moment,
            _ => Moment::new(self.tracker.minute(now), &settings.timing),
        };
        self.moment = Some((now, moment));
        let seeding = request.is_seeder();
        let presence = match request.event {
            Event::Stopped => Presence::Gone,
            event => Presence::Here {
                seeding,
                completed: event == Event::Completed,
            },
        };
        let announce = Announce {
            key: self.tracker.store().key(&request.info_hash),
            peer,
            presence,
        };
        let want = request
            .num_want
            .unwrap_or(settings.numwant_default)
            .min(settings.numwant_max);
        let want = usize::try_from(want).unwrap_or(usize::MAX);
        let announced =
            self.tracker
                .store()
                .announce(&announce, &moment, want, &mut self.picker, peers);
        if announced.has_completed {
            self.counters.count(Counter::Completed);
        }
        if presence == Presence::Gone {
            self.counters.count(Counter::Stopped);
        }
        if announced.tell
            && let Some(cluster) = &mut self.cluster
        {
            let flags = flags_of(presence, seeding, announced.has_completed);
            cluster.tell(&request.info_hash, peer, flags, now);
        }
        Ok(AnnounceReply {
            counts: announced.counts,
            interval_secs: jittered_secs(settings, &mut self.picker),
            min_interval_secs: whole_secs(settings.min_interval),
        })
    }

    /// Returns the counts of a torrent, or `None` if it is unknown or not served.
    pub fn scrape(&mut self, info_hash: &InfoHash) -> Option<SwarmCounts> {
        if !self.lists.load().serves(info_hash) {
            return None;
        }
        let store = self.tracker.store();
        store.scrape(&store.key(info_hash))
    }

    /// Returns the rules as this thread sees them.
    pub fn settings(&mut self) -> &Settings {
        self.settings.load()
    }

    /// Returns when [`Self::handle_timeout`] wants to be called, if ever.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.cluster
            .as_ref()
            .and_then(|cluster| cluster.poll_timeout())
    }

    /// Lets the cluster hear of what has waited long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(cluster) = &mut self.cluster {
            cluster.handle_timeout(now);
        }
    }

    /// Lets the cluster hear of everything that still waits, because the thread ends.
    pub fn flush(&mut self, now: Instant) {
        if let Some(cluster) = &mut self.cluster {
            cluster.flush(now);
        }
    }
}

fn flags_of(presence: Presence, seeding: bool, has_completed: bool) -> PeerFlags {
    let mut flags = PeerFlags::NONE;
    if seeding {
        flags = flags.with(PeerFlags::SEEDING);
    }
    if has_completed {
        flags = flags.with(PeerFlags::COMPLETED);
    }
    if presence == Presence::Gone {
        flags = flags.with(PeerFlags::STOPPED);
    }
    flags
}

fn jittered_secs(settings: &Settings, picker: &mut Picker) -> u32 {
    let jitter = whole_secs(settings.jitter);
    let least = whole_secs(settings.interval).saturating_sub(jitter);
    least.saturating_add(picker.below(jitter.saturating_mul(2).saturating_add(1)))
}

fn whole_secs(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
