//! Two hosts that are network namespaces, with a link between them.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, send, socket,
};
use nix::unistd::geteuid;

/// The interface at both ends of the link.
pub(crate) const LINK: &str = "first";

/// Its queues that are open at the beginning, and those that there can be.
const QUEUES: &str = "2";
const MAX_QUEUES: &str = "4";

pub(crate) const OUR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const THEIR_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Two hosts. Ours has the addresses 10.77.0.1 and fd77::1, theirs those with 2.
pub(crate) struct Network {
    pub(crate) ours: Host,
    pub(crate) theirs: Host,
}

impl Network {
    pub(crate) fn new() -> Self {
        assert!(
            geteuid().is_root(),
            "this test makes network namespaces, which takes root"
        );
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let network = Self {
            ours: Host::new(format!("otx{}-{number}-ours", std::process::id())),
            theirs: Host::new(format!("otx{}-{number}-theirs", std::process::id())),
        };
        network.add_link();
        network
    }

    /// Makes the link.
    pub(crate) fn add_link(&self) {
        let peer = &self.theirs.name;
        let queues = format!("numrxqueues {MAX_QUEUES} numtxqueues {MAX_QUEUES}");
        self.ours.ip(&format!(
            "link add {LINK} {queues} type veth peer name {LINK} {queues} netns {peer}"
        ));
        for (host, number) in [(&self.ours, 1), (&self.theirs, 2)] {
            host.set_queues(QUEUES);
            // Without them the only frames are those of the tests.
            host.run("sysctl", "-q net.ipv6.conf.first.router_solicitations=0");
            host.ip(&format!(
                "link set {LINK} address 02:00:00:00:00:0{number} up"
            ));
            host.ip(&format!("addr add 10.77.0.{number}/24 dev {LINK}"));
            host.ip(&format!("addr add fd77::{number}/64 dev {LINK} nodad"));
        }
        for (host, number, mac) in [(&self.ours, 2, "02"), (&self.theirs, 1, "01")] {
            for ip in [format!("10.77.0.{number}"), format!("fd77::{number}")] {
                host.ip(&format!(
                    "neigh replace {ip} lladdr 02:00:00:00:00:{mac} dev {LINK}"
                ));
            }
        }
    }
}

/// A network namespace.
pub(crate) struct Host {
    name: String,
}

impl Host {
    fn new(name: String) -> Self {
        run("ip", &format!("netns add {name}"));
        Self { name }
    }

    /// Runs the `ip` command in this namespace.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        run("ip", &format!("-netns {} {arguments}", self.name))
    }

    pub(crate) fn set_queues(&self, count: &str) {
        self.run("ethtool", &format!("-L {LINK} rx {count} tx {count}"));
    }

    fn run(&self, program: &str, arguments: &str) -> String {
        run(
            "ip",
            &format!("netns exec {} {program} {arguments}", self.name),
        )
    }

    /// Opens a socket of UDP that does not wait for ever.
    pub(crate) fn udp(&self, address: &str) -> UdpSocket {
        let socket = self.enter(|| UdpSocket::bind(address).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    /// Sends a frame as it is.
    pub(crate) fn send_frame(&self, frame: &[u8]) {
        self.enter(|| {
            let protocol = SockProtocol::EthAll;
            let socket: OwnedFd = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::empty(),
                protocol,
            )
            .unwrap();
            let mut found = getifaddrs()
                .unwrap()
                .filter(|found| found.interface_name == LINK);
            let link = found.find_map(|found| found.address?.as_link_addr().copied());
            bind(socket.as_raw_fd(), &link.unwrap()).unwrap();
            send(socket.as_raw_fd(), frame, MsgFlags::empty()).unwrap();
        });
    }

    /// Calls something on a thread of its own that is in this namespace.
    pub(crate) fn enter<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
                call()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        run("ip", &format!("netns del {}", self.name));
    }
}

/// The addresses of ours that are served, of both families.
pub(crate) fn ours(port: u16) -> [SocketAddr; 2] {
    ["10.77.0.1", "fd77::1"].map(|ip| SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port))
}

/// Runs a command and returns what it prints.
fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("this test needs {program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
