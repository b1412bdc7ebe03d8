//! The loop of a thread.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};

use super::frames::{self, Parsed};
use super::messages::{Said, Writer, read};
use crate::drive::{self, Turn};
use crate::host::is_transient;
use crate::pace::{Clock, Pace};
use crate::sources::Sources;
use crate::stream::Stream;
use crate::tally::{Kind, Tally};
use crate::tls::Tls;

/// Handshakes of a thread that wait at a time: a tracker has room for so many connections that it has
/// not accepted.
const MAX_OPENING: usize = 64;

/// How often it is looked after announces that wait too long.
const EXPIRE_GAP: u64 = 100_000_000;

/// What the connections of a run have in common.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) target: SocketAddr,
    pub(super) sources: Sources,
    /// Nanoseconds after which an announce is lost.
    pub(super) timeout: u64,
    /// Connections of a thread.
    pub(super) connections: u64,
    /// Whether a connection announces once.
    pub(super) holds: bool,
    pub(super) writer: Writer,
    /// Connections have TLS on them.
    pub(super) tls: Option<Tls>,
}

/// The state of a thread.
pub(super) struct Engine {
    plan: Plan,
    /// The number of this thread.
    thread: u64,
    clock: Clock,
    pace: Pace,
    browsers: Vec<Browser>,
    /// Connections that are still to be opened, from this one on.
    next: usize,
    opening: usize,
    /// Connections that may announce, in turn.
    free: VecDeque<usize>,
    next_expiry: u64,
    poll: Poll,
    events: Events,
    tally: Tally,
}

/// A connection.
#[derive(Debug, Default)]
struct Browser {
    stream: Stream,
    state: State,
    has_announced: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not opened, or ended.
    #[default]
    Closed,
    /// Its handshake has no response yet.
    Opening,
    /// It may announce.
    Free,
    /// An announce has no reply yet, since this time.
    Waiting(u64),
}

impl Engine {
    /// Prepares the connections, and opens none.
    ///
    /// # Errors
    ///
    /// The system gives no poller.
    pub(super) fn new(plan: Plan, thread: u64, pace: Pace, clock: Clock) -> Result<Self> {
        let count = usize::try_from(plan.connections)?;
        Ok(Self {
            plan,
            thread,
            clock,
            pace,
            browsers: (0..count).map(|_| Browser::default()).collect(),
            next: 0,
            opening: 0,
            free: VecDeque::new(),
            next_expiry: 0,
            poll: Poll::new().context("no poller")?,
            events: Events::with_capacity(256),
            tally: Tally::default(),
        })
    }

    /// The number of the peer of a connection.
    fn peer(&self, place: usize) -> u64 {
        let number = self.thread * self.plan.connections + place as u64;
        number % self.plan.writer.peers()
    }

    /// Opens connections, as far as there is room for handshakes; says whether there was.
    fn open(&mut self) -> bool {
        let mut is_busy = false;
        while self.opening < MAX_OPENING && self.next < self.browsers.len() {
            let place = self.next;
            self.next += 1;
            self.opening += 1;
            is_busy = true;
            if self.open_one(place).is_err() {
                self.end(place);
            }
        }
        is_busy
    }

    fn open_one(&mut self, place: usize) -> io::Result<()> {
        let plan = &self.plan;
        let source = (self.thread * plan.connections + place as u64) % plan.sources.count();
        let browser = &mut self.browsers[place];
        browser.state = State::Opening;
        let (sources, tls) = (&plan.sources, plan.tls.as_ref());
        let socket = browser
            .stream
            .open(sources, source, plan.target, true, tls)?;
        let changes = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(socket, Token(place), changes)?;
        self.tally.connections += 1;
        plan.writer.handshake(browser.stream.output());
        browser.stream.flush()
    }

    /// Sends announces that are due; says whether there were any.
    fn announce(&mut self, now: u64) -> bool {
        let mut is_busy = false;
        while let Some(&place) = self.free.front() {
            if self.browsers[place].state != State::Free {
                // It has ended since.
                self.free.pop_front();
                continue;
            }
            let Some(since) = self.pace.take(now) else {
                break;
            };
            self.free.pop_front();
            is_busy = true;
            let peer = self.peer(place);
            let browser = &mut self.browsers[place];
            let is_first = !std::mem::replace(&mut browser.has_announced, true);
            browser.state = State::Waiting(since);
            let output = browser.stream.output();
            self.plan.writer.announce(peer, is_first, output);
            self.tally.counts.sent.count(Kind::Announce);
            if browser.stream.flush().is_err() {
                self.end(place);
            }
        }
        is_busy
    }

    /// Looks after the connections on which something has changed; says whether there were any.
    fn attend(&mut self) -> Result<bool> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Ok(()) => {}
            Err(error) if is_transient(&error) => return Ok(false),
            Err(error) => return Err(error).context("cannot poll"),
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let place = event.token().0;
            if self.browsers[place].state != State::Closed && !self.attend_one(place) {
                self.end(place);
            }
        }
        self.events = events;
        Ok(!self.events.is_empty())
    }

    /// Takes what has come over a connection; returns whether that goes on.
    fn attend_one(&mut self, place: usize) -> bool {
        let stream = &mut self.browsers[place].stream;
        let read = stream.flush().and_then(|()| stream.read(true));
        let mut goes_on = matches!(read, Ok(false));
        if self.browsers[place].state == State::Opening {
            goes_on &= self.take_response(place);
        }
        if self.browsers[place].state != State::Opening {
            goes_on &= self.take_frames(place);
        }
        let stream = &mut self.browsers[place].stream;
        goes_on &= stream.flush().is_ok();
        if self.plan.holds {
            stream.shrink();
        }
        goes_on
    }

    /// Takes the response to the handshake, if it is whole; returns whether it is a good one.
    fn take_response(&mut self, place: usize) -> bool {
        let stream = &mut self.browsers[place].stream;
        let received = stream.received();
        let end = received.windows(4).position(|octets| octets == b"\r\n\r\n");
        let Some(end) = end else {
            return true;
        };
        let is_good = received.starts_with(b"HTTP/1.1 101 ");
        stream.drop_first(end + 4);
        if is_good {
            self.browsers[place].state = State::Free;
            self.opening -= 1;
            self.free.push_back(place);
        }
        is_good
    }

    /// Takes the frames that have come; returns whether they are good ones and none is the last.
    fn take_frames(&mut self, place: usize) -> bool {
        let peer = self.peer(place);
        let mut stream = std::mem::take(&mut self.browsers[place].stream);
        let mut replies = Vec::new();
        let (mut taken, mut is_good) = (0, true);
        while let Parsed::Frame {
            opcode,
            payload,
            octets,
        } = frames::parse(&stream.received()[taken..])
        {
            taken += octets;
            is_good &= match opcode {
                frames::TEXT => self.take_message(place, peer, payload, &mut replies),
                frames::PING => {
                    frames::put(frames::PONG, payload, &mut replies);
                    true
                }
                frames::CLOSE => false,
                _ => true,
            };
        }
        stream.drop_first(taken);
        stream.output().append(&mut replies);
        self.browsers[place].stream = stream;
        is_good
    }

    fn take_message(
        &mut self,
        place: usize,
        peer: u64,
        message: &[u8],
        replies: &mut Vec<u8>,
    ) -> bool {
        let said = read(message);
        match said {
            None => {
                self.tally.counts.malformed += 1;
                return false;
            }
            Some(Said::Answer) => {}
            Some(Said::Offer { peer: from, id }) => {
                self.tally.peers += 1;
                self.plan.writer.answer(peer, (from, id), replies);
            }
            Some(Said::Announced | Said::Refused(_)) => {
                let State::Waiting(since) = self.browsers[place].state else {
                    self.tally.counts.stray += 1;
                    return true;
                };
                let latency = self.clock.now().saturating_sub(since);
                self.tally.answer(message.len(), latency);
                match said {
                    Some(Said::Refused(reason)) => self.tally.counts.error(reason.as_bytes()),
                    _ => self.tally.counts.answered.count(Kind::Announce),
                }
                self.browsers[place].state = State::Free;
                if !self.plan.holds {
                    self.free.push_back(place);
                }
            }
        }
        true
    }

    /// Closes a connection, which is not opened again.
    fn end(&mut self, place: usize) {
        let browser = &mut self.browsers[place];
        match browser.state {
            State::Closed => return,
            State::Opening => self.opening -= 1,
            State::Free => {}
            State::Waiting(_) => self.tally.counts.lost += 1,
        }
        browser.state = State::Closed;
        browser.stream.close();
        self.tally.broken += 1;
    }

    /// Gives up the connections whose announce has waited since before `limit`.
    fn expire(&mut self, limit: u64) {
        for place in 0..self.browsers.len() {
            if matches!(self.browsers[place].state, State::Waiting(since) if since < limit) {
                self.end(place);
            }
        }
    }
}

impl drive::Engine for Engine {
    fn turn(&mut self, now: u64) -> Result<Turn> {
        let is_busy = self.attend()? | self.open() | self.announce(now);
        if now >= self.next_expiry {
            self.next_expiry = now + EXPIRE_GAP;
            self.expire(now.saturating_sub(self.plan.timeout));
        }
        Ok(if is_busy { Turn::Busy } else { Turn::Idle })
    }

    fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}
