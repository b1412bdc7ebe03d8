//! What a reload takes over, and what it says about it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::lists::{ListChange, ListChanges, ListKey};

/// What a reload did. The `Display` form is one line that says what has changed.
#[derive(Debug, Clone, Default)]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub changed: Vec<&'static str>,
    /// Keys whose new value takes effect after a restart, whichever reload brought it.
    pub need_restart: Vec<&'static str>,
    /// Access lists that are not what they were, and what is gone because of it.
    pub lists: ListChanges,
    /// What could not be read and stays as it was, each in a line.
    pub faults: Vec<String>,
}

/// What came of reloads.
#[derive(Debug)]
pub struct ReloadStatus(Mutex<Outcomes>);

#[derive(Debug, Clone, Copy)]
struct Outcomes {
    latest: Option<(SystemTime, bool)>,
    last_success: SystemTime,
}

impl ReloadStatus {
    /// Makes the status of a tracker that starts now, all of whose files could be read.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Outcomes {
            latest: None,
            last_success: SystemTime::now(),
        }))
    }

    /// Takes note of a reload.
    pub(crate) fn note(&self, has_succeeded: bool) {
        let now = SystemTime::now();
        let mut outcomes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.latest = Some((now, has_succeeded));
        if has_succeeded {
            outcomes.last_success = now;
        }
    }

    /// Returns when the latest reload was, and whether it took over everything; `None`: there was
    /// none.
    pub fn latest(&self) -> Option<(SystemTime, bool)> {
        self.outcomes().latest
    }

    /// Tells whether everything was taken over the last time, be it by a reload or the start.
    pub fn has_succeeded(&self) -> bool {
        self.latest().is_none_or(|(_, has_succeeded)| has_succeeded)
    }

    /// When everything was taken over for the last time, be it by a reload or the start.
    pub fn last_success(&self) -> SystemTime {
        self.outcomes().last_success
    }

    fn outcomes(&self) -> Outcomes {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = Some(self.changed.join(", ")).filter(|keys| !keys.is_empty());
        match keys {
            Some(keys) if self.lists.lists.is_empty() => f.write_str(&keys),
            Some(keys) => write!(f, "{keys}; {}", self.lists),
            None => self.lists.fmt(f),
        }
    }
}

impl fmt::Display for ListChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lists.is_empty() {
            return f.write_str("nothing has changed");
        }
        let lists = self.lists.iter().map(ToString::to_string);
        let swarms = counted(self.swarms.torrents, "swarm");
        let purged = swarms.into_iter().chain(counted(self.peers, "peer"));
        let purged = purged.map(|what| format!("{what} purged"));
        f.write_str(&lists.chain(purged).collect::<Vec<_>>().join(", "))
    }
}

fn counted(count: u64, what: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {what}")),
        count => Some(format!("{count} {what}s")),
    }
}

impl fmt::Display for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} list", self.word())
    }
}

impl fmt::Display for ListChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = |entries: Option<usize>| match entries {
            Some(entries) => entries.to_string(),
            None => "none".to_owned(),
        };
        let (before, after) = (entries(self.before), entries(self.after));
        write!(f, "{} {before} → {after}", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_has_changed() {
        let mut reloaded = Reloaded::default();
        assert_eq!(reloaded.to_string(), "nothing has changed");
        let change = |key, before, after| ListChange { key, before, after };
        reloaded.lists.lists = vec![
            change(ListKey::Allow, None, Some(0)),
            change(ListKey::Deny, Some(1204), Some(1207)),
        ];
        reloaded.lists.swarms.torrents = 2;
        let lists = "allow list none → 0, deny list 1204 → 1207, 2 swarms purged";
        assert_eq!(reloaded.to_string(), lists);
        reloaded.changed = vec!["announce.interval", "log.level"];
        assert_eq!(
            reloaded.to_string(),
            format!("announce.interval, log.level; {lists}")
        );
        reloaded.lists = ListChanges {
            lists: vec![change(ListKey::DenyNetworks, Some(3), None)],
            peers: 1,
            ..ListChanges::default()
        };
        assert!(
            reloaded
                .to_string()
                .ends_with("; network list 3 → none, 1 peer purged")
        );
    }
}
