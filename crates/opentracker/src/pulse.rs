//! Whether the threads that answer announces are stuck.

use opentracker_net::Heartbeat;

/// Watches the threads that answer announces.
#[derive(Debug)]
pub struct Pulse {
    threads: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    name: String,
    heartbeat: Heartbeat,
    seen: u32,
}

impl Pulse {
    pub(crate) fn new(threads: Vec<(String, Heartbeat)>) -> Self {
        let watched = |(name, heartbeat): (String, Heartbeat)| Watched {
            name,
            seen: heartbeat.turns(),
            heartbeat,
        };
        Self {
            threads: threads.into_iter().map(watched).collect(),
        }
    }

    /// Returns the names of the threads that have not taken a turn since the last look, or since the
    /// watching began. A thread takes several a second, so a look each second is early enough.
    pub fn stuck(&mut self) -> Vec<&str> {
        let is_stuck = |thread: &mut Watched| {
            let turns = thread.heartbeat.turns();
            std::mem::replace(&mut thread.seen, turns) == turns
        };
        let threads = self.threads.iter_mut();
        threads
            .filter_map(|thread| is_stuck(thread).then_some(thread.name.as_str()))
            .collect()
    }
}
