opentracker_core::counters! {
    /// What happens to connections of browsers, and to what they send each other.
    pub enum Counter {
        "opentracker_webtorrent_connections_total" connections "WebSocket connections opened." [] {
            /// Connections opened.
            Opened [],
        }
        "opentracker_webtorrent_connections_closed_total" connections "WebSocket connections closed, by reason; those that were opened and not closed are open." ["reason"] {
            /// The client ended it, or its network did.
            ByClient ["client"],
            /// What came over it is not allowed.
            Refused ["refused"],
            /// The client did not take what was for it.
            Slow ["slow"],
            /// The rest of a message did not come.
            Late ["late"],
            /// Nothing came, not even an answer to a ping.
            Silent ["silent"],
            /// There were too many connections, and it had been idle for the longest.
            Evicted ["evicted"],
            /// The tracker ends, or clients are to go elsewhere.
            Away ["away"],
        }
        "opentracker_webtorrent_undelivered_total" messages "Offers and answers that were lost on their way to a connection, by reason." ["reason"] {
            /// The connection had been closed.
            Gone ["gone"],
            /// The connection had too much to take already.
            Full ["full"],
            /// Its thread had too much to pass on; the oldest is lost.
            Overflow ["overflow"],
        }
    }
}
