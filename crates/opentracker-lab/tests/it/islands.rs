//! Three islands are one cluster: multicast within each, NATS with TLS and credentials between their
//! relays, and unicast between two of those too, so that packets come to these twice. Real clients
//! fetch at each island what another seeds.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use opentracker_lab::nats::{Certificates, Operator};
use opentracker_lab::{Client, Family, Host, Process, Scheme, Signal, Torrent, Tracker, http};
use opentracker_types::InfoHash;

use crate::cluster::{Cluster, Instance, Is, Member, Packet, torrent};

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(60);

const CARRIER_PACKETS: &str = "opentracker_cluster_carrier_packets_total";
const DROPPED: &str = "opentracker_livesync_dropped_packets_total";

const NATS: u16 = 4222;
const UNICAST: u16 = 9697;

/// The relays that have each other's addresses.
const PAIR: [usize; 2] = [0, 1];

/// How often a packet is sent at most: once by its node, and by each relay on each of its carriers.
const SENT_AT_MOST: u64 = 1 + 3 + 3 + 2;

/// What seeds and fetches: of each torrent another one seeds.
const CLIENTS: [Client; 3] = [Client::Libtorrent, Client::Aria2, Client::Qbittorrent];

/// Octets of what real clients share: 9 pieces, the last of them a short one.
const PAYLOAD: usize = 256 * 1024 + 12_345;

/// A beacon of 16 octets with its seal, without the first eight.
const BEACON: usize = 16 + 24 - 8;

#[test]
fn three_islands_over_nats_and_unicast_are_one_cluster() {
    let mut islands = Islands::new();
    islands.wait_until_all_carriers_carry();

    for (number, family) in [(0, Family::V4), (1, Family::V6), (2, Family::V4)] {
        islands.assert_known_everywhere_until_it_stops(number, family);
    }
    islands.assert_real_clients_share_what_each_island_seeds();

    islands.nats.kill();
    islands.wait_until_relays_say("connection to NATS is broken", 1);
    islands.assert_parted(torrent(10), torrent(11));
    islands.nats.run();
    islands.wait_until_relays_say("connected to NATS", 2);
    islands.assert_crosses_from(0, torrent(12));
    islands.assert_crosses_from(2, torrent(13));
    for island in &mut islands.islands {
        let log = island.relay.log();
        let of_nats = |line: &&str| line.contains(" WARN ") && line.contains("NATS");
        let warnings: Vec<_> = log.lines().filter(of_nats).collect();
        assert_eq!(warnings.len(), 1, "the break is said once: {warnings:#?}");
        assert_eq!(log.matches("connected to NATS").count(), 2, "{log}");
    }

    islands.islands[2].relay.host.link_down();
    islands.assert_parted_without_relay(torrent(20), torrent(21));
    islands.islands[2].relay.host.link_up();
    islands.assert_crosses_from(0, torrent(22));
    islands.assert_crosses_from(2, torrent(23));

    islands.wait_until_beacons_alone_are_sent();
    islands.assert_no_packet_came_twice();
    islands.assert_a_relay_that_stops_has_told(torrent(30));
}

struct Islands {
    // Fields are dropped in this order, and the lab goes last.
    islands: [Island; 3],
    nats: Nats,
    cluster: Cluster,
}

/// A network of its own.
struct Island {
    relay: Instance,
    /// It has its island's group alone.
    node: Instance,
    /// Hears what passes in the group.
    listener: Member,
}

impl Islands {
    fn new() -> Self {
        let cluster = Cluster::new("islands", "");
        let hosts = ["a", "b", "c"].map(|island| {
            ["relay", "node", "listener"].map(|role| cluster.lab.host(&format!("{island}-{role}")))
        });
        part(&cluster, &hosts);
        let nats = Nats::start(cluster.lab.host("nats"));
        cluster.lab.wait_until(PATIENCE, "NATS serves", || {
            nats.process.log().contains("Server is ready")
        });
        let relays = hosts.each_ref().map(|[relay, ..]| relay.clone());
        let mut number = 0;
        let islands = hosts.map(|[relay, node, listener]| {
            let lines = nats.node_config() + "relay = true\n" + &nats.relay_config();
            let lines = lines + &unicast_config(&relays, number);
            number += 1;
            Island {
                listener: Member::on(&listener),
                node: cluster.tracker_on(node, &nats.node_config()),
                relay: cluster.tracker_on(relay, &lines),
            }
        });
        Self {
            islands,
            nats,
            cluster,
        }
    }

    #[track_caller]
    fn wait_until(&self, what: &str, condition: impl FnMut() -> bool) {
        self.cluster.lab.wait_until(PATIENCE, what, condition);
    }

    fn trackers(&self) -> impl Iterator<Item = &Instance> {
        let islands = self.islands.iter();
        islands.flat_map(|island| [&island.relay, &island.node])
    }

    /// Beacons come by each before anything is announced.
    fn wait_until_all_carriers_carry(&self) {
        for (number, island) in self.islands.iter().enumerate() {
            let mut ways = vec![
                (&island.node, "group"),
                (&island.relay, "group"),
                (&island.relay, "nats"),
            ];
            if PAIR.contains(&number) {
                ways.push((&island.relay, "unicast"));
            }
            for (tracker, carrier) in ways {
                let what = format!("{} hears by {carrier}", tracker.host.name());
                let labels = [("carrier", carrier), ("direction", "in")];
                self.wait_until(&what, || metric(tracker, CARRIER_PACKETS, &labels) > 0);
            }
        }
    }

    /// One announce at a node is enough, and so is one that says it stops.
    fn assert_known_everywhere_until_it_stops(&self, island: usize, family: Family) {
        let Cluster {
            client, watcher, ..
        } = &self.cluster;
        let (node, torrent) = (&self.islands[island].node, torrent(island));
        let address = (client.address(family), 6881).into();
        node.announce(client, family, torrent, 6881, Is::Seeder);
        for tracker in self.trackers() {
            self.wait_until("all know the seeder", || {
                tracker.counts(client, torrent).seeders == 1
            });
            let peers = tracker.announce(watcher, family, torrent, 7000, Is::Leecher);
            assert!(peers.contains(&address), "{peers:?}");
        }
        node.announce(client, family, torrent, 6881, Is::Gone);
        for tracker in self.trackers() {
            self.wait_until("all know that it has gone", || {
                tracker.counts(client, torrent).seeders == 0
            });
        }
    }

    /// Of three torrents each is seeded at another island. Clients at an island reach no tracker but its
    /// own, and are told of peers by nobody else: the torrents are private.
    fn assert_real_clients_share_what_each_island_seeds(&self) {
        let lab = &self.cluster.lab;
        let hosts = ["a", "b", "c"]
            .map(|island| CLIENTS.map(|client| lab.host(&format!("{island}-{}", client.name()))));
        for (island, own) in hosts.iter().enumerate() {
            let others = (0..3).filter(|other| *other != island);
            let others = others.flat_map(|other| {
                let Island { relay, node, .. } = &self.islands[other];
                [&relay.host, &node.host]
            });
            let (own, others) = (ports(own), ports(others));
            lab.drop_frames(&format!("iifname {own} oifname {others}"));
        }
        let torrents = [0, 1, 2].map(|seeded_at| {
            self.islands.each_ref().map(|island| {
                let tracker = Tracker::endpoint(&island.node.host, Scheme::Udp, Family::V4);
                Torrent::random(seeded_at, PAYLOAD, &tracker.announce_url())
            })
        });
        let all_count = |seeders| {
            self.wait_until(&format!("all know {seeders} seeders of each"), || {
                let counts = self.trackers().flat_map(|tracker| {
                    let hashes = torrents.iter().map(|[torrent, ..]| torrent.info_hash());
                    hashes.map(|hash| tracker.counts(&self.cluster.client, hash))
                });
                let mut counts = counts.map(|counts| (counts.seeders, counts.leechers));
                counts.all(|counts| counts == (seeders, 0))
            });
        };
        let start = |(seeded_at, island): (usize, usize)| {
            let number = (seeded_at + island) % CLIENTS.len();
            let (client, host) = (CLIENTS[number], &hosts[island][number]);
            let torrent = &torrents[seeded_at][island];
            match seeded_at == island {
                true => client.seed(host, torrent),
                false => client.fetch(host, torrent),
            }
        };
        let mut sessions: Vec<_> = [(0, 0), (1, 1), (2, 2)].map(start).into();
        all_count(1);
        sessions.extend([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)].map(start));
        for session in &mut sessions {
            session.wait_until_complete(PATIENCE);
        }
        all_count(3);
        thread::scope(|scope| {
            for session in sessions {
                scope.spawn(|| session.stop(PATIENCE));
            }
        });
        all_count(0);
    }

    /// Without NATS, the pair goes on, and so does the third island for itself.
    fn assert_parted(&self, of_third: InfoHash, of_pair: InfoHash) {
        let [a, b, c] = &self.islands;
        let third = [&c.relay, &c.node];
        self.assert_known_among(&third, of_third);
        let pair = [&a.node, &a.relay, &b.relay, &b.node];
        self.assert_known_among(&pair, of_pair);
        self.assert_unknown_to(&pair, of_third);
        self.assert_unknown_to(&third, of_pair);
    }

    /// While the third island has no link to the others, all go on.
    fn assert_parted_without_relay(&mut self, of_third: InfoHash, of_pair: InfoHash) {
        let relay = &mut self.islands[2].relay;
        let gone = "multicast interface is gone or down";
        let lab = &self.cluster.lab;
        lab.wait_until(PATIENCE, gone, || relay.log().contains(gone));
        let [a, b, c] = &self.islands;
        self.assert_known_among(&[&c.node], of_third);
        let pair = [&a.node, &a.relay, &b.relay, &b.node];
        self.assert_known_among(&pair, of_pair);
        self.assert_unknown_to(&pair, of_third);
        self.assert_unknown_to(&[&c.node], of_pair);
    }

    /// What is announced at the first, all of these know.
    fn assert_known_among(&self, trackers: &[&Instance], torrent: InfoHash) {
        let client = &self.cluster.client;
        trackers[0].announce(client, Family::V4, torrent, 6881, Is::Seeder);
        for tracker in trackers {
            self.wait_until("all that are joined know the seeder", || {
                tracker.counts(client, torrent).seeders == 1
            });
        }
    }

    fn assert_unknown_to(&self, trackers: &[&Instance], torrent: InfoHash) {
        for tracker in trackers {
            let counts = tracker.counts(&self.cluster.client, torrent);
            assert_eq!(counts.seeders, 0, "{}", tracker.host.name());
        }
    }

    /// What changes is told again, so it does not matter when the way is open.
    fn assert_crosses_from(&self, island: usize, torrent: InfoHash) {
        let client = &self.cluster.client;
        let mut changes = [Is::Seeder, Is::Leecher].into_iter().cycle();
        self.wait_until("an announce crosses again", || {
            let is = changes.next().expect("it has no end");
            let node = &self.islands[island].node;
            node.announce(client, Family::V4, torrent, 6881, is);
            self.trackers().all(|tracker| {
                let counts = tracker.counts(client, torrent);
                counts.seeders + counts.leechers == 1
            })
        });
    }

    fn wait_until_relays_say(&mut self, words: &str, times: usize) {
        let lab = &self.cluster.lab;
        for Island { relay, .. } in &mut self.islands {
            let what = format!("{} says {words:?}", relay.host.name());
            lab.wait_until(PATIENCE, &what, || {
                relay.log().matches(words).count() >= times
            });
        }
    }

    /// Each packet of the cluster is heard once in each island, so those tell how many there are.
    fn wait_until_beacons_alone_are_sent(&self) {
        const BEACONS: usize = 12;
        let listener = &self.islands[0].listener;
        let sent = || {
            let out = [("direction", "out")];
            let sent = self.trackers().map(|of| metric(of, CARRIER_PACKETS, &out));
            sent.sum::<u64>()
        };
        self.wait_until("there are beacons alone", || {
            let (heard_before, sent_before) = (listener.all().len(), sent());
            self.wait_until("some packets are heard", || {
                listener.all().len() >= heard_before + BEACONS
            });
            let growth = sent() - sent_before;
            let heard = listener.all().split_off(heard_before);
            // The figures are a second old, in which each of six beacons.
            let most = SENT_AT_MOST * (heard.len() as u64 + 12);
            growth <= most && heard.iter().all(is_beacon)
        });
    }

    /// What it still held goes out over NATS, too.
    fn assert_a_relay_that_stops_has_told(&mut self, torrent: InfoHash) {
        let client = &self.cluster.client;
        let [a, b, c] = &mut self.islands;
        c.relay
            .announce(client, Family::V4, torrent, 6881, Is::Seeder);
        c.relay.stop();
        for tracker in [&a.relay, &a.node, &b.relay, &b.node, &c.node] {
            let what = "all know what the relay held";
            self.cluster.lab.wait_until(PATIENCE, what, || {
                tracker.counts(client, torrent).seeders == 1
            });
        }
    }

    /// Nothing comes twice to an island, though its relay has heard it by two carriers.
    fn assert_no_packet_came_twice(&self) {
        for relay in PAIR.map(|number| &self.islands[number].relay) {
            let duplicates = metric(relay, DROPPED, &[("reason", "duplicate")]);
            assert!(duplicates > 0, "{}", relay.host.name());
        }
        for Island { listener, .. } in &self.islands {
            let heard = listener.all();
            let different: HashSet<_> = heard.iter().map(Packet::octets).collect();
            assert_eq!(different.len(), heard.len(), "a packet came twice");
        }
    }
}

/// Between hosts of different islands unicast of live sync passes, and nothing else.
fn part(cluster: &Cluster, islands: &[[Host; 3]; 3]) {
    let names = islands.each_ref().map(ports);
    for from in &names {
        for to in names.iter().filter(|to| *to != from) {
            let between = format!("iifname {from} oifname {to}");
            cluster
                .lab
                .drop_frames(&format!("{between} udp dport != {UNICAST}"));
            cluster
                .lab
                .drop_frames(&format!("{between} ip protocol tcp"));
        }
    }
}

/// The hosts' ports of the switch, as a set of nftables.
fn ports<'a>(hosts: impl IntoIterator<Item = &'a Host>) -> String {
    let names = hosts.into_iter().map(|host| format!("{:?}", host.name()));
    format!("{{ {} }}", names.collect::<Vec<_>>().join(", "))
}

fn unicast_config(relays: &[Host; 3], number: usize) -> String {
    if !PAIR.contains(&number) {
        return String::new();
    }
    let [a, b] = PAIR.map(|number| format!("{}:{UNICAST}", relays[number].ipv4()));
    let own = relays[number].ipv4();
    format!("[livesync.unicast]\nlisten = \"{own}:{UNICAST}\"\npeers = [\"{a}\", \"{b}\"]\n")
}

fn is_beacon(packet: &Packet) -> bool {
    packet.body.len() == BEACON
}

/// Adds up the samples of a metric that have all of these labels.
fn metric(tracker: &Instance, name: &str, labels: &[(&str, &str)]) -> u64 {
    let metrics = tracker.host.enter(|| {
        let mut client = http::Client::connect(([127, 0, 0, 1], 6970).into());
        client.send("GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:6970\r\n\r\n");
        client.response().lossy()
    });
    let labels = labels
        .iter()
        .map(|(key, value)| format!("{key}=\"{value}\""));
    let labels: Vec<_> = labels.collect();
    let samples = metrics.lines().filter_map(|line| {
        let (found, value) = line.strip_prefix(name)?.split_once("} ")?;
        let is_it = labels.iter().all(|label| found.contains(label));
        is_it.then(|| value.parse::<u64>().expect("a count"))
    });
    samples.sum()
}

/// A NATS server on a host of its own, and the files that let trackers in.
struct Nats {
    host: Host,
    ca: PathBuf,
    process: Process,
}

impl Nats {
    fn start(host: Host) -> Self {
        let operator = Operator::new();
        let certificates = Certificates::make(host.folder(), host.ipv4());
        let config = certificates.server_config() + &operator.server_config();
        write(host.folder().join("server.conf"), &config);
        write(credentials(&host), &operator.user());
        write(secret(&host), &"0a".repeat(32));
        Self {
            process: server(&host),
            ca: certificates.ca().to_owned(),
            host,
        }
    }

    fn run(&mut self) {
        self.process = server(&self.host);
    }

    fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait(PATIENCE);
    }

    /// Keys of `[livesync]` for all trackers.
    fn node_config(&self) -> String {
        let secret = secret(&self.host);
        format!(
            "first_beacon_delay = \"1s\"\nsecret = \"{}\"\n",
            secret.display()
        )
    }

    fn relay_config(&self) -> String {
        format!(
            "[livesync.nats]\nservers = [\"tls://{}:{NATS}\"]\ncredentials = \"{}\"\nca = \"{}\"\n",
            self.host.ipv4(),
            credentials(&self.host).display(),
            self.ca.display()
        )
    }
}

fn server(host: &Host) -> Process {
    let command = host.command("nats-server").args(["-c", "server.conf"]);
    let address = host.ipv4().to_string();
    command
        .args(["-a", &address, "-p", &NATS.to_string()])
        .spawn()
}

fn credentials(host: &Host) -> PathBuf {
    host.folder().join("user.creds")
}

fn secret(host: &Host) -> PathBuf {
    host.folder().join("secret")
}

fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    fs::write(path, text).expect("a host's folder can be written to");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}
