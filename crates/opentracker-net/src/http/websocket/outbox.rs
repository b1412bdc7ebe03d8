//! What is to be sent over a connection, from whomever it comes.

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};

/// With so many octets on their way to it, a client that does not take them is cut off.
const MAX_UNSENT_OCTETS: usize = 128 * 1024;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    octets: RefCell<Vec<u8>>,
    /// Octets of them that have been sent.
    sent: Cell<usize>,
    is_full: Cell<bool>,
    is_going: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Outbox {
    /// Adds octets, unless there is no room.
    pub(super) fn push(&self, octets: &[u8]) {
        if self.len() + octets.len() > MAX_UNSENT_OCTETS {
            self.is_full.set(true);
        } else {
            self.octets.borrow_mut().extend_from_slice(octets);
        }
    }

    /// Adds octets that come from another connection; tells whether there was room.
    pub(super) fn deliver(&self, octets: &[u8]) -> bool {
        self.push(octets);
        self.wake();
        !self.is_full.get()
    }

    /// Lets the connection end, because the thread does.
    pub(super) fn send_away(&self) {
        self.is_going.set(true);
        self.wake();
    }

    pub(super) fn is_going(&self) -> bool {
        self.is_going.get()
    }

    /// Whether there was something for which there was no room.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// Octets that are to be sent.
    pub(super) fn len(&self) -> usize {
        self.octets.borrow().len() - self.sent.get()
    }

    /// Sends octets, of which `write` says how many it has taken.
    pub(super) fn send<T>(&self, write: impl FnOnce(&[u8]) -> (usize, T)) -> T {
        let mut octets = self.octets.borrow_mut();
        let (sent, result) = write(&octets[self.sent.get()..]);
        self.sent.set(self.sent.get() + sent);
        if self.sent.get() == octets.len() {
            *octets = Vec::new();
            self.sent.set(0);
        }
        result
    }

    /// Wakes the connection when there is something new.
    pub(super) fn wait(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_noted_and_what_was_sent_makes_room() {
        let outbox = Outbox::default();
        assert!(outbox.deliver(&[1; MAX_UNSENT_OCTETS - 1]));
        assert_eq!(
            outbox.send(|octets| (1000, octets.len())),
            MAX_UNSENT_OCTETS - 1
        );
        assert!(outbox.deliver(&[2; 1001]));
        assert!(!outbox.deliver(&[3]) && outbox.is_full());
        assert_eq!(outbox.len(), MAX_UNSENT_OCTETS);
        outbox.send(|octets| (octets.len(), ()));
        assert_eq!((outbox.len(), outbox.octets.borrow().capacity()), (0, 0));
    }
}
