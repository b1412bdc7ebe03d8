use std::fmt::Debug;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_store::{Announce, Announced, Full, Key, Moment, PeerBuffers, Picker, Presence};
use opentracker_types::{
    AnnounceRequest, Event, InfoHash, PeerAddr, PeerFlags, Scope, SwarmCounts,
};

use crate::access::Verdict;
use crate::clients::Client;
use crate::counters::Counters;
use crate::logged_address::LoggedAddress;
use crate::rate::Pace;
use crate::request::{AnnounceReply, Reason, Refusal, Requester, Retry};
use crate::rules::Rules;
use crate::sampler::{Sampler, Seen};
use crate::sync::{ArcSwap, Cache};
use crate::topic::Topic;
use crate::trace::{SwarmEvent, SwarmEventKind, Traced};
use crate::tracker::Tracker;

mod web;

/// When a client may ask again for a torrent that is not on the allow list: it may be there soon.
const RETRY_NOT_ALLOWED: Duration = Duration::from_secs(10 * 60);

crate::counters! {
    /// What the rules count, whichever front end a request came through.
    pub enum Counter {
        "opentracker_completed_total" downloads "Downloads reported as completed, once per peer." [] {
            /// Downloads reported as completed, once per peer.
            Completed [],
        }
        "opentracker_stopped_total" peers "Peers that announced that they stopped." [] {
            /// Peers that announced that they stopped.
            Stopped [],
        }
        "opentracker_refused_total" requests "Announces that the rules refused, by reason." ["reason"] {
            /// Announces for torrents on the deny list.
            RefusedDenied ["denied"],
            /// Announces for torrents that were blocked by hand.
            RefusedBlocked ["blocked"],
            /// Announces for torrents that are not on the allow list.
            RefusedNotAllowed ["not_allowed"],
            /// Announces from addresses or ports that cannot be a peer's.
            RefusedAddress ["address"],
            /// Announces of clients that are not served.
            RefusedClient ["client"],
            /// Announces from networks that are not served.
            RefusedNetwork ["network"],
            /// Announces of new torrents beyond `limits.max_torrents`.
            RefusedTorrents ["max_torrents"],
            /// Announces of new peers beyond `limits.max_peers`.
            RefusedPeers ["max_peers"],
            /// Announces of new peers beyond `limits.max_peers_per_torrent`.
            RefusedSwarm ["max_peers_per_torrent"],
            /// Announces of new torrents or peers beyond `limits.memory`.
            RefusedMemory ["memory"],
        }
        "opentracker_rate_limited_total" requests "Requests of prefixes that send too many, by what became of them." ["step"] {
            /// Announces that were served and got twice the interval.
            Slowed ["slowed"],
            /// Requests that were refused.
            RefusedRate ["refused"],
            /// Requests that got no answer.
            Silenced ["silent"],
        }
    }
}

/// Takes the announces that the other trackers of a cluster must hear of.
///
/// Each thread owns one, so that no announce waits for another. It gathers them into packets and
/// sends a packet when it is full or has waited long enough.
pub trait Cluster: Debug + Send {
    /// Takes note of a peer. Must neither block nor fail.
    fn tell(&mut self, info_hash: &InfoHash, peer: PeerAddr, flags: PeerFlags, now: Instant);

    /// Returns when [`Self::handle_timeout`] wants to be called, if ever.
    fn poll_timeout(&self) -> Option<Instant>;

    /// Sends what has waited long enough.
    fn handle_timeout(&mut self, now: Instant);

    /// Sends everything, because the thread ends.
    fn flush(&mut self, now: Instant);
}

/// What one thread needs to serve clients: the rules, its own randomness and its own counters.
#[derive(Debug)]
pub struct Worker {
    tracker: Arc<Tracker>,
    counters: Counters<Counter>,
    sampler: Sampler,
    picker: Picker,
    cluster: Option<Box<dyn Cluster>>,
    /// The latest `now`, which is the same for a whole batch, and how the store sees it.
    moment: Option<(Instant, Moment)>,
    rules: Cache<Arc<ArcSwap<Rules>>, Arc<Rules>>,
}

impl Worker {
    /// Makes what one more thread needs. `seed` is for choosing peers and should come from the
    /// system's randomness; `cluster` hears of announces, if there is one.
    pub fn new(tracker: Arc<Tracker>, seed: u64, cluster: Option<Box<dyn Cluster>>) -> Self {
        Self {
            counters: tracker.counters().register(),
            sampler: tracker
                .samples()
                .register(tracker.counters(), tracker.start()),
            picker: Picker::new(seed),
            cluster,
            moment: None,
            rules: Cache::new(Arc::clone(tracker.shared_rules())),
            tracker,
        }
    }

    /// Returns what all workers share.
    pub fn tracker(&self) -> &Arc<Tracker> {
        &self.tracker
    }

    /// Returns the rules as this thread sees them.
    pub fn rules(&mut self) -> &Rules {
        self.rules.load()
    }

    /// Returns the key by which a torrent is found. A batch that is prefetched needs it twice.
    pub fn key(&self, info_hash: &InfoHash) -> Key {
        self.tracker.store().key(info_hash)
    }

    /// Begins to load what the announces of a batch will need, to be called before the first of
    /// them. Waits for memory overlap then, which saves half of the time or more.
    pub fn prefetch_announces(&self, batch: impl Iterator<Item = (Key, PeerAddr)>) {
        self.tracker.store().prefetch_announces(batch);
    }

    /// Serves an announce (any port of the source will do), and writes the peers that the client
    /// is given into `peers`.
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
        requester: &Requester,
        now: Instant,
        peers: &mut PeerBuffers<'_>,
    ) -> Result<AnnounceReply, Refusal> {
        let key = self.key(&request.info_hash);
        self.announce_by_key(key, request, requester, now, peers)
    }

    /// Serves an announce as [`Self::announce`] does, of the torrent that has this key.
    ///
    /// # Errors
    ///
    /// [`Refusal`], if the rules do not allow it; nothing has changed then.
    pub fn announce_by_key(
        &mut self,
        key: Key,
        request: &AnnounceRequest,
        requester: &Requester,
        now: Instant,
        peers: &mut PeerBuffers<'_>,
    ) -> Result<AnnounceReply, Refusal> {
        let announced = self.announce_or_refuse(key, request, requester, now, peers);
        if let Err(refusal) = &announced {
            self.tracker.refusals().note(refusal.reason, request);
        }
        announced
    }

    #[inline]
    fn announce_or_refuse(
        &mut self,
        key: Key,
        request: &AnnounceRequest,
        requester: &Requester,
        now: Instant,
        peers: &mut PeerBuffers<'_>,
    ) -> Result<AnnounceReply, Refusal> {
        let (peer, is_slowed) = self.admit(request, requester, now)?;
        let rules = self.rules.load();
        let moment = moment(&mut self.moment, &self.tracker, rules, now);
        let settings = &rules.settings;
        let presence = presence(request);
        let announce = Announce {
            key,
            peer,
            presence,
        };
        let want = request
            .num_want
            .unwrap_or(settings.numwant_default)
            .min(settings.numwant_max);
        let want = usize::try_from(want).unwrap_or(usize::MAX);
        let store = self.tracker.store();
        let announced = store.announce(&announce, moment, want, &mut self.picker, peers);
        if let Some(full) = announced.refused {
            return Err(self.refuse_full(full));
        }
        if presence != Presence::Gone {
            self.sampler.note(now, settings, || Seen {
                ip: peer.ip(),
                client: Client::of_request(request),
                wanted: want,
                renewed_after: announced.renewed_after,
            });
        }
        let interval_secs = jittered_secs(settings.interval, settings.jitter, &mut self.picker);
        let reply = AnnounceReply {
            counts: announced.counts,
            interval_secs: interval_secs.saturating_mul(1 + u32::from(is_slowed)),
            min_interval_secs: whole_secs(settings.min_interval),
        };
        self.note_changes(&key, &announced, presence, now)?;
        if announced.tell
            && let Some(cluster) = &mut self.cluster
            // No other host can reach such a peer.
            && peer.scope() != Some(Scope::Loopback)
        {
            let flags = flags_of(presence, request.is_seeder(), announced.has_completed);
            cluster.tell(&request.info_hash, peer, flags, now);
        }
        Ok(reply)
    }

    /// Looks torrents up for a scrape, all of one request. `visit` is called for each in turn with
    /// its counts, or `None` if it is unknown or not served, until it breaks off.
    ///
    /// # Errors
    ///
    /// [`Refusal`], if the rules do not allow it.
    pub fn scrape(
        &mut self,
        info_hashes: impl Iterator<Item = InfoHash> + Clone,
        requester: &Requester,
        now: Instant,
        mut visit: impl FnMut(&InfoHash, Option<SwarmCounts>) -> ControlFlow<()>,
    ) -> Result<(), Refusal> {
        let rules = self.rules.load();
        let lists = &rules.lists;
        if !lists.serves_address(requester.ip) {
            return Err(Refusal::new(Reason::Network, Retry::Unsaid));
        }
        take_token(rules, &self.tracker, &self.counters, requester, now)?;
        let store = self.tracker.store();
        store.prefetch_torrents(info_hashes.clone().map(|info_hash| store.key(&info_hash)));
        for info_hash in info_hashes {
            let is_served = lists.serves(&info_hash);
            let counts = is_served
                .then(|| store.scrape(&store.key(&info_hash)))
                .flatten();
            if visit(&info_hash, counts).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Tells whether somebody looks at requests: it is worth it then to call [`Self::trace`] for
    /// each.
    #[inline]
    pub fn is_traced(&self) -> bool {
        self.tracker.requests().is_wanted() || tracing::enabled!(tracing::Level::DEBUG)
    }

    /// Lets those who look see a request and what became of it.
    #[cold]
    pub fn trace(&mut self, traced: &Traced) {
        let is_full = self.rules.load().settings.full_addresses;
        let client = LoggedAddress::new(traced.client, is_full);
        tracing::debug!(
            "{} {client}: {}: {}",
            traced.front_end,
            traced.request,
            traced.outcome
        );
        self.tracker.requests().publish(traced);
    }

    /// Tells whether anything that comes from an address is answered. Announces and scrapes are
    /// looked at anyway.
    pub fn answers(&mut self, ip: IpAddr) -> bool {
        self.rules.load().lists.serves_address(ip)
    }

    /// Returns when [`Self::handle_timeout`] wants to be called, if ever.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.cluster
            .as_ref()
            .and_then(|cluster| cluster.poll_timeout())
    }

    /// Lets the cluster hear of what has waited long enough. To be called several times a second:
    /// it also lets go of rules that were replaced, which may be large.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.rules.load();
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

    /// Counts what an announce has changed, and lets those who look on hear of it.
    #[inline]
    fn note_changes(
        &mut self,
        key: &Key,
        announced: &Announced,
        presence: Presence,
        now: Instant,
    ) -> Result<(), Refusal> {
        if announced.new_torrent {
            self.undo_if_purged(key)?;
        }
        if announced.has_completed {
            self.counters.count(Counter::Completed);
        }
        if presence == Presence::Gone {
            self.counters.count(Counter::Stopped);
        }
        let events = self.tracker.events();
        if events.is_wanted() {
            publish_events(events, key.info_hash(), announced, presence, now);
        }
        Ok(())
    }

    #[cold]
    fn refuse_full(&mut self, full: Full) -> Refusal {
        let (counter, reason) = match full {
            Full::Torrents => (Counter::RefusedTorrents, Reason::TrackerFull),
            Full::Peers => (Counter::RefusedPeers, Reason::TrackerFull),
            Full::Swarm => (Counter::RefusedSwarm, Reason::SwarmFull),
            Full::Memory => (Counter::RefusedMemory, Reason::TrackerFull),
        };
        self.counters.count(counter);
        Refusal::new(reason, Retry::After(self.rules.load().settings.interval))
    }

    /// Decides whether an announce is served, and returns the peer that it enters and whether it
    /// shall come more seldom.
    fn admit(
        &mut self,
        request: &AnnounceRequest,
        requester: &Requester,
        now: Instant,
    ) -> Result<(PeerAddr, bool), Refusal> {
        let rules = self.rules.load();
        let lists = &rules.lists;
        if !lists.serves_address(requester.ip) {
            self.counters.count(Counter::RefusedNetwork);
            return Err(Refusal::new(Reason::Network, Retry::Unsaid));
        }
        let is_slowed = take_token(rules, &self.tracker, &self.counters, requester, now)?;
        let peer = PeerAddr::new(requester.ip, request.port);
        if peer.scope().is_none() {
            self.counters.count(Counter::RefusedAddress);
            let reason = if request.port == 0 {
                Reason::Port
            } else {
                Reason::Address
            };
            return Err(Refusal::new(reason, Retry::Unsaid));
        }
        if !lists.serves_client(request.peer_id.as_ref()) {
            self.counters.count(Counter::RefusedClient);
            return Err(Refusal::new(Reason::Client, Retry::Unsaid));
        }
        match lists.verdict(&request.info_hash) {
            Verdict::Served => Ok((peer, is_slowed)),
            Verdict::Blocked => {
                self.counters.count(Counter::RefusedBlocked);
                Err(Refusal::new(Reason::Blocked, Retry::Never))
            }
            Verdict::Denied => {
                self.counters.count(Counter::RefusedDenied);
                Err(Refusal::new(Reason::Denied, Retry::Never))
            }
            Verdict::NotAllowed => {
                self.counters.count(Counter::RefusedNotAllowed);
                let retry = Retry::After(RETRY_NOT_ALLOWED);
                Err(Refusal::new(Reason::NotAllowed, retry))
            }
        }
    }

    /// Takes a torrent out again that an announce has just brought in under rules that were
    /// replaced meanwhile: a purge may have looked for it before it was there.
    fn undo_if_purged(&mut self, key: &Key) -> Result<(), Refusal> {
        if self.rules.load().lists.serves(key.info_hash()) {
            return Ok(());
        }
        self.tracker.store().remove(key);
        self.counters.count(Counter::RefusedDenied);
        Err(Refusal::new(Reason::Denied, Retry::Never))
    }
}

/// Tells those who want to hear of it what an announce has brought about.
#[cold]
fn publish_events(
    events: &Topic<SwarmEvent>,
    info_hash: &InfoHash,
    announced: &Announced,
    presence: Presence,
    now: Instant,
) {
    let is_seeding = matches!(presence, Presence::Here { seeding: true, .. });
    let begins_to_seed = is_seeding && announced.was_seeding != Some(true);
    let is_first = begins_to_seed && announced.counts.seeders == 1;
    for (has_happened, kind) in [
        (announced.has_completed, SwarmEventKind::Completed),
        (is_first, SwarmEventKind::FirstSeeder),
        (announced.torrent_gone, SwarmEventKind::Gone),
    ] {
        if has_happened {
            let event = SwarmEvent::new(kind, *info_hash, now);
            events.publish(&SwarmEvent {
                counts: announced.counts,
                ..event
            });
        }
    }
}

/// Returns how the store sees the present, which is the same for a whole batch.
#[inline]
fn moment<'a>(
    latest: &'a mut Option<(Instant, Moment)>,
    tracker: &Tracker,
    rules: &Rules,
    now: Instant,
) -> &'a Moment {
    if latest.is_none_or(|(at, _)| at != now) {
        *latest = None;
    }
    let (_, moment) = latest.get_or_insert_with(|| (now, tracker.moment(now, rules)));
    moment
}

/// Takes a token for a request, if requests are limited; returns whether less than half of them
/// are left.
#[inline]
fn take_token(
    rules: &Rules,
    tracker: &Tracker,
    counters: &Counters<Counter>,
    requester: &Requester,
    now: Instant,
) -> Result<bool, Refusal> {
    match &rules.settings.rate {
        Some(rate) if !requester.is_proxy => {
            let pace = tracker.take_token(requester.ip, rate, now);
            note_pace(pace, counters)
        }
        _ => Ok(false),
    }
}

fn note_pace(pace: Pace, counters: &Counters<Counter>) -> Result<bool, Refusal> {
    let (counter, reason, retry) = match pace {
        Pace::Served => return Ok(false),
        Pace::Slowed => {
            counters.count(Counter::Slowed);
            return Ok(true);
        }
        Pace::Refused(wait) => (Counter::RefusedRate, Reason::Rate, Retry::After(wait)),
        Pace::Silent => (Counter::Silenced, Reason::Flood, Retry::Unsaid),
    };
    counters.count(counter);
    Err(Refusal::new(reason, retry))
}

fn presence(request: &AnnounceRequest) -> Presence {
    match request.event {
        Event::Stopped => Presence::Gone,
        event => Presence::Here {
            seeding: request.is_seeder(),
            completed: event == Event::Completed,
        },
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

fn jittered_secs(interval: Duration, jitter: Duration, picker: &mut Picker) -> u32 {
    let jitter = whole_secs(jitter);
    let least = whole_secs(interval).saturating_sub(jitter);
    least.saturating_add(picker.below(jitter.saturating_mul(2).saturating_add(1)))
}

fn whole_secs(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}
