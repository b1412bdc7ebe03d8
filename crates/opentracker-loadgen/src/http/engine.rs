//! The loop of a thread.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use mio::{Events, Interest, Poll, Token};
use rand::RngExt;
use rand::rngs::SmallRng;

use super::connection::{Connection, Waiting};
use super::requests::Writer;
use super::response::Response;
use crate::drive::{self, Turn};
use crate::host::is_transient;
use crate::mix::Mix;
use crate::pace::{Clock, Pace};
use crate::sources::Sources;
use crate::tally::{Kind, Tally};
use crate::tls::Tls;

/// What the connections of a run have in common.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) target: SocketAddr,
    pub(super) sources: Sources,
    pub(super) peers_per_source: u64,
    /// Nanoseconds after which a request is lost.
    pub(super) timeout: u64,
    /// Connections of a thread that are open at a time.
    pub(super) connections: u64,
    /// Whether a connection serves for more than one request.
    pub(super) keeps: bool,
    /// Requests that wait on a connection.
    pub(super) depth: usize,
    pub(super) mix: Mix,
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
    connections: Vec<Connection>,
    /// Connections that have room for a request, in turn.
    free: VecDeque<usize>,
    /// Connections that failed, until it is time to try again.
    resting: Vec<usize>,
    /// Requests that have to be sent again.
    again: VecDeque<Waiting>,
    next_expiry: u64,
    next_retry: u64,
    poll: Poll,
    events: Events,
    random: SmallRng,
    tally: Tally,
}

/// How often it is looked after requests that wait too long.
const EXPIRE_GAP: u64 = 20_000_000;

/// How long a connection rests that could not be opened: so many of the above.
const REST_GAP: u64 = 5 * EXPIRE_GAP;

impl Engine {
    /// Prepares the connections, and opens none.
    ///
    /// # Errors
    ///
    /// The system gives no poller.
    pub(super) fn new(
        plan: Plan,
        thread: u64,
        pace: Pace,
        clock: Clock,
        random: SmallRng,
    ) -> Result<Self> {
        let count = usize::try_from(plan.connections)?;
        Ok(Self {
            plan,
            thread,
            clock,
            pace,
            connections: (0..count).map(|_| Connection::default()).collect(),
            free: (0..count).collect(),
            resting: Vec::new(),
            again: VecDeque::new(),
            next_expiry: 0,
            next_retry: 0,
            poll: Poll::new().context("no poller")?,
            events: Events::with_capacity(256),
            random,
            tally: Tally::default(),
        })
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
            let has_ended = event.is_read_closed() || event.is_error();
            self.attend_one(event.token().0, has_ended, self.clock.now());
        }
        self.events = events;
        Ok(!self.events.is_empty())
    }

    fn attend_one(&mut self, place: usize, is_hangup: bool, now: u64) {
        let connection = &mut self.connections[place];
        if !connection.is_open() {
            return;
        }
        let had_room = connection.waiting.len() < self.plan.depth;
        let read = connection.flush().and_then(|()| connection.read(is_hangup));
        let has_ended = !matches!(read, Ok(false));
        let (tally, keeps) = (&mut self.tally, self.plan.keeps);
        let mut stays = !has_ended;
        let is_good = connection.take_responses(has_ended, |waiting, response| {
            settle(tally, waiting, response, now);
            stays &= keeps && !response.closes;
            stays || has_ended
        });
        if !is_good {
            tally.counts.malformed += 1;
        }
        if stays && is_good {
            let has_room = connection.waiting.len() < self.plan.depth;
            if has_room && !had_room {
                self.free.push_back(place);
            }
        } else {
            self.end(place, true);
            if !had_room {
                self.free.push_back(place);
            }
        }
    }

    /// Closes a connection. What still waits on it is sent again if the other side ended it in
    /// order, else it is lost; returns whether something is.
    fn end(&mut self, place: usize, by_other_side: bool) -> bool {
        let connection = &mut self.connections[place];
        let waiting = connection.waiting.len() as u64;
        if by_other_side && connection.ends_in_order() {
            self.tally.counts.resent += waiting;
            self.again.append(&mut connection.waiting);
            connection.close();
            return false;
        }
        self.tally.counts.lost += waiting;
        self.tally.broken += u64::from(waiting > 0);
        connection.close();
        waiting > 0
    }

    /// Sends what is due, as far as there is room; says whether there was any.
    fn fill(&mut self, now: u64) -> bool {
        let mut is_busy = false;
        while let Some(place) = self.free.pop_front() {
            let waiting = match self.again.pop_front() {
                Some(waiting) => waiting,
                None => match self.pace.take(now) {
                    Some(since) => self.draw(since),
                    None => {
                        self.free.push_front(place);
                        break;
                    }
                },
            };
            is_busy = true;
            let sent = self.send(place, waiting);
            if sent.is_err() && self.end(place, true) {
                self.resting.push(place);
            } else if self.connections[place].waiting.len() < self.plan.depth {
                self.free.push_back(place);
            }
        }
        is_busy
    }

    /// Decides what is asked for next.
    fn draw(&mut self, since: u64) -> Waiting {
        let (kind, event) = self.plan.mix.draw(&mut self.random);
        self.tally.counts.sent.count(kind);
        Waiting { kind, event, since }
    }

    fn send(&mut self, place: usize, waiting: Waiting) -> io::Result<()> {
        let plan = &self.plan;
        // All threads' connections are spread over the sources.
        let number = self.thread * plan.connections + place as u64;
        let source = number % plan.sources.count();
        let rank = self.random.random_range(0..plan.peers_per_source);
        let peer = rank * plan.sources.count() + source;

        let connection = &mut self.connections[place];
        connection.waiting.push_back(waiting);
        if !connection.is_open() {
            let stream = connection.open(
                &plan.sources,
                source,
                plan.target,
                plan.keeps,
                plan.tls.as_ref(),
            )?;
            let changes = Interest::READABLE | Interest::WRITABLE;
            self.poll
                .registry()
                .register(stream, Token(place), changes)?;
            self.tally.connections += 1;
        }
        let Waiting { kind, event, .. } = waiting;
        let output = connection.output();
        plan.writer
            .write(output, kind, peer, event, &mut self.random);
        connection.flush()
    }

    /// Gives up the connections whose first request has waited since before `limit`.
    fn expire(&mut self, limit: u64) {
        for place in 0..self.connections.len() {
            let waiting = &self.connections[place].waiting;
            if waiting.front().is_some_and(|first| first.since < limit) {
                let had_room = waiting.len() < self.plan.depth;
                self.end(place, false);
                if !had_room {
                    self.free.push_back(place);
                }
            }
        }
    }
}

impl drive::Engine for Engine {
    fn turn(&mut self, now: u64) -> Result<Turn> {
        let is_busy = self.attend()? | self.fill(now);
        if now >= self.next_expiry {
            self.next_expiry = now + EXPIRE_GAP;
            self.expire(now.saturating_sub(self.plan.timeout));
        }
        if now >= self.next_retry {
            self.next_retry = now + REST_GAP;
            self.free.extend(self.resting.drain(..));
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

/// Counts a response.
fn settle(tally: &mut Tally, waiting: Waiting, response: &Response<'_>, now: u64) {
    tally.answer(response.octets, now.saturating_sub(waiting.since));
    match response.refusal() {
        Some(reason) => tally.counts.error(&reason),
        None => {
            tally.counts.answered.count(waiting.kind);
            if waiting.kind == Kind::Announce {
                tally.peers += response.peers() as u64;
            }
        }
    }
}
