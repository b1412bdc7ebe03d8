//! Whose request it is, when proxies stand between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use opentracker_core::Networks;

use crate::settings::{ForwardedHeader, Forwarding};
use crate::source::Source;

/// Header fields that proxies name clients in. A request that has one of them came through a
/// proxy, or wants to look so.
const FORWARDING_FIELDS: [&str; 6] = [
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "cf-connecting-ip",
    "true-client-ip",
    "x-client-ip",
];

/// The client that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its address, canonical; that of the source where nothing better is known.
    pub ip: IpAddr,
    /// How the address is known.
    pub via: Via,
}

/// How the address of a client is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// It is that of the socket's other end.
    Socket,
    /// A trusted proxy said so. The client may not be reached by it, and is not told it.
    Proxy,
    /// It is that of a source that is no trusted proxy but sent a forwarding field: perhaps a proxy
    /// that nobody configured. Where it comes from gives it no right.
    Untrusted,
    /// It is that of a trusted proxy that does not say who asks, or that of nobody.
    SilentProxy,
}

impl Client {
    /// Finds the client of a request from the source of its connection and its header fields in
    /// order.
    ///
    /// Only if the source is trusted, the one configured field is believed; the client that a PROXY
    /// header has named is as a rule no proxy, and then nothing that it writes is. The field's entries
    /// are walked from right to left for as long as they are trusted: the first that is not is the
    /// client; if all are trusted, the left-most is. An entry on the way that is no address
    /// (obfuscated, `unknown`, garbage) says nothing, and so does a field that is not there.
    pub fn find<'a>(
        source: Source,
        fields: impl DoubleEndedIterator<Item = (&'a str, &'a [u8])> + Clone,
        forwarding: &Forwarding,
    ) -> Self {
        let ip = source.ip();
        if !forwarding.trusts(source) {
            let header = forwarding.header.name();
            let mut names = fields.map(|(name, _)| name);
            let is_forwarding = names.any(|name| {
                let is_it = |field: &str| name.eq_ignore_ascii_case(field);
                is_it(header) || FORWARDING_FIELDS.into_iter().any(is_it)
            });
            let via = match source {
                _ if is_forwarding => Via::Untrusted,
                Source::Named(_) => Via::Proxy,
                Source::Socket(_) | Source::Local => Via::Socket,
            };
            return Self { ip, via };
        }
        let name = forwarding.header.name();
        let values = fields
            .rev()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value);
        let trusted = &forwarding.trusted_proxies;
        let client = match forwarding.header {
            ForwardedHeader::Rfc7239 => {
                let entries = values.flat_map(|value| RightToLeft::new(value, b','));
                walk(entries.map(parse_element), trusted)
            }
            ForwardedHeader::List(_) => {
                let entries = values.flat_map(|value| value.rsplit(|&octet| octet == b','));
                walk(entries.map(parse_node), trusted)
            }
        };
        client.map_or(
            Self {
                ip,
                via: Via::SilentProxy,
            },
            |ip| Self {
                ip,
                via: Via::Proxy,
            },
        )
    }

    /// Tells whether the client has a right that some networks have. One whose address says
    /// nothing has it only if everybody has.
    pub fn is_in(&self, networks: &Networks) -> bool {
        match self.via {
            Via::Socket | Via::Proxy => networks.contains(self.ip),
            Via::Untrusted | Via::SilentProxy => networks.contains_all_like(self.ip),
        }
    }
}

/// Goes from proxy to proxy; `None` if that does not end at an address.
fn walk(entries: impl Iterator<Item = Option<IpAddr>>, trusted: &Networks) -> Option<IpAddr> {
    let mut client = None;
    for entry in entries {
        client = Some(entry?);
        if client.is_some_and(|ip| !trusted.contains(ip)) {
            break;
        }
    }
    client
}

/// Reads the `for` of an element of `Forwarded` (RFC 7239, section 4).
fn parse_element(element: &[u8]) -> Option<IpAddr> {
    let node = RightToLeft::new(element, b';').find_map(|pair| {
        let at = pair.iter().position(|&octet| octet == b'=')?;
        let (name, value) = pair.split_at(at);
        name.trim_ascii()
            .eq_ignore_ascii_case(b"for")
            .then(|| value[1..].trim_ascii())
    })?;
    let unquoted = node
        .strip_prefix(b"\"")
        .and_then(|node| node.strip_suffix(b"\""));
    parse_node(unquoted.unwrap_or(node))
}

/// Reads an address, with or without brackets, with or without a port.
fn parse_node(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text.trim_ascii()).ok()?;
    let ip = if let Ok(ip) = text.parse::<IpAddr>() {
        ip
    } else if let Some(text) = text.strip_prefix('[') {
        let (ip, rest) = text.split_once(']')?;
        if !rest.is_empty() && !rest.starts_with(':') {
            return None;
        }
        ip.parse::<Ipv6Addr>().ok()?.into()
    } else {
        let (ip, _port) = text.split_once(':')?;
        ip.parse::<Ipv4Addr>().ok()?.into()
    };
    Some(ip.to_canonical())
}

/// Goes from right to left through what a separator separates outside of quoted strings.
#[derive(Debug, Clone)]
struct RightToLeft<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> RightToLeft<'a> {
    fn new(value: &'a [u8], separator: u8) -> Self {
        Self {
            rest: Some(value),
            separator,
        }
    }
}

impl<'a> Iterator for RightToLeft<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut is_quoted = false;
        for (at, &octet) in rest.iter().enumerate().rev() {
            if octet == b'"' && !is_escaped(&rest[..at]) {
                is_quoted = !is_quoted;
            } else if octet == self.separator && !is_quoted {
                self.rest = Some(&rest[..at]);
                return Some(&rest[at + 1..]);
            }
        }
        self.rest.take()
    }
}

/// Tells whether what follows `before` is escaped: an odd number of backslashes stands there.
fn is_escaped(before: &[u8]) -> bool {
    let backslashes = before.iter().rev().take_while(|&&o| o == b'\\').count();
    backslashes % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10/8, loopback and a proxy farm of IPv6 are trusted.
    fn trusted() -> Networks {
        let networks = ["10.0.0.0/8", "127.0.0.0/8", "2001:db8:ffff::/48"];
        Networks::new(networks.map(|network| network.parse().unwrap()))
    }

    fn find(header: &str, socket: &str, fields: &[(&str, &str)]) -> Client {
        find_from(Source::Socket(socket.parse().unwrap()), header, fields)
    }

    fn find_from(source: Source, header: &str, fields: &[(&str, &str)]) -> Client {
        let fields = fields.iter().map(|&(name, value)| (name, value.as_bytes()));
        let forwarding = Forwarding {
            trusted_proxies: trusted(),
            header: ForwardedHeader::new(header),
        };
        Client::find(source, fields, &forwarding)
    }

    /// The client that a proxy at 10.0.0.1 names in a field, or `silent`.
    fn found(header: &str, fields: &[(&str, &str)]) -> String {
        let client = find(header, "10.0.0.1", fields);
        match client.via {
            Via::Proxy => client.ip.to_string(),
            Via::SilentProxy => "silent".to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn listed(value: &str) -> String {
        found("x-forwarded-for", &[("X-Forwarded-For", value)])
    }

    fn tagged(value: &str) -> String {
        found("forwarded", &[("Forwarded", value)])
    }

    #[test]
    fn untrusted_sockets_are_not_believed_and_have_no_rights() {
        for field in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Own"] {
            let client = find("x-own", "198.51.100.1", &[(field, "192.0.2.9")]);
            assert_eq!(client.ip.to_string(), "198.51.100.1");
            assert_eq!(client.via, Via::Untrusted);
        }
        let plain = find("x-own", "198.51.100.1", &[("Host", "a")]);
        assert_eq!(plain.via, Via::Socket);
        let untrusted = Client {
            via: Via::Untrusted,
            ..plain
        };
        let silent = Client {
            via: Via::SilentProxy,
            ..plain
        };
        let some = Networks::new(["198.51.100.0/24".parse().unwrap()]);
        let all = Networks::new(["0.0.0.0/0".parse().unwrap()]);
        for (client, in_some) in [(plain, true), (untrusted, false), (silent, false)] {
            assert_eq!(client.is_in(&some), in_some);
            assert!(client.is_in(&all));
        }
    }

    #[test]
    fn who_is_named_before_the_first_request_is_the_client() {
        let header = "x-forwarded-for";
        let named = |ip: &str| Source::Named(ip.parse().unwrap());
        let stranger = named("::ffff:198.51.100.1");
        let forged = [(header, "192.0.2.9")];
        for (source, fields, ip, via) in [
            (stranger, &[][..], "198.51.100.1", Via::Proxy),
            (stranger, &forged, "198.51.100.1", Via::Untrusted),
            // A proxy behind a proxy.
            (named("10.0.0.1"), &forged, "192.0.2.9", Via::Proxy),
            (named("10.0.0.1"), &[], "10.0.0.1", Via::SilentProxy),
            (Source::Local, &forged, "192.0.2.9", Via::Proxy),
            (Source::Local, &[], "0.0.0.0", Via::SilentProxy),
        ] {
            let client = find_from(source, header, fields);
            let expected = Client {
                ip: ip.parse().unwrap(),
                via,
            };
            assert_eq!(client, expected, "{source:?} {fields:?}");
        }
        let nobody = Forwarding::default();
        let client = Client::find(Source::Local, [].into_iter(), &nobody);
        assert_eq!(client.via, Via::SilentProxy, "whoever is trusted");
    }

    #[test]
    fn a_mapped_socket_is_ipv4() {
        let client = find("x-forwarded-for", "::ffff:198.51.100.1", &[]);
        assert_eq!(client.ip.to_string(), "198.51.100.1");
        let fields = [("x-forwarded-for", "::ffff:192.0.2.9")];
        let client = find("x-forwarded-for", "::ffff:10.0.0.1", &fields);
        assert_eq!(client.ip.to_string(), "192.0.2.9");
    }

    #[test]
    fn only_the_configured_field_counts() {
        let fields = [("Forwarded", "for=192.0.2.1"), ("X-Real-IP", "192.0.2.2")];
        assert_eq!(found("x-forwarded-for", &fields), "silent");
        assert_eq!(found("forwarded", &fields), "192.0.2.1");
        assert_eq!(found("X-Real-IP", &fields), "192.0.2.2");
        assert_eq!(found("x-forwarded-for", &[]), "silent");
    }

    #[test]
    fn the_right_most_untrusted_entry_counts() {
        for (value, client) in [
            ("192.0.2.1", "192.0.2.1"),
            ("203.0.113.66, 192.0.2.1", "192.0.2.1"),
            ("203.0.113.66, 192.0.2.1, 10.1.1.1", "192.0.2.1"),
            ("203.0.113.66,192.0.2.1,10.1.1.1,127.0.0.1", "192.0.2.1"),
            ("127.0.0.1, 192.0.2.1", "192.0.2.1"),
            ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
            ("2001:db8::7, 2001:db8:ffff::1", "2001:db8::7"),
        ] {
            assert_eq!(listed(value), client, "{value}");
        }
    }

    #[test]
    fn a_field_may_repeat() {
        let fields = [
            ("x-forwarded-for", "203.0.113.66"),
            ("Host", "x"),
            ("X-FORWARDED-FOR", "192.0.2.1, 10.1.1.1"),
            ("X-Forwarded-For", "10.2.2.2"),
        ];
        assert_eq!(found("x-forwarded-for", &fields), "192.0.2.1");
        let fields = [
            ("forwarded", "for=203.0.113.66"),
            ("Forwarded", "for=192.0.2.1, for=10.1.1.1"),
            ("FORWARDED", "for=10.2.2.2"),
        ];
        assert_eq!(found("forwarded", &fields), "192.0.2.1");
    }

    #[test]
    fn an_entry_that_is_no_address_says_nothing() {
        for value in [
            "",
            "unknown",
            "192.0.2.1, ",
            "192.0.2.1, unknown",
            "192.0.2.1, unknown, 10.1.1.1",
            "192.0.2.1.5",
            "192.0.2.256",
            "[192.0.2.1]",
            "[2001:db8::7",
            "[2001:db8::7]x",
            "fe80::1%eth0",
        ] {
            assert_eq!(listed(value), "silent", "{value}");
        }
        assert_eq!(listed("garbage, 192.0.2.1"), "192.0.2.1");
        let octets = [("X-Forwarded-For", b"\xff\xfe".as_slice())];
        let forwarding = Forwarding {
            trusted_proxies: trusted(),
            header: ForwardedHeader::default(),
        };
        let proxy = Source::Socket([10, 0, 0, 1].into());
        let client = Client::find(proxy, octets.into_iter(), &forwarding);
        assert_eq!(client.via, Via::SilentProxy);
    }

    #[test]
    fn addresses_come_in_many_forms() {
        for (value, client) in [
            (" 192.0.2.1 ", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
        ] {
            assert_eq!(listed(value), client, "{value}");
        }
    }

    #[test]
    fn elements_of_forwarded() {
        for (value, client) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("proto=http;for=192.0.2.60", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=\"192.0.2.43:47011\"", "192.0.2.43"),
            ("for=192.0.2.43, for=198.51.100.17", "198.51.100.17"),
            ("for=192.0.2.43, for=10.1.1.1;by=10.0.0.1", "192.0.2.43"),
            ("for = 192.0.2.43 ; proto=https", "192.0.2.43"),
            // Separators inside a quoted string do not separate.
            ("for=192.0.2.43;by=\"_a,for=203.0.113.66\"", "192.0.2.43"),
            ("for=192.0.2.43;by=\"_a;for=203.0.113.66\"", "192.0.2.43"),
            ("for=192.0.2.43;by=\"\\\",for=203.0.113.66\"", "192.0.2.43"),
            ("for=192.0.2.43;by=\"\\\\\", for=10.1.1.1", "192.0.2.43"),
            // Obfuscated and unknown nodes say nothing.
            ("for=_hidden", "silent"),
            ("for=unknown", "silent"),
            ("for=\"_gazonk:_port\"", "silent"),
            ("for=192.0.2.43, for=unknown, for=10.1.1.1", "silent"),
            ("proto=https", "silent"),
            ("for=192.0.2.43, proto=https", "silent"),
            ("for", "silent"),
            ("for=", "silent"),
            ("for=\"", "silent"),
            ("", "silent"),
        ] {
            assert_eq!(tagged(value), client, "{value}");
        }
    }
}
