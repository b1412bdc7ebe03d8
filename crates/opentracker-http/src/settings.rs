use std::time::Duration;

use opentracker_core::Networks;

use crate::source::Source;

/// How long a connection may take for each of its steps. The other bounds are constants: a request
/// head has at most 8 KiB and 64 header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a connection may say nothing before and between requests; it is closed then.
    pub idle_timeout: Duration,
    /// How long a request head may take from its first octet; it is answered 408 then.
    pub head_timeout: Duration,
    /// How long a client may take to accept replies of about 32 KiB; the connection is cut then.
    pub stall_timeout: Duration,
}

impl Default for Limits {
    /// 30 seconds idle, 10 seconds for a head, 30 seconds for replies.
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(30),
        }
    }
}

/// Which proxies are believed when they name a client: an extension of the [rules](opentracker_core::Rules), by
/// default nobody's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// Proxies that are believed.
    pub trusted_proxies: Networks,
    /// The header field that they write.
    pub header: ForwardedHeader,
}

impl Forwarding {
    /// Tells whether who is at the other end of a connection may name clients.
    pub fn trusts(&self, source: Source) -> bool {
        source == Source::Local || self.trusted_proxies.contains(source.ip())
    }
}

/// Origins whose pages may read what a browser gets here (CORS): an extension of the
/// [rules](opentracker_core::Rules), by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrossOrigin(Vec<String>);

impl CrossOrigin {
    /// Makes it of origins as browsers send them, like `https://example.org`; `*` is all of them.
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// Returns the origin of a request, if its page may read the response.
    pub fn allow<'a>(&self, origin: &'a [u8]) -> Option<&'a str> {
        let is_allowed = |allowed: &String| allowed == "*" || allowed.as_bytes() == origin;
        self.0
            .iter()
            .any(is_allowed)
            .then(|| str::from_utf8(origin).ok())?
    }
}

/// Whose pages may turn connections into ones of WebSocket: an extension of the
/// [rules](opentracker_core::Rules). Without it there is no WebSocket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebSockets(Vec<String>);

impl WebSockets {
    /// Makes it of origins as browsers send them, like `https://example.org`; none, or `*`, is all of
    /// them.
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// Tells whether a request that names this origin is served. Where some are listed, one that names
    /// none is not.
    pub(crate) fn serves(&self, origin: Option<&[u8]>) -> bool {
        let is_it = |listed: &String| listed == "*" || Some(listed.as_bytes()) == origin;
        self.0.is_empty() || self.0.iter().any(is_it)
    }
}

/// The header field in which a proxy names the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239).
    Rfc7239,
    /// Another field, in lower case: a list of addresses, the latest last.
    List(String),
}

impl ForwardedHeader {
    /// Makes the field of a name, in any case.
    pub fn new(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if name == "forwarded" {
            Self::Rfc7239
        } else {
            Self::List(name)
        }
    }

    /// Returns the name of the field in lower case.
    pub fn name(&self) -> &str {
        match self {
            Self::Rfc7239 => "forwarded",
            Self::List(name) => name,
        }
    }
}

impl Default for ForwardedHeader {
    /// `X-Forwarded-For`.
    fn default() -> Self {
        Self::List("x-forwarded-for".to_owned())
    }
}
