opentracker_core::counters! {
    /// What happens on the operator plane.
    pub enum Counter {
        "opentracker_pages_total" requests "Requests on the operator plane answered with what they asked for, by page." ["page"] {
            /// Statistics.
            Stats ["stats"],
            /// Metrics.
            Metrics ["metrics"],
            /// The dashboard.
            Dashboard ["dashboard"],
            /// The public page with the announce URLs.
            Welcome ["welcome"],
            /// The admin API.
            Api ["api"],
            /// Health and readiness.
            Health ["health"],
            /// Full scrapes, and other lists of all torrents, that were sent to their end.
            FullScrape ["full_scrape"],
            /// Redirects of the root.
            Redirect ["redirect"],
        }
        "opentracker_pages_errors_total" requests "Requests on the operator plane answered by an error, by status and kind." ["status", "kind"] {
            /// Heads that are not HTTP.
            BadHead ["400", "head"],
            /// Requests with more than one Host field.
            BadHost ["400", "host"],
            /// Requests with a body.
            BadBody ["400", "body"],
            /// Requests for the admin API with a parameter that is wrong.
            BadParameter ["400", "parameter"],
            /// Requests for the admin API without the token, or with a wrong one.
            BadToken ["401", "token"],
            /// Requests for the admin API that could not be done.
            NotDone ["5xx", "not_done"],
            /// Requests for statistics of an unknown mode.
            BadMode ["400", "mode"],
            /// Requests from networks without the right to them.
            Forbidden ["403", "network"],
            /// Requests on the operator's listener that came through a proxy or from a foreign page.
            Foreign ["403", "foreign"],
            /// Requests for unknown paths.
            NotFound ["404", "path"],
            /// Requests with a method that their path does not have.
            BadMethod ["405", "method"],
            /// Requests that refuse every form that there is of an answer.
            NotAcceptable ["406", "coding"],
            /// Heads that did not arrive in time.
            Timeout ["408", "head"],
            /// Heads that are too large.
            HeadTooLarge ["431", "head"],
            /// Connections beyond the limit.
            Overloaded ["503", "connections"],
        }
        "opentracker_full_scrapes_refused_total" requests "Scrapes of all torrents that were refused, by reason." ["reason"] {
            /// Full scrapes of those without the right to them.
            FullScrapeForbidden ["right"],
            /// Full scrapes, and other lists of all torrents, while too many were under way.
            FullScrapeBusy ["busy"],
        }
        "opentracker_full_scrape_bytes_total" bytes "Bytes of full scrapes and other lists of all torrents sent, as they were encoded." [] {
            /// Octets of full scrapes and other lists of all torrents sent, as they were encoded.
            FullScrapeOctets [],
        }
        "opentracker_pages_connections_total" connections "Connections of the operator plane, by kind of the listener." ["kind"] {
            /// Connections handed over by the announce threads.
            PublicConnection ["public"],
            /// Connections of the operator's own listeners.
            OperatorConnection ["operator"],
            /// Connections of the control socket.
            ControlConnection ["control"],
        }
        "opentracker_pages_connections_cut_total" connections "Connections of the operator plane that were cut off, by reason." ["reason"] {
            /// Connections that came faster than they could be taken.
            QueueFull ["queue"],
            /// Connections whose client did not read.
            Stalled ["stalled"],
            /// Connections that were left at the end of a shutdown.
            CutOff ["shutdown"],
        }
    }
}
