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
        "opentracker_webtorrent_node_relayed_total" messages "Offers and answers that browsers here sent to those of other nodes, and were given of them, by kind and direction." ["kind", "direction"] {
            /// Offers sent to nodes that have browsers of the torrent, or to all.
            OfferOut ["offer", "out"],
            /// Offers of other nodes' browsers passed to one here.
            OfferIn ["offer", "in"],
            /// Answers to offers of other nodes' browsers.
            AnswerOut ["answer", "out"],
            /// Answers of other nodes' browsers passed to one here.
            AnswerIn ["answer", "in"],
        }
        "opentracker_webtorrent_node_messages_total" messages "Messages about browsers between nodes, by direction." ["direction"] {
            /// Messages handed to NATS.
            NodeMessageOut ["out"],
            /// Messages taken.
            NodeMessageIn ["in"],
        }
        "opentracker_webtorrent_node_messages_dropped_total" messages "Messages about browsers between nodes that were not sent or not taken, by reason." ["reason"] {
            /// Messages without a seal of the cluster's.
            NodeSeal ["seal"],
            /// Messages of another time.
            NodeTime ["time"],
            /// Messages that mean nothing.
            NodeForm ["form"],
            /// Our own.
            NodeOwn ["own"],
            /// All of their offers had come before.
            NodeDuplicate ["duplicate"],
            /// Answers to browsers that are not here.
            NodeGone ["gone"],
            /// All were asked too often in a second.
            NodePace ["pace"],
            /// They waited to be sent until others needed their place, or had nowhere to go.
            NodeQueue ["queue"],
            /// They came, and too many waited to be taken already.
            NodeBacklog ["backlog"],
            /// The connection to NATS did not take them.
            NodeSend ["send"],
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
