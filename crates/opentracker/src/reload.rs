//! What a reload takes over, and what it says about it.

use std::fmt;

use opentracker_core::Removed;

use crate::config::Config;
use crate::lists::{ListChange, ListError};

/// What a reload did. The `Display` form is one line that says what has changed.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Keys whose new value is in force.
    pub changed: Vec<String>,
    /// Keys whose new value takes effect after a restart, whichever reload brought it.
    pub need_restart: Vec<String>,
    /// Access lists that are not what they were.
    pub lists: Vec<ListChange>,
    /// What is forgotten because it is no longer served.
    pub purged: Removed,
    /// Access lists that could not be read and stay as they were.
    pub faults: Vec<ListError>,
}

/// Returns the configuration that is in force when what was wanted is taken over while the
/// tracker runs.
pub(crate) fn in_force(running: &Config, wanted: &Config) -> Config {
    let mut config = running.clone();
    config.announce = wanted.announce.clone();
    config.access = wanted.access.clone();
    config.http.stats_path.clone_from(&wanted.http.stats_path);
    let (http, new) = (&mut config.http, &wanted.http);
    http.redirect_url.clone_from(&new.redirect_url);
    http.trusted_proxies.clone_from(&new.trusted_proxies);
    config.livesync.renew_boundary = wanted.livesync.renew_boundary;
    config.livesync.nodes.clone_from(&wanted.livesync.nodes);
    config.log.level = wanted.log.level;
    config
}

/// Returns the keys in which two configurations differ.
pub(crate) fn differences(a: &Config, b: &Config) -> Vec<String> {
    let table = |config| toml::Table::try_from(config).expect("a configuration is a table");
    let (a, b): (toml::Table, toml::Table) = (table(a), table(b));
    let keys = a.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().into_iter().flat_map(toml::Table::keys);
        keys.map(move |key| (section, key))
    });
    keys.filter(|&(section, key)| a[section].get(key) != b[section].get(key))
        .map(|(section, key)| format!("{section}.{key}"))
        .collect()
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
    fn what_can_change_does_and_the_rest_is_named() {
        let running = Config::default();
        let mut wanted = Config::default();
        wanted.udp.workers = 2;
        wanted.udp.listen.pop();
        wanted.http.stats_path = "numbers".to_owned();
        wanted.log.level = crate::config::LogLevel::Debug;
        wanted.livesync.listen = Some("127.0.0.1:9696".parse().unwrap());
        wanted.livesync.nodes = vec!["192.0.2.0/24".parse().unwrap()];
        let config = in_force(&running, &wanted);
        assert_eq!(
            differences(&running, &config),
            ["http.stats_path", "livesync.nodes", "log.level"]
        );
        assert_eq!(
            differences(&config, &wanted),
            ["livesync.listen", "udp.listen", "udp.workers"]
        );
        assert_eq!(differences(&config, &in_force(&config, &wanted)), [""; 0]);
    }

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
        reloaded.changed = vec!["announce.interval".to_owned(), "log.level".to_owned()];
        assert_eq!(
            reloaded.to_string(),
            format!("announce.interval, log.level; {lists}")
        );
    }
}
