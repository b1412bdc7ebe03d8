use super::*;
use crate::fixture;
use proptest::prelude::*;

const CLIENT: [u8; 4] = [192, 0, 2, 1];

/// Whom the handler of the tests trusts.
const PROXY: [u8; 4] = [10, 0, 0, 1];

fn source(ip: [u8; 4]) -> Source {
    Source::Socket(ip.into())
}

/// A session with its context, and a socket that takes as much as it is told to.
struct Bench {
    context: Context,
    session: Session,
    now: Instant,
    incoming: Vec<u8>,
    room: usize,
    sent: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        Self::with(|context, now| Session::new(source(CLIENT), 0, &context.limits, now))
    }

    /// A connection from an address that has to begin with a PROXY header.
    fn behind_proxy(ip: [u8; 4]) -> Self {
        Self::with(|context, now| Session::behind_proxy(source(ip), 0, context, now))
    }

    fn with(session: impl FnOnce(&mut Context, Instant) -> Session) -> Self {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let now = Instant::now();
        let mut context = Context::new(fixture::handler(now), Limits::default());
        Self {
            session: session(&mut context, now),
            context,
            now,
            incoming: Vec::new(),
            room: usize::MAX,
            sent: Vec::new(),
        }
    }

    fn pass(&mut self, secs: u64) {
        self.now += Duration::from_secs(secs);
    }

    /// Lets octets come, and takes the session's steps until it needs more of them, or room in
    /// the socket, or ends.
    fn receive(&mut self, octets: &[u8]) -> Step {
        self.incoming.extend_from_slice(octets);
        loop {
            let step = self.session.next_step();
            match step {
                Step::Read if self.incoming.is_empty() => return step,
                Step::Read | Step::Serve => {
                    let mut filled = self.session.load(&mut self.context.input);
                    if step == Step::Read {
                        let free = &mut self.context.input[filled..];
                        let read = self.incoming.len().min(free.len());
                        free[..read].copy_from_slice(&self.incoming[..read]);
                        self.incoming.drain(..read);
                        filled += read;
                    }
                    self.session.serve(&mut self.context, filled, self.now);
                    let output = self.context.output.clone();
                    let taken = self.take(&output);
                    let limits = &self.context.limits;
                    self.session.keep_unsent(&output[taken..], limits, self.now);
                }
                Step::Send if self.room == 0 => return step,
                Step::Send => {
                    let unsent = self.session.unsent().to_vec();
                    let taken = self.take(&unsent);
                    self.session
                        .note_sent(taken, &self.context.limits, self.now);
                }
                Step::ShutDown | Step::Discard | Step::HandOver | Step::Upgrade | Step::Close => {
                    return step;
                }
            }
        }
    }

    fn take(&mut self, octets: &[u8]) -> usize {
        let taken = octets.len().min(self.room);
        self.room -= taken;
        self.sent.extend_from_slice(&octets[..taken]);
        taken
    }

    fn sent(&self) -> &str {
        str::from_utf8(&self.sent).unwrap()
    }

    /// How many connections were closed: for their source, their header, the time that it took.
    fn refused_proxies(&mut self) -> [u64; 3] {
        let counters = self.context.handler.worker().tracker().counters();
        let refused = [
            Counter::UntrustedProxy,
            Counter::BadProxyHeader,
            Counter::LateProxyHeader,
        ];
        refused.map(|counter| counters.sum(counter))
    }

    fn secs_left(&self) -> u64 {
        (self.session.deadline() - self.now).as_secs()
    }
}

#[test]
fn a_head_has_ten_seconds_from_its_first_octet() {
    let mut bench = Bench::new();
    assert_eq!(bench.secs_left(), 30, "nothing has come");
    assert!(bench.session.is_idle() && bench.session.is_new());
    bench.pass(20);
    assert_eq!(bench.receive(b"G"), Step::Read);
    assert_eq!(bench.secs_left(), 10);
    for octet in b"ET /x/announce?info_hash HTTP/1.1\r\n" {
        bench.receive(&[*octet]);
    }
    bench.pass(9);
    assert_eq!(bench.receive(b"Host: a\r\n"), Step::Read);
    assert_eq!(bench.secs_left(), 1);
    assert_eq!(bench.receive(b"\r\nGET"), Step::Read);
    assert!(bench.sent().starts_with("HTTP/1.1 404 "));
    assert_eq!(bench.secs_left(), 10, "the next head has begun");
    assert!(!bench.session.is_idle());
    bench.receive(b" /announce HTTP/1.1\r\n\r\n");
    assert_eq!(bench.secs_left(), 30);
    assert!(bench.session.is_idle() && !bench.session.is_new());
}

#[test]
fn a_late_head_is_answered_and_an_idle_connection_is_not() {
    let mut bench = Bench::new();
    bench.receive(b"GET / HTTP/1.1\r\n");
    bench.pass(10);
    bench.session.expire(&mut bench.context, bench.now);
    assert_eq!(bench.receive(b""), Step::ShutDown);
    assert!(bench.sent().starts_with("HTTP/1.1 408 "));

    let mut bench = Bench::new();
    bench.receive(b"GET /x/announce?info_hash HTTP/1.1\r\n\r\n");
    let sent = bench.sent.len();
    bench.pass(30);
    bench.session.expire(&mut bench.context, bench.now);
    assert_eq!(bench.receive(b""), Step::Close);
    assert_eq!(bench.sent.len(), sent);
}

#[test]
fn a_client_that_does_not_read_is_not_served_and_cut_off() {
    let mut bench = Bench::new();
    bench.room = 0;
    let request = b"GET /x/announce?info_hash HTTP/1.1\r\n\r\n";
    assert_eq!(bench.receive(&request.repeat(10_000)), Step::Send);
    let unsent = bench.session.unsent().len();
    assert!(unsent < MAX_UNSENT_OCTETS + 200, "{unsent}");
    assert!(bench.session.input.len() <= INPUT_OCTETS);
    assert_eq!(bench.secs_left(), 30);
    bench.pass(29);
    bench.room = 100;
    assert_eq!(bench.receive(b""), Step::Send);
    assert_eq!(bench.secs_left(), 1, "a little is not enough");
    bench.session.expire(&mut bench.context, bench.now);
    assert_eq!(bench.receive(b""), Step::Close);
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let mut bench = Bench::new();
    bench.room = 0;
    let request = b"GET /x/announce?info_hash HTTP/1.1\r\n\r\n";
    let requests = INPUT_OCTETS / request.len();
    assert_eq!(bench.receive(&request.repeat(requests)), Step::Send);
    bench.room = usize::MAX;
    assert_eq!(bench.receive(b""), Step::Read);
    assert_eq!(bench.sent().matches("HTTP/1.1 404 ").count(), requests);
    assert!(bench.session.is_idle());
}

#[test]
fn after_the_last_request_comes_nothing() {
    for (request, step) in [
        ("GET /x/announce?info_hash HTTP/1.0\r\n\r\n", Step::Close),
        (
            "GET /x/announce?info_hash HTTP/1.0\r\n\r\nGET /x",
            Step::ShutDown,
        ),
        (
            "POST /x/announce?info_hash HTTP/1.1\r\n\r\n",
            Step::ShutDown,
        ),
        ("\0", Step::ShutDown),
    ] {
        let mut bench = Bench::new();
        assert_eq!(bench.receive(request.as_bytes()), step, "{request}");
        assert_eq!(bench.sent().matches("HTTP/1.1 4").count(), 1);
        assert!(bench.sent().contains("\r\nConnection: close\r\n"));
    }
}

#[test]
fn a_head_that_is_too_large_is_so_whatever_comes_beyond_the_bound() {
    let head = [&b"GET / HTTP/1.1\r\na: "[..], &[b'x'; 9000], b"\0"].concat();
    for piece in [head.len(), 8500, 100] {
        let mut bench = Bench::new();
        for piece in head.chunks(piece) {
            if bench.receive(piece) == Step::ShutDown {
                break;
            }
        }
        let sent = bench.sent();
        assert!(sent.starts_with("HTTP/1.1 431 "), "{piece}: {sent}");
    }
}

#[test]
fn lingering_is_bounded() {
    let mut bench = Bench::new();
    bench.receive(b"\0");
    bench.session.note_shut_down(bench.now);
    assert_eq!(bench.secs_left(), 2);
    bench.session.note_discarded(LINGER_OCTETS - 1);
    assert_eq!(bench.session.next_step(), Step::Discard);
    bench.session.note_discarded(16_000);
    assert_eq!(bench.session.next_step(), Step::Close);
}

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\x12\x67\x00\x50";
const V2_LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";
const REQUEST: &[u8] = b"GET /x/announce?info_hash HTTP/1.1\r\n\r\n";

#[test]
fn a_proxy_header_names_the_client() {
    let client = Source::Named(CLIENT.into());
    for (header, named) in [
        (V1, client),
        (V2, client),
        (V2_LOCAL, source(PROXY)),
        (&b"PROXY UNKNOWN\r\n"[..], source(PROXY)),
    ] {
        let mut bench = Bench::behind_proxy(PROXY);
        assert_eq!(bench.receive(&[header, REQUEST].concat()), Step::Read);
        assert!(bench.sent().starts_with("HTTP/1.1 404 "), "{named:?}");
        assert_eq!(bench.session.source(), named);
        // What comes later is no header.
        assert_eq!(bench.receive(header), Step::ShutDown);
        assert_eq!(bench.session.source(), named);
    }
}

#[test]
fn a_proxy_header_may_come_in_pieces_but_not_late() {
    let mut bench = Bench::behind_proxy(PROXY);
    assert!(bench.session.is_idle());
    assert_eq!(bench.secs_left(), 30, "nothing has come");
    for octet in V1 {
        assert_eq!(bench.receive(&[*octet]), Step::Read);
        if *octet == b' ' {
            bench.pass(1);
        }
    }
    assert_eq!(bench.secs_left(), 30, "a request has all of its time");
    bench.receive(REQUEST);
    assert!(bench.sent().starts_with("HTTP/1.1 404 "));

    for part in [1, V1.len() - 1] {
        let mut bench = Bench::behind_proxy(PROXY);
        bench.receive(&V1[..part]);
        assert_eq!(bench.secs_left(), 10);
        bench.pass(10);
        bench.session.expire(&mut bench.context, bench.now);
        assert_eq!(bench.receive(b""), Step::Close);
        assert_eq!(bench.sent(), "");
        assert_eq!(bench.refused_proxies(), [0, 0, 1]);
    }
}

#[test]
fn what_begins_otherwise_is_closed() {
    for octets in [REQUEST, b"\0", b"PROXY TCP4 1 2 3 4\r\n", &V2[1..]] {
        let mut bench = Bench::behind_proxy(PROXY);
        assert_eq!(bench.receive(octets), Step::Close);
        assert_eq!(bench.sent(), "");
        assert_eq!(bench.refused_proxies(), [0, 1, 0]);
    }
}

#[test]
fn who_is_no_trusted_proxy_is_not_listened_to() {
    let mut bench = Bench::behind_proxy(CLIENT);
    assert_eq!(bench.receive(V1), Step::Close);
    assert_eq!(bench.refused_proxies(), [1, 0, 0]);
    let local = Bench::with(|context, now| Session::behind_proxy(Source::Local, 0, context, now));
    assert_eq!(local.session.next_step(), Step::Read);
}

proptest! {
    /// However the octets of a stream of requests arrive, the responses are the same.
    #[test]
    fn it_does_not_matter_how_octets_arrive(
        is_proxied: bool,
        requests in prop::collection::vec(fixture::request(), 1..20),
        cuts in prop::collection::vec(1_usize..300, 1..60),
        room in 1_usize..10_000,
    ) {
        let bench = || if is_proxied { Bench::behind_proxy(PROXY) } else { Bench::new() };
        let header = if is_proxied { V2 } else { b"" };
        let octets = [header, &requests.concat()].concat();
        let mut at_once = bench();
        at_once.receive(&octets);

        let mut piecewise = bench();
        let mut rest = octets.as_slice();
        for cut in cuts.iter().cycle() {
            let (piece, later) = rest.split_at(rest.len().min(*cut));
            rest = later;
            piecewise.room = room;
            if piecewise.receive(piece) != Step::Send && rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(
            String::from_utf8_lossy(&piecewise.sent),
            String::from_utf8_lossy(&at_once.sent)
        );
    }
}
