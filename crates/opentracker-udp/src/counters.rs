use std::net::IpAddr;

opentracker_core::counters! {
    /// What happens to datagrams.
    pub enum Counter by listener {
        "opentracker_udp_datagrams_total" datagrams "Datagrams, by direction." ["direction"] {
            /// Datagrams received.
            Received ["in"],
            /// Datagrams sent.
            Sent ["out"],
        }
        "opentracker_udp_requests_total" requests "Requests answered with what they asked for, by action and family of the client's address." ["action", "family"] {
            /// Connects answered, by IPv4.
            ConnectV4 ["connect", "ipv4"],
            /// Connects answered, by IPv6.
            ConnectV6 ["connect", "ipv6"],
            /// Announces answered with peers, by IPv4.
            AnnounceV4 ["announce", "ipv4"],
            /// Announces answered with peers, by IPv6.
            AnnounceV6 ["announce", "ipv6"],
            /// Scrapes answered, by IPv4.
            ScrapeV4 ["scrape", "ipv4"],
            /// Scrapes answered, by IPv6.
            ScrapeV6 ["scrape", "ipv6"],
        }
        "opentracker_udp_errors_total" packets "Error packets sent." [] {
            /// Error packets sent.
            Error [],
        }
        "opentracker_udp_dropped_total" datagrams "Requests not served and replies not sent, by reason." ["reason"] {
            /// Requests without a valid connection id, whether answered by an error or not.
            BadConnectionId ["connection_id"],
            /// Datagrams too short for their action.
            TooShort ["short"],
            /// Connects without the protocol's magic number.
            BadMagic ["magic"],
            /// Datagrams with an unknown action.
            UnknownAction ["action"],
            /// Scrapes without a whole info hash.
            BadScrape ["scrape"],
            /// Datagrams from an address or port that cannot be answered.
            BadSource ["source"],
            /// Datagrams that did not come from a trusted proxy where they have to.
            UntrustedProxy ["proxy_source"],
            /// Datagrams of proxies that do not say who sent them.
            BadProxyHeader ["proxy_header"],
            /// Requests that the rules leave without an answer.
            Refused ["refused"],
            /// Replies that the system did not take.
            SendFailed ["send"],
            /// Frames with a wrong length or checksum, which the system itself looks for without XDP.
            BadFrame ["frame"],
            /// Frames that found no room in the rings of XDP.
            Overrun ["overrun"],
        }
    }
}

impl Counter {
    /// Connects answered.
    pub const CONNECTS: [Self; 2] = [Self::ConnectV4, Self::ConnectV6];
    /// Announces answered with peers.
    pub const ANNOUNCES: [Self; 2] = [Self::AnnounceV4, Self::AnnounceV6];
    /// Scrapes answered.
    pub const SCRAPES: [Self; 2] = [Self::ScrapeV4, Self::ScrapeV6];
    /// Datagrams that are no request.
    pub const MALFORMED: [Self; 4] = [
        Self::TooShort,
        Self::BadMagic,
        Self::UnknownAction,
        Self::BadScrape,
    ];

    /// Picks the counter of a family, IPv4 or IPv6.
    #[inline]
    pub(crate) fn of([v4, v6]: [Self; 2], client: IpAddr) -> Self {
        match client {
            IpAddr::V4(_) => v4,
            IpAddr::V6(_) => v6,
        }
    }
}
