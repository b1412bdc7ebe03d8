opentracker_core::counters! {
    /// What happens to HTTP connections.
    pub enum Counter by listener {
        "opentracker_http_connections_total" connections "HTTP connections accepted." [] {
            /// Connections accepted.
            Accepted [],
        }
        "opentracker_http_connections_closed_total" connections "HTTP connections closed because there were too many, by kind." ["kind"] {
            /// Connections that had been idle for the longest and gave way to new ones.
            Evicted ["idle"],
            /// New connections for which none gave way.
            Overloaded ["new"],
            /// New connections of prefixes that have as many as they may have.
            BeyondPrefix ["prefix"],
        }
        "opentracker_http_connections_handed_over_total" connections "HTTP connections handed over to the operator plane." [] {
            /// Connections handed over to the operator plane.
            HandedOver [],
        }
    }
}
