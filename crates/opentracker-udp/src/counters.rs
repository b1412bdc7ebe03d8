opentracker_core::counters! {
    /// What happens to datagrams.
    pub enum Counter {
        "opentracker_udp_datagrams_total" datagrams "Datagrams, by direction." ["direction"] {
            /// Datagrams received.
            Received ["in"],
            /// Datagrams sent.
            Sent ["out"],
        }
        "opentracker_udp_requests_total" requests "Requests answered with what they asked for, by action." ["action"] {
            /// Connects answered.
            Connect ["connect"],
            /// Announces answered with peers.
            Announce ["announce"],
            /// Scrapes answered.
            Scrape ["scrape"],
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
        }
    }
}
