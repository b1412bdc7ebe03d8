use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`Group`](crate::Group) and its senders have done since it joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Datagrams that were handed out.
    pub received: u64,
    /// Datagrams that were dropped because no listed network has their source.
    pub strangers: u64,
    /// Datagrams that the kernel took from us.
    pub sent: u64,
    /// Datagrams that the kernel did not take.
    pub send_errors: u64,
    /// How often the group was joined again.
    pub rejoins: u64,
}

/// The counters as they are counted: by all senders and the receiver at once, each number for
/// itself.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) received: Count,
    pub(crate) strangers: Count,
    pub(crate) sent: Count,
    pub(crate) send_errors: Count,
    pub(crate) rejoins: Count,
}

impl Counting {
    pub(crate) fn read(&self) -> Counters {
        Counters {
            received: self.received.get(),
            strangers: self.strangers.get(),
            sent: self.sent.get(),
            send_errors: self.send_errors.get(),
            rejoins: self.rejoins.get(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
