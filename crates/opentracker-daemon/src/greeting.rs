//! What the program says when it has started.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use opentracker::{Listener, Tracker};

/// Says what is served, where, and with which lists.
pub(crate) fn greet(tracker: &Tracker) {
    for listener in tracker.listeners() {
        let passed = if listener.is_passed {
            ", which was passed"
        } else {
            ""
        };
        let for_whom = if listener.proxy_protocol {
            ", for proxies"
        } else {
            ""
        };
        let (protocol, address) = (listener.protocol, &listener.address);
        tracing::info!("listening on {protocol} {address}{passed}{for_whom}");
    }
    let config = tracker.config();
    let served = tracker.listeners();
    let is_passed = |served: &Listener| served.protocol == "admin" && served.is_passed;
    let is_missing = |address: &&SocketAddr| {
        let is_served = |served: &Listener| served.address.internet() == Some(**address);
        address.port() != 0 && !served.iter().any(|one| is_served(one) || is_passed(one))
    };
    for address in config.admin.listen.iter().filter(is_missing) {
        tracing::warn!("without the operator's own listener at {address}: see above");
    }
    let of = |protocol| {
        let listeners = tracker.listeners().iter();
        // What is for proxies, clients reach by the proxy's address.
        let direct = listeners
            .filter(move |listener| listener.protocol == protocol && !listener.proxy_protocol);
        direct.filter_map(|listener| Some(reachable(listener.address.internet()?)))
    };
    let mut schemes = vec![("udp", "udp"), ("http", "http"), ("https", "https")];
    if config.webtorrent.enabled {
        schemes.extend([("http", "ws"), ("https", "wss")]);
    }
    let of_scheme = |(protocol, scheme)| {
        of(protocol).map(move |address| format!("{scheme}://{address}/announce"))
    };
    let urls: Vec<_> = schemes.into_iter().flat_map(of_scheme).collect();
    if urls.is_empty() {
        tracing::info!("announce URLs: those of the proxy");
    } else {
        tracing::info!("announce URLs: {}", urls.join(" "));
    }
    // What is at the root of the public listeners may be elsewhere.
    let public = of("http").filter(|_| config.http.redirect_url.is_empty());
    if let Some(address) = public.chain(of("admin")).next() {
        tracing::info!("dashboard: http://{address}/");
    }
    let rules = tracker.core().rules();
    let lists = &rules.lists;
    for (what, list) in [
        ("on the allow list", &lists.allow),
        ("on the deny list", &lists.deny),
        ("that were blocked by hand", &lists.blocked),
    ] {
        if let Some(list) = list {
            tracing::info!("info hashes {what}: {}", list.len());
        }
    }
    if let Some(clients) = &lists.deny_clients {
        tracing::info!("peer-id prefixes that are refused: {}", clients.len());
    }
    if let Some(networks) = &lists.deny_networks {
        tracing::info!("networks that are not served: {}", networks.len());
    }
}

/// Returns where a client reaches a listener. For one on all addresses it is the address that this
/// host would call others from, or loopback where it can call nobody.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // Nothing is sent; the kernel only looks for a way. Both networks are for documentation.
    let (here, there, loopback): (_, IpAddr, IpAddr) = if address.is_ipv4() {
        let there = Ipv4Addr::new(192, 0, 2, 1);
        (address.ip(), there.into(), Ipv4Addr::LOCALHOST.into())
    } else {
        let there = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        (address.ip(), there.into(), Ipv6Addr::LOCALHOST.into())
    };
    let found = UdpSocket::bind((here, 0)).and_then(|socket| {
        socket.connect((there, address.port()))?;
        socket.local_addr()
    });
    let ip = found.map_or(loopback, |found| found.ip());
    SocketAddr::new(ip, address.port())
}
