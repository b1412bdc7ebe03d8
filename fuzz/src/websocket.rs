use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Requester, Rules, Tracker, WebConnection, Worker};
use opentracker_livesync_wire::{Key, Keys};
use opentracker_webtorrent::{
    Context, Counter, MAX_MESSAGE_OCTETS, NodeId, NodeMessage, Nodes, Session, Settings,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::input::Input;

const UNIX: u64 = 1_764_080_000;

/// Where those wait who are there already.
const OTHERS: u64 = 5;

/// A browser's connection: however its octets arrive, it and others get the same, whole messages of
/// JSON, and when it ends nothing of it is left.
///
/// The first octet says whether the rest are frames or lines that each become one; then come the lengths
/// of pieces up to a zero. Or it says that the rest are what other nodes send, and lines between.
pub fn websocket(octets: &[u8]) {
    let mut input = Input::new(octets);
    let Some(choice) = input.octet() else {
        return;
    };
    if choice & 2 != 0 {
        return among_nodes(&mut input);
    }
    let mut cuts = Vec::new();
    while let Some(cut @ 1..) = input.octet() {
        cuts.push(usize::from(cut));
    }
    let sent = match choice & 1 {
        0 => input.rest().to_vec(),
        _ => framed(input.rest()),
    };
    let now = Instant::now();
    let mut at_once = Connection::new(now);
    at_once.receive(&sent);
    let mut piecewise = Connection::new(now);
    let mut rest = &*sent;
    for cut in cuts.iter().chain([&1].into_iter().cycle()) {
        let (piece, later) = rest.split_at(rest.len().min(*cut));
        rest = later;
        piecewise.receive(piece);
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(piecewise.received, at_once.received);
    assert_eq!(piecewise.session.is_closing(), at_once.session.is_closing());
    at_once.end();
}

/// Whatever other nodes and a browser say, browsers get whole messages of JSON, and what goes to another
/// node means something there.
fn among_nodes(input: &mut Input<'_>) {
    const THERE: NodeId = NodeId::new(2);
    let now = Instant::now();
    let keys = Keys::new(Key::derive(&[1; 32]));
    let mut here = Connection::at_node(NodeId::new(1), now);
    let mut there = Connection::at_node(THERE, now);
    while let Some(kind) = input.octet() {
        let length = input.number().unwrap_or_default();
        let octets = input.octets(length.into());
        if kind & 1 == 0 {
            let octets = octets.to_vec();
            here.take(NodeMessage { to: None, octets }, &keys);
        } else {
            here.receive(&framed(octets));
        }
        for message in std::mem::take(&mut here.context.messages) {
            if message.to.is_none_or(|to| to == THERE) {
                there.take(message, &keys);
            }
        }
    }
    let dropped = [
        Counter::NodeSeal,
        Counter::NodeTime,
        Counter::NodeForm,
        Counter::NodeOwn,
    ];
    let counters = there.worker.tracker().counters();
    let dropped = dropped.map(|counter| counters.sum(counter));
    assert_eq!(dropped, [0; 4]);
    here.end();
    there.end();
}

/// Lines, each as a frame of text.
fn framed(lines: &[u8]) -> Vec<u8> {
    let mask = [0x55, 0, 0xff, 1];
    let mut frames = Vec::new();
    for line in lines.split(|&octet| octet == b'\n') {
        let Ok(length) = u16::try_from(line.len()) else {
            continue;
        };
        frames.extend([0x81, 0x80 | 126]);
        frames.extend(length.to_be_bytes());
        frames.extend(mask);
        let keys = mask.iter().cycle();
        frames.extend(line.iter().zip(keys).map(|(octet, key)| octet ^ key));
    }
    frames
}

/// A session, and what came of it.
struct Connection {
    worker: Worker,
    context: Context,
    session: Session,
    /// Frames and where they went; `None`: to the session itself.
    received: Vec<(Option<u64>, Vec<u8>)>,
    now: Instant,
}

impl Connection {
    fn new(now: Instant) -> Self {
        Self::among(None, now)
    }

    fn at_node(id: NodeId, now: Instant) -> Self {
        Self::among(Some(Arc::new(Nodes::new(id, now))), now)
    }

    fn among(nodes: Option<Arc<Nodes>>, now: Instant) -> Self {
        let rules = Rules::default().with_extension(Settings::default());
        let tracker = Tracker::with_parts(2, rules, now, &mut StdRng::seed_from_u64(1));
        let worker = Worker::new(Arc::new(tracker), 7, None);
        let requester = Requester::new([192, 0, 2, 1].into());
        let mut connection = Self {
            context: Context::new(&worker).with_nodes(nodes),
            worker,
            session: Session::new(WebConnection(0), requester),
            received: Vec::new(),
            now,
        };
        for number in 1..=OTHERS {
            let peer = format!(
                r#"{{"action":"announce","info_hash":"aaaaaaaaaaaaaaaaaaaa","peer_id":"-WW0208-{number:012}"}}"#
            );
            let mut other = Session::new(WebConnection(number), requester);
            let (context, worker) = (&mut connection.context, &mut connection.worker);
            other.receive(&mut framed(peer.as_bytes()), context, worker, now);
            context.output.clear();
        }
        connection
    }

    fn receive(&mut self, octets: &[u8]) {
        let mut octets = octets.to_vec();
        let (context, worker) = (&mut self.context, &mut self.worker);
        self.session.receive(&mut octets, context, worker, self.now);
        let mut output = &*std::mem::take(&mut context.output);
        while !output.is_empty() {
            let (frame, rest) = split(output);
            self.received.push((None, frame.to_vec()));
            output = rest;
        }
        self.pass_on();
    }

    /// Takes a message of another node.
    fn take(&mut self, mut message: NodeMessage, keys: &Keys) {
        message.seal(UNIX, keys.first());
        let (context, worker) = (&mut self.context, &mut self.worker);
        context.receive(&message.octets, (keys, UNIX), worker, self.now);
        self.pass_on();
    }

    fn pass_on(&mut self) {
        let context = &mut self.context;
        for delivery in context.deliveries.drain(..) {
            let (frame, rest) = split(&delivery.octets);
            assert!(rest.is_empty(), "one frame");
            self.received.push((Some(delivery.to.0), frame.to_vec()));
        }
        // Which came first of those for others and for itself depends on the pieces.
        self.received.sort_by_key(|(to, _)| *to);
    }

    fn end(mut self) {
        self.session.leave(&mut self.worker, self.now);
        let totals = self.worker.tracker().totals(self.now);
        assert_eq!(totals.peers.total(), OTHERS, "nothing of it is left");
    }
}

/// Takes a frame off, which must be as the tracker writes them.
fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    let (first, length) = (octets[0], octets[1]);
    let (start, length) = match length {
        0..126 => (2, usize::from(length)),
        126 => (4, usize::from(u16::from_be_bytes([octets[2], octets[3]]))),
        _ => (
            10,
            usize::try_from(u64::from_be_bytes(octets[2..10].try_into().unwrap())).unwrap(),
        ),
    };
    let (frame, rest) = octets.split_at(start + length);
    match first {
        0x81 => {
            assert!(length < 2 * MAX_MESSAGE_OCTETS);
            let message: serde_json::Value = serde_json::from_slice(&frame[start..]).unwrap();
            assert!(message.is_object());
        }
        // A pong, and the end.
        0x8a | 0x88 => assert!(length < 126),
        other => panic!("a frame that begins with {other:x}"),
    }
    (frame, rest)
}
