//! One TCP connection.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use opentracker_types::Event;

use super::response::{Parsed, Response, parse};
use crate::stream::Stream;
use crate::tally::Kind;

/// A place for a connection, which may be open or not.
#[derive(Debug, Default)]
pub(super) struct Connection {
    stream: Stream,
    /// Responses that have been taken.
    taken: u64,
    /// The requests that wait for their responses, in order.
    pub(super) waiting: VecDeque<Waiting>,
}

/// A request that waits for its response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) kind: Kind,
    /// What an announce reports.
    pub(super) event: Event,
    /// When it was sent, or was due: nanoseconds of the run's clock.
    pub(super) since: u64,
}

impl Connection {
    /// Tells whether the other side may have ended this connection before it saw the requests that
    /// wait, as HTTP allows it to after any response; a client then sends them again.
    pub(super) fn ends_in_order(&self) -> bool {
        self.taken > 0 && self.stream.received().is_empty()
    }

    /// Closes the connection and forgets what was on its way.
    pub(super) fn close(&mut self) {
        self.stream.close();
        self.taken = 0;
        self.waiting.clear();
    }

    /// Takes the responses that have come, in order, until `take` says to stop; returns whether
    /// what came was understood.
    pub(super) fn take_responses(
        &mut self,
        has_ended: bool,
        mut take: impl FnMut(Waiting, &Response<'_>) -> bool,
    ) -> bool {
        let mut start = 0;
        let mut is_good = true;
        let received = self.stream.received();
        while start < received.len() {
            let Some(&waiting) = self.waiting.front() else {
                // Nobody asked for this.
                is_good = false;
                break;
            };
            match parse(&received[start..], has_ended) {
                Parsed::Complete(response) => {
                    start += response.octets;
                    self.taken += 1;
                    self.waiting.pop_front();
                    if !take(waiting, &response) {
                        break;
                    }
                }
                Parsed::Partial => break,
                Parsed::Malformed => {
                    is_good = false;
                    break;
                }
            }
        }
        self.stream.drop_first(start);
        is_good
    }
}

impl Deref for Connection {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Stream {
        &mut self.stream
    }
}
