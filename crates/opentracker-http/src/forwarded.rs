//! Whose request it is, when proxies stand between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use opentracker_core::Networks;

/// The client that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address, canonical.
    pub(crate) ip: IpAddr,
    /// A trusted proxy stands between, so the address may be one that the client cannot be
    /// reached by, and is not worth telling it.
    pub(crate) is_behind_proxy: bool,
}

/// `X-Forwarded-For` and `Forwarded` name different clients: one of them was not written by the
/// proxy but by the client, and nobody knows which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contradiction;

impl Client {
    /// Finds the client of a request from its socket's address and its header fields in order.
    ///
    /// Only if the socket's address is trusted, the fields are looked at. Their entries are walked
    /// from right to left for as long as they are trusted: the first that is not is the client.
    /// At an entry that is no address (obfuscated, `unknown`, garbage) the walk stops at the
    /// address before it, and so it does at the end, if all are trusted.
    ///
    /// A proxy writes one of the two fields and may hand on what the client wrote into the other,
    /// so if both are there they must agree.
    pub(crate) fn find<'a>(
        socket: IpAddr,
        fields: impl DoubleEndedIterator<Item = (&'a str, &'a [u8])> + Clone,
        trusted: &Networks,
    ) -> Result<Self, Contradiction> {
        let socket = socket.to_canonical();
        if !trusted.contains(socket) {
            return Ok(Self {
                ip: socket,
                is_behind_proxy: false,
            });
        }
        let values = |name: &'static str| {
            fields
                .clone()
                .rev()
                .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        let listed = values("x-forwarded-for").flat_map(|value| value.rsplit(|&o| o == b','));
        let listed = walk(socket, listed.map(parse_node), trusted);
        let tagged = values("forwarded").flat_map(|value| RightToLeft::new(value, b','));
        let tagged = walk(socket, tagged.map(parse_element), trusted);
        let ip = match (listed, tagged) {
            (Some(listed), Some(tagged)) if listed != tagged => return Err(Contradiction),
            (Some(ip), _) | (None, Some(ip)) => ip,
            (None, None) => socket,
        };
        Ok(Self {
            ip,
            is_behind_proxy: true,
        })
    }
}

/// Goes from proxy to proxy; `None` if there is no entry at all.
fn walk(
    socket: IpAddr,
    entries: impl Iterator<Item = Option<IpAddr>>,
    trusted: &Networks,
) -> Option<IpAddr> {
    let mut client = None;
    for entry in entries {
        let Some(ip) = entry else {
            return client.or(Some(socket));
        };
        client = Some(ip);
        if !trusted.contains(ip) {
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

    fn find(socket: &str, fields: &[(&str, &str)]) -> Result<Client, Contradiction> {
        let fields = fields.iter().map(|&(name, value)| (name, value.as_bytes()));
        Client::find(socket.parse().unwrap(), fields, &trusted())
    }

    fn found(fields: &[(&str, &str)]) -> String {
        let client = find("10.0.0.1", fields).unwrap();
        assert!(client.is_behind_proxy);
        client.ip.to_string()
    }

    fn listed(value: &str) -> String {
        found(&[("X-Forwarded-For", value)])
    }

    fn tagged(value: &str) -> String {
        found(&[("Forwarded", value)])
    }

    #[test]
    fn strangers_are_not_believed() {
        for field in ["X-Forwarded-For", "Forwarded"] {
            let fields = [(field, "for=192.0.2.9"), (field, "192.0.2.9")];
            let client = find("198.51.100.1", &fields).unwrap();
            assert_eq!(client.ip.to_string(), "198.51.100.1");
            assert!(!client.is_behind_proxy);
        }
    }

    #[test]
    fn a_mapped_socket_is_ipv4() {
        let client = find("::ffff:198.51.100.1", &[]).unwrap();
        assert_eq!(client.ip.to_string(), "198.51.100.1");
        let fields = [("x-forwarded-for", "::ffff:192.0.2.9")];
        let client = find("::ffff:10.0.0.1", &fields).unwrap();
        assert_eq!(client.ip.to_string(), "192.0.2.9");
    }

    #[test]
    fn a_proxy_that_says_nothing_is_the_client() {
        assert_eq!(found(&[]), "10.0.0.1");
        assert_eq!(found(&[("Host", "192.0.2.1")]), "10.0.0.1");
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
        assert_eq!(found(&fields), "192.0.2.1");
        let fields = [
            ("forwarded", "for=203.0.113.66"),
            ("Forwarded", "for=192.0.2.1, for=10.1.1.1"),
            ("FORWARDED", "for=10.2.2.2"),
        ];
        assert_eq!(found(&fields), "192.0.2.1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        for (value, client) in [
            ("", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
            ("192.0.2.1, ", "10.0.0.1"),
            ("192.0.2.1, unknown", "10.0.0.1"),
            ("192.0.2.1, unknown, 10.1.1.1", "10.1.1.1"),
            ("garbage, 192.0.2.1", "192.0.2.1"),
            ("192.0.2.1.5", "10.0.0.1"),
            ("192.0.2.256", "10.0.0.1"),
            ("[192.0.2.1]", "10.0.0.1"),
            ("[2001:db8::7", "10.0.0.1"),
            ("[2001:db8::7]x", "10.0.0.1"),
            ("fe80::1%eth0", "10.0.0.1"),
        ] {
            assert_eq!(listed(value), client, "{value}");
        }
        let octets = [("X-Forwarded-For", b"\xff\xfe".as_slice())];
        let client = Client::find([10, 0, 0, 1].into(), octets.into_iter(), &trusted());
        assert_eq!(client.unwrap().ip.to_string(), "10.0.0.1");
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
            // Obfuscated and unknown nodes end the walk.
            ("for=_hidden", "10.0.0.1"),
            ("for=unknown", "10.0.0.1"),
            ("for=\"_gazonk:_port\"", "10.0.0.1"),
            ("for=192.0.2.43, for=unknown, for=10.1.1.1", "10.1.1.1"),
            ("proto=https", "10.0.0.1"),
            ("for=192.0.2.43, proto=https", "10.0.0.1"),
            ("for", "10.0.0.1"),
            ("for=", "10.0.0.1"),
            ("for=\"", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(tagged(value), client, "{value}");
        }
    }

    #[test]
    fn both_fields_must_agree() {
        let both = |listed, tagged| {
            find(
                "10.0.0.1",
                &[("X-Forwarded-For", listed), ("Forwarded", tagged)],
            )
        };
        let agreed = both("192.0.2.1, 10.1.1.1", "for=192.0.2.1").unwrap();
        assert_eq!(agreed.ip.to_string(), "192.0.2.1");
        assert_eq!(both("192.0.2.1", "for=127.0.0.1"), Err(Contradiction));
        assert_eq!(both("127.0.0.1", "for=192.0.2.1"), Err(Contradiction));
        assert_eq!(both("192.0.2.1", "for=unknown"), Err(Contradiction));
    }
}
