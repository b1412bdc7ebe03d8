//! A connection without its socket: which octets are requests, what is still to be sent, and
//! when time is up.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::handler::{Handler, Next};
use crate::settings::Limits;

/// Octets that are read at a time. A head fits twice.
const INPUT_OCTETS: usize = 16 * 1024;

/// With so many octets to be sent, no further request is handled until they are.
const MAX_UNSENT_OCTETS: usize = 32 * 1024;

/// How long, and for how many octets, a connection that ends is read from, so that the client
/// gets the last response although it has sent more than was looked at.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_OCTETS: usize = 256 * 1024;

/// The handler and the buffers of a thread, which its connections use in turn. A connection that
/// waits holds only the octets of an incomplete head and those that its socket has not taken.
#[derive(Debug)]
pub struct Context {
    /// Answers.
    pub handler: Handler,
    /// How long a connection may take.
    pub limits: Limits,
    /// What was read.
    pub input: Box<[u8]>,
    /// What is to be sent.
    pub output: Vec<u8>,
    /// The thread is about to end: connections are closed after the request at hand.
    pub is_closing: bool,
}

impl Context {
    /// Makes the buffers that go with a handler.
    pub fn new(handler: Handler, limits: Limits) -> Self {
        Self {
            handler,
            limits,
            input: vec![0; INPUT_OCTETS].into_boxed_slice(),
            output: Vec::new(),
            is_closing: false,
        }
    }
}

/// The state of a connection.
///
/// Who drives it reads as many octets as there are into the context's input, behind those that
/// [`Self::load`] puts there, calls [`Self::serve`], sends what is in the context's output, and hands
/// what could not be sent to [`Self::keep_unsent`].
#[derive(Debug)]
pub struct Session {
    client: IpAddr,
    /// Octets that were read and are not handled.
    input: Vec<u8>,
    /// There may be whole requests in `input`.
    is_backlogged: bool,
    unsent: Vec<u8>,
    /// Octets of `unsent` that have been sent after all.
    sent: usize,
    phase: Phase,
    deadline: Instant,
    is_new: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    HandedOver,
    Ending { lingers: bool },
    Lingering { octets_left: usize },
}

/// What is to be done with the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Send [`Session::unsent`].
    Send,
    /// Read, and serve.
    Read,
    /// Serve without reading.
    Serve,
    /// Tell the client that nothing more comes.
    ShutDown,
    /// Read, and throw away.
    Discard,
    /// Hand the connection over to the operator plane, with [`Session::into_input`].
    HandOver,
    /// Close.
    Close,
}

impl Session {
    /// Makes the session of a new connection.
    pub fn new(client: IpAddr, limits: &Limits, now: Instant) -> Self {
        Self {
            client,
            input: Vec::new(),
            is_backlogged: false,
            unsent: Vec::new(),
            sent: 0,
            phase: Phase::Serving,
            deadline: now + limits.idle_timeout,
            is_new: true,
        }
    }

    /// Says what is to be done next.
    pub fn next_step(&self) -> Step {
        if !self.unsent.is_empty() {
            return Step::Send;
        }
        match self.phase {
            Phase::Serving if self.is_backlogged => Step::Serve,
            Phase::Serving => Step::Read,
            Phase::HandedOver => Step::HandOver,
            Phase::Ending { lingers: true } => Step::ShutDown,
            Phase::Ending { lingers: false } | Phase::Lingering { octets_left: 0 } => Step::Close,
            Phase::Lingering { .. } => Step::Discard,
        }
    }

    /// When [`Self::expire`] is to be called.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Tells whether the connection waits for a request, and nothing is lost if it is closed.
    pub fn is_idle(&self) -> bool {
        self.next_step() == Step::Read && self.input.is_empty()
    }

    /// Tells whether nothing has come yet.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Copies octets that were read before to the front of `input` and returns how many.
    pub fn load(&self, input: &mut [u8]) -> usize {
        input[..self.input.len()].copy_from_slice(&self.input);
        self.input.len()
    }

    /// Handles the requests in the first `filled` octets of the context's input and puts the
    /// responses into its output, in place of what was there.
    pub fn serve(&mut self, context: &mut Context, filled: usize, now: Instant) {
        let had_part_of_head = !self.input.is_empty() && !self.is_backlogged;
        let mut octets = &context.input[..filled];
        context.output.clear();
        self.is_new = false;
        self.is_backlogged = false;
        while !octets.is_empty() {
            if context.output.len() >= MAX_UNSENT_OCTETS {
                self.is_backlogged = true;
                break;
            }
            let handled = context.handler.handle(
                octets,
                self.client,
                now,
                context.is_closing,
                &mut context.output,
            );
            octets = &octets[handled.consumed..];
            match handled.next {
                Next::Wait => break,
                Next::Request => {}
                Next::Close | Next::Linger => {
                    // Requests behind the last one are not served.
                    let lingers = matches!(handled.next, Next::Linger) || !octets.is_empty();
                    self.phase = Phase::Ending { lingers };
                    octets = &[];
                }
                Next::HandOver => {
                    self.phase = Phase::HandedOver;
                    break;
                }
            }
        }
        let is_same_head = had_part_of_head && octets.len() == filled;
        if octets.is_empty() {
            self.input = Vec::new();
        } else {
            self.input.clear();
            self.input.extend_from_slice(octets);
        }
        if !is_same_head {
            self.await_input(&context.limits, now);
        }
    }

    /// Returns what was read and not handled, for whoever goes on with the connection.
    pub fn into_input(self) -> Vec<u8> {
        self.input
    }

    /// Keeps the octets of a response that the socket did not take.
    pub fn keep_unsent(&mut self, octets: &[u8], limits: &Limits, now: Instant) {
        if octets.is_empty() {
            return;
        }
        if self.unsent.is_empty() {
            self.deadline = now + limits.stall_timeout;
        }
        self.unsent.extend_from_slice(octets);
    }

    /// Octets that are to be sent.
    pub fn unsent(&self) -> &[u8] {
        &self.unsent[self.sent..]
    }

    /// Takes note that the socket has taken so many of [`Self::unsent`].
    pub fn note_sent(&mut self, octets: usize, limits: &Limits, now: Instant) {
        self.sent += octets;
        if self.sent >= self.unsent.len() {
            self.unsent = Vec::new();
            self.sent = 0;
            self.await_input(limits, now);
        }
    }

    /// Takes note that the client has been told that nothing more comes.
    pub fn note_shut_down(&mut self, now: Instant) {
        self.phase = Phase::Lingering {
            octets_left: LINGER_OCTETS,
        };
        self.deadline = now + LINGER;
    }

    /// Takes note of octets that were read and thrown away.
    pub fn note_discarded(&mut self, octets: usize) {
        if let Phase::Lingering { octets_left } = &mut self.phase {
            *octets_left = octets_left.saturating_sub(octets);
        }
    }

    /// Ends the connection because its deadline has passed: a head that is not complete gets a
    /// response.
    pub fn expire(&mut self, context: &mut Context, now: Instant) {
        let is_head_late = self.next_step() == Step::Read && !self.input.is_empty();
        self.input = Vec::new();
        self.unsent = Vec::new();
        self.sent = 0;
        self.phase = Phase::Ending { lingers: false };
        if is_head_late {
            self.phase = Phase::Ending { lingers: true };
            self.deadline = now + context.limits.stall_timeout;
            context.handler.time_out(&mut self.unsent);
        }
    }

    /// Sets the deadline for octets to come: for the rest of a head that has begun, or for one to
    /// begin.
    fn await_input(&mut self, limits: &Limits, now: Instant) {
        let patience = if self.input.is_empty() {
            limits.idle_timeout
        } else {
            limits.head_timeout
        };
        self.deadline = now + patience;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use proptest::prelude::*;

    const CLIENT: [u8; 4] = [192, 0, 2, 1];

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
            #[expect(clippy::disallowed_methods, reason = "any instant will do")]
            let now = Instant::now();
            let context = Context::new(fixture::handler(now), Limits::default());
            Self {
                session: Session::new(CLIENT.into(), &context.limits, now),
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
                    Step::ShutDown | Step::Discard | Step::HandOver | Step::Close => return step,
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

    proptest! {
        /// However the octets of a stream of requests arrive, the responses are the same.
        #[test]
        fn it_does_not_matter_how_octets_arrive(
            requests in prop::collection::vec(fixture::request(), 1..20),
            cuts in prop::collection::vec(1_usize..300, 1..60),
            room in 1_usize..10_000,
        ) {
            let octets = requests.concat();
            let mut at_once = Bench::new();
            at_once.receive(&octets);

            let mut piecewise = Bench::new();
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
}
