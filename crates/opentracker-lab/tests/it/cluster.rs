//! Trackers of a cluster keep each other informed: the program on three hosts, and a member of
//! their group that is none of them, who speaks and reads live sync octet by octet.
//!
//! The cluster's times are a second each, so that a wait is short; no test is in a hurry. That
//! something is *not* taken is seen by something else that came later and was.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use opentracker_lab::{Endpoint, Family, Host, Lab, Scheme, Signal, Tracker, uninterrupted};
use opentracker_types::{InfoHash, SwarmCounts};

/// How long any step may take. It is less than the delays that the program has when nobody sets
/// them, so that these cannot pass for the ones that the tests set.
const PATIENCE: Duration = Duration::from_secs(14);

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 23, 5);
const PORT: u16 = 9696;

pub(crate) const SYNC_LIVE: u32 = 0;
/// The type of a beacon too.
const SYNC_LIVE6: u32 = 1;
pub(crate) const INQUIRE: u32 = 2;
const SCRAPE_TELL: u32 = 3;

const SEEDING: u8 = 0x80;

/// The hosts of the lab from the fourth to the fifteenth.
const NODES: &str = r#"["10.0.0.4/30", "10.0.0.8/29"]"#;

/// Octets of a record of IPv6 form.
const RECORD6: usize = 40;

#[test]
fn a_peer_of_one_is_a_peer_of_all_until_it_stops() {
    let cluster = Cluster::new("cluster-peers", "");
    let trackers = ["one", "two", "three"].map(|name| cluster.tracker(name));
    let [one, two, three] = &trackers;
    let client = &cluster.client;
    for (number, family) in [Family::V4, Family::V6].into_iter().enumerate() {
        let torrent = torrent(number);
        let peer = SocketAddr::new(client.address(family), 6881);
        one.announce(client, family, torrent, peer.port(), Is::Seeder);
        for other in [two, three] {
            cluster.wait_until("the others know the seeder", || {
                other.counts(client, torrent).seeders == 1
            });
            let peers = other.announce(&cluster.watcher, family, torrent, 7000, Is::Leecher);
            assert!(peers.contains(&peer), "{peers:?}");
        }
        cluster.wait_until("the first knows the leecher", || {
            one.counts(client, torrent).leechers == 1
        });
        one.announce(client, family, torrent, 6881, Is::Gone);
        for other in [two, three] {
            cluster.wait_until("the others know that it has gone", || {
                other.counts(client, torrent).seeders == 0
            });
        }
    }
}

#[test]
fn a_newcomer_asks_the_one_with_the_most_torrents_and_learns_its_counts() {
    const TORRENTS: usize = 100;
    let cluster = Cluster::new("cluster-newcomer", "");
    let client = &cluster.client;
    let (small, large) = (cluster.member("small"), cluster.member("large"));
    let one = cluster.tracker("one");
    for number in 0..TORRENTS {
        cluster.complete(&one, torrent(number));
    }
    cluster.wait_until("the established one beacons", || {
        large.heard(|packet| packet.beacon() == Some(TORRENTS as u64))
    });
    let id = large.find(|packet| packet.beacon().is_some()).sender;

    let newcomer = cluster.tracker("newcomer");
    cluster.wait_until("the newcomer asks the one with the most", || {
        small.beacon(TORRENTS as u64 / 2);
        small.heard(|packet| packet.kind == INQUIRE)
    });
    let inquiry = small.find(|packet| packet.kind == INQUIRE);
    assert_eq!(inquiry.body, id);
    for number in 0..TORRENTS {
        cluster.wait_until("it has learned the counts", || {
            newcomer.counts(client, torrent(number)).downloads == 1
        });
    }

    // One that has more than both is asked, whatever it is, and both learn from its answer.
    let unheard_of = torrent(TORRENTS);
    large.forget();
    cluster.wait_until("somebody asks the largest", || {
        large.beacon(10 * TORRENTS as u64);
        large.heard(|packet| packet.kind == INQUIRE && packet.body == large.id)
    });
    large.tell(unheard_of, 77);
    for tracker in [&one, &newcomer] {
        cluster.wait_until("both have learned", || {
            tracker.counts(client, unheard_of).downloads == 77
        });
    }
}

#[test]
fn who_was_unplugged_catches_up() {
    const MISSED: usize = 60;
    let cluster = Cluster::new("cluster-unplugged", "");
    let client = &cluster.client;
    let (one, two) = (cluster.tracker("one"), cluster.tracker("two"));
    let member = cluster.member("listener");
    cluster.complete(&one, torrent(MISSED));
    cluster.wait_until("both know a download", || {
        two.counts(client, torrent(MISSED)).downloads == 1
    });

    for (round, unplug, plug) in [
        (0, Host::unplug as fn(&Host), Host::plug as fn(&Host)),
        (1, Host::link_down, Host::link_up),
    ] {
        let torrents = || (0..MISSED).map(|number| torrent(1000 * (round + 1) + number));
        unplug(&two.host);
        for torrent in torrents() {
            cluster.complete(&one, torrent);
        }
        let alive = torrents().next().expect("there are some");
        one.announce(client, Family::V4, alive, 6881, Is::Leecher);
        // The last of them, after which nothing waits to be told.
        let record = [&live([0; 4], alive, client.ipv4())[8..34], &[0, 0]].concat();
        cluster.wait_until("all of that was told in vain", || {
            member.heard(|packet| packet.body.ends_with(&record))
        });
        plug(&two.host);
        for torrent in torrents() {
            cluster.wait_until("it has learned the download counts", || {
                two.counts(client, torrent).downloads == 1
            });
        }
        // The peer is told of again as soon as there is something new to tell of it.
        one.announce(client, Family::V4, alive, 6881, Is::Seeder);
        cluster.wait_until("it has learned of the peer", || {
            two.counts(client, alive).seeders == 1
        });
    }
}

#[test]
fn strangers_are_ignored_and_another_with_its_id_makes_it_draw_one() {
    let cluster = Cluster::new("cluster-strangers", "");
    let client = &cluster.client;
    let (one, two) = (cluster.tracker("one"), cluster.tracker("two"));
    let member = cluster.member("member");
    let stranger = Member::on(&cluster.stranger);
    cluster.complete(&one, torrent(0));
    cluster.wait_until("the first and none but it has told", || {
        member.heard(|packet| packet.kind == SYNC_LIVE)
    });
    let id = member.find(|packet| packet.kind == SYNC_LIVE).sender;

    let (strange, own, taken) = (torrent(1), torrent(2), torrent(3));
    stranger.send(&live(stranger.id, strange, client.ipv4()));
    cluster.wait_until("the stranger was heard", || {
        member.heard(|packet| packet.sender == stranger.id)
    });
    // Another that has drawn the id of the first.
    member.send(&live(id, own, client.ipv4()));
    member.send(b"no packet at all");
    member.send(&live(member.id, taken, client.ipv4()));
    for tracker in [&one, &two] {
        cluster.wait_until("what a member told is known", || {
            tracker.counts(client, taken).seeders == 1
        });
        assert_eq!(tracker.counts(client, strange), SwarmCounts::default());
    }
    assert_eq!(one.counts(client, own), SwarmCounts::default());
    assert_eq!(two.counts(client, own).seeders, 1);
    let unheard_of = torrent(4);
    one.announce(client, Family::V4, unheard_of, 6881, Is::Seeder);
    cluster.wait_until("the first tells in another name", || {
        member.heard(|packet| packet.body.starts_with(unheard_of.as_bytes()))
    });
    let told = member.find(|packet| packet.body.starts_with(unheard_of.as_bytes()));
    assert_ne!(told.sender, id);
}

#[test]
fn who_is_told_to_stop_tells_what_it_holds() {
    let cluster = Cluster::new("cluster-stop", "max_delay = \"1h\"\n");
    let client = &cluster.client;
    let (mut one, two) = (cluster.tracker("one"), cluster.tracker("two"));
    one.announce(client, Family::V4, torrent(0), 6881, Is::Seeder);
    one.announce(client, Family::V6, torrent(0), 6881, Is::Seeder);
    assert_eq!(two.counts(client, torrent(0)), SwarmCounts::default());
    one.stop();
    cluster.wait_until("the other knows both", || {
        two.counts(client, torrent(0)).seeders == 2
    });
}

#[test]
fn c_nodes_until_2014_are_told_ipv4_peers_in_their_form() {
    let cluster = Cluster::new("cluster-c-v4", "dialect = \"c-v4\"\n");
    let client = &cluster.client;
    let (one, member) = (cluster.tracker("one"), cluster.member("c-node"));
    // Its first beacon would be due meanwhile.
    for number in 0..3 {
        let torrent = torrent(number);
        one.announce(client, Family::V6, torrent, 6881, Is::Seeder);
        one.announce(client, Family::V4, torrent, 6881, Is::Seeder);
        cluster.wait_until("the IPv4 peer is told", || {
            member.heard(|packet| packet.body.starts_with(torrent.as_bytes()))
        });
        let packet = member.find(|packet| packet.body.starts_with(torrent.as_bytes()));
        assert_eq!(packet.kind, SYNC_LIVE);
        assert_eq!(packet.octets(), live(packet.sender, torrent, client.ipv4()));
    }
    assert!(!member.heard(|packet| packet.kind != SYNC_LIVE));
    member.send(&live(member.id, torrent(9), client.ipv4()));
    cluster.wait_until("what the C node tells is known", || {
        one.counts(client, torrent(9)).seeders == 1
    });
}

#[test]
fn c_nodes_from_2024_are_told_all_peers_in_their_form() {
    let cluster = Cluster::new("cluster-c-dual", "dialect = \"c-dual\"\n");
    let client = &cluster.client;
    let (one, member) = (cluster.tracker("one"), cluster.member("c-node"));
    let addresses = [client.ipv4().to_ipv6_mapped(), client.ipv6()];
    for number in 0..3 {
        let torrent = torrent(number);
        for family in [Family::V4, Family::V6] {
            one.announce(client, family, torrent, 6881, Is::Seeder);
        }
        let of_both = || {
            let records = member.records6(torrent);
            addresses.map(|address| records.contains(&record6(torrent, address)))
        };
        cluster.wait_until("both peers are told", || of_both() == [true; 2]);
    }
    let is_record = |packet: &Packet| packet.kind == SYNC_LIVE6 && packet.beacon().is_none();
    assert!(!member.heard(|packet| !is_record(packet)));
    let told = [&member.id[..], &SYNC_LIVE6.to_be_bytes()].concat();
    for address in addresses {
        member.send(&[&told[..], &record6(torrent(9), address)].concat());
    }
    cluster.wait_until("what the C node tells is known", || {
        one.counts(client, torrent(9)).seeders == 2
    });
}

/// A lab whose trackers form a cluster.
pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    pub(crate) client: Host,
    /// A further client.
    pub(crate) watcher: Host,
    /// Not listed among the nodes, and nor are the clients.
    stranger: Host,
    /// Lines of the section `[livesync]`.
    settings: &'static str,
}

impl Cluster {
    pub(crate) fn new(name: &str, settings: &'static str) -> Self {
        let lab = Lab::new(name);
        let [client, watcher, stranger] = ["client", "watcher", "stranger"].map(|n| lab.host(n));
        assert_eq!(stranger.ipv4(), Ipv4Addr::new(10, 0, 0, 3));
        Self {
            client,
            watcher,
            stranger,
            lab,
            settings,
        }
    }

    /// Starts a tracker on a host of its own, and waits until it serves.
    pub(crate) fn tracker(&self, name: &str) -> Instance {
        self.tracker_with(name, "first_beacon_delay = \"1s\"\n")
    }

    /// Starts a tracker with further lines after those of its section.
    pub(crate) fn tracker_with(&self, name: &str, lines: &str) -> Instance {
        self.tracker_on(self.lab.host(name), lines)
    }

    pub(crate) fn tracker_on(&self, host: Host, lines: &str) -> Instance {
        let delay = if self.settings.contains("max_delay") {
            ""
        } else {
            "max_delay = \"1s\"\n"
        };
        let path = host.folder().join("opentracker.toml");
        let config = format!(
            "[http]\nlisten = []\n\
             [livesync]\nlisten = \"{}:{PORT}\"\nnodes = {NODES}\n\
             beacon_interval = \"1s\"\n{delay}{}{lines}",
            host.ipv4(),
            self.settings
        );
        fs::write(&path, config).expect("a host's folder can be written to");
        let path = path.to_str().expect("the target folder is UTF-8");
        let mut program = Tracker::spawn(&host, &[], &["--config", path]);
        let endpoint = Tracker::endpoint(&host, Scheme::Udp, Family::V4);
        program.wait_until_answering(&[endpoint]);
        Instance {
            host,
            program,
            endpoint,
        }
    }

    pub(crate) fn member(&self, name: &str) -> Member {
        Member::on(&self.lab.host(name))
    }

    /// Lets the client complete a torrent. Another is there too, or the torrent would be
    /// forgotten with its only peer.
    fn complete(&self, tracker: &Instance, torrent: InfoHash) {
        tracker.announce(&self.client, Family::V4, torrent, 6881, Is::Completed);
        tracker.announce(&self.watcher, Family::V4, torrent, 6881, Is::Leecher);
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, condition: impl FnMut() -> bool) {
        self.lab.wait_until(PATIENCE, what, condition);
    }
}

/// A tracker of a cluster.
pub(crate) struct Instance {
    pub(crate) host: Host,
    program: Tracker,
    endpoint: Endpoint,
}

/// What a client announces that it is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Is {
    Leecher,
    Seeder,
    Completed,
    Gone,
}

impl Instance {
    pub(crate) fn stop(&mut self) {
        self.program.process().signal(Signal::SIGTERM);
        assert!(self.program.process().wait(PATIENCE).success());
    }

    /// Returns what the program has logged so far.
    pub(crate) fn log(&mut self) -> String {
        self.program.process().log()
    }

    pub(crate) fn counts(&self, from: &Host, torrent: InfoHash) -> SwarmCounts {
        self.endpoint
            .scrape(from, torrent)
            .expect("a tracker that runs answers")
    }

    /// Announces, and returns the peers of the reply.
    pub(crate) fn announce(
        &self,
        from: &Host,
        family: Family,
        torrent: InfoHash,
        port: u16,
        is: Is,
    ) -> Vec<SocketAddr> {
        let tracker = Tracker::endpoint(&self.host, Scheme::Udp, family).address();
        from.enter(|| announce(tracker, torrent, port, is))
            .expect("a tracker that runs answers")
    }
}

/// A member of the group: an instance that we play ourselves.
pub(crate) struct Member {
    pub(crate) id: [u8; 4],
    hears: UdpSocket,
    speaks: UdpSocket,
    heard: RefCell<Vec<Packet>>,
}

/// A packet of live sync.
#[derive(Debug, Clone)]
pub(crate) struct Packet {
    sender: [u8; 4],
    pub(crate) kind: u32,
    pub(crate) body: Vec<u8>,
}

impl Member {
    pub(crate) fn on(host: &Host) -> Self {
        let open = || -> io::Result<_> {
            let hears = UdpSocket::bind((GROUP, PORT))?;
            hears.join_multicast_v4(&GROUP, &host.ipv4())?;
            hears.set_nonblocking(true)?;
            // From our own address, which also says over which interface.
            let speaks = UdpSocket::bind((host.ipv4(), 0))?;
            speaks.set_multicast_loop_v4(false)?;
            Ok((hears, speaks))
        };
        let (hears, speaks) = host.enter(open).expect("a host can join a group");
        Self {
            id: host.ipv4().octets(),
            hears,
            speaks,
            heard: RefCell::default(),
        }
    }

    pub(crate) fn send(&self, packet: &[u8]) {
        self.speaks
            .send_to(packet, (GROUP, PORT))
            .expect("the group can be reached");
    }

    pub(crate) fn beacon(&self, torrents: u64) {
        let header = [&self.id[..], &SYNC_LIVE6.to_be_bytes()].concat();
        self.send(&[&header[..], &torrents.to_be_bytes()].concat());
    }

    /// Tells how often a torrent was downloaded.
    fn tell(&self, torrent: InfoHash, downloads: u64) {
        let header = [&self.id[..], &SCRAPE_TELL.to_be_bytes()].concat();
        let record = [torrent.as_bytes(), &[0; 4][..], &downloads.to_be_bytes()].concat();
        self.send(&[header, record].concat());
    }

    /// Tells whether a packet was heard that is like this, now or before.
    pub(crate) fn heard(&self, is_it: impl Fn(&Packet) -> bool) -> bool {
        let mut buffer = [0; 2000];
        while let Ok(len) = self.hears.recv(&mut buffer) {
            self.heard.borrow_mut().extend(Packet::read(&buffer[..len]));
        }
        self.heard.borrow().iter().any(is_it)
    }

    /// Returns the first packet heard that is like this.
    fn find(&self, is_it: impl Fn(&Packet) -> bool) -> Packet {
        let heard = self.heard.borrow();
        let packet = heard.iter().find(|packet| is_it(packet));
        packet.expect("it was heard").clone()
    }

    /// Returns all that was heard so far.
    pub(crate) fn all(&self) -> Vec<Packet> {
        self.heard(|_| false);
        self.heard.borrow().clone()
    }

    /// Forgets what was heard so far.
    pub(crate) fn forget(&self) {
        self.heard(|_| false);
        self.heard.borrow_mut().clear();
    }

    /// Returns the records of IPv6 form about a torrent that were heard.
    fn records6(&self, torrent: InfoHash) -> Vec<Vec<u8>> {
        self.heard(|_| false);
        let heard = self.heard.borrow();
        let packets = heard
            .iter()
            .filter(|packet| packet.kind == SYNC_LIVE6 && packet.beacon().is_none());
        let records = packets.flat_map(|packet| packet.body.chunks(RECORD6));
        records
            .filter(|record| record.starts_with(torrent.as_bytes()))
            .map(<[u8]>::to_vec)
            .collect()
    }
}

impl Packet {
    fn read(octets: &[u8]) -> Option<Self> {
        let (sender, rest) = octets.split_first_chunk()?;
        let (kind, body) = rest.split_first_chunk()?;
        Some(Self {
            sender: *sender,
            kind: u32::from_be_bytes(*kind),
            body: body.to_vec(),
        })
    }

    /// Returns how many torrents a beacon claims.
    pub(crate) fn beacon(&self) -> Option<u64> {
        let torrents = <[u8; 8]>::try_from(&self.body[..]).ok()?;
        (self.kind == SYNC_LIVE6).then_some(u64::from_be_bytes(torrents))
    }

    pub(crate) fn octets(&self) -> Vec<u8> {
        [&self.sender[..], &self.kind.to_be_bytes(), &self.body].concat()
    }
}

/// Makes a torrent of the test's own.
pub(crate) fn torrent(number: usize) -> InfoHash {
    let mut octets = [0x0c; InfoHash::LEN];
    octets[..8].copy_from_slice(&number.to_be_bytes());
    InfoHash::new(octets)
}

/// Makes the packet that tells of one seeder on port 6881.
fn live(sender: [u8; 4], torrent: InfoHash, ip: Ipv4Addr) -> Vec<u8> {
    let header = [&sender[..], &SYNC_LIVE.to_be_bytes()].concat();
    let rest = [&ip.octets()[..], &6881_u16.to_be_bytes(), &[SEEDING, 0]].concat();
    [&header[..], torrent.as_bytes(), &rest].concat()
}

/// Makes the record of IPv6 form that tells of a seeder on port 6881.
fn record6(torrent: InfoHash, ip: Ipv6Addr) -> Vec<u8> {
    let rest = [&ip.octets()[..], &6881_u16.to_be_bytes(), &[SEEDING, 0]].concat();
    [&torrent.as_bytes()[..], &rest].concat()
}

/// Announces over UDP (BEP 15).
fn announce(
    tracker: SocketAddr,
    torrent: InfoHash,
    port: u16,
    is: Is,
) -> io::Result<Vec<SocketAddr>> {
    let any: IpAddr = match tracker {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(tracker)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut reply = [0; 2000];

    socket.send(b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0conn")?;
    let len = uninterrupted(|| socket.recv(&mut reply))?;
    assert_eq!(reply[..8], *b"\0\0\0\0conn", "the reply to a connect");
    let connection = reply[8..len].to_vec();

    let (left, event): (u64, u32) = match is {
        Is::Leecher => (1, 0),
        Is::Seeder => (0, 0),
        Is::Completed => (0, 1),
        Is::Gone => (0, 3),
    };
    let request = [
        &connection[..],
        b"\0\0\0\x01anno",
        torrent.as_bytes(),
        b"-OL0000-cluster-test",
        &[0; 8],
        &left.to_be_bytes(),
        &[0; 8],
        &event.to_be_bytes(),
        &[0; 8],
        &(-1_i32).to_be_bytes(),
        &port.to_be_bytes(),
    ];
    socket.send(&request.concat())?;
    let len = uninterrupted(|| socket.recv(&mut reply))?;
    assert_eq!(reply[..8], *b"\0\0\0\x01anno", "the reply to an announce");
    let peers = &reply[20..len];
    Ok(if tracker.is_ipv4() {
        let (peers, _) = peers.as_chunks::<6>();
        peers
            .iter()
            .map(|&[a, b, c, d, high, low]| {
                SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])))
            })
            .collect()
    } else {
        let (peers, _) = peers.as_chunks::<18>();
        peers
            .iter()
            .map(|peer| {
                let (ip, port) = peer.split_first_chunk::<16>().expect("18 octets");
                SocketAddr::from((*ip, u16::from_be_bytes([port[0], port[1]])))
            })
            .collect()
    })
}
