//! Announces of WebTorrent peers.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use opentracker_store::{PerKind, Presence, WebAnnounce, WebPeer};
use opentracker_types::{AnnounceRequest, InfoHash, PeerId};

use super::{Worker, jittered_secs, moment, presence, publish_events, take_token};
use crate::clients::Client;
use crate::request::{AnnounceReply, Reason, Refusal, Requester, Retry};
use crate::sampler::Seen;

/// The longest interval that browsers are told. An offer is good for less than a minute, so two
/// browsers meet only after one of them has announced.
const MAX_INTERVAL: Duration = Duration::from_secs(120);

/// The most peers of one name that an answer goes to.
const MAX_NAMESAKES: usize = 4;

impl Worker {
    /// Serves the announce of a WebTorrent peer on a connection, as [`Self::announce`] does for those
    /// that have an address: under the same rules, and in the same counts. Up to `want` others are
    /// added to `others`. The cluster does not hear of it: nobody else can reach such a peer.
    ///
    /// # Errors
    ///
    /// [`Refusal`], if the rules do not allow it; nothing has changed then.
    pub fn announce_web(
        &mut self,
        request: &AnnounceRequest,
        peer: &WebPeer,
        requester: &Requester,
        now: Instant,
        (want, others): (usize, &mut Vec<WebPeer>),
    ) -> Result<AnnounceReply, Refusal> {
        let announced = self.announce_web_or_refuse(request, peer, requester, now, (want, others));
        if let Err(refusal) = &announced {
            self.tracker.refusals().note(refusal.reason, request);
        }
        announced
    }

    fn announce_web_or_refuse(
        &mut self,
        request: &AnnounceRequest,
        peer: &WebPeer,
        requester: &Requester,
        now: Instant,
        (want, others): (usize, &mut Vec<WebPeer>),
    ) -> Result<AnnounceReply, Refusal> {
        let key = self.key(&request.info_hash);
        let (_, is_slowed) = self.admit(request, requester, now)?;
        let rules = self.rules.load();
        let moment = moment(&mut self.moment, &self.tracker, rules, now);
        let settings = &rules.settings;
        let announce = WebAnnounce {
            key,
            peer: *peer,
            ip: requester.ip,
            presence: presence(request),
        };
        let store = self.tracker.store();
        let announced = store.announce_web(&announce, moment, want, &mut self.picker, others);
        if let Some(full) = announced.refused {
            return Err(self.refuse_full(full));
        }
        if announce.presence != Presence::Gone {
            self.sampler.note(now, settings, || Seen {
                ip: requester.ip,
                client: Client::of_request(request),
                wanted: want,
                // They come back sooner than others, because they are asked to.
                renewed_after: None,
            });
        }
        let interval = settings.interval.min(MAX_INTERVAL);
        let jitter = settings.jitter.min(interval / 10);
        let interval_secs = jittered_secs(interval, jitter, &mut self.picker);
        let reply = AnnounceReply {
            counts: announced.counts,
            interval_secs: interval_secs.saturating_mul(1 + u32::from(is_slowed)),
            min_interval_secs: 0,
        };
        self.note_changes(&key, &announced, announce.presence, now)?;
        Ok(reply)
    }

    /// Finds whom the answer to an offer goes to: adds the peers of a torrent that call themselves so
    /// to `found`. There is one, unless another took its name; each is told then, and only who made
    /// the offer knows what to do with it.
    ///
    /// # Errors
    ///
    /// [`Refusal`], if the rules do not allow it.
    pub fn find_web(
        &mut self,
        info_hash: &InfoHash,
        peer_id: PeerId,
        requester: &Requester,
        now: Instant,
        found: &mut Vec<WebPeer>,
    ) -> Result<(), Refusal> {
        let rules = self.rules.load();
        if !rules.lists.serves_address(requester.ip) {
            return Err(Refusal::new(Reason::Network, Retry::Unsaid));
        }
        take_token(rules, &self.tracker, &self.counters, requester, now)?;
        self.find_web_for_cluster(info_hash, peer_id, found);
        Ok(())
    }

    /// Finds whom an answer goes to that comes from another tracker of the cluster, as
    /// [`Self::find_web`] does. Whoever sent it was asked for a token there.
    pub fn find_web_for_cluster(
        &mut self,
        info_hash: &InfoHash,
        peer_id: PeerId,
        found: &mut Vec<WebPeer>,
    ) {
        if self.rules.load().lists.serves(info_hash) {
            let before = found.len();
            let store = self.tracker.store();
            store.find_web(&store.key(info_hash), peer_id, found);
            found.truncate(before + MAX_NAMESAKES);
        }
    }

    /// Chooses whom the offers of a browser go to that announced at another tracker of the cluster: adds
    /// up to `want` peers of a torrent to `others`, as [`Self::announce_web`] does. Returns how many
    /// WebTorrent peers the torrent has here; of one that is not served it is none.
    pub fn choose_web(
        &mut self,
        info_hash: &InfoHash,
        seeding: bool,
        want: usize,
        others: &mut Vec<WebPeer>,
    ) -> PerKind<u64> {
        if !self.rules.load().lists.serves(info_hash) {
            return PerKind::default();
        }
        let store = self.tracker.store();
        store.choose_web(
            &store.key(info_hash),
            seeding,
            want,
            &mut self.picker,
            others,
        )
    }

    /// Takes a peer out whose connection has ended. It is not counted as one that stopped.
    pub fn leave_web(&mut self, info_hash: &InfoHash, peer: &WebPeer, now: Instant) {
        let key = self.key(info_hash);
        let moment = moment(&mut self.moment, &self.tracker, self.rules.load(), now);
        let announce = WebAnnounce {
            key,
            peer: *peer,
            ip: Ipv4Addr::UNSPECIFIED.into(),
            presence: Presence::Gone,
        };
        let (store, picker) = (self.tracker.store(), &mut self.picker);
        let left = store.announce_web(&announce, moment, 0, picker, &mut Vec::new());
        let events = self.tracker.events();
        if events.is_wanted() {
            publish_events(events, info_hash, &left, Presence::Gone, now);
        }
    }
}
