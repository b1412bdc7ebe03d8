use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{AccessLists, Networks, Rules, Settings, Sweeper, Tracker, Worker};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerId};
use opentracker_udp::{Connections, Datagrams, Handler};
use opentracker_udp_wire::{
    AnnounceRequest as AnnouncePacket, ConnectRequest, ConnectionId, Reply, Request, ScrapeRequest,
    TransactionId,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::input::Input;
use crate::udp_model::{DENIED, Model, Owed};

const MAX_PAYLOAD: usize = 1232;
const LIFETIME: Duration = Duration::from_secs(240);

/// The most octets of a datagram.
const MAX_DATAGRAM: usize = 2048;

/// How often a tracker sweeps here, at the least.
const SWEEP_INTERVAL: u64 = 20 * 60;

/// The UDP front end as a sequence of batches of datagrams and of time, against a model: each is owed
/// one answer or none, counts and peers are the model's, and without a valid connection id no answer
/// has more octets than the request.
pub fn udp_handler(octets: &[u8]) {
    let mut input = Input::new(octets);
    let mut pair = Pair::new();
    while pair.step(&mut input).is_some() {}
    pair.compare();
}

/// A front end and its model, which get the same.
pub(crate) struct Pair {
    handler: Handler,
    /// Of another tracker, which serves everybody: it says which ids there are.
    issuer: Handler,
    sweeper: Sweeper,
    start: Instant,
    model: Model,
    /// Replies to what has no valid id.
    answered_unknown: usize,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        let connections = Arc::new(Connections::new([1; 16], start, LIFETIME));
        let front_end = |rules| {
            let mut rng = StdRng::seed_from_u64(1);
            let tracker = Arc::new(Tracker::with_parts(2, rules, start, &mut rng));
            let worker = Worker::new(tracker, 1, None);
            Handler::new(worker, Arc::clone(&connections), MAX_PAYLOAD, &"udp".into())
        };
        let lists = AccessLists {
            deny: Some([DENIED].into_iter().collect()),
            deny_networks: Some(Networks::new(["203.0.113.0/24".parse().unwrap()])),
            ..AccessLists::default()
        };
        Self {
            handler: front_end(Rules::new(Settings::default(), lists)),
            issuer: front_end(Rules::default()),
            sweeper: Sweeper::new(),
            start,
            model: Model::default(),
            answered_unknown: 0,
        }
    }

    fn step(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.octet()? {
            0..0x20 => self.pass(input.number()?.into()),
            0x20..0x30 => self.pass(u64::from(input.octet()?)),
            0x30..0x40 => self.crowd(input)?,
            kind => {
                let mut batch = Vec::new();
                for _ in 0..=kind % 4 {
                    batch.push(self.datagram(input)?);
                }
                self.exchange(batch);
            }
        }
        Some(())
    }

    pub(crate) fn pass(&mut self, mut secs: u64) {
        while secs > 0 {
            let step = secs.min(SWEEP_INTERVAL);
            secs -= step;
            self.model.now += step;
            self.model.sweep();
            let now = self.now();
            let tracker = Arc::clone(self.handler.worker().tracker());
            while self.sweeper.step(&tracker, now).is_none() {}
        }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_secs(self.model.now)
    }

    /// Many announces of one torrent, so that small inputs have large swarms.
    fn crowd(&mut self, input: &mut Input<'_>) -> Option<()> {
        let [torrent, first, count, event] = input.array()?;
        for number in 0..count {
            let client = match event & 1 {
                0 => IpAddr::from([198, 18, first, number]),
                _ => {
                    let [first, number] = [first, number].map(u16::from);
                    IpAddr::from([0x2001, 0xdb8, first, number, 0, 0, 0, 1])
                }
            };
            let left = u64::from(number % 3);
            let id = self.id(client, 0);
            let mut announce = AnnounceRequest::new(InfoHash::new([torrent % 8; 20]), 6881)
                .with_left(left)
                .with_event(event_of(event >> 1));
            announce.num_want = Some(0);
            let datagram = packet(id, announce);
            self.exchange(vec![(datagram, SocketAddr::new(client, 7))]);
        }
        Some(())
    }

    fn datagram(&mut self, input: &mut Input<'_>) -> Option<Datagram> {
        let [client, kind, id] = input.array()?;
        let source = source(client);
        let id = self.id(source.ip(), id);
        let transaction = TransactionId::new([kind; 4]);
        let mut datagram = vec![0; MAX_DATAGRAM];
        let octets = match kind % 8 {
            0 => ConnectRequest { transaction }.encode(&mut datagram),
            1..4 => return Some((packet(id, announce(input)?), source)),
            4 => {
                let hashes = input.octets(usize::from(kind >> 3) + 1);
                let hashes: Vec<_> = hashes.iter().map(|hash| [hash % 8; 20]).collect();
                let scrape = ScrapeRequest::new(id, transaction, &hashes)?;
                scrape.encode(&mut datagram)
            }
            5 => return Some((raw(input)?, source)),
            // Anything that follows a valid id.
            _ => return Some(([id.as_bytes(), &*raw(input)?].concat(), source)),
        };
        datagram.truncate(octets.unwrap());
        Some((datagram, source))
    }

    /// The present id of an address, the one before, one too old, somebody else's, or none at all.
    fn id(&mut self, ip: IpAddr, choice: u8) -> ConnectionId {
        let now = self.model.now;
        let lifetime = LIFETIME.as_secs();
        let id = match choice % 8 {
            0..4 => self.id_at(ip, now),
            4 => self.id_at(ip, now.saturating_sub(lifetime)),
            5 => self.id_at(ip, now.saturating_sub(2 * lifetime)),
            6 => self.id_at(Ipv4Addr::new(192, 0, 2, 99).into(), now),
            _ => None,
        };
        id.unwrap_or(ConnectionId::new([choice; 8]))
    }

    /// The ids that are valid for an address: of this lifetime and of the one before.
    fn ids(&mut self, ip: IpAddr) -> Vec<ConnectionId> {
        let now = self.model.now;
        let before = now.checked_sub(LIFETIME.as_secs());
        let times = [Some(now), before].into_iter().flatten();
        times.filter_map(|secs| self.id_at(ip, secs)).collect()
    }

    fn id_at(&mut self, ip: IpAddr, secs: u64) -> Option<ConnectionId> {
        let now = self.start + Duration::from_secs(secs);
        let transaction = TransactionId::new([0; 4]);
        let (mut request, mut reply) = ([0; 16], [0; 16]);
        ConnectRequest { transaction }.encode(&mut request).unwrap();
        let source = SocketAddr::new(ip, 1);
        self.issuer.handle(&request, source, now, &mut reply)?;
        match Reply::decode(&reply) {
            Ok(Reply::Connect(connect)) => Some(connect.connection),
            other => panic!("{other:?} to a connect request"),
        }
    }

    /// Lets a batch come, and holds the answers against what is owed.
    pub(crate) fn exchange(&mut self, requests: Vec<Datagram>) {
        let sources = requests.iter().map(|(_, source)| *source);
        let ids: Vec<_> = sources.map(|source| self.ids(source.ip())).collect();
        let model = &mut self.model;
        let received = requests.iter().zip(&ids);
        let received: Vec<_> = received
            .map(|((datagram, source), ids)| model.receive(datagram, *source, ids))
            .collect();
        let owed: Vec<_> = received
            .into_iter()
            .zip(&requests)
            .map(|(owed, (_, source))| {
                owed.unwrap_or_else(|announce| {
                    model.announce(&announce, source.ip().to_canonical())
                })
            })
            .collect();

        let now = self.now();
        let mut batch = Batch::new(requests);
        self.handler.handle_batch(&mut batch, now);
        for (index, (owed, ids)) in owed.iter().zip(&ids).enumerate() {
            let (request, source) = &batch.requests[index];
            let reply = batch.replies[index].as_deref();
            let has_id = |id: &[u8; 8]| ids.contains(&ConnectionId::new(*id));
            if !request.first_chunk().is_some_and(has_id) {
                let octets = reply.map_or(0, <[u8]>::len);
                assert!(octets <= request.len(), "{octets} for {}", request.len());
                self.answered_unknown += usize::from(reply.is_some());
            }
            let is_v4 = source.ip().to_canonical().is_ipv4();
            check(owed, reply, request, is_v4, ids);
        }
    }

    /// Returns how many replies went to requests without a valid id.
    #[cfg(test)]
    pub(crate) fn answered_unknown(&self) -> usize {
        self.answered_unknown
    }

    /// Compares what there is at the end.
    fn compare(&mut self) {
        let later = self.now() + Duration::from_secs(2);
        let tracker = self.handler.worker().tracker();
        let swarms = &self.model.swarms;
        assert_eq!(tracker.totals(later).torrents, swarms.len() as u64);
        for info_hash in swarms.keys() {
            let summary = tracker.summary(info_hash, later).unwrap();
            assert_eq!(summary.counts, self.model.counts(info_hash));
        }
    }
}

/// Holds an answer against what is owed.
fn check(owed: &Owed, reply: Option<&[u8]>, request: &[u8], is_v4: bool, ids: &[ConnectionId]) {
    let Some(reply) = reply else {
        return assert!(matches!(owed, Owed::Nothing), "no answer, owed {owed:?}");
    };
    assert!(reply.len() <= MAX_PAYLOAD);
    let decoded = Reply::decode(reply).unwrap();
    let asked = Request::decode(request).unwrap();
    assert_eq!(decoded.transaction(), asked.transaction());
    match (owed, decoded) {
        (Owed::Connect, Reply::Connect(connect)) => assert_eq!(connect.connection, ids[0]),
        (Owed::Error, Reply::Error(_)) => {}
        (Owed::Scrape(counts), Reply::Scrape(scrape)) => {
            assert!(scrape.entries().eq(counts.iter().copied()));
        }
        (
            Owed::Announce {
                counts,
                eligible,
                want,
            },
            Reply::Announce(announce),
        ) => {
            assert!((27 * 60..=33 * 60).contains(&announce.interval_secs));
            let told = (announce.seeders, announce.leechers);
            assert_eq!(told, (counts.seeders, counts.leechers));
            let len = if is_v4 { 6 } else { 18 };
            let fit = (MAX_PAYLOAD - 20) / len;
            let peers = announce.peers.chunks(len);
            assert_eq!(peers.len(), eligible.len().min(*want).min(fit));
            let given: BTreeSet<_> = peers.map(<[u8]>::to_vec).collect();
            assert_eq!(
                given.len(),
                announce.peers.len() / len,
                "a peer is there twice"
            );
            assert!(given.is_subset(eligible), "{given:?} of {eligible:?}");
        }
        (owed, reply) => panic!("{reply:?}, owed {owed:?}"),
    }
}

/// A datagram and where it comes from.
pub(crate) type Datagram = (Vec<u8>, SocketAddr);

struct Batch {
    requests: Vec<Datagram>,
    room: Vec<[u8; MAX_DATAGRAM]>,
    replies: Vec<Option<Vec<u8>>>,
}

impl Batch {
    fn new(requests: Vec<Datagram>) -> Self {
        let len = requests.len();
        Self {
            requests,
            room: vec![[0; MAX_DATAGRAM]; len],
            replies: vec![None; len],
        }
    }
}

impl Datagrams for Batch {
    fn len(&self) -> usize {
        self.requests.len()
    }

    fn exchange(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut [u8])> {
        let (request, source) = &self.requests[index];
        Some((request, *source, &mut self.room[index]))
    }

    fn reply(&mut self, index: usize, octets: usize) {
        let reply = self.room[index][..octets].to_vec();
        assert_eq!(self.replies[index].replace(reply), None, "a second answer");
    }
}

fn source(number: u8) -> SocketAddr {
    let ip: IpAddr = match number % 16 {
        last @ 0..6 => [192, 0, 2, 1 + last].into(),
        last @ 6..10 => [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)].into(),
        10 => Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().into(),
        11 => [10, 0, 0, 1].into(),
        12 => [0xfd00, 0, 0, 0, 0, 0, 0, 1].into(),
        13 => Ipv4Addr::LOCALHOST.into(),
        14 => [203, 0, 113, 1].into(),
        _ => [224, 0, 0, 1].into(),
    };
    let port = if number >= 0xf8 { 0 } else { 7 };
    SocketAddr::new(ip, port)
}

fn announce(input: &mut Input<'_>) -> Option<AnnounceRequest> {
    let [torrent, port, left, event, num_want] = input.array()?;
    let mut announce = AnnounceRequest::new(InfoHash::new([torrent % 8; 20]), (port % 8).into())
        .with_peer_id(PeerId::new([port; 20]))
        .with_left((left % 4).into())
        .with_event(event_of(event));
    announce.num_want = (num_want < 0xf0).then_some(num_want.into());
    Some(announce)
}

fn event_of(number: u8) -> Event {
    match number % 4 {
        0 => Event::None,
        1 => Event::Completed,
        2 => Event::Started,
        _ => Event::Stopped,
    }
}

fn packet(id: ConnectionId, announce: AnnounceRequest) -> Vec<u8> {
    let mut datagram = vec![0; AnnouncePacket::WIRE_LEN];
    let transaction = TransactionId::new(*b"from");
    AnnouncePacket::new(id, transaction, announce)
        .encode(&mut datagram)
        .unwrap();
    datagram
}

/// Any octets, after their number.
fn raw(input: &mut Input<'_>) -> Option<Vec<u8>> {
    let octets = input.octet()?;
    Some(input.octets(octets.into()).to_vec())
}
