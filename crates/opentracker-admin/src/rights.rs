//! Who may read what, by the listener and the network that a request comes from.

use std::net::IpAddr;

use hyper::Uri;
use hyper::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use opentracker_http::{Client, Forwarding, Source, Via};

use crate::settings::PageRules;
use crate::token::Credential;

/// The kind of listener that a connection came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListenerKind {
    /// One that clients use; handed over by an announce thread.
    Public,
    /// The operator's own.
    Operator,
    /// The control socket, which the system lets nobody else open.
    Control,
}

/// What a request may read besides what everybody may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights {
    /// The statistics and the dashboard.
    pub(crate) stats: bool,
    /// The metrics and the nodes of the cluster.
    pub(crate) metrics: bool,
    /// Lists of all torrents, and networks of a few customers.
    pub(crate) torrents: bool,
    /// Everything else, changes among it.
    pub(crate) all: bool,
}

impl Rights {
    pub(crate) fn new(
        listener: ListenerKind,
        client: Client,
        credential: Credential,
        rules: &PageRules,
    ) -> Self {
        let is_operators = listener == ListenerKind::Operator;
        let is_admin = listener == ListenerKind::Public && client.is_in(&rules.admin);
        let has_token = credential == Credential::Right && (is_operators || is_admin);
        let all = listener == ListenerKind::Control || has_token;
        Self {
            stats: all || is_operators || is_admin || client.is_in(&rules.stats),
            metrics: all || is_operators || is_admin,
            torrents: all || is_admin,
            all,
        }
    }

    /// Tells whether a token would give rights.
    pub(crate) fn may_show_token(self) -> bool {
        self.metrics
    }
}

/// Finds who asks. The operator's own listener trusts no proxy.
pub(crate) fn client(
    listener: ListenerKind,
    source: Source,
    headers: &HeaderMap,
    forwarding: &Forwarding,
) -> Client {
    let fields: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let fields = fields.iter().copied();
    match listener {
        ListenerKind::Public => Client::find(source, fields, forwarding),
        ListenerKind::Operator | ListenerKind::Control => {
            let nobody = Forwarding {
                header: forwarding.header.clone(),
                ..Forwarding::default()
            };
            Client::find(source, fields, &nobody)
        }
    }
}

/// Tells whether a request on the operator's own listener was not meant for it: it came through a
/// proxy, a browser knows the listener by a name that is not ours, or a page from elsewhere sent
/// it.
pub(crate) fn is_foreign(
    client: Client,
    uri: &Uri,
    headers: &HeaderMap,
    rules: &PageRules,
) -> bool {
    let host = match headers
        .get(HOST)
        .map(|value| value.to_str().map(str::parse))
    {
        None => None,
        Some(Ok(Ok(host))) => Some(host),
        Some(_) => return true,
    };
    let is_own = |named: Option<&Authority>| named.is_none_or(|named| is_own_name(named, rules));
    client.via != Via::Socket
        || !is_own(uri.authority())
        || !is_own(host.as_ref())
        || headers
            .get_all(ORIGIN)
            .iter()
            .any(|origin| !is_same_origin(origin.as_bytes(), host.as_ref()))
}

/// Tells whether a page from elsewhere sent a request, as far as browsers say: none of them could
/// know the token, but a change is worth a second look.
pub(crate) fn is_cross_site(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    let host = host.and_then(|host| host.parse().ok());
    let site = headers.get("sec-fetch-site");
    let is_own_site = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    let mut origins = headers.get_all(ORIGIN).iter();
    site.is_some_and(|site| !is_own_site(site))
        || origins.any(|origin| !is_same_origin(origin.as_bytes(), host.as_ref()))
}

fn is_own_name(named: &Authority, rules: &PageRules) -> bool {
    let host = named.host();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    address.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || rules.hosts.iter().any(|own| host.eq_ignore_ascii_case(own))
}

/// Tells whether a page has the origin that the request itself names.
fn is_same_origin(origin: &[u8], host: Option<&Authority>) -> bool {
    let authority = origin
        .strip_prefix(b"http://")
        .or_else(|| origin.strip_prefix(b"https://"));
    host.is_some_and(|host| {
        authority.is_some_and(|origin| origin.eq_ignore_ascii_case(host.as_str().as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;

    fn is_foreign_with(target: &str, fields: &[(&str, &str)]) -> bool {
        let headers = fields
            .iter()
            .map(|&(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, value.parse().unwrap())
            })
            .collect();
        let rules = PageRules {
            hosts: vec!["ops.example".to_owned()],
            ..PageRules::default()
        };
        let socket = Source::Socket([127, 0, 0, 1].into());
        let client = client(
            ListenerKind::Operator,
            socket,
            &headers,
            &Forwarding::default(),
        );
        is_foreign(client, &target.parse().unwrap(), &headers, &rules)
    }

    #[test]
    fn names_of_the_operators_listener() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:6970",
            "[::1]:6970",
            "[::1]",
            "192.0.2.1",
            "localhost",
            "LOCALHOST:6970",
            "ops.example:1",
            "Ops.Example",
        ] {
            assert!(!is_foreign_with("/", &[("Host", host)]), "{host}");
            let target = format!("http://{host}/");
            assert!(!is_foreign_with(&target, &[("Host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "ops.example.evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "user@evil.example",
            "",
            "a b",
            "\u{e9}",
        ] {
            assert!(is_foreign_with("/", &[("Host", host)]), "{host}");
        }
        assert!(is_foreign_with("http://evil.example/", &[("Host", "::1")]));
        assert!(is_foreign_with("http://evil.example/", &[]));
        assert!(!is_foreign_with("/", &[]), "no browser leaves it out");
    }

    #[test]
    fn pages_from_elsewhere() {
        let host = ("Host", "127.0.0.1:6970");
        for (origin, expected) in [
            ("http://127.0.0.1:6970", false),
            ("http://127.0.0.1:6971", true),
            ("http://127.0.0.1", true),
            ("http://198.51.100.7:6970", true),
            ("http://evil.example", true),
            ("null", true),
            ("", true),
        ] {
            let fields = [host, ("Origin", origin)];
            assert_eq!(is_foreign_with("/", &fields), expected, "{origin}");
        }
        assert!(is_foreign_with("/", &[("Origin", "http://127.0.0.1:6970")]));
    }

    #[test]
    fn changes_come_from_no_other_site() {
        let is_foreign = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|&(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                (name, value.parse().unwrap())
            });
            is_cross_site(&fields.collect())
        };
        let host = ("Host", "tracker.example");
        assert!(!is_foreign(&[host]));
        assert!(!is_foreign(&[host, ("Origin", "https://tracker.example")]));
        assert!(!is_foreign(&[host, ("Sec-Fetch-Site", "same-origin")]));
        assert!(is_foreign(&[host, ("Origin", "https://evil.example")]));
        assert!(is_foreign(&[host, ("Origin", "null")]));
        assert!(is_foreign(&[host, ("Sec-Fetch-Site", "cross-site")]));
        assert!(is_foreign(&[host, ("Sec-Fetch-Site", "same-site")]));
        assert!(is_foreign(&[("Origin", "https://tracker.example")]));
    }

    #[test]
    fn a_token_gives_rights_where_it_is_looked_at() {
        let admin: Vec<ipnet::IpNet> = vec!["192.0.2.0/24".parse().unwrap()];
        let rules = PageRules {
            stats: Default::default(),
            admin: opentracker_core::Networks::new(admin),
            ..PageRules::default()
        };
        let rights = |listener, ip: [u8; 4], credential| {
            let source = Source::Socket(ip.into());
            let client = client(listener, source, &HeaderMap::new(), &Forwarding::default());
            let rights = Rights::new(listener, client, credential, &rules);
            let Rights {
                stats,
                metrics,
                torrents,
                all,
            } = rights;
            [stats, metrics, torrents, all].map(u8::from)
        };
        use ListenerKind::{Control, Operator, Public};
        let (admin, stranger) = ([192, 0, 2, 1], [198, 51, 100, 1]);
        for (listener, ip, credential, expected) in [
            (Public, stranger, Credential::None, [0, 0, 0, 0]),
            (Public, stranger, Credential::Right, [0, 0, 0, 0]),
            (Public, admin, Credential::None, [1, 1, 1, 0]),
            (Public, admin, Credential::Wrong, [1, 1, 1, 0]),
            (Public, admin, Credential::Right, [1, 1, 1, 1]),
            (Operator, admin, Credential::None, [1, 1, 0, 0]),
            (Operator, stranger, Credential::Right, [1, 1, 1, 1]),
            (Control, stranger, Credential::None, [1, 1, 1, 1]),
        ] {
            let found = rights(listener, ip, credential);
            assert_eq!(found, expected, "{listener:?} {ip:?} {credential:?}");
        }
    }

    #[test]
    fn proxies() {
        for field in ["X-Forwarded-For", "Forwarded", "X-Real-IP"] {
            let fields = [("Host", "localhost"), (field, "127.0.0.1")];
            assert!(is_foreign_with("/", &fields), "{field}");
        }
    }
}
