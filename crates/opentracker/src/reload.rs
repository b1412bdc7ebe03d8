//! What a reload takes over, and what it says about it.

use std::fmt;

use opentracker_core::Removed;

use crate::lists::{ListChange, ListError};

/// What a reload did. The `Display` form is one line that says what has changed.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub changed: Vec<&'static str>,
    /// Keys whose new value takes effect after a restart, whichever reload brought it.
    pub need_restart: Vec<&'static str>,
    /// Access lists that are not what they were.
    pub lists: Vec<ListChange>,
    /// What is forgotten because it is no longer served.
    pub purged: Removed,
    /// Access lists that could not be read and stay as they were.
    pub faults: Vec<ListError>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = Some(self.changed.join(", ")).filter(|keys| !keys.is_empty());
        let lists = self.lists.iter().map(ToString::to_string);
        let purged = Some(swarms_purged(self.purged)).filter(|_| self.purged.torrents > 0);
        let lists: Vec<_> = lists.chain(purged).collect();
        let lists = Some(lists.join(", ")).filter(|lists| !lists.is_empty());
        match (keys, lists) {
            (Some(keys), Some(lists)) => write!(f, "{keys}; {lists}"),
            (Some(said), None) | (None, Some(said)) => f.write_str(&said),
            (None, None) => f.write_str("nothing has changed"),
        }
    }
}

impl fmt::Display for ListChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = |entries: Option<usize>| match entries {
            Some(entries) => entries.to_string(),
            None => "none".to_owned(),
        };
        let (before, after) = (entries(self.before), entries(self.after));
        write!(f, "{} list {before} → {after}", self.key)
    }
}

/// Says how many swarms were purged.
pub(crate) fn swarms_purged(purged: Removed) -> String {
    match purged.torrents {
        1 => "1 swarm purged".to_owned(),
        swarms => format!("{swarms} swarms purged"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_has_changed() {
        let mut reloaded = Reloaded::default();
        assert_eq!(reloaded.to_string(), "nothing has changed");
        reloaded.lists = vec![
            ListChange {
                key: "allow",
                before: None,
                after: Some(0),
            },
            ListChange {
                key: "deny",
                before: Some(1204),
                after: Some(1207),
            },
        ];
        reloaded.purged.torrents = 2;
        let lists = "allow list none → 0, deny list 1204 → 1207, 2 swarms purged";
        assert_eq!(reloaded.to_string(), lists);
        reloaded.changed = vec!["announce.interval", "log.level"];
        assert_eq!(
            reloaded.to_string(),
            format!("announce.interval, log.level; {lists}")
        );
    }
}
