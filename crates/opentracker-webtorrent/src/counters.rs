opentracker_core::counters! {
    /// What happens to the messages of browsers.
    pub enum Counter {
        "opentracker_webtorrent_requests_total" requests "WebTorrent requests answered with what they asked for, by action." ["action"] {
            /// Announces answered with counts.
            Announce ["announce"],
            /// Scrapes answered.
            Scrape ["scrape"],
        }
        "opentracker_webtorrent_relayed_total" messages "Messages of one browser passed to another, by kind." ["kind"] {
            /// Offers.
            Offer ["offer"],
            /// Answers.
            Answer ["answer"],
        }
        "opentracker_webtorrent_not_relayed_total" messages "Messages of one browser for another that went nowhere, by kind and reason." ["kind", "reason"] {
            /// Offers beyond `webtorrent.max_offers` of one announce.
            OffersBeyond ["offer", "max_offers"],
            /// Answers to peers that are not there.
            AnswerToNobody ["answer", "gone"],
            /// Answers of who has not announced.
            AnswerOfStranger ["answer", "stranger"],
        }
        "opentracker_webtorrent_errors_total" requests "WebTorrent requests answered by an error, by kind." ["kind"] {
            /// Messages that are not JSON of the expected form.
            BadJson ["json"],
            /// Actions other than announce and scrape.
            BadAction ["action"],
            /// Info hashes that are missing, or are not 20 octets.
            BadInfoHash ["info_hash"],
            /// Ids of peers and offers that are missing, or are not 20 octets.
            BadId ["id"],
            /// Offers and answers that are not objects.
            BadDescription ["description"],
            /// Announces of a connection that has as many torrents as it may have.
            TooManySwarms ["swarms"],
        }
        "opentracker_webtorrent_connections_refused_total" connections "WebSocket connections closed for what came over them, by reason." ["reason"] {
            /// Frames that RFC 6455 does not allow.
            BadFrame ["frame"],
            /// Messages that are too large.
            TooLarge ["size"],
            /// Messages that are not UTF-8.
            BadText ["text"],
            /// Clients of networks that are not served.
            Network ["network"],
        }
    }
}

impl Counter {
    /// Requests that cannot be understood, or that lack something.
    pub const MALFORMED: [Self; 6] = [
        Self::BadJson,
        Self::BadAction,
        Self::BadInfoHash,
        Self::BadId,
        Self::BadDescription,
        Self::TooManySwarms,
    ];
}
