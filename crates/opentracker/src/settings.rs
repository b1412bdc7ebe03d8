//! From the configuration to the settings of the parts.

use opentracker_core as core;
use opentracker_core::Networks;
use opentracker_http as http;
use opentracker_store::Timing;

use crate::config::Config;

/// What may change of the HTTP front end.
pub(crate) fn http_settings(config: &Config) -> http::Settings {
    let networks = |networks: &[ipnet::IpNet]| Networks::new(networks.iter().copied());
    http::Settings {
        stats_path: config.http.stats_path.clone(),
        redirect_url: config.http.redirect_url.clone(),
        trusted_proxies: networks(&config.http.trusted_proxies),
        stats: networks(&config.access.stats),
        admin: networks(&config.access.admin),
    }
}

/// The rules of the core. Where the parts of a configuration contradict each other the interval
/// wins: it may be spread by its half at most, and the shortest allowed interval is no longer than
/// the shortest that is handed out.
pub(crate) fn core_settings(config: &Config) -> core::Settings {
    let announce = &config.announce;
    let jitter = announce.jitter.min(announce.interval / 2);
    core::Settings {
        interval: announce.interval,
        jitter,
        min_interval: announce.min_interval.min(announce.interval - jitter),
        numwant_default: announce.numwant_default,
        numwant_max: announce.numwant_max,
        timing: Timing::new(
            announce.peer_timeout,
            announce.torrent_timeout,
            config.livesync.renew_boundary,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_interval_wins_over_what_contradicts_it() {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut config = Config::default();
        config.announce.interval = 2 * MINUTE;
        let settings = core_settings(&config);
        assert_eq!(settings.interval, 2 * MINUTE);
        assert_eq!(settings.jitter, MINUTE);
        assert_eq!(settings.min_interval, MINUTE);
        let defaults = core_settings(&Config::default());
        assert_eq!(defaults, core::Settings::default());
    }
}
