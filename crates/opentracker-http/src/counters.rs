use std::net::IpAddr;

opentracker_core::counters! {
    /// What happens to HTTP requests for announces and scrapes.
    pub enum Counter by listener {
        "opentracker_http_requests_total" requests "HTTP requests answered with what they asked for, by path and family of the client's address." ["path", "family"] {
            /// Announces answered with peers, by IPv4.
            AnnounceV4 ["announce", "ipv4"],
            /// Announces answered with peers, by IPv6.
            AnnounceV6 ["announce", "ipv6"],
            /// Scrapes answered, by IPv4.
            ScrapeV4 ["scrape", "ipv4"],
            /// Scrapes answered, by IPv6.
            ScrapeV6 ["scrape", "ipv6"],
        }
        "opentracker_http_errors_total" requests "HTTP requests answered by an error, by status and kind." ["status", "kind"] {
            /// Heads that are not HTTP.
            BadHead ["400", "head"],
            /// Requests with more than one Host field.
            BadHost ["400", "host"],
            /// Announces and scrapes with a body.
            BadBody ["400", "body"],
            /// Requests of a trusted proxy that does not say who asks.
            SilentProxy ["400", "forwarding"],
            /// Queries with a missing or malformed info_hash.
            BadInfoHash ["400", "info_hash"],
            /// Queries with a missing or malformed port.
            BadPort ["400", "port"],
            /// Queries with another malformed parameter.
            BadParameter ["400", "parameter"],
            /// Upgrades to WebSocket that lack something.
            BadUpgrade ["400", "upgrade"],
            /// Upgrades to WebSocket of pages that are not listed.
            ForbiddenOrigin ["403", "origin"],
            /// Announces to a path that is none.
            NotFound ["404", "path"],
            /// Announces and scrapes with another method than GET.
            BadMethod ["405", "method"],
            /// Heads that did not arrive in time.
            Timeout ["408", "head"],
            /// Heads that are too large.
            HeadTooLarge ["431", "head"],
            /// Upgrades to WebSocket while clients are to go elsewhere.
            Closing ["503", "closing"],
        }
        "opentracker_http_proxies_refused_total" connections "HTTP connections closed where they had to begin with a PROXY header, by reason." ["reason"] {
            /// Connections from elsewhere than the trusted proxies.
            UntrustedProxy ["source"],
            /// Connections that began otherwise.
            BadProxyHeader ["header"],
            /// Connections whose header did not arrive in time.
            LateProxyHeader ["timeout"],
        }
    }
}

impl Counter {
    /// Announces answered with peers.
    pub const ANNOUNCES: [Self; 2] = [Self::AnnounceV4, Self::AnnounceV6];
    /// Scrapes answered.
    pub const SCRAPES: [Self; 2] = [Self::ScrapeV4, Self::ScrapeV6];
    /// Requests that cannot be understood, or that lack something.
    pub const MALFORMED: [Self; 11] = [
        Self::BadHead,
        Self::BadHost,
        Self::BadBody,
        Self::BadInfoHash,
        Self::BadPort,
        Self::BadParameter,
        Self::BadUpgrade,
        Self::NotFound,
        Self::BadMethod,
        Self::Timeout,
        Self::HeadTooLarge,
    ];

    /// Picks the counter of a family, IPv4 or IPv6.
    pub(crate) fn of([v4, v6]: [Self; 2], client: IpAddr) -> Self {
        match client {
            IpAddr::V4(_) => v4,
            IpAddr::V6(_) => v6,
        }
    }
}
