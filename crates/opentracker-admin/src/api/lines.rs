//! The body of a stream: a JSON object a line, as things happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use opentracker_api as api;
use opentracker_core::{Outcome, Subscription, SwarmEvent, SwarmEventKind, Traced, TracedRequest};
use opentracker_types::{Event, PeerId};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::unix_millis;

/// What became of a request in a word, where that is not the reason of a refusal.
pub(super) const SERVED: &str = "served";
pub(super) const REJECTED: &str = "rejected";

/// How often it is looked for what has happened.
const TICK: Duration = Duration::from_millis(200);

/// A reader hears at least so often, so that it notices when nobody is there any more.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// What it is made of.
#[derive(Debug)]
pub(super) enum Source {
    Events(Subscription<SwarmEvent>),
    Requests(Subscription<Traced>),
}

/// When it ends by itself.
#[derive(Debug, Default)]
pub(super) struct End {
    /// After so many lines.
    pub(super) lines: Option<usize>,
    pub(super) at: Option<Instant>,
}

/// A stream on its way to a reader.
#[derive(Debug)]
pub(crate) struct Lines {
    source: Source,
    end: End,
    tick: Interval,
    said: Instant,
    /// What was missed and has not been said.
    missed: u64,
    is_stopping: Arc<AtomicBool>,
    is_done: bool,
    _slot: OwnedSemaphorePermit,
}

impl Lines {
    pub(super) fn new(
        source: Source,
        end: End,
        is_stopping: Arc<AtomicBool>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            source,
            end,
            tick,
            said: Instant::now(),
            missed: 0,
            is_stopping,
            is_done: false,
            _slot: slot,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Returns the next lines; `None` at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if self.is_done {
                return Poll::Ready(None);
            }
            ready!(self.tick.poll_tick(cx));
            let now = Instant::now();
            let text = self.take();
            let is_over = self.end.at.is_some_and(|end| now >= end);
            self.is_done =
                is_over || self.end.lines == Some(0) || self.is_stopping.load(Ordering::Relaxed);
            if !text.is_empty() {
                self.said = now;
                return Poll::Ready(Some(text.into()));
            }
            if !self.is_done && now.duration_since(self.said) >= SIGN_OF_LIFE {
                self.said = now;
                return Poll::Ready(Some(Bytes::from_static(b"\n")));
            }
        }
    }

    /// Takes what has happened.
    fn take(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let most = self.end.lines.unwrap_or(usize::MAX);
        let written = match &self.source {
            Source::Events(events) => {
                let (events, missed) = events.take();
                self.missed += missed;
                let events = events.iter().take(most);
                put(events, &mut self.missed, event_of, &mut text)
            }
            Source::Requests(requests) => {
                let (requests, missed) = requests.take();
                self.missed += missed;
                let requests = requests.iter().take(most);
                put(requests, &mut self.missed, traced_of, &mut text)
            }
        };
        if let Some(left) = &mut self.end.lines {
            *left -= written;
        }
        text
    }
}

/// Appends a line for each, and returns how many there are. The first says what was missed.
fn put<'a, T: 'a, L: Serialize>(
    items: impl Iterator<Item = &'a T>,
    missed: &mut u64,
    line_of: impl Fn(&T, u64) -> L,
    out: &mut Vec<u8>,
) -> usize {
    let mut written = 0;
    for item in items {
        let line = line_of(item, std::mem::take(missed));
        serde_json::to_writer(&mut *out, &line).expect("it has no map with keys but text");
        out.push(b'\n');
        written += 1;
    }
    written
}

fn event_of(event: &SwarmEvent, missed: u64) -> Option<api::Event> {
    let kind = match event.kind {
        SwarmEventKind::FirstSeeder => api::EventKind::FirstSeeder,
        SwarmEventKind::Completed => api::EventKind::Completed,
        SwarmEventKind::Gone => api::EventKind::Gone,
        SwarmEventKind::Blocked => api::EventKind::Blocked,
        SwarmEventKind::Unblocked => api::EventKind::Unblocked,
        _ => return None,
    };
    Some(api::Event {
        time_ms: unix_millis(event.at),
        event: kind,
        info_hash: event.info_hash.to_string(),
        seeders: event.counts.seeders,
        leechers: event.counts.leechers,
        missed,
    })
}

fn traced_of(traced: &Traced, missed: u64) -> api::Traced {
    let (announce, request) = match &traced.request {
        TracedRequest::Announce(announce) => (Some(announce), "announce"),
        TracedRequest::Scrape { .. } => (None, "scrape"),
        TracedRequest::Other(what) => (None, *what),
        _ => (None, "other"),
    };
    let event = announce.and_then(|announce| match announce.event {
        Event::None => None,
        Event::Started => Some("started"),
        Event::Completed => Some("completed"),
        Event::Stopped => Some("stopped"),
        Event::Paused => Some("paused"),
    });
    let (reply, peers) = match &traced.outcome {
        Outcome::Announced { reply, peers } => (Some(reply), u32::try_from(*peers).ok()),
        _ => (None, None),
    };
    let counts = match &traced.outcome {
        Outcome::Scraped(counts) => *counts,
        _ => reply.map(|reply| reply.counts),
    };
    api::Traced {
        time_ms: unix_millis(traced.at),
        protocol: traced.front_end.to_owned(),
        request: request.to_owned(),
        client: traced.client.to_string(),
        port: announce.map(|announce| announce.port),
        info_hash: traced
            .request
            .info_hash()
            .map(|info_hash| info_hash.to_string()),
        peer_id: announce
            .and_then(|announce| announce.peer_id.as_ref())
            .map(printable),
        event: event.map(str::to_owned),
        left: announce.and_then(|announce| announce.left),
        num_want: announce.and_then(|announce| announce.num_want),
        outcome: word(&traced.outcome).to_owned(),
        detail: traced.outcome.to_string(),
        seeders: counts.map(|counts| counts.seeders),
        leechers: counts.map(|counts| counts.leechers),
        peers,
        interval_secs: reply.map(|reply| reply.interval_secs),
        missed,
    }
}

/// The beginning of a peer id that says which client it is.
fn printable(peer_id: &PeerId) -> String {
    let octets = peer_id.as_bytes().iter();
    let octets = octets.take_while(|octet| octet.is_ascii_graphic()).take(8);
    octets.map(|&octet| char::from(octet)).collect()
}

/// Says in a word what became of a request.
pub(super) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(refusal) => refusal.reason.word(),
        Outcome::Rejected(_) => REJECTED,
        _ => SERVED,
    }
}
