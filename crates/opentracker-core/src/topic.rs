//! What happens, for those who want to hear of it: bounded, and never waited for.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, RwLock};

/// What a subscription holds that nobody has read yet. Beyond it, what is new is counted as missed.
pub const MAX_UNREAD: usize = 4096;

/// What happens is published here, and costs next to nothing while there is no subscription.
pub(crate) struct Topic<T> {
    is_wanted: AtomicBool,
    inboxes: RwLock<Vec<Arc<Inbox<T>>>>,
    /// What happened while somebody came or went, of which nobody heard.
    passed_by: AtomicU64,
}

struct Inbox<T> {
    wants: Box<dyn Fn(&T) -> bool + Send + Sync>,
    unread: Mutex<VecDeque<T>>,
    missed: AtomicU64,
}

/// What somebody hears of. Dropped, it ends.
///
/// It is to be read several times a second: threads that announce wait for nobody, so what finds no
/// room is missed.
pub struct Subscription<T> {
    topic: Arc<Topic<T>>,
    inbox: Arc<Inbox<T>>,
    /// How much had passed everybody by when this was read before.
    passed_by: AtomicU64,
}

impl<T> Topic<T> {
    /// Tells whether somebody wants to hear of anything.
    #[inline]
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// Lets somebody hear of what he `wants`. That is asked for everything that happens, by the
    /// thread to which it happens.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        wants: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Subscription<T> {
        let inbox = Arc::new(Inbox {
            wants: Box::new(wants),
            unread: Mutex::default(),
            missed: AtomicU64::new(0),
        });
        let mut inboxes = self.inboxes.write().unwrap_or_else(PoisonError::into_inner);
        inboxes.push(Arc::clone(&inbox));
        self.is_wanted.store(true, Ordering::Relaxed);
        Subscription {
            topic: Arc::clone(self),
            inbox,
            passed_by: AtomicU64::new(self.passed_by.load(Ordering::Relaxed)),
        }
    }

    fn unsubscribe(&self, inbox: &Arc<Inbox<T>>) {
        let mut inboxes = self.inboxes.write().unwrap_or_else(PoisonError::into_inner);
        inboxes.retain(|other| !Arc::ptr_eq(other, inbox));
        self.is_wanted.store(!inboxes.is_empty(), Ordering::Relaxed);
    }
}

impl<T: Clone> Topic<T> {
    /// Tells those who want to hear of it.
    #[cold]
    pub(crate) fn publish(&self, what: &T) {
        // It is locked for good only while somebody comes or goes.
        let Ok(inboxes) = self.inboxes.try_read() else {
            self.passed_by.fetch_add(1, Ordering::Relaxed);
            return;
        };
        for inbox in &*inboxes {
            if (inbox.wants)(what) {
                inbox.put(what);
            }
        }
    }
}

impl<T: Clone> Inbox<T> {
    fn put(&self, what: &T) {
        if let Ok(mut unread) = self.unread.try_lock()
            && unread.len() < MAX_UNREAD
        {
            unread.push_back(what.clone());
        } else {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<T> Subscription<T> {
    /// Takes what has happened since the last time, the oldest first, and how much was missed
    /// meanwhile, or may have been: what passes everybody by is counted whether it was wanted or not.
    pub fn take(&self) -> (VecDeque<T>, u64) {
        let unread = self.inbox.unread.lock();
        let unread = mem::take(&mut *unread.unwrap_or_else(PoisonError::into_inner));
        let missed = self.inbox.missed.swap(0, Ordering::Relaxed);
        let passed_by = self.topic.passed_by.load(Ordering::Relaxed);
        let before = self.passed_by.swap(passed_by, Ordering::Relaxed);
        (unread, missed + passed_by.wrapping_sub(before))
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        self.topic.unsubscribe(&self.inbox);
    }
}

impl<T> Default for Topic<T> {
    fn default() -> Self {
        Self {
            is_wanted: AtomicBool::new(false),
            inboxes: RwLock::default(),
            passed_by: AtomicU64::new(0),
        }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hears_of_what_he_wants_until_he_goes() {
        let topic = Arc::new(Topic::default());
        assert!(!topic.is_wanted());
        topic.publish(&1);
        let all = topic.subscribe(|_| true);
        let even = topic.subscribe(|number| number % 2 == 0);
        assert!(topic.is_wanted());
        for number in 2..6 {
            topic.publish(&number);
        }
        assert_eq!(all.take(), ([2, 3, 4, 5].into(), 0));
        assert_eq!(even.take(), ([2, 4].into(), 0));
        assert_eq!(even.take(), ([].into(), 0), "what was taken is gone");
        drop(even);
        topic.publish(&6);
        assert_eq!(all.take(), ([6].into(), 0));
        drop(all);
        assert!(!topic.is_wanted());
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let topic = Arc::new(Topic::default());
        let slow = topic.subscribe(|_| true);
        for number in 0..MAX_UNREAD + 7 {
            topic.publish(&number);
        }
        let (unread, missed) = slow.take();
        assert_eq!((unread.len(), missed), (MAX_UNREAD, 7));
        assert_eq!(unread.back(), Some(&(MAX_UNREAD - 1)), "the oldest stay");
        topic.publish(&0);
        assert_eq!(slow.take(), ([0].into(), 0));
    }

    #[test]
    fn nobody_waits_for_a_reader() {
        let topic = Arc::new(Topic::default());
        let reader = topic.subscribe(|_| true);
        let reading = reader.inbox.unread.lock().unwrap();
        topic.publish(&1);
        drop(reading);
        assert_eq!(reader.take(), ([].into(), 1));
    }
}
