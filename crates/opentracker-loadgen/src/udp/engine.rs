//! The loop of a thread.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use opentracker_types::Event;
use opentracker_udp_wire::{ConnectionId, Reply};
use rand::rngs::SmallRng;

use super::outstanding::{Entry, Outstanding};
use super::requests::{Encoder, Job, Workload};
use super::transport::{Below, Transport};
use crate::drive::{self, Turn};
use crate::pace::{Clock, Pace};
use crate::sources::Sources;
use crate::tally::{Kind, Tally};

/// Between whom the datagrams of a run go, and how many at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) target: SocketAddr,
    pub(super) sources: Sources,
    /// Sockets of all threads.
    pub(super) sockets: u64,
    /// Nanoseconds after which a request is lost.
    pub(super) timeout: u64,
    /// The most requests of a socket that may be in flight.
    pub(super) window: u32,
    /// The most datagrams of a system call.
    pub(super) batch: usize,
    /// The most datagrams of a train.
    pub(super) train: usize,
}

/// The state of a thread.
pub(super) struct Engine {
    plan: Plan,
    clock: Clock,
    pace: Pace,
    workload: Workload,
    encoder: Encoder,
    channels: Vec<Channel>,
    outstanding: Outstanding,
    next_expiry: u64,
    transport: Transport,
    random: SmallRng,
    tally: Tally,
}

/// A port and the sources that speak from it.
struct Channel {
    /// Its number among those of all threads.
    number: u64,
    sources: Vec<Source>,
    in_flight: u32,
}

/// An address that requests come from, and its standing with the tracker.
struct Source {
    /// `None` if the system chooses it.
    address: Option<IpAddr>,
    id: ConnectionId,
    /// When the id came; `None` if there is none yet, or it may have been refused.
    since: Option<u64>,
    /// When one was last asked for.
    asked: u64,
}

/// BEP 15: a client can use a connection id until one minute after it has received it.
const ID_LIFETIME: u64 = 55 * SECOND;

/// A connect is not repeated sooner.
const CONNECT_GAP: u64 = SECOND;

/// How often the first connects are tried, for one timeout each.
const CONNECT_ROUNDS: u32 = 5;

/// How often it is looked after requests that wait too long.
const EXPIRE_GAP: u64 = SECOND / 50;

/// How long to wait for answers to the first connects between two looks.
const CONNECT_PAUSE: Duration = Duration::from_micros(100);

/// The most requests of a thread in flight.
const MAX_IN_FLIGHT: u64 = 1 << 22;

const SECOND: u64 = 1_000_000_000;

impl Engine {
    /// Opens the sockets with these numbers, or what there is instead of them below the stack.
    ///
    /// # Errors
    ///
    /// The system gives no socket.
    pub(super) fn new(
        (plan, below): (Plan, Option<&Below>),
        numbers: Range<u64>,
        pace: Pace,
        clock: Clock,
        (workload, encoder): (Workload, Encoder),
        random: SmallRng,
    ) -> Result<Self> {
        let channels: Vec<_> = numbers.map(|number| Channel::new(&plan, number)).collect();
        let transport = match below {
            Some(below) => Transport::below(below, &plan, channels.len())?,
            None => Transport::by_sockets(&plan, channels.len()).context("cannot open a socket")?,
        };
        let capacity = u64::from(plan.window) * channels.len() as u64;
        ensure!(
            capacity <= MAX_IN_FLIGHT,
            "{capacity} requests of a thread in flight are too many, {MAX_IN_FLIGHT} is the most"
        );
        Ok(Self {
            plan,
            clock,
            pace,
            workload,
            encoder,
            channels,
            outstanding: Outstanding::new(u32::try_from(capacity)?),
            next_expiry: 0,
            transport,
            random,
            tally: Tally::default(),
        })
    }

    /// Gets a connection id for each source.
    ///
    /// # Errors
    ///
    /// The tracker does not answer, or the system refuses to send.
    pub(super) fn connect(&mut self) -> Result<()> {
        for channel in 0..self.channels.len() {
            for _ in 0..CONNECT_ROUNDS {
                self.connect_round(channel)?;
            }
            let channel = &self.channels[channel];
            ensure!(
                channel.unconnected().is_empty(),
                "{} of {} sources got no connection id: is a tracker listening there?",
                channel.unconnected().len(),
                channel.sources.len(),
            );
        }
        self.tally = Tally::default();
        Ok(())
    }

    fn connect_round(&mut self, channel: usize) -> Result<()> {
        let (number, sockets) = (self.channels[channel].number, self.plan.sockets);
        let mut sources = self.channels[channel].unconnected().into_iter().peekable();
        let deadline = self.clock.now() + self.plan.timeout;
        while (sources.peek().is_some() || self.outstanding.len() > 0)
            && self.clock.now() < deadline
        {
            let now = self.clock.now();
            for source in sources.by_ref().take(self.room(channel)) {
                let job = Job {
                    kind: Kind::Connect,
                    peer: source * sockets + number,
                    event: Event::None,
                };
                self.queue(channel, job, now, now);
            }
            let sent = self.transport.send(channel);
            if let Some(error) = sent.error {
                return Err(error).context("cannot send to the target");
            }
            if !self.receive(channel)? {
                thread::sleep(CONNECT_PAUSE);
            }
        }
        self.expire(u64::MAX);
        Ok(())
    }

    /// Takes a batch of answers; says whether there were any.
    fn receive(&mut self, channel: usize) -> Result<bool> {
        let received = self.transport.receive(channel)?;
        if received > 0 {
            let now = self.clock.now();
            for index in 0..received {
                self.take(index, now);
            }
        }
        Ok(received > 0)
    }

    fn take(&mut self, index: usize, now: u64) {
        let Some(datagram) = self.transport.reply(index) else {
            return;
        };
        let Ok(reply) = Reply::decode(datagram) else {
            self.tally.counts.malformed += 1;
            return;
        };
        let Some(entry) = self.outstanding.remove(reply.transaction().into()) else {
            self.tally.counts.stray += 1;
            return;
        };
        let latency = now.saturating_sub(entry.since);
        let channel = &mut self.channels[entry.channel];
        channel.in_flight -= 1;
        match (reply, entry.kind) {
            (Reply::Connect(reply), Kind::Connect) => {
                let source = channel.source(entry.peer, self.plan.sockets);
                source.id = reply.connection;
                source.since = Some(now);
            }
            (Reply::Announce(reply), Kind::Announce) => {
                let peer_octets = if self.plan.target.is_ipv6() { 18 } else { 6 };
                self.tally.peers += (reply.peers.len() / peer_octets) as u64;
            }
            (Reply::Scrape(_), Kind::Scrape) => {}
            (Reply::Error(reply), _) => {
                self.tally.counts.error(reply.message);
                self.tally.answer(datagram.len(), latency);
                // It may have been the connection id that it did not like.
                channel.source(entry.peer, self.plan.sockets).since = None;
                return;
            }
            _ => {
                self.tally.counts.malformed += 1;
                return;
            }
        }
        self.tally.counts.answered.count(entry.kind);
        self.tally.answer(datagram.len(), latency);
    }

    /// Sends a batch of what is due, as far as there is room; says whether there was any.
    fn fill(&mut self, channel: usize, now: u64) -> bool {
        let number = self.channels[channel].number;
        for _ in 0..self.room(channel) {
            let Some(since) = self.pace.take(now) else {
                break;
            };
            let Some(mut job) = self.workload.next(channel, number, &mut self.random) else {
                break;
            };
            if self.channels[channel]
                .source(job.peer, self.plan.sockets)
                .is_due(now)
            {
                self.workload.lost(channel, job.kind, job.peer);
                job.kind = Kind::Connect;
            }
            self.queue(channel, job, since, now);
        }
        if self.transport.is_empty() {
            return false;
        }
        let sent = self.transport.send(channel);
        self.tally.counts.unsent += sent.failed as u64;
        true
    }

    /// How many requests of a socket may be queued.
    fn room(&self, channel: usize) -> usize {
        let room = self.plan.window - self.channels[channel].in_flight;
        self.plan
            .batch
            .min(usize::try_from(room).unwrap_or(usize::MAX))
    }

    fn queue(&mut self, number: usize, job: Job, since: u64, now: u64) {
        let entry = Entry {
            kind: job.kind,
            channel: number,
            peer: job.peer,
            since,
        };
        let transaction = self
            .outstanding
            .insert(entry)
            .expect("there is room for the windows of all sockets");
        let channel = &mut self.channels[number];
        channel.in_flight += 1;
        let place = channel.place(job.peer, self.plan.sockets);
        let source = &mut channel.sources[place];
        if job.kind == Kind::Connect {
            source.asked = now;
        }
        let between = (source.address, self.plan.target);
        self.transport.push(number, between, |buffer| {
            let (encoder, random) = (&mut self.encoder, &mut self.random);
            encoder.encode(job, source.id, transaction.into(), random, buffer)
        });
        self.tally.counts.sent.count(job.kind);
    }

    /// Gives up the requests that have waited since before `limit`.
    fn expire(&mut self, limit: u64) {
        self.outstanding.expire(limit, |entry| {
            self.tally.counts.lost += 1;
            self.channels[entry.channel].in_flight -= 1;
            self.workload.lost(entry.channel, entry.kind, entry.peer);
        });
    }
}

impl drive::Engine for Engine {
    fn turn(&mut self, now: u64) -> Result<Turn> {
        let mut is_busy = false;
        for channel in 0..self.channels.len() {
            is_busy |= self.receive(channel)?;
            is_busy |= self.fill(channel, now);
        }
        if now >= self.next_expiry {
            self.next_expiry = now + EXPIRE_GAP;
            self.expire(now.saturating_sub(self.plan.timeout));
        }
        Ok(if is_busy {
            Turn::Busy
        } else if self.workload.is_exhausted() && self.outstanding.len() == 0 {
            Turn::Done
        } else {
            Turn::Idle
        })
    }

    fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

impl Channel {
    fn new(plan: &Plan, number: u64) -> Self {
        let numbers = (number..plan.sources.count()).step_by(index(plan.sockets));
        let sources = numbers
            .map(|source| Source {
                address: plan.sources.address(source),
                id: 0.into(),
                since: None,
                asked: 0,
            })
            .collect();
        Self {
            number,
            sources,
            in_flight: 0,
        }
    }

    /// The source that a peer of this socket announces from.
    fn source(&mut self, peer: u64, sockets: u64) -> &mut Source {
        let place = self.place(peer, sockets);
        &mut self.sources[place]
    }

    fn place(&self, peer: u64, sockets: u64) -> usize {
        index((peer / sockets) % self.sources.len() as u64)
    }

    fn unconnected(&self) -> Vec<u64> {
        (0..)
            .zip(&self.sources)
            .filter(|(_, source)| source.since.is_none())
            .map(|(index, _)| index)
            .collect()
    }
}

impl Source {
    /// Tells whether it is time to ask for a connection id.
    fn is_due(&self, now: u64) -> bool {
        let is_fresh = self.since.is_some_and(|since| now < since + ID_LIFETIME);
        !is_fresh && now >= self.asked + CONNECT_GAP
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("the command line allows 32 bits")
}
