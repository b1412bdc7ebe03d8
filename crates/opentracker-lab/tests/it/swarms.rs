//! Real clients meet through the tracker: one seeds, the others fetch, every octet is compared.
//!
//! For each kind of announce URL each client that can use it seeds once, and all the others fetch
//! from it and from one another. Nothing but the tracker can tell them of each other: the torrent
//! is private, and DHT, PEX and LSD are off. A swarm goes through the whole life of a peer: the
//! tracker has to count the seeder when it has `started`, each fetcher when it has `completed`,
//! and nobody any more when all have `stopped`.
//!
//! | client | udp, IPv4 | http, IPv4 | udp, fd00:: | http, fd00:: | udp, 2001:db8:: |
//! |---|---|---|---|---|---|
//! | transmission 3.00 | both | both (3) | neither (1) | both (3) | seeds (1) |
//! | aria2 1.36.0 | both | both | neither (2) | both | neither (2) |
//! | libtorrent 2.0.8 | both | both | both | both | both |
//! | qBittorrent 4.5.2 | both | both | both | both | both |
//!
//! 1. Transmission opens its IPv6 socket for UDP only if the host has a global address (in
//!    2000::/3) and a default route, and it does not understand a literal IPv6 address in a UDP
//!    URL. The last column gives it what it wants: addresses of the documentation prefix, a
//!    default route, and a URL with a domain name. Even then it reads the peers of a UDP reply as
//!    IPv4 addresses, so it can be found but finds nobody, and only seeds.
//! 2. The UDP tracker client of aria2 is part of its IPv4 DHT node and has no other socket.
//! 3. On its way out it starts to announce `stopped` over HTTP but does not wait for it to be
//!    sent, so the tracker may still count it.
//!
//! Transmission unchokes peers every ten seconds only, which is what a swarm with it waits for:
//! `--test-threads=8` costs no more processor time than fewer.

use std::net::Ipv6Addr;
use std::time::Duration;

use opentracker_lab::{Client, Endpoint, Family, Host, Lab, Scheme, Session, Torrent, Tracker};
use opentracker_types::SwarmCounts;

/// Octets of the payload: 97 pieces, the last of them a short one.
const PAYLOAD: usize = 3 * 1024 * 1024 + 12_345;

/// How long any step of a swarm may take. It takes a few seconds; but a client whose first request got
/// lost, on a busy machine, asks again after a minute or later.
const PATIENCE: Duration = Duration::from_secs(180);

/// An announce URL as the clients of a swarm get it.
#[derive(Debug, Clone, Copy)]
struct Url {
    scheme: Scheme,
    family: Family,
    /// Whether the network has global IPv6 addresses and the URL a domain name.
    global: bool,
}

const UDP_V4: Url = Url {
    scheme: Scheme::Udp,
    family: Family::V4,
    global: false,
};
const HTTP_V4: Url = Url {
    scheme: Scheme::Http,
    ..UDP_V4
};
const UDP_V6: Url = Url {
    family: Family::V6,
    ..UDP_V4
};
const HTTP_V6: Url = Url {
    scheme: Scheme::Http,
    ..UDP_V6
};
const UDP_V6_GLOBAL: Url = Url {
    global: true,
    ..UDP_V6
};

impl Url {
    /// Whether the client can use the URL at all, as the table above says.
    fn serves(self, client: Client) -> bool {
        match (self.scheme, self.family, client) {
            (Scheme::Udp, Family::V6, Client::Aria2) => false,
            (Scheme::Udp, Family::V6, Client::Transmission) => self.global,
            _ => true,
        }
    }

    /// Whether the client can find others by it.
    fn finds_peers(self, client: Client) -> bool {
        let udp_v6 = self.scheme == Scheme::Udp && self.family == Family::V6;
        self.serves(client) && !(udp_v6 && client == Client::Transmission)
    }

    /// Whether it is sure that the tracker hears when the client stops.
    fn hears_goodbye(self, client: Client) -> bool {
        !(self.scheme == Scheme::Http && client == Client::Transmission)
    }

    fn lab(self, name: &str) -> Lab {
        if self.global {
            Lab::with_ipv6_prefix(name, Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0))
        } else {
            Lab::new(name)
        }
    }

    fn host(self, lab: &Lab, name: &str) -> Host {
        let host = lab.host(name);
        if self.global {
            host.ip("route add ::/0 dev eth0");
        }
        host
    }

    fn text(self, tracker: &Host, endpoint: &Endpoint) -> String {
        if self.global {
            endpoint.announce_url_at(&tracker.domain_name(self.family))
        } else {
            endpoint.announce_url()
        }
    }
}

/// Makes one test for each client that seeds, in a module named after the URL, and one that holds
/// the list against the table.
macro_rules! swarms {
    ($($module:ident $url:ident: $($test:ident $client:ident),+;)+) => {$(
        mod $module {
            use super::*;

            $(
                #[test]
                fn $test() {
                    let seeder = Client::$client;
                    swarm($url, &format!("{}-{}", stringify!($module), seeder.name()), seeder);
                }
            )+

            #[test]
            fn each_client_seeds_that_can() {
                let able = Client::ALL.into_iter().filter(|&client| $url.serves(client));
                assert!(able.eq([$(Client::$client),+]));
            }
        }
    )+};
}

swarms! {
    udp_v4 UDP_V4:
        transmission_seeds Transmission,
        aria2_seeds Aria2,
        libtorrent_seeds Libtorrent,
        qbittorrent_seeds Qbittorrent;
    http_v4 HTTP_V4:
        transmission_seeds Transmission,
        aria2_seeds Aria2,
        libtorrent_seeds Libtorrent,
        qbittorrent_seeds Qbittorrent;
    udp_v6 UDP_V6:
        libtorrent_seeds Libtorrent,
        qbittorrent_seeds Qbittorrent;
    http_v6 HTTP_V6:
        transmission_seeds Transmission,
        aria2_seeds Aria2,
        libtorrent_seeds Libtorrent,
        qbittorrent_seeds Qbittorrent;
    udp_v6_global UDP_V6_GLOBAL:
        transmission_seeds Transmission,
        libtorrent_seeds Libtorrent,
        qbittorrent_seeds Qbittorrent;
}

/// Lets one client seed and all others that can use the URL fetch.
fn swarm(url: Url, name: &str, seeder: Client) {
    let lab = url.lab(name);
    let tracker_host = url.host(&lab, "tracker");
    let endpoint = Tracker::endpoint(&tracker_host, url.scheme, url.family);
    let torrent = Torrent::random(1, PAYLOAD, &url.text(&tracker_host, &endpoint));
    let info_hash = torrent.info_hash();
    let _tracker = Tracker::start(&tracker_host, &[info_hash], &[endpoint]);

    let observer = url.host(&lab, "observer");
    let await_counts = |what: &str, fits: &dyn Fn(SwarmCounts) -> bool| {
        lab.wait_until(PATIENCE, what, || {
            endpoint.scrape(&observer, info_hash).is_ok_and(fits)
        });
    };

    let seeding = seeder.seed(&url.host(&lab, seeder.name()), &torrent);
    await_counts("the tracker has the seeder", &|counts| counts.seeders == 1);

    let fetchers: Vec<Client> = Client::ALL
        .into_iter()
        .filter(|&client| client != seeder && url.finds_peers(client))
        .collect();
    let mut fetching: Vec<Session> = fetchers
        .iter()
        .map(|client| client.fetch(&url.host(&lab, client.name()), &torrent))
        .collect();
    for session in &mut fetching {
        session.wait_until_complete(PATIENCE);
    }

    let downloads = u32::try_from(fetchers.len()).expect("there are four clients");
    let complete = SwarmCounts {
        seeders: 1 + downloads,
        leechers: 0,
        downloads: downloads.into(),
    };
    await_counts("the tracker knows who has completed", &|counts| {
        counts == complete
    });

    for session in fetching.into_iter().chain([seeding]) {
        session.stop(PATIENCE);
    }
    let silent = fetchers.iter().chain([&seeder]);
    let silent = silent.filter(|&&client| !url.hears_goodbye(client)).count();
    await_counts("the tracker knows who has stopped", &|counts| {
        counts.leechers == 0 && counts.seeders as usize <= silent
    });
}
