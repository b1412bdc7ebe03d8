//! The loop of a thread.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use opentracker_types::Event;

use super::connection::{Connection, Waiting};
use super::requests::Writer;
use super::response::Response;
use crate::drive::{self, Schedule, Timing, Turns};
use crate::pace::{Clock, Pace};
use crate::random::Random;
use crate::sources::Sources;
use crate::sys::{Interest, Poller};
use crate::tally::{Gauge, Kind, Tally};

/// Between whom the connections of a run go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) target: SocketAddr,
    pub(super) sources: Sources,
    pub(super) peers_per_source: u64,
}

/// How a thread sends and waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Connections that are open at a time.
    pub(super) connections: u64,
    /// Whether a connection serves for more than one request.
    pub(super) keeps: bool,
    /// Requests that wait on a connection.
    pub(super) depth: usize,
    /// Announces, in proportion to scrapes.
    pub(super) announce: u32,
    pub(super) scrape: u32,
    /// Share of announces that say `stopped`.
    pub(super) stopped: f64,
    pub(super) timing: Timing,
}

/// The state of a thread.
pub(super) struct Engine {
    route: Route,
    manner: Manner,
    writer: Writer,
    connections: Vec<Connection>,
    /// Connections that have room for a request, in turn.
    free: VecDeque<usize>,
    /// Connections that failed, until it is time to try again.
    resting: Vec<usize>,
    /// Requests that have to be sent again.
    again: VecDeque<Waiting>,
    poller: Poller,
    random: Random,
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
    /// The system gives no epoll.
    pub(super) fn new(
        route: Route,
        manner: Manner,
        writer: Writer,
        random: Random,
    ) -> Result<Self> {
        let count = usize::try_from(manner.connections)?;
        Ok(Self {
            route,
            manner,
            writer,
            connections: (0..count).map(|_| Connection::default()).collect(),
            free: (0..count).collect(),
            resting: Vec::new(),
            again: VecDeque::new(),
            poller: Poller::new().context("no epoll")?,
            random,
            tally: Tally::new(),
        })
    }

    /// Looks after the connections on which something has changed; says whether there were any.
    fn attend(&mut self, clock: Clock) -> Result<bool> {
        self.poller.wait(Duration::ZERO).context("no epoll")?;
        for index in 0..self.poller.ready() {
            let event = self.poller.event(index);
            self.attend_one(event.token, event.is_hangup, clock.now());
        }
        Ok(self.poller.ready() > 0)
    }

    fn attend_one(&mut self, place: usize, is_hangup: bool, now: u64) {
        let connection = &mut self.connections[place];
        if !connection.is_open() {
            return;
        }
        let had_room = connection.waiting.len() < self.manner.depth;
        let read = connection.flush().and_then(|()| connection.read(is_hangup));
        let has_ended = !matches!(read, Ok(false));
        let (tally, keeps) = (&mut self.tally, self.manner.keeps);
        let mut stays = !has_ended;
        let is_good = connection.take_responses(has_ended, |waiting, response| {
            settle(tally, waiting, response, now);
            stays &= keeps && !response.closes;
            stays || has_ended
        });
        if !is_good {
            tally.malformed += 1;
        }
        if stays && is_good {
            let has_room = connection.waiting.len() < self.manner.depth;
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
            self.tally.resent += waiting;
            self.again.append(&mut connection.waiting);
            connection.close();
            return false;
        }
        self.tally.lost += waiting;
        self.tally.broken += u64::from(waiting > 0);
        connection.close();
        waiting > 0
    }

    /// Sends what is due, as far as there is room; says whether there was any.
    fn fill(&mut self, pace: &mut Pace, now: u64) -> bool {
        let mut is_busy = false;
        while let Some(place) = self.free.pop_front() {
            let waiting = match self.again.pop_front() {
                Some(waiting) => waiting,
                None => match pace.take(now) {
                    Some(since) => self.next(since),
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
            } else if self.connections[place].waiting.len() < self.manner.depth {
                self.free.push_back(place);
            }
        }
        is_busy
    }

    /// Decides what is asked for next.
    fn next(&mut self, since: u64) -> Waiting {
        let announces = u64::from(self.manner.announce);
        let total = announces + u64::from(self.manner.scrape);
        let kind = if self.random.below(total) < announces {
            Kind::Announce
        } else {
            Kind::Scrape
        };
        self.tally.sent.count(kind);
        Waiting { kind, since }
    }

    fn send(&mut self, place: usize, waiting: Waiting) -> io::Result<()> {
        // All threads' connections are spread over the sources.
        let number = self.manner.timing.thread * self.manner.connections + place as u64;
        let source = number % self.route.sources.count();
        let event = if self.manner.stopped > 0.0 && self.random.unit() < self.manner.stopped {
            Event::Stopped
        } else {
            Event::None
        };
        let rank = self.random.below(self.route.peers_per_source);
        let peer = rank * self.route.sources.count() + source;

        let connection = &mut self.connections[place];
        connection.waiting.push_back(waiting);
        if !connection.is_open() {
            let Route {
                target, sources, ..
            } = &self.route;
            let stream = connection.open(sources, source, *target, self.manner.keeps)?;
            self.poller.add(stream, place, Interest::Changes)?;
            self.tally.connections += 1;
        }
        let output = connection.output();
        self.writer
            .write(output, waiting.kind, peer, event, &mut self.random);
        connection.flush()
    }

    /// Gives up the connections whose first request has waited since before `limit`.
    fn expire(&mut self, limit: u64) {
        for place in 0..self.connections.len() {
            let waiting = &self.connections[place].waiting;
            if waiting.front().is_some_and(|first| first.since < limit) {
                let had_room = waiting.len() < self.manner.depth;
                self.end(place, false);
                if !had_room {
                    self.free.push_back(place);
                }
            }
        }
    }
}

impl drive::Engine for Engine {
    fn run(mut self, schedule: &Schedule, gauge: &Gauge) -> Result<Tally> {
        let clock = schedule.clock;
        let mut pace = self.manner.timing.pace(schedule.start);
        let mut turns = Turns::new(schedule);
        let (mut next_expiry, mut next_retry) = (0, 0);
        let end = loop {
            let now = clock.now();
            if schedule.is_over(now) {
                break now;
            }
            turns.begin(now, &mut self.tally);
            let mut is_busy = self.attend(clock)?;
            is_busy |= self.fill(&mut pace, now);
            if now >= next_expiry {
                next_expiry = now + EXPIRE_GAP;
                self.expire(now.saturating_sub(self.manner.timing.timeout));
            }
            if now >= next_retry {
                next_retry = now + REST_GAP;
                self.free.extend(self.resting.drain(..));
            }
            gauge.publish(&self.tally);
            if !is_busy {
                turns.idle(now);
                self.manner.timing.rest(&pace, now);
            }
        };
        turns.end(end, &mut self.tally);
        Ok(self.tally)
    }
}

/// Counts a response.
fn settle(tally: &mut Tally, waiting: Waiting, response: &Response<'_>, now: u64) {
    tally.answer(response.octets, now.saturating_sub(waiting.since));
    match response.refusal() {
        Some(reason) => tally.error(&reason),
        None => {
            tally.answered.count(waiting.kind);
            if waiting.kind == Kind::Announce {
                tally.peers += response.peers() as u64;
            }
        }
    }
}
