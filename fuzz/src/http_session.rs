use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{Networks, Rules, Tracker, Worker};
use opentracker_http::{
    Context, CrossOrigin, ForwardedHeader, Forwarding, Handler, Limits, Session, Source, Step,
    WebSockets,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::input::Input;

/// A connection: however its octets arrive, and however the client reads, the responses are the same.
///
/// The first octet says whether a PROXY header comes first and how much the socket takes at a time; then
/// come the lengths of pieces up to a zero, and the rest is what the client sends.
pub fn http_session(octets: &[u8]) {
    let mut input = Input::new(octets);
    let Some(choice) = input.octet() else {
        return;
    };
    let is_proxied = choice & 1 != 0;
    let room = 1 + 40 * usize::from(choice >> 1);
    let mut cuts = Vec::new();
    while let Some(cut @ 1..) = input.octet() {
        cuts.push(usize::from(cut));
    }
    let sent = input.rest();
    let now = Instant::now();

    let mut at_once = Connection::new(is_proxied, usize::MAX, now);
    at_once.receive(sent);
    let mut piecewise = Connection::new(is_proxied, room, now);
    let mut rest = sent;
    for cut in cuts.iter().chain([&1].into_iter().cycle()) {
        let (piece, later) = rest.split_at(rest.len().min(*cut));
        rest = later;
        let is_over = piecewise.receive(piece);
        if is_over || rest.is_empty() {
            break;
        }
    }
    assert_eq!(
        piecewise.received.escape_ascii().to_string(),
        at_once.received.escape_ascii().to_string()
    );
    assert_eq!(piecewise.left(rest), at_once.left(&[]));
}

/// The octets with which a connection leaves; `None` if it stays.
type Left = Option<Vec<u8>>;

/// A session and the sockets around it.
struct Connection {
    context: Context,
    session: Session,
    now: Instant,
    /// What the client has sent and nobody has read.
    unread: Vec<u8>,
    /// How many octets the socket takes at a time.
    room: usize,
    /// What the client has got.
    received: Vec<u8>,
}

impl Connection {
    fn new(is_proxied: bool, room: usize, now: Instant) -> Self {
        let mut context = Context::new(handler(now), Limits::default());
        let proxy = Source::Socket([10, 0, 0, 1].into());
        let client = Source::Socket([192, 0, 2, 1].into());
        Self {
            session: if is_proxied {
                Session::behind_proxy(proxy, 0, &mut context, now)
            } else {
                Session::new(client, 0, &context.limits, now)
            },
            context,
            now,
            unread: Vec::new(),
            room,
            received: Vec::new(),
        }
    }

    /// Takes what the client sends, and does what the session says until it waits for more. Returns
    /// whether nothing more is served.
    fn receive(&mut self, octets: &[u8]) -> bool {
        self.unread.extend_from_slice(octets);
        loop {
            match self.session.next_step() {
                Step::Read if self.unread.is_empty() => return false,
                step @ (Step::Read | Step::Serve) => {
                    let mut filled = self.session.load(&mut self.context.input);
                    if step == Step::Read {
                        let free = &mut self.context.input[filled..];
                        assert!(!free.is_empty(), "a head has outgrown the buffer");
                        let read = self.unread.len().min(free.len());
                        free[..read].copy_from_slice(&self.unread[..read]);
                        self.unread.drain(..read);
                        filled += read;
                    }
                    self.session.serve(&mut self.context, filled, self.now);
                    let output = std::mem::take(&mut self.context.output);
                    let taken = self.take(&output);
                    let limits = &self.context.limits;
                    self.session.keep_unsent(&output[taken..], limits, self.now);
                }
                Step::Send => {
                    let unsent = self.session.unsent().to_vec();
                    let taken = self.take(&unsent);
                    let limits = &self.context.limits;
                    self.session.note_sent(taken, limits, self.now);
                }
                Step::ShutDown => self.session.note_shut_down(self.now),
                Step::Discard | Step::HandOver | Step::Upgrade | Step::Close => return true,
            }
        }
    }

    fn take(&mut self, octets: &[u8]) -> usize {
        let taken = octets.len().min(self.room);
        self.received.extend_from_slice(&octets[..taken]);
        taken
    }

    /// What the operator plane gets, or whoever goes on with WebSocket, if the connection goes there:
    /// nothing of it is lost.
    fn left(self, unsent: &[u8]) -> Left {
        let read = match self.session.next_step() {
            Step::HandOver => self.session.into_input(),
            Step::Upgrade => self.session.into_upgrade()?.1,
            _ => return None,
        };
        Some([&read, &self.unread, unsent].concat())
    }
}

/// Makes a handler of a new tracker, the same each time.
fn handler(now: Instant) -> Handler {
    let forwarding = Forwarding {
        trusted_proxies: Networks::new(["10.0.0.0/8".parse().unwrap()]),
        header: ForwardedHeader::default(),
    };
    let rules = Rules::default()
        .with_extension(forwarding)
        .with_extension(WebSockets::new(vec!["https://site.example".to_owned()]))
        .with_extension(CrossOrigin::new(vec!["https://site.example".to_owned()]));
    let tracker = Tracker::with_parts(2, rules, now, &mut StdRng::seed_from_u64(1));
    Handler::new(Worker::new(Arc::new(tracker), 1, None), &["http".into()])
}
