//! The open connections of a thread: how many there are, and which of them has been idle for the
//! longest.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use tokio::sync::Notify;

/// One in so many idle connections gives way at a time, so that a flood of new ones does not have
/// all of them looked at for each.
const EVICTED_PART: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Connections {
    entries: RefCell<Vec<Rc<Entry>>>,
    all_closed: Notify,
}

#[derive(Debug, Default)]
struct Entry {
    /// Where it stands among the others.
    index: Cell<usize>,
    /// When it will have been idle for too long; `None` while it is not idle.
    idle_until: Cell<Option<Instant>>,
    is_evicted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// An open connection; dropped with it.
#[derive(Debug)]
pub(super) struct Open {
    connections: Rc<Connections>,
    entry: Rc<Entry>,
}

impl Connections {
    /// Adds a connection.
    pub(super) fn open(self: &Rc<Self>) -> Open {
        let entry = Rc::new(Entry::default());
        let mut entries = self.entries.borrow_mut();
        entry.index.set(entries.len());
        entries.push(Rc::clone(&entry));
        Open {
            connections: Rc::clone(self),
            entry,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Waits until there is no connection.
    pub(super) async fn closed(&self) {
        while self.len() > 0 {
            self.all_closed.notified().await;
        }
    }

    /// Lets those that have been idle for the longest close; returns how many.
    pub(super) fn evict(&self) -> usize {
        let entries = self.entries.borrow();
        let mut idle: Vec<_> = entries
            .iter()
            .filter(|entry| !entry.is_evicted.get())
            .filter_map(|entry| Some((entry.idle_until.get()?, entry)))
            .collect();
        if idle.is_empty() {
            return 0;
        }
        let count = idle.len().div_ceil(EVICTED_PART);
        idle.select_nth_unstable_by_key(count - 1, |(until, _)| *until);
        for (_, entry) in &idle[..count] {
            entry.is_evicted.set(true);
            if let Some(waker) = entry.waker.take() {
                waker.wake();
            }
        }
        count
    }
}

impl Open {
    /// Takes note of whether the connection, which waits, is idle, and tells whether it has to
    /// give way to others. It is woken if it has to later.
    pub(super) fn wait(&self, idle_until: Option<Instant>, cx: &Context<'_>) -> bool {
        self.entry.idle_until.set(idle_until);
        let mut waker = self.entry.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        idle_until.is_some() && self.entry.is_evicted.get()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut entries = self.connections.entries.borrow_mut();
        let index = self.entry.index.get();
        entries.swap_remove(index);
        if let Some(moved) = entries.get(index) {
            moved.index.set(index);
        }
        if entries.is_empty() {
            self.connections.all_closed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn those_that_were_idle_for_the_longest_give_way() {
        let connections = Rc::new(Connections::default());
        let mut open: Vec<_> = (0..200).map(|_| connections.open()).collect();
        assert_eq!(connections.evict(), 0, "nobody is idle");
        let now = Instant::now();
        let cx = Context::from_waker(Waker::noop());
        for (number, open) in (0..).zip(&open) {
            // The later ones have been idle for longer; the last one is busy.
            let until = now + Duration::from_secs(1000 - number);
            let is_idle = number < 199;
            assert!(!open.wait(is_idle.then_some(until), &cx));
        }
        assert_eq!(connections.evict(), 4);
        for (number, open) in open.iter().enumerate() {
            let is_evicted = open.entry.is_evicted.get();
            assert_eq!(is_evicted, (195..199).contains(&number), "{number}");
            assert_eq!(open.wait(Some(now), &cx), is_evicted);
        }
        open.retain(|open| !open.entry.is_evicted.get());
        assert_eq!(connections.len(), 196);
        assert_eq!(connections.evict(), 4, "the next");
        open.clear();
        assert_eq!(connections.len(), 0);
    }
}
