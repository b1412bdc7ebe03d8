//! Frames over a link between two network namespaces that each test makes and removes. Needs root, the
//! `ip` of iproute2 and ethtool, and fails without; so it is not among what `cargo test` runs, but
//! `cargo test -p opentracker-xdp --test queues`.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod frames;
mod network;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use frames::{frame, ipv4, ipv6, udp};
use network::{LINK, Network, OUR_MAC, PATIENCE, THEIR_MAC, ours};
use opentracker_xdp::{Config, Interface, Mode, Queue, Route, Step, Stopper, stop};

const PORT: u16 = 6969;

/// What says who has answered.
const BY_XDP: u8 = b'x';
const BY_SOCKET: u8 = b's';

/// Answers with what it was asked, behind who has answered: below the kernel, and with ordinary
/// sockets for what is passed on.
struct Echo {
    interface: Interface,
    threads: Vec<JoinHandle<Queue>>,
    stopper: Option<Stopper>,
    received: Arc<AtomicU64>,
}

impl Echo {
    fn start(network: &Network, mode: Mode) -> Self {
        let config = Config {
            interface: LINK.to_owned(),
            mode,
            ..Config::default()
        };
        let (interface, queues) = network.ours.enter(|| Interface::open(&config)).unwrap();
        assert_eq!(interface.steer(OUR_MAC, ours(PORT)), 0);
        let (stopper, stop) = stop().unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let threads = queues.into_iter().map(|queue| {
            let (stop, received) = (stop.clone(), Arc::clone(&received));
            std::thread::spawn(move || echo(queue, &stop, &received))
        });
        let threads = threads.collect();
        for address in ours(PORT) {
            let socket = network.ours.udp(&address.to_string());
            // It ends with the process.
            std::thread::spawn(move || echo_by_socket(&socket));
        }
        Self {
            interface,
            threads,
            stopper: Some(stopper),
            received,
        }
    }

    /// Stops, and returns the queues.
    fn stop(mut self) -> (Interface, Vec<Queue>) {
        drop(self.stopper.take());
        let queues = self
            .threads
            .into_iter()
            .map(|thread| thread.join().unwrap());
        (self.interface, queues.collect())
    }
}

fn echo(mut queue: Queue, stop: &opentracker_xdp::Stop, received: &AtomicU64) -> Queue {
    while !stop.wait(Duration::ZERO) {
        let count = queue.receive(stop, PATIENCE).unwrap();
        received.fetch_add(count as u64, Ordering::Relaxed);
        for index in 0..count {
            let (request, _, reply) = queue.exchange(index).unwrap();
            reply[0] = BY_XDP;
            reply[1..=request.len()].copy_from_slice(request);
            let octets = 1 + request.len();
            queue.reply(index, octets);
        }
        queue.send();
    }
    queue
}

fn echo_by_socket(socket: &UdpSocket) {
    let mut buffer = [0; 4096];
    buffer[0] = BY_SOCKET;
    while let Ok((octets, from)) = receive(socket, &mut buffer[1..]) {
        // Whoever asked may be gone.
        let _ = socket.send_to(&buffer[..=octets], from);
    }
}

/// Receives, even if children of other tests end meanwhile.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            received => return received,
        }
    }
}

/// Asks, and returns who has answered.
fn ask(client: &UdpSocket, to: SocketAddr, request: &[u8]) -> u8 {
    client.send_to(request, to).unwrap();
    answer(client, to, request)
}

fn answer(client: &UdpSocket, to: SocketAddr, request: &[u8]) -> u8 {
    let mut reply = [0; 4096];
    let (octets, from) = receive(client, &mut reply).unwrap();
    assert_eq!(from, to);
    assert_eq!(reply[1..octets], *request);
    reply[0]
}

/// Asks until somebody else answers than before.
fn until_answered_by(who: u8, client: &UdpSocket, to: SocketAddr) {
    let begin = Instant::now();
    client
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    loop {
        assert!(begin.elapsed() < PATIENCE, "it is not {who}");
        let mut reply = [0; 16];
        // It may be lost, while the interface is down.
        let _ = client.send_to(b"?", to);
        if client.recv(&mut reply).is_ok() && reply[0] == who {
            break;
        }
    }
    // Those that were late.
    while receive(client, &mut [0; 16]).is_ok() {}
    client.set_read_timeout(Some(PATIENCE)).unwrap();
}

fn clients(network: &Network) -> [(UdpSocket, SocketAddr); 2] {
    let [v4, v6] = ours(PORT);
    [
        (network.theirs.udp("10.77.0.2:0"), v4),
        (network.theirs.udp("[fd77::2]:0"), v6),
    ]
}

#[test]
fn datagrams_of_both_families_are_answered_below_the_kernel() {
    for mode in [Mode::Auto, Mode::Native, Mode::Generic] {
        let network = Network::new();
        let echo = Echo::start(&network, mode);
        assert!(echo.interface.fallback().is_none());
        for (client, to) in clients(&network) {
            for octets in [0, 1, 2, 16, 98, 1400] {
                let request: Vec<u8> = (0..octets)
                    .map(|octet: u32| octet.to_le_bytes()[0])
                    .collect();
                assert_eq!(ask(&client, to, &request), BY_XDP, "{to} {octets} {mode:?}");
            }
        }
        echo.stop();
    }
}

#[test]
fn what_is_not_surely_ours_is_answered_by_the_sockets() {
    let network = Network::new();
    let echo = Echo::start(&network, Mode::Auto);
    let [(v4, to_v4), (v6, to_v6)] = [
        (network.theirs.udp("10.77.0.2:1000"), ours(PORT)[0]),
        (network.theirs.udp("[fd77::2]:1000"), ours(PORT)[1]),
    ];
    // Fragments.
    for (client, to) in [(&v4, to_v4), (&v6, to_v6)] {
        assert_eq!(ask(client, to, &[7; 3000]), BY_SOCKET);
    }
    let (for_v4, for_v6) = (udp(PORT, b"odd", false), udp(PORT, b"odd", true));
    // As it should be, to show that the frames are right.
    network
        .theirs
        .send_frame(&frame(&[], &ipv4(&[], 11), &for_v4));
    assert_eq!(answer(&v4, to_v4, b"odd"), BY_XDP);
    network
        .theirs
        .send_frame(&frame(&[], &ipv6(&[], 17, 11), &for_v6));
    assert_eq!(answer(&v6, to_v6, b"odd"), BY_XDP);
    // Options that say nothing, and a hop-by-hop header that does not either.
    network
        .theirs
        .send_frame(&frame(&[], &ipv4(&[1, 1, 1, 0], 11), &for_v4));
    assert_eq!(answer(&v4, to_v4, b"odd"), BY_SOCKET);
    let extension = [17, 0, 1, 4, 0, 0, 0, 0];
    network
        .theirs
        .send_frame(&frame(&[], &ipv6(&extension, 0, 11), &for_v6));
    assert_eq!(answer(&v6, to_v6, b"odd"), BY_SOCKET);
    echo.stop();
}

#[test]
fn the_program_takes_what_is_for_us_and_nothing_else() {
    let network = Network::new();
    let config = Config {
        interface: LINK.to_owned(),
        ..Config::default()
    };
    network.ours.enter(|| {
        let (interface, _queues) = Interface::open(&config).unwrap();
        let datagram = |port| udp(port, &[0; 50], false);
        let good = frame(&[], &ipv4(&[], 58), &datagram(PORT));
        let good_v6 = frame(&[], &ipv6(&[], 17, 58), &udp(PORT, &[0; 50], true));
        let takes = |frame: &[u8]| interface.takes(frame).unwrap();
        assert!(!takes(&good), "before it was told");
        interface.steer(OUR_MAC, ours(PORT));
        let tagged = |tag: &[u8]| frame(tag, &ipv4(&[], 58), &datagram(PORT));
        for taken in [&good, &good_v6, &tagged(&[0x81, 0, 0x20, 7])] {
            assert!(takes(taken), "{taken:02x?}");
        }
        // The octet of a frame that is another, and what it is.
        for (octet, value, what) in [
            (5, 9, "the frame goes to another host"),
            (0, 3, "the frame goes to a group"),
            (6, 3, "the frame comes from a group"),
            (13, 6, "another protocol above Ethernet"),
            (14, 0x46, "options"),
            (20, 0x60, "more fragments"),
            (21, 1, "a fragment"),
            (23, 6, "TCP"),
            (26, 127, "from loopback"),
            (33, 9, "to another address"),
            (36, 0, "to another port"),
        ] {
            let mut other = good.clone();
            assert_ne!(other[octet], value, "{what}");
            other[octet] = value;
            assert!(!takes(&other), "{what}");
        }
        for (octets, value, what) in [
            (20..21, 0, "an extension header"),
            (22..30, 0, "from no network"),
            (53..54, 9, "to another address"),
            (56..57, 0, "to another port"),
        ] {
            let mut other = good_v6.clone();
            other[octets].fill(value);
            assert!(!takes(&other), "{what}");
        }
        assert!(!takes(&tagged(&[0x81, 0, 0, 7, 0x81, 0, 0, 8])), "two tags");
        assert!(!takes(&tagged(&[0x88, 0xa8, 0, 7])), "a tag of a provider");
        for (whole, ends) in [(&good, 14..42), (&good_v6, 14..62)] {
            for end in ends {
                assert!(!takes(&whole[..end]), "cut off after {end}");
            }
        }
        let of_octets = |octets: usize| {
            let mut long = good.clone();
            long.resize(octets, 0);
            takes(&long)
        };
        assert!(
            of_octets(1_792) && !of_octets(1_793),
            "with a reply it would not fit"
        );
        interface.steer(OUR_MAC, []);
        assert!(!takes(&good), "it was told otherwise");
    });
}

#[test]
fn a_wrong_sum_or_length_is_dropped_and_counted() {
    let network = Network::new();
    let echo = Echo::start(&network, Mode::Auto);
    let client = network.theirs.udp("10.77.0.2:1000");
    let good = frame(&[], &ipv4(&[], 58), &udp(PORT, &[5; 50], false));
    // Of IP the sum and the length, of UDP the length and the sum.
    for octet in [24, 17, 39, 41] {
        let mut wrong = good.clone();
        wrong[octet] ^= 1;
        network.theirs.send_frame(&wrong);
    }
    network.theirs.send_frame(&good);
    assert_eq!(answer(&client, ours(PORT)[0], &[5; 50]), BY_XDP);
    let (_, queues) = echo.stop();
    let lost = queues.into_iter().map(|mut queue| queue.lost());
    assert_eq!(lost.map(|lost| lost.malformed).sum::<u64>(), 4);
}

/// Opens their end of the link below the kernel, for answers to these ports.
fn their_end(network: &Network, ports: std::ops::Range<u16>) -> (Interface, Queue) {
    let config = Config {
        interface: LINK.to_owned(),
        queues: vec![0],
        reserve: 1024,
        ..Config::default()
    };
    network.theirs.enter(|| {
        let (interface, mut queues) = Interface::open(&config).unwrap();
        let addresses = ports.flat_map(theirs);
        assert_eq!(interface.steer(THEIR_MAC, addresses), 0);
        (interface, queues.remove(0))
    })
}

fn theirs(port: u16) -> [SocketAddr; 2] {
    ["10.77.0.2", "fd77::2"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port))
}

const ROUTE: Route = Route {
    from: THEIR_MAC,
    to: OUR_MAC,
    tag: None,
};

#[test]
fn a_tag_comes_back() {
    let network = Network::new();
    // All answers come to the one queue that is open there.
    network.theirs.set_queues("1");
    network.ours.set_queues("1");
    let echo = Echo::start(&network, Mode::Auto);
    let (_interface, mut queue) = their_end(&network, 1000..1001);
    let (_stopper, stop) = stop().unwrap();
    for (tag, octets) in [(None, 1), (Some(0x2007), 1), (Some(5), 1200)] {
        for (from, to) in theirs(1000).into_iter().zip(ours(PORT)) {
            let route = Route { tag, ..ROUTE };
            let write = |payload: &mut [u8]| {
                payload[..octets].fill(3);
                octets
            };
            queue.try_receive();
            assert!(queue.ask(&route, from, to, write));
            assert_eq!(queue.send().sent, 1);
            assert_eq!(queue.receive(&stop, PATIENCE).unwrap(), 1);
            assert_eq!((queue.tag(0), queue.destination(0)), (tag, from));
            let (reply, source, _) = queue.exchange(0).unwrap();
            assert_eq!(source, to);
            assert_eq!((reply.len(), reply[0]), (1 + octets, BY_XDP));
        }
    }
    echo.stop();
}

#[test]
fn no_frame_is_lost_in_many_datagrams() {
    const ALL: u64 = 200_000;
    let network = Network::new();
    network.theirs.set_queues("1");
    network.ours.set_queues("1");
    let echo = Echo::start(&network, Mode::Auto);
    let (_interface, mut queue) = their_end(&network, 1000..1001);
    let (from, to) = (theirs(1000)[0], ours(PORT)[0]);
    let (mut asked, mut answered) = (0, 0);
    let begin = Instant::now();
    while echo.received.load(Ordering::Relaxed) < ALL {
        answered += queue.try_receive();
        for _ in 0..64 {
            asked += u64::from(queue.ask(&ROUTE, from, to, |_| 98));
        }
        queue.send();
        assert!(
            begin.elapsed() < PATIENCE,
            "{asked} asked, {answered} answered"
        );
    }
    assert!(answered > 0);
    let (_, mut queues) = echo.stop();
    queues.push(queue);
    for queue in &mut queues {
        // The last ones may be on their way.
        let begin = Instant::now();
        loop {
            queue.try_receive();
            let (here, all) = queue.frames_at_rest();
            if here == all {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{here} of {all} frames");
        }
    }
}

#[test]
fn replies_without_room_are_dropped_and_their_frames_come_back() {
    let network = Network::new();
    network.theirs.set_queues("1");
    network.ours.set_queues("1");
    let config = Config {
        interface: LINK.to_owned(),
        ..Config::default()
    };
    let (interface, mut queues) = network.ours.enter(|| Interface::open(&config)).unwrap();
    interface.steer(OUR_MAC, ours(PORT));
    let queue = &mut queues[0];
    let (_stopper, stop) = stop().unwrap();
    let (client, to) = (network.theirs.udp("10.77.0.2:0"), ours(PORT)[0]);
    let (mut replies, mut sent) = (0, opentracker_xdp::Sent::default());
    // Nothing is sent meanwhile.
    while replies < 3_000 {
        for _ in 0..50 {
            client.send_to(b"?", to).unwrap();
        }
        for index in 0..queue.receive(&stop, PATIENCE).unwrap() {
            queue.reply(index, 20);
            replies += 1;
        }
    }
    while queue.receive(&stop, Duration::from_millis(1)).unwrap() > 0 {}
    for now in [queue.send(), queue.send()] {
        sent.sent += now.sent;
        sent.failed += now.failed;
    }
    assert_eq!(sent.sent + sent.failed, replies);
    assert!(sent.failed > 0 && sent.sent >= 2_000, "{sent:?}");
    let begin = Instant::now();
    while queue.frames_at_rest() != (4096, 4096) {
        queue.receive(&stop, Duration::from_millis(1)).unwrap();
        assert!(begin.elapsed() < PATIENCE, "{:?}", queue.frames_at_rest());
    }
}

#[test]
fn an_interface_that_goes_down_and_up_is_served_again() {
    let network = Network::new();
    let echo = Echo::start(&network, Mode::Auto);
    for (client, to) in clients(&network) {
        assert_eq!(ask(&client, to, b"before"), BY_XDP);
    }
    network.ours.ip(&format!("link set {LINK} down"));
    network.ours.ip(&format!("link set {LINK} up"));
    network
        .ours
        .ip(&format!("addr replace fd77::1/64 dev {LINK} nodad"));
    for (client, to) in clients(&network) {
        until_answered_by(BY_XDP, &client, to);
    }
    echo.stop();
}

#[test]
fn queues_that_are_added_are_the_kernels() {
    let network = Network::new();
    network.theirs.set_queues("1");
    network.ours.set_queues("1");
    let echo = Echo::start(&network, Mode::Auto);
    let left_out = || network.ours.enter(|| echo.interface.queues_left_out());
    assert_eq!(left_out(), 0);
    network.ours.set_queues("4");
    network.theirs.set_queues("4");
    assert_eq!(left_out(), 3);
    // By which queue one comes is the kernel's affair; each is answered.
    let (mut by_xdp, mut by_socket) = (false, false);
    let begin = Instant::now();
    while !(by_xdp && by_socket) {
        let client = network.theirs.udp("10.77.0.2:0");
        match ask(&client, ours(PORT)[0], b"?") {
            BY_XDP => by_xdp = true,
            _ => by_socket = true,
        }
        assert!(begin.elapsed() < PATIENCE, "{by_xdp} {by_socket}");
    }
    echo.stop();
}

#[test]
fn an_interface_that_is_gone_ends_nothing() {
    let network = Network::new();
    let echo = Echo::start(&network, Mode::Auto);
    network.ours.ip(&format!("link del {LINK}"));
    network.add_link();
    let found = network.ours.enter(|| {
        let network = opentracker_xdp::Network::look().unwrap();
        echo.interface.find_in(&network).is_some()
    });
    assert!(!found, "another of the same name");
    for (client, to) in clients(&network) {
        until_answered_by(BY_SOCKET, &client, to);
    }
    echo.stop();
}

#[test]
fn the_program_goes_with_the_interface_that_was_opened() {
    let network = Network::new();
    let shown = || network.ours.ip(&format!("-details link show {LINK}"));
    let echo = Echo::start(&network, Mode::Auto);
    assert!(shown().contains("prog/xdp"), "{}", shown());
    drop(echo.stop());
    assert!(!shown().contains("prog/xdp"), "{}", shown());
}

#[test]
fn errors_say_what_is_wrong_and_leave_nothing() {
    let network = Network::new();
    let open = |interface: &str, queues: &[u32], mode| {
        let config = Config {
            interface: interface.to_owned(),
            queues: queues.to_vec(),
            mode,
            ..Config::default()
        };
        let open = || Interface::open(&config).map(|_| ());
        let check = || Interface::check(&config).map(|_| ());
        network.ours.enter(|| (open(), check()))
    };
    let fails = |interface: &str, queues: &[u32], mode, step| {
        let error = open(interface, queues, mode).0.unwrap_err();
        assert_eq!(error.step, step, "{error}: {}", error.cause);
        error
    };
    fails("no-such-link", &[], Mode::Auto, Step::Find);
    fails(LINK, &[0, 2], Mode::Auto, Step::Queue(2));
    // Neither has the driver of a veth that, nor loopback this.
    fails(LINK, &[], Mode::ZeroCopy, Step::Bind(0));
    fails("lo", &[], Mode::Native, Step::Attach);
    let echo = Echo::start(&network, Mode::Auto);
    let error = fails(LINK, &[], Mode::Auto, Step::Attach);
    assert!(error.is_in_use(), "{error}");
    assert!(
        open(LINK, &[], Mode::Auto).1.is_ok(),
        "what a check tries is free"
    );
    echo.stop();
    assert!(open(LINK, &[1], Mode::Auto).0.is_ok());
}

#[test]
fn an_interface_that_was_dropped_can_be_opened_at_once() {
    let network = Network::new();
    let config = Config {
        interface: LINK.to_owned(),
        ..Config::default()
    };
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            network
                .ours
                .enter(|| (0..30).try_for_each(|_| Interface::open(&config).map(drop)))
        });
        // A child has a copy of all descriptors until it runs its own program.
        let start_children = || {
            while !opening.is_finished() {
                Command::new("true").status().unwrap();
            }
        };
        std::thread::scope(|children| {
            children.spawn(start_children);
            children.spawn(start_children);
        });
        opening.join().unwrap().unwrap();
    });
}
