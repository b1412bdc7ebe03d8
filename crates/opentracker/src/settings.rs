//! From the configuration to the rules of the parts.

use ipnet::IpNet;
use opentracker_admin::{PageRules, Token};
use opentracker_core::{AccessLists, Limits, Networks, Rate, Rules, Settings, Timing};
use opentracker_http::{CrossOrigin, ForwardedHeader, Forwarding, WebSockets};
use opentracker_net::http::ConnectionLimit;
use opentracker_webtorrent as webtorrent;

use crate::config::{self, Config, LogAddresses};

/// Everything that a reload changes.
pub(crate) fn rules(config: &Config, lists: AccessLists, token: Option<Token>) -> Rules {
    let rules = Rules::new(settings(config), lists)
        .with_extension(forwarding(config))
        .with_extension(pages(config, token))
        .with_extension(connections(&config.limits))
        .with_extension(CrossOrigin::new(config.http.cors_origins.clone()));
    if config.webtorrent.enabled {
        with_browsers(rules, &config.webtorrent)
    } else {
        rules
    }
}

fn with_browsers(rules: Rules, config: &config::WebTorrent) -> Rules {
    let max_offers = usize::try_from(config.max_offers).expect("bounded by 50");
    rules
        .with_extension(WebSockets::new(config.origins.clone()))
        .with_extension(webtorrent::Settings { max_offers })
}

fn pages(config: &Config, token: Option<Token>) -> PageRules {
    let networks = |networks: &[IpNet]| Networks::new(networks.iter().copied());
    PageRules {
        stats_path: config.http.stats_path.clone(),
        redirect_url: config.http.redirect_url.clone(),
        stats: networks(&config.access.stats),
        admin: networks(&config.access.admin),
        hosts: config.admin.hosts.clone(),
        token,
    }
}

fn forwarding(config: &Config) -> Forwarding {
    Forwarding {
        trusted_proxies: Networks::new(config.http.trusted_proxies.iter().copied()),
        header: ForwardedHeader::new(&config.http.forwarded_header),
    }
}

fn connections(limits: &config::Limits) -> ConnectionLimit {
    ConnectionLimit {
        per_prefix: Some(limits.connections_per_prefix).filter(|&most| most > 0),
        exempt: exempt(limits),
    }
}

fn exempt(limits: &config::Limits) -> Networks {
    Networks::new(limits.rate_exempt.iter().copied())
}

/// The announce rules. Where the parts of a configuration contradict each other the interval
/// wins: it may be spread by its half at most, and the shortest allowed interval is no longer than
/// the shortest that is handed out.
fn settings(config: &Config) -> Settings {
    let announce = &config.announce;
    let jitter = announce.jitter.min(announce.interval / 2);
    Settings {
        interval: announce.interval,
        jitter,
        min_interval: announce.min_interval.min(announce.interval - jitter),
        numwant_default: announce.numwant_default,
        numwant_max: announce.numwant_max,
        timing: Timing::new(
            announce.peer_timeout,
            announce.torrent_timeout,
            config.livesync.renew_boundary,
        )
        .with_interval(announce.interval),
        limits: limits(&config.limits),
        rate: rate(&config.limits),
        full_addresses: config.log.addresses == LogAddresses::Full,
    }
}

fn limits(limits: &config::Limits) -> Limits {
    let bound = |most: u32| match most {
        0 => u64::MAX,
        most => most.into(),
    };
    Limits {
        torrents: bound(limits.max_torrents),
        peers: bound(limits.max_peers),
        peers_per_torrent: bound(limits.max_peers_per_torrent),
        octets: limits.memory.octets.unwrap_or(u64::MAX),
    }
}

fn rate(limits: &config::Limits) -> Option<Rate> {
    Some(Rate {
        token_interval: limits.rate.interval?,
        burst: limits.burst,
        exempt: exempt(limits),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Values;

    #[test]
    fn the_interval_wins_over_what_contradicts_it() {
        const MINUTE: Duration = Duration::from_secs(60);
        let mut values = Values::default();
        values.announce.interval = 2 * MINUTE;
        let settings = settings(&values.validate().unwrap());
        assert_eq!(settings.interval, 2 * MINUTE);
        assert_eq!(settings.jitter, MINUTE);
        assert_eq!(settings.min_interval, MINUTE);
        let defaults = super::settings(&Config::default());
        assert_eq!(defaults, Settings::default());
    }
}
