use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentracker_store::{Limits, Timing};

use crate::access::AccessLists;
use crate::rate::Rate;

/// Everything that may change while the tracker runs. It hangs on one pointer
/// ([`Tracker::set_rules`](crate::Tracker::set_rules)), so that a request sees either all of the
/// old or all of the new.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// What clients are told, and how long things last.
    pub settings: Settings,
    /// Which torrents are served.
    pub lists: AccessLists,
    extensions: Extensions,
}

impl Rules {
    /// Makes rules without extensions.
    pub fn new(settings: Settings, lists: AccessLists) -> Self {
        Self {
            settings,
            lists,
            extensions: Extensions::default(),
        }
    }

    /// Adds what a crate above has of rules, in place of another value of the same type.
    #[must_use]
    pub fn with_extension<T: Any + Send + Sync>(mut self, extension: T) -> Self {
        self.extensions.set(extension);
        self
    }

    /// Returns what a crate above has added.
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.extensions.get()
    }
}

/// The announce rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Middle of the interval that clients are asked to keep between announces.
    pub interval: Duration,
    /// The interval of each reply is uniform in `interval` ± this.
    pub jitter: Duration,
    /// The shortest interval that clients are asked to keep.
    pub min_interval: Duration,
    /// Peers handed to a client that does not say how many it wants.
    pub numwant_default: u32,
    /// The most peers handed out in one reply.
    pub numwant_max: u32,
    /// When peers and torrents time out.
    pub timing: Timing,
    /// The most torrents and peers that are kept.
    pub limits: Limits,
    /// How many requests of one prefix are served; `None`: all.
    pub rate: Option<Rate>,
    /// Logs show addresses of clients in full, where they show them.
    pub full_addresses: bool,
}

impl Default for Settings {
    /// 30 ± 3 minutes, 15 minutes at least, 50 and at most 200 peers, and no limits.
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            interval: 30 * MINUTE,
            jitter: 3 * MINUTE,
            min_interval: 15 * MINUTE,
            numwant_default: 50,
            numwant_max: 200,
            timing: Timing::default(),
            limits: Limits::NONE,
            rate: None,
            full_addresses: false,
        }
    }
}

/// At most one value of each type. There are few, so looking at one after the other is quick.
#[derive(Clone, Default)]
struct Extensions(Vec<(TypeId, Arc<dyn Any + Send + Sync>)>);

impl Extensions {
    fn set<T: Any + Send + Sync>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        self.0.retain(|(other, _)| *other != id);
        self.0.push((id, Arc::new(value)));
    }

    fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        let (_, value) = self.0.iter().find(|(other, _)| *other == id)?;
        value.downcast_ref()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_found_by_their_type() {
        let rules = Rules::default()
            .with_extension(7_u8)
            .with_extension("seven");
        let rules = rules.with_extension(8_u8);
        assert_eq!(rules.extension::<u8>(), Some(&8));
        assert_eq!(rules.extension::<&str>(), Some(&"seven"));
        assert_eq!(rules.extension::<u16>(), None);
    }
}
