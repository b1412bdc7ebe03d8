//! The lab itself: what its hosts can do, and what can be done to them.
//!
//! Where something must not arrive, no test waits for its absence: once it is counted as dropped
//! the obstacle is removed, and a second datagram has to be the first to arrive. Hosts that are to be kept
//! apart exchange a datagram before, so that they know each other's hardware address: what waits
//! for that would be sent late, not dropped.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use opentracker_lab::{Family, Host, Lab, Signal, uninterrupted};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// How long a datagram or a program may take that has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The group that a cluster of trackers speaks in.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 23, 5);

/// A socket of one host, and where others reach it.
struct Station {
    socket: UdpSocket,
    address: SocketAddr,
}

impl Station {
    fn on(host: &Host, family: Family) -> Self {
        let bound = host.enter(|| UdpSocket::bind((host.address(family), 0)));
        let socket = bound.expect("a host's addresses can be used at once");
        socket
            .set_read_timeout(Some(PATIENCE))
            .expect("the timeout is not zero");
        let address = socket.local_addr().expect("it is bound");
        Self { socket, address }
    }

    fn send(&self, to: &Self, text: &str) {
        self.socket
            .send_to(text.as_bytes(), to.address)
            .expect("a datagram can be sent, though it may be lost");
    }

    #[track_caller]
    fn expect(&self, from: &Self, text: &str) {
        let mut octets = [0; 100];
        let received = uninterrupted(|| self.socket.recv_from(&mut octets));
        let (len, source) = received.expect("the datagram arrives");
        let received = String::from_utf8_lossy(&octets[..len]);
        assert_eq!((&*received, source), (text, from.address));
    }

    #[track_caller]
    fn reaches(&self, to: &Self) {
        self.send(to, "ping");
        to.expect(self, "ping");
    }
}

#[test]
fn hosts_reach_each_other_at_once() {
    let lab = Lab::new("reach");
    let (alice, bob) = (lab.host("alice"), lab.host("bob"));
    assert_eq!(alice.ipv4(), Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(bob.ipv6().to_string(), "fd00::2");
    for family in FAMILIES {
        Station::on(&alice, family).reaches(&Station::on(&bob, family));
    }

    let listener = bob
        .enter(|| TcpListener::bind((bob.ipv6(), 0)))
        .expect("a host's addresses can be used at once");
    let address = listener.local_addr().expect("it is bound");
    let connection = alice
        .enter(|| TcpStream::connect_timeout(&address, PATIENCE))
        .expect("the listener is there");
    let (_, source) = listener.accept().expect("the connection is there");
    assert_eq!(source, connection.local_addr().expect("it is connected"));
}

#[test]
fn hosts_know_each_other_by_name() {
    let lab = Lab::new("names");
    let alice = lab.host("alice");
    let bob = lab.host("bob");
    for family in FAMILIES {
        let name = bob.domain_name(family);
        let line = alice.command("getent").args(["hosts", &name]).run();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        assert_eq!(words, [&bob.address(family).to_string(), &name]);
    }
}

#[test]
fn labs_do_not_see_each_other() {
    let (one, other) = (Lab::new("apart-1"), Lab::new("apart-2"));
    let (alice, stranger) = (one.host("alice"), other.host("stranger"));
    let (bob, double) = (one.host("bob"), other.host("double"));
    assert_eq!(bob.ipv4(), double.ipv4());
    for family in FAMILIES {
        let [from, from_stranger] = [&alice, &stranger].map(|host| Station::on(host, family));
        let to = Station::on(&bob, family);
        let to_double = Station {
            socket: double
                .enter(|| UdpSocket::bind(to.address))
                .expect("the address is free in its own lab"),
            address: to.address,
        };
        from.send(&to, "for bob");
        from_stranger.send(&to_double, "for the double");
        to.expect(&from, "for bob");
        to_double.expect(&from_stranger, "for the double");
        for socket in [to.socket, to_double.socket] {
            socket.set_nonblocking(true).expect("it is open");
            assert!(socket.recv(&mut [0; 100]).is_err(), "it got one datagram");
        }
    }
}

#[test]
fn multicast_reaches_every_host() {
    let lab = Lab::new("multicast");
    let speaker = Station::on(&lab.host("speaker"), Family::V4);
    for name in ["one", "two"] {
        let host = lab.host(name);
        let listener = host.enter(|| {
            let listener = UdpSocket::bind((GROUP, 9696)).expect("the port is free");
            listener
                .join_multicast_v4(&GROUP, &host.ipv4())
                .expect("the interface is there");
            listener
        });
        let listener = Station {
            address: (GROUP, 9696).into(),
            socket: listener,
        };
        listener
            .socket
            .set_read_timeout(Some(PATIENCE))
            .expect("the timeout is not zero");
        speaker.reaches(&listener);
    }
}

#[test]
fn a_cable_can_be_pulled_and_plugged_in() {
    let lab = Lab::new("cable");
    let (alice, bob) = (lab.host("alice"), lab.host("bob"));
    let carrier = || {
        let file = alice.command("cat").arg("/sys/class/net/eth0/carrier");
        file.run().trim() == "1"
    };
    assert!(carrier());
    alice.unplug();
    lab.wait_until(PATIENCE, "the carrier is lost", || !carrier());
    alice.plug();
    assert!(carrier());
    for family in FAMILIES {
        Station::on(&alice, family).reaches(&Station::on(&bob, family));
    }
}

#[test]
fn a_downed_interface_keeps_its_addresses() {
    let lab = Lab::new("downed");
    let (alice, bob) = (lab.host("alice"), lab.host("bob"));
    let stations = FAMILIES.map(|family| (Station::on(&alice, family), Station::on(&bob, family)));
    alice.link_down();
    for (from, to) in &stations {
        let sent = from.socket.send_to(b"lost", to.address);
        assert!(sent.is_err(), "there is no way to send it");
    }
    alice.link_up();
    for (from, to) in &stations {
        from.reaches(to);
    }
}

#[test]
fn a_partition_keeps_sides_apart_until_it_heals() {
    let lab = Lab::new("partition");
    let (alice, bob, carol) = (lab.host("alice"), lab.host("bob"), lab.host("carol"));
    for family in FAMILIES {
        let [a, b, c] = [&alice, &bob, &carol].map(|host| Station::on(host, family));
        a.reaches(&b);
        b.reaches(&a);
        let before = lab.dropped_frames();
        lab.partition(&[&[&alice], &[&bob]]);
        a.send(&b, "lost");
        b.send(&a, "lost");
        a.reaches(&c);
        b.reaches(&c);
        // The kernels' own packets to all neighbours are dropped too.
        lab.wait_until(PATIENCE, "both are dropped", || {
            lab.dropped_frames() >= before + 2
        });
        lab.heal();
        a.reaches(&b);
        b.reaches(&a);
    }
}

#[test]
fn the_switch_drops_what_matches() {
    let lab = Lab::new("drop-frames");
    let (alice, bob) = (lab.host("alice"), lab.host("bob"));
    let (a, b) = (
        Station::on(&alice, Family::V4),
        Station::on(&bob, Family::V4),
    );
    a.reaches(&b);
    lab.drop_frames(&format!("iifname \"alice\" udp dport {}", b.address.port()));
    a.send(&b, "lost");
    b.reaches(&a);
    lab.wait_until(PATIENCE, "it is dropped", || lab.dropped_frames() == 1);
    lab.heal();
    a.reaches(&b);
}

#[test]
fn a_host_drops_what_it_shall() {
    let lab = Lab::new("drops");
    let (alice, bob) = (lab.host("alice"), lab.host("bob"));
    for family in FAMILIES {
        let (a, b) = (Station::on(&alice, family), Station::on(&bob, family));
        a.reaches(&b);
        let before = bob.dropped();

        bob.drop_incoming(&format!("udp dport {}", b.address.port()));
        a.send(&b, "lost");
        b.reaches(&a);
        lab.wait_until(PATIENCE, "it is dropped", || bob.dropped() == before + 1);
        bob.drop_nothing();
        a.reaches(&b);

        bob.drop_outgoing(&format!("udp sport {}", b.address.port()));
        assert!(b.socket.send_to(b"refused", a.address).is_err());
        assert_eq!(bob.dropped(), before + 2);
        bob.drop_nothing();
        b.reaches(&a);
    }
}

#[test]
fn loss_can_be_partial() {
    const SENT: u64 = 1000;
    let lab = Lab::new("loss");
    let (alice, bob) = (lab.host("alice"), lab.host("bob"));
    let (a, b) = (
        Station::on(&alice, Family::V4),
        Station::on(&bob, Family::V4),
    );
    a.reaches(&b);
    b.socket.set_nonblocking(true).expect("it is open");
    bob.drop_incoming("numgen random mod 100 < 50 udp length 12");
    let (mut sent, mut received) = (0, 0);
    while sent < SENT {
        // A hundred at a time fit the receiver's buffer.
        for _ in 0..100 {
            a.send(&b, "some");
        }
        sent += 100;
        lab.wait_until(PATIENCE, "each is received or dropped", || {
            while b.socket.recv(&mut [0; 100]).is_ok() {
                received += 1;
            }
            received + bob.dropped() == sent
        });
    }
    // A fair coin leaves these bounds less than once in a billion times.
    assert!((400..=600).contains(&received), "{received}");
}

#[test]
fn a_program_runs_on_its_host() {
    let lab = Lab::new("program");
    let host = lab.host("host");
    let listing = host.command("ip").args(["-o", "addr"]).run();
    assert!(listing.contains("10.0.0.1/24") && listing.contains("fd00::1/64"));

    let shell = |script: &str| host.command("sh").args(["-c", script]);
    assert_eq!(
        shell("echo $HOME").run().trim(),
        host.folder().to_string_lossy()
    );
    assert_eq!(shell("echo $X").env("X", "7").run(), "7\n");

    let mut first = shell("echo out; echo err >&2; exit 3").spawn();
    assert_eq!(first.wait(PATIENCE).code(), Some(3));
    assert_eq!(first.log(), "out\nerr\n");
    assert!(!first.is_running());

    let mut second =
        shell("trap 'echo caught; exit 0' TERM; echo ready; while :; do sleep 0.01; done").spawn();
    lab.wait_until(PATIENCE, "the trap is set", || second.log() == "ready\n");
    assert!(second.is_running());
    second.signal(Signal::SIGTERM);
    assert_eq!(second.wait(PATIENCE).code(), Some(0));
    assert_eq!(second.log(), "ready\ncaught\n");
    assert!(lab.logs().join("host-sh-2.log").is_file());
}

#[test]
fn a_failing_program_says_why() {
    let lab = Lab::new("failing");
    let host = lab.host("host");
    let message = panic_message(|| {
        host.command("sh")
            .args(["-c", "echo the reason >&2; exit 1"])
            .run();
    });
    assert!(message.contains("the reason"), "{message}");
}

#[test]
fn a_wait_in_vain_shows_the_logs() {
    let lab = Lab::new("in-vain");
    let mut program = lab.host("host").command("echo").arg("a last word").spawn();
    program.wait(PATIENCE);
    let message = panic_message(|| lab.wait_until(Duration::ZERO, "pigs fly", || false));
    assert!(message.contains("until pigs fly"), "{message}");
    assert!(
        message.contains("host-echo.log\na last word\n"),
        "{message}"
    );
}

#[test]
fn a_panic_on_a_host_goes_on_in_the_test() {
    let lab = Lab::new("panic");
    let host = lab.host("host");
    let message = panic_message(|| host.enter(|| panic!("on the host")));
    assert_eq!(message, "on the host");
}

#[test]
fn settings_of_the_kernel_are_the_hosts_own() {
    let lab = Lab::new("sysctl");
    let (alice, bob) = (lab.host("alice"), lab.host("bob"));
    alice.sysctl("net/ipv4/ip_default_ttl", "7");
    let ttl = |host: &Host| host.enter(|| fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl"));
    assert_eq!(ttl(&alice).expect("it can be read").trim(), "7");
    assert_eq!(ttl(&bob).expect("it can be read").trim(), "64");
}

#[test]
#[should_panic(expected = "cannot name a host")]
fn a_name_that_is_no_interface_is_refused() {
    Lab::new("bad-name").host("far too long a name");
}

fn panic_message<T>(run: impl FnOnce() -> T) -> String {
    let payload = panic::catch_unwind(AssertUnwindSafe(run))
        .err()
        .expect("it panics");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("panics carry text")).to_owned(),
    }
}
