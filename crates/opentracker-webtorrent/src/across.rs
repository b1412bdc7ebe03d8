//! How offers and answers get to browsers of other nodes, and come from them.

use std::time::Instant;

use opentracker_core::Worker;
use opentracker_livesync_wire::Keys;
use opentracker_types::{AnnounceRequest, InfoHash, PeerId};

use crate::counters::Counter;
use crate::message::{Answer, Offer};
use crate::nodes::{Announcing, Body, Browsers, Message, TooMany, Unfit};
use crate::session::{Context, Settings, relay};

/// Where other nodes have browsers of a torrent, one of so many offers goes to them though there may be
/// enough here, so that a swarm does not fall apart by nodes.
const SHARE: usize = 4;

impl Context {
    /// How many of so many offers go to other nodes in any case.
    pub(crate) fn share(&mut self, announce: &AnnounceRequest, want: usize, now: Instant) -> usize {
        let Some(nodes) = self.nodes.as_ref().filter(|_| want > 0) else {
            return 0;
        };
        let elsewhere = nodes.count(&announce.info_hash, announce.is_seeder(), now);
        if elsewhere == 0 {
            return 0;
        }
        // Of one offer each, the fourth is shared.
        self.shared += 1;
        elsewhere.min((want + self.shared % SHARE) / SHARE)
    }

    /// Sends offers that nobody here got to other nodes.
    pub(crate) fn offer_elsewhere(
        &mut self,
        announce: &AnnounceRequest,
        (peer_id, is_new): (PeerId, bool),
        offers: &[Offer<'_>],
        worker: &mut Worker,
        now: Instant,
    ) {
        let Some(nodes) = self.nodes.as_ref() else {
            return;
        };
        if offers.is_empty() && !is_new {
            return;
        }
        let info_hash = announce.info_hash;
        let announcing = Announcing {
            info_hash,
            peer_id,
            seeding: announce.is_seeder(),
            is_new,
            turn: self.shared / SHARE,
            browsers: browsers(&info_hash, worker),
        };
        let sent = nodes
            .send(&announcing, offers, now)
            .unwrap_or_else(|TooMany(sent)| {
                self.counters.count(Counter::NodePace);
                sent
            });
        for (offers, message) in sent {
            self.counters.add(Counter::OfferOut, offers as u64);
            self.messages.push(message);
        }
    }

    /// Sends an answer to the node that its offer came from.
    pub(crate) fn answer_elsewhere(
        &mut self,
        answer: &Answer<'_>,
        worker: &mut Worker,
        now: Instant,
    ) {
        let nodes = self.nodes.as_ref();
        let browsers = || browsers(&answer.info_hash, worker);
        match nodes.and_then(|nodes| nodes.answer(answer, browsers, now)) {
            Some(message) => {
                self.counters.count(Counter::AnswerOut);
                self.messages.push(message);
            }
            None => self.counters.count(Counter::AnswerToNobody),
        }
    }

    /// Takes a message of another node, at a time in unix seconds. What comes of it is in
    /// `deliveries` and `messages`.
    pub fn receive(
        &mut self,
        octets: &[u8],
        (keys, unix_secs): (&Keys, u64),
        worker: &mut Worker,
        now: Instant,
    ) {
        let Some(nodes) = self.nodes.clone() else {
            return;
        };
        let message = match nodes.open(octets, keys, unix_secs, now) {
            Ok(message) => message,
            Err(unfit) => {
                return self.counters.count(match unfit {
                    Unfit::Seal => Counter::NodeSeal,
                    Unfit::Time => Counter::NodeTime,
                    Unfit::Form => Counter::NodeForm,
                    Unfit::Own => Counter::NodeOwn,
                });
            }
        };
        match &message.body {
            Body::Offers { seeding, offers } => {
                let kind = (*seeding, offers.as_slice());
                self.take_offers(&message, kind, worker, now);
            }
            Body::Answer { to, offer } => self.take_answer(&message, (*to, offer), worker),
        }
    }

    fn take_offers(
        &mut self,
        message: &Message<'_>,
        (seeding, offers): (bool, &[Offer<'_>]),
        worker: &mut Worker,
        now: Instant,
    ) {
        let Some(nodes) = self.nodes.clone() else {
            return;
        };
        let fresh: Vec<_> = offers
            .iter()
            .filter(|offer| nodes.is_new(message, offer, now))
            .collect();
        if fresh.is_empty() && !offers.is_empty() {
            return self.counters.count(Counter::NodeDuplicate);
        }
        self.counters.count(Counter::NodeMessageIn);
        let settings = worker.rules().extension::<Settings>();
        let most = settings.map_or(0, |settings| settings.max_offers);
        let mut others = std::mem::take(&mut self.others);
        others.clear();
        let want = fresh.len().min(most);
        let there = worker.choose_web(&message.info_hash, seeding, want, &mut others);
        // A browser that announces at two nodes is no peer of its own.
        others.retain(|other| other.peer_id != message.peer_id);
        // Of offers that several nodes may take, not all take the same.
        let first = nodes.first(fresh.len());
        let turned = fresh.iter().cycle().skip(first);
        let from = (&message.info_hash, &message.peer_id);
        for (other, offer) in others.iter().zip(turned) {
            nodes.pass(message, offer, now);
            relay("offer", from, offer, other.connection, self);
        }
        self.counters.add(Counter::OfferIn, others.len() as u64);
        self.others = others;
        if message.to.is_none() && there.total() > 0 {
            let browsers = Browsers::of(there.web_seeders, there.web_leechers);
            self.messages
                .push(nodes.tell(message.from, &message.info_hash, browsers));
        }
    }

    fn take_answer(
        &mut self,
        message: &Message<'_>,
        (to, offer): (PeerId, &Offer<'_>),
        worker: &mut Worker,
    ) {
        let mut found = std::mem::take(&mut self.others);
        found.clear();
        worker.find_web_for_cluster(&message.info_hash, to, &mut found);
        if found.is_empty() {
            self.counters.count(Counter::NodeGone);
        } else {
            self.counters.count(Counter::NodeMessageIn);
            self.counters.count(Counter::AnswerIn);
        }
        let from = (&message.info_hash, &message.peer_id);
        for other in &found {
            relay("answer", from, offer, other.connection, self);
        }
        self.others = found;
    }
}

/// What this node has of a torrent.
fn browsers(info_hash: &InfoHash, worker: &mut Worker) -> Browsers {
    let there = worker.choose_web(info_hash, false, 0, &mut Vec::new());
    Browsers::of(there.web_seeders, there.web_leechers)
}
