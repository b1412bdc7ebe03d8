//! A connection without its socket: which octets are requests, what is still to be sent, and
//! when time is up.

use std::time::{Duration, Instant};

use opentracker_proxy_wire::Header as ProxyHeader;

use crate::counters::Counter;
use crate::handler::{Handler, Next, Upgrade};
use crate::settings::Limits;
use crate::source::Source;

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
    source: Source,
    /// Which of the handler's listeners it came through.
    listener: usize,
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
    upgrade: Option<Box<Upgrade>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A PROXY header comes before the first request.
    AwaitingProxyHeader,
    Serving,
    HandedOver,
    Upgraded,
    Ending {
        lingers: bool,
    },
    Lingering {
        octets_left: usize,
    },
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
    /// Go on with WebSocket, as [`Session::into_upgrade`] says.
    Upgrade,
    /// Close.
    Close,
}

impl Session {
    /// Makes the session of a new connection, which came through one of the handler's listeners, by
    /// its place among them.
    pub fn new(source: Source, listener: usize, limits: &Limits, now: Instant) -> Self {
        Self {
            source,
            listener,
            input: Vec::new(),
            is_backlogged: false,
            unsent: Vec::new(),
            sent: 0,
            phase: Phase::Serving,
            deadline: now + limits.idle_timeout,
            is_new: true,
            upgrade: None,
        }
    }

    /// Makes the session of a new connection that has to begin with a PROXY header, of version 1 or
    /// 2, which names the client. From a source that is not trusted it is to be closed at once.
    ///
    /// Where the proxy speaks for itself, as it does in health checks, the source stays what it is, so
    /// that the header field counts as without a PROXY header.
    pub fn behind_proxy(
        source: Source,
        listener: usize,
        context: &mut Context,
        now: Instant,
    ) -> Self {
        let mut session = Self::new(source, listener, &context.limits, now);
        context.handler.select(listener);
        session.phase = if context.handler.trusts(source) {
            Phase::AwaitingProxyHeader
        } else {
            context.handler.count(Counter::UntrustedProxy);
            Phase::Ending { lingers: false }
        };
        session
    }

    /// Tells whether a PROXY header has to come first.
    pub fn awaits_proxy_header(&self) -> bool {
        self.phase == Phase::AwaitingProxyHeader
    }

    /// Takes the PROXY header that octets begin with, where what follows is not for the session, but for
    /// TLS below it. Returns how many octets the header has, or 0 if it is not whole. If it is none, the
    /// connection is to be closed.
    pub fn strip_proxy_header(&mut self, octets: &[u8], context: &mut Context) -> usize {
        context.handler.select(self.listener);
        let rest = self.take_proxy_header(octets, &context.handler);
        octets.len() - rest.len()
    }

    /// Returns who is at the other end: the client, once a proxy has named it.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Returns which of the handler's listeners it came through.
    pub fn listener(&self) -> usize {
        self.listener
    }

    /// Says what is to be done next.
    pub fn next_step(&self) -> Step {
        if !self.unsent.is_empty() {
            return Step::Send;
        }
        match self.phase {
            Phase::Serving if self.is_backlogged => Step::Serve,
            Phase::Serving | Phase::AwaitingProxyHeader => Step::Read,
            Phase::HandedOver => Step::HandOver,
            Phase::Upgraded => Step::Upgrade,
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
    /// responses into its output, in place of what was there. Returns how many there were.
    pub fn serve(&mut self, context: &mut Context, filled: usize, now: Instant) -> u64 {
        context.handler.select(self.listener);
        let mut handled_requests = 0;
        let had_part_of_head = !self.input.is_empty() && !self.is_backlogged;
        let mut octets = &context.input[..filled];
        context.output.clear();
        self.is_new = false;
        self.is_backlogged = false;
        if self.phase == Phase::AwaitingProxyHeader {
            octets = self.take_proxy_header(octets, &context.handler);
        }
        let is_last = context.is_closing || context.handler.is_draining();
        while self.phase == Phase::Serving && !octets.is_empty() {
            if context.output.len() >= MAX_UNSENT_OCTETS {
                self.is_backlogged = true;
                break;
            }
            let handled =
                context
                    .handler
                    .handle(octets, self.source, now, is_last, &mut context.output);
            octets = &octets[handled.consumed..];
            match handled.next {
                Next::Wait => break,
                Next::Request => handled_requests += 1,
                Next::Close | Next::Linger => {
                    handled_requests += 1;
                    // Requests behind the last one are not served.
                    let lingers = matches!(handled.next, Next::Linger) || !octets.is_empty();
                    self.phase = Phase::Ending { lingers };
                    octets = &[];
                }
                Next::HandOver => {
                    self.phase = Phase::HandedOver;
                    break;
                }
                Next::Upgrade => {
                    handled_requests += 1;
                    self.phase = Phase::Upgraded;
                    self.upgrade = context.handler.take_upgrade().map(Box::new);
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
        handled_requests
    }

    /// Takes the PROXY header that octets begin with, if it is whole, and returns what follows it.
    fn take_proxy_header<'a>(&mut self, octets: &'a [u8], handler: &Handler) -> &'a [u8] {
        match ProxyHeader::of_stream(octets) {
            Ok(None) => octets,
            Ok(Some(header)) => {
                if let Some(client) = header.client {
                    self.source = Source::Named(client.ip());
                }
                self.phase = Phase::Serving;
                &octets[header.octets..]
            }
            Err(_not_one) => {
                handler.count(Counter::BadProxyHeader);
                self.phase = Phase::Ending { lingers: false };
                &[]
            }
        }
    }

    /// Returns what was read and not handled, for whoever goes on with the connection.
    pub fn into_input(self) -> Vec<u8> {
        self.input
    }

    /// Returns what a handshake of WebSocket was for, and the octets that were read behind it; `None`
    /// unless [`Step::Upgrade`] is what is to be done.
    pub fn into_upgrade(self) -> Option<(Upgrade, Vec<u8>)> {
        Some((*self.upgrade?, self.input))
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
    /// response, and a PROXY header none.
    pub fn expire(&mut self, context: &mut Context, now: Instant) {
        context.handler.select(self.listener);
        let is_late = self.next_step() == Step::Read && !self.input.is_empty();
        let is_proxy_late = is_late && self.phase == Phase::AwaitingProxyHeader;
        self.input = Vec::new();
        self.unsent = Vec::new();
        self.sent = 0;
        self.phase = Phase::Ending { lingers: false };
        if is_proxy_late {
            context.handler.count(Counter::LateProxyHeader);
        } else if is_late {
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
mod tests;
