//! What a node knows of the browsers of other nodes, and what it tells them.

mod aging;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use opentracker_livesync_wire::{Key, Keys};
use opentracker_types::{InfoHash, PeerId};

use crate::message::{Answer, Offer};
use aging::Aging;

pub(crate) use wire::{Body, Browsers, Message};
pub use wire::{MAX_NODE_MESSAGE_OCTETS, NodeId};

/// How long what a node says of its browsers holds. They announce every two minutes, and any of their
/// announces says it anew.
const LIFETIME: Duration = Duration::from_secs(300);

/// How long an offer that came from another node is known, so that it is not passed on twice and its
/// answer finds back. It is longer than a message can be late.
const OFFER_LIFETIME: Duration = Duration::from_secs(150);

/// How far the time in a message may be from ours.
const MAX_CLOCK_DIFFERENCE_SECS: u32 = 60;

/// How long after a message to all about a torrent there is no other, while no node is known to have
/// browsers of it.
const SEEK_INTERVAL: Duration = Duration::from_secs(10);

/// The same while one is known: there may be more who know others.
const TELL_INTERVAL: Duration = Duration::from_secs(120);

/// The most offers in a message to all: each node that has browsers of the torrent may take the same.
pub const MAX_OFFERS_TO_ALL: usize = 3;

/// The most messages to all in a second, of all torrents.
pub const MAX_SEEKS_PER_SECOND: u64 = 1000;

/// The most nodes that are known of a torrent; the one that was silent the longest gives way.
const MAX_NODES: usize = 32;

const SHARDS: usize = 64;

/// The most torrents, and as many offers, that are known; of twice as many the older ones are forgotten.
pub const MAX_KNOWN: usize = 65_536;

/// A message for another node, or for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeMessage {
    /// Whom it is for; `None`: all.
    pub to: Option<NodeId>,
    /// What is [sealed](Self::seal) before it goes.
    pub octets: Vec<u8>,
}

impl NodeMessage {
    /// Ends it in a time and a tag, after which nothing may change in it.
    pub fn seal(&mut self, unix_secs: u64, key: &Key) {
        wire::seal(&mut self.octets, wrapped(unix_secs), key);
    }
}

/// What browsers of this node have to do with those of others, the same for all threads.
///
/// A node says nothing in advance. Whatever it sends about a torrent says how many browsers of it the
/// sender has, so that others know where their offers may go, and each offer goes to one node. All are told
/// once in a while; where no node is known, with few offers.
#[derive(Debug)]
pub struct Nodes {
    id: NodeId,
    start: Instant,
    shards: Vec<Mutex<Shard>>,
    /// The latest second, and the messages to all in it.
    seeks: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    /// Who has browsers of a torrent, the one heard last at the end.
    known: Aging<InfoHash, Vec<Heard>>,
    /// When all were asked.
    sought: Aging<InfoHash, Instant>,
    /// Offers of other nodes' browsers that were passed on here.
    offers: Aging<(PeerId, [u8; 20]), Passed>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    node: NodeId,
    browsers: Browsers,
    at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Passed {
    node: NodeId,
    at: Instant,
    is_answered: bool,
}

/// A browser that has announced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announcing {
    pub(crate) info_hash: InfoHash,
    pub(crate) peer_id: PeerId,
    pub(crate) seeding: bool,
    /// It was not known on its connection before.
    pub(crate) is_new: bool,
    /// Grows by one from time to time, so that not always the same node gets the first offer.
    pub(crate) turn: usize,
    /// What this node has, it included.
    pub(crate) browsers: Browsers,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    Seal,
    Time,
    Form,
    Own,
}

impl Nodes {
    /// Makes what is known at the start, which is nothing. The id is drawn from the system's randomness.
    pub fn new(id: NodeId, now: Instant) -> Self {
        let of_shard = MAX_KNOWN / SHARDS;
        let shard = || Shard {
            known: Aging::new(LIFETIME, of_shard, now),
            sought: Aging::new(TELL_INTERVAL, of_shard, now),
            offers: Aging::new(OFFER_LIFETIME, of_shard, now),
        };
        Self {
            id,
            start: now,
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            seeks: AtomicU64::new(0),
        }
    }

    /// Returns what this node is called.
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// How many browsers other nodes have that a peer could be given.
    pub(crate) fn count(&self, info_hash: &InfoHash, seeding: bool, now: Instant) -> usize {
        let shard = self.shard(info_hash);
        let heard = shard.heard(info_hash, now);
        heard.map(|heard| heard.browsers.fitting(seeding)).sum()
    }

    /// Takes the offers of a browser that nobody here got, and returns the messages that take them to
    /// other nodes, each with how many it has.
    ///
    /// # Errors
    ///
    /// Fails if all are to be told, and were told too much in this second; there may be other messages.
    pub(crate) fn send(
        &self,
        announcing: &Announcing,
        offers: &[Offer<'_>],
        now: Instant,
    ) -> Result<Dealt, TooMany> {
        let torrent = &announcing.info_hash;
        let nodes: Vec<_> = self.shard(torrent).heard(torrent, now).copied().collect();
        let mut sent = self.deal(announcing, offers, &nodes);
        let interval = match nodes.is_empty() {
            true => SEEK_INTERVAL,
            false => TELL_INTERVAL,
        };
        if !self.shard(torrent).may_seek(*torrent, interval, now) {
            return Ok(sent);
        }
        if !self.may_seek(now) {
            return Err(TooMany(sent));
        }
        let most = match announcing.is_new && nodes.is_empty() {
            true => MAX_OFFERS_TO_ALL,
            false => 0,
        };
        let offers: Vec<_> = offers.iter().take(most).copied().collect();
        sent.push((offers.len(), self.offer(None, announcing, offers)));
        Ok(sent)
    }

    /// Deals offers like cards, to each node no more than it has browsers that may be given them.
    fn deal(&self, announcing: &Announcing, offers: &[Offer<'_>], nodes: &[Heard]) -> Dealt {
        let mut hands: Vec<Vec<Offer<'_>>> = vec![Vec::new(); nodes.len()];
        let mut left = offers.iter();
        let mut has_room = true;
        while has_room && left.len() > 0 {
            has_room = false;
            for turn in 0..nodes.len() {
                let number = (announcing.turn + turn) % nodes.len();
                let most = nodes[number].browsers.fitting(announcing.seeding);
                if hands[number].len() < most
                    && let Some(offer) = left.next()
                {
                    hands[number].push(*offer);
                    has_room = true;
                }
            }
        }
        let dealt = nodes.iter().zip(hands);
        dealt
            .filter(|(_, hand)| !hand.is_empty())
            .map(|(heard, hand)| (hand.len(), self.offer(Some(heard.node), announcing, hand)))
            .collect()
    }

    fn offer(
        &self,
        to: Option<NodeId>,
        announcing: &Announcing,
        offers: Vec<Offer<'_>>,
    ) -> NodeMessage {
        let seeding = announcing.seeding;
        let body = Body::Offers { seeding, offers };
        let (torrent, peer_id) = (&announcing.info_hash, announcing.peer_id);
        self.message(to, torrent, peer_id, announcing.browsers, body)
    }

    /// Says what this node has of a torrent to one that asked all.
    pub(crate) fn tell(&self, to: NodeId, info_hash: &InfoHash, browsers: Browsers) -> NodeMessage {
        let body = Body::Offers {
            seeding: false,
            offers: Vec::new(),
        };
        let nobody = PeerId::new([0; 20]);
        self.message(Some(to), info_hash, nobody, browsers, body)
    }

    /// Returns the message that takes an answer to the node that the offer came from, if it came from
    /// one and was not answered.
    pub(crate) fn answer(
        &self,
        answer: &Answer<'_>,
        browsers: impl FnOnce() -> Browsers,
        now: Instant,
    ) -> Option<NodeMessage> {
        let node = {
            let mut shard = self.shard(&answer.info_hash);
            let passed = shard.offers.get_mut(&(answer.to, answer.offer.id))?;
            if passed.is_answered || !passed.is_known(now) {
                return None;
            }
            passed.is_answered = true;
            passed.node
        };
        let (to, offer) = (answer.to, answer.offer);
        let body = Body::Answer { to, offer };
        let (torrent, peer_id) = (&answer.info_hash, answer.peer_id);
        Some(self.message(Some(node), torrent, peer_id, browsers(), body))
    }

    fn message(
        &self,
        to: Option<NodeId>,
        info_hash: &InfoHash,
        peer_id: PeerId,
        browsers: Browsers,
        body: Body<'_>,
    ) -> NodeMessage {
        let message = Message {
            from: self.id,
            to,
            browsers,
            info_hash: *info_hash,
            peer_id,
            body,
        };
        NodeMessage {
            to,
            octets: message.encode(),
        }
    }

    /// Opens a message, and takes what it says of its sender's browsers.
    pub(crate) fn open<'a>(
        &self,
        octets: &'a [u8],
        keys: &Keys,
        unix_secs: u64,
        now: Instant,
    ) -> Result<Message<'a>, Unfit> {
        let (octets, time) = wire::open(octets, keys).ok_or(Unfit::Seal)?;
        let difference = time.wrapping_sub(wrapped(unix_secs)).cast_signed();
        if difference.unsigned_abs() > MAX_CLOCK_DIFFERENCE_SECS {
            return Err(Unfit::Time);
        }
        let message = Message::decode(octets).ok_or(Unfit::Form)?;
        if message.from == self.id {
            return Err(Unfit::Own);
        }
        if message.to.is_some_and(|to| to != self.id) {
            return Err(Unfit::Form);
        }
        self.shard(&message.info_hash).hear(&message, now);
        Ok(message)
    }

    /// Whether an offer has not been passed on here.
    pub(crate) fn is_new(&self, message: &Message<'_>, offer: &Offer<'_>, now: Instant) -> bool {
        let shard = self.shard(&message.info_hash);
        let passed = shard.offers.get(&(message.peer_id, offer.id));
        passed.is_none_or(|passed| !passed.is_known(now))
    }

    /// Takes note of an offer that is passed on.
    pub(crate) fn pass(&self, message: &Message<'_>, offer: &Offer<'_>, now: Instant) {
        let passed = Passed {
            node: message.from,
            at: now,
            is_answered: false,
        };
        let mut shard = self.shard(&message.info_hash);
        let offer = (message.peer_id, offer.id);
        *shard.offers.entry(offer, now, || passed) = passed;
    }

    /// Which of so many offers this node takes first.
    pub(crate) fn first(&self, offers: usize) -> usize {
        let number = self.id.number().checked_rem(offers as u64);
        usize::try_from(number.unwrap_or(0)).expect("it is less than a usize")
    }

    fn may_seek(&self, now: Instant) -> bool {
        let second = now.saturating_duration_since(self.start).as_secs();
        let count = |seeks: u64| match seeks >> 32 == second {
            true if seeks & 0xffff_ffff >= MAX_SEEKS_PER_SECOND => None,
            true => Some(seeks + 1),
            false => Some((second << 32) | 1),
        };
        let order = Ordering::Relaxed;
        self.seeks.fetch_update(order, order, count).is_ok()
    }

    fn shard(&self, info_hash: &InfoHash) -> MutexGuard<'_, Shard> {
        let number = usize::from(info_hash.as_bytes()[0]) % SHARDS;
        self.shards[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages with how many offers each of them has.
pub(crate) type Dealt = Vec<(usize, NodeMessage)>;

/// All were told too much already; these messages go to others.
#[derive(Debug)]
pub(crate) struct TooMany(pub(crate) Dealt);

impl Shard {
    fn heard(&self, info_hash: &InfoHash, now: Instant) -> impl Iterator<Item = &Heard> {
        let heard = self.known.get(info_hash).into_iter().flatten();
        heard.filter(move |heard| now.saturating_duration_since(heard.at) < LIFETIME)
    }

    fn hear(&mut self, message: &Message<'_>, now: Instant) {
        let known = self.known.entry(message.info_hash, now, Vec::new);
        known.retain(|heard| heard.node != message.from);
        if known.len() >= MAX_NODES {
            known.remove(0);
        }
        known.push(Heard {
            node: message.from,
            browsers: message.browsers,
            at: now,
        });
    }

    fn may_seek(&mut self, info_hash: InfoHash, interval: Duration, now: Instant) -> bool {
        let mut is_new = false;
        let sought = self.sought.entry(info_hash, now, || {
            is_new = true;
            now
        });
        if is_new || now.saturating_duration_since(*sought) >= interval {
            *sought = now;
            return true;
        }
        false
    }
}

impl Passed {
    fn is_known(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < OFFER_LIFETIME
    }
}

impl Browsers {
    /// Of so many seeders and leechers.
    pub(crate) fn of(seeders: u64, leechers: u64) -> Self {
        let bounded = |count| u8::try_from(count).unwrap_or(u8::MAX);
        Self {
            leechers: bounded(leechers),
            seeders: bounded(seeders),
        }
    }

    /// How many of them a peer may be given: a seeder is given leechers alone.
    fn fitting(self, seeding: bool) -> usize {
        let seeders = if seeding { 0 } else { self.seeders.into() };
        usize::from(self.leechers) + seeders
    }
}

const fn wrapped(unix_secs: u64) -> u32 {
    (unix_secs & 0xffff_ffff) as u32
}
