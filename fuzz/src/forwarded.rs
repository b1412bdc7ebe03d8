use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use opentracker_core::Networks;
use opentracker_http::{Client, ForwardedHeader, Forwarding, Source, Via};

use crate::input::Input;

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
const CLIENT_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));

/// Header fields in which proxies name clients: whatever a client writes into them, what the trusted
/// proxy adds to them decides.
///
/// The first octet chooses the header; then come fields, each a name and its value in one line.
pub fn forwarded(octets: &[u8]) {
    let mut input = Input::new(octets);
    let Some(choice) = input.octet() else {
        return;
    };
    let names = ["forwarded", "x-forwarded-for", "x-real-ip"];
    let name = names[usize::from(choice) % names.len()];
    let forwarding = Forwarding {
        trusted_proxies: Networks::new(["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap())),
        header: ForwardedHeader::new(name),
    };
    let lines = input.rest().split(|&octet| octet == b'\n');
    let fields: Vec<_> = lines.filter_map(split_field).collect();
    let find = |source, fields: &[(&str, &[u8])]| {
        Client::find(source, fields.iter().copied(), &forwarding)
    };

    // Who is no trusted proxy is himself, and so is whom a trusted proxy has named before.
    for source in [Source::Socket(CLIENT), Source::Named(CLIENT_V6)] {
        let client = find(source, &fields);
        assert_eq!(client.ip, source.ip());
        assert!(matches!(
            client.via,
            Via::Socket | Via::Proxy | Via::Untrusted
        ));
    }
    let client = find(Source::Socket(PROXY), &fields);
    match client.via {
        Via::Proxy => assert_eq!(client.ip, client.ip.to_canonical()),
        Via::SilentProxy => assert_eq!(client.ip, PROXY),
        Via::Socket | Via::Untrusted => panic!("{client:?} by a trusted proxy"),
    }
    if !fields
        .iter()
        .any(|(field, _)| field.eq_ignore_ascii_case(name))
    {
        assert_eq!(client.via, Via::SilentProxy);
    }
    for source in [Source::Socket(PROXY), Source::Local] {
        for (ip, node) in [(CLIENT, "192.0.2.7"), (CLIENT_V6, "\"[2001:db8::7]:4711\"")] {
            let named = match forwarding.header {
                ForwardedHeader::Rfc7239 => format!("proto=http;for={node}"),
                ForwardedHeader::List(_) => node.trim_matches('"').to_owned(),
            };
            what_the_proxy_adds_decides(ip, name, &named, &fields, |fields| find(source, fields));
        }
    }
}

/// The proxy names the client in a field of its own, or at the end of the last one of that name.
fn what_the_proxy_adds_decides(
    ip: IpAddr,
    name: &str,
    named: &str,
    fields: &[(&str, &[u8])],
    find: impl Fn(&[(&str, &[u8])]) -> Client,
) {
    let via = Via::Proxy;
    let mut with_another = fields.to_vec();
    with_another.push((name, named.as_bytes()));
    assert_eq!(find(&with_another), Client { ip, via });

    let longer;
    let mut with_longer = fields.to_vec();
    let is_it = |field: &&mut (&str, &[u8])| field.0.eq_ignore_ascii_case(name);
    if let Some((_, value)) = with_longer.iter_mut().rev().find(is_it) {
        longer = [*value, b", ", named.as_bytes()].concat();
        *value = &longer;
        assert_eq!(find(&with_longer), Client { ip, via });
    }
}

fn split_field(line: &[u8]) -> Option<(&str, &[u8])> {
    let at = line.iter().position(|&octet| octet == b':')?;
    Some((str::from_utf8(&line[..at]).ok()?, &line[at + 1..]))
}
