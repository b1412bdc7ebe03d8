//! What proxies do wrong, and what those do who are taken for proxies: counted where it happens, and
//! warned of by the minute.

use opentracker_core::Tracker;
use opentracker_http::{Counter as Http, Forwarding};
use opentracker_udp::Counter as Udp;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// A trusted proxy does not say who asks.
    Silence,
    /// Somebody connects to where proxies alone may.
    HttpSource,
    /// A trusted proxy begins a connection without saying who asks.
    HttpHeader,
    /// The same of datagrams.
    UdpSource,
    UdpHeader,
}

/// How often each has happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Troubles([u64; Trouble::ALL.len()]);

impl Troubles {
    pub(crate) fn count(tracker: &Tracker) -> Self {
        Self(Trouble::ALL.map(|trouble| trouble.count(tracker)))
    }

    /// Returns a warning for each that has happened since.
    pub(crate) fn since(&self, earlier: &Self, tracker: &Tracker) -> Vec<String> {
        let counts = self.0.iter().zip(&earlier.0);
        let counts = counts.map(|(now, before)| now.wrapping_sub(*before));
        let happened = Trouble::ALL.into_iter().zip(counts);
        let happened = happened.filter(|(_, count)| *count > 0);
        happened
            .map(|(trouble, count)| trouble.warning(count, tracker))
            .collect()
    }
}

impl Trouble {
    const ALL: [Self; 5] = [
        Self::Silence,
        Self::HttpSource,
        Self::HttpHeader,
        Self::UdpSource,
        Self::UdpHeader,
    ];

    fn count(self, tracker: &Tracker) -> u64 {
        let counters = tracker.counters();
        match self {
            Self::Silence => counters.sum(Http::SilentProxy),
            Self::HttpSource => counters.sum(Http::UntrustedProxy),
            Self::HttpHeader => {
                let late = counters.sum(Http::LateProxyHeader);
                late.wrapping_add(counters.sum(Http::BadProxyHeader))
            }
            Self::UdpSource => counters.sum(Udp::UntrustedProxy),
            Self::UdpHeader => counters.sum(Udp::BadProxyHeader),
        }
    }

    /// Says what to set.
    fn warning(self, count: u64, tracker: &Tracker) -> String {
        let counted = |noun: &str| match count {
            1 => format!("1 {noun}"),
            _ => format!("{count} {noun}s"),
        };
        match self {
            Self::Silence => {
                let forwarding = tracker.rules().extension::<Forwarding>().cloned();
                let header = forwarding.unwrap_or_default().header;
                format!(
                    "http.forwarded_header: the proxy did not say who asks in {}: let it set {}",
                    counted("request"),
                    header.name()
                )
            }
            Self::HttpSource => format!(
                "http.trusted_proxies: closed {} to a listener with proxy_protocol, from elsewhere",
                counted("connection")
            ),
            Self::HttpHeader => format!(
                "http.listen: closed {} of a proxy that sent no PROXY header first: let it do so, or \
                 take proxy_protocol away",
                counted("connection")
            ),
            Self::UdpSource => format!(
                "http.trusted_proxies: dropped {} to a listener with proxy_protocol, from elsewhere",
                counted("datagram")
            ),
            Self::UdpHeader => format!(
                "udp.listen: dropped {} of a proxy that did not say in it who sent it: let it do so, \
                 or take proxy_protocol away",
                counted("datagram")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opentracker_core::{Counters, Rules};
    use opentracker_http::ForwardedHeader;

    use super::*;

    #[test]
    fn trouble_is_warned_of_while_it_lasts() {
        let forwarding = Forwarding {
            header: ForwardedHeader::new("X-Real-IP"),
            ..Forwarding::default()
        };
        let rules = Rules::default().with_extension(forwarding);
        let tracker = Tracker::new(rules, Instant::now(), &mut rand::rng());
        let http: Counters<Http> = tracker.counters().register_for(&"http".into());
        let udp: Counters<Udp> = tracker.counters().register_for(&"udp".into());
        let mut last = Troubles::count(&tracker);
        let mut warnings = || {
            let now = Troubles::count(&tracker);
            let warnings = now.since(&last, &tracker);
            last = now;
            warnings
        };
        assert_eq!(warnings(), [""; 0]);
        http.add(Http::SilentProxy, 12);
        let said = "http.forwarded_header: the proxy did not say who asks in 12 requests: let it \
                    set x-real-ip";
        assert_eq!(warnings(), [said]);
        assert_eq!(warnings(), [""; 0], "it says now");
        http.count(Http::SilentProxy);
        http.count(Http::UntrustedProxy);
        http.count(Http::BadProxyHeader);
        http.count(Http::LateProxyHeader);
        udp.count(Udp::UntrustedProxy);
        udp.count(Udp::BadProxyHeader);
        let beginnings = [
            "http.forwarded_header: the proxy did not say who asks in 1 request:",
            "http.trusted_proxies: closed 1 connection to",
            "http.listen: closed 2 connections of",
            "http.trusted_proxies: dropped 1 datagram to",
            "udp.listen: dropped 1 datagram of",
        ];
        let warnings = warnings();
        assert_eq!(warnings.len(), beginnings.len());
        for (warning, beginning) in warnings.iter().zip(beginnings) {
            assert!(warning.starts_with(beginning), "{warning}");
        }
    }
}
