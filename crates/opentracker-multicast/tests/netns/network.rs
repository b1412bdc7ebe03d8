//! Two hosts that are network namespaces, and links between them.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::unistd::geteuid;
use socket2::{Domain, Socket, Type};

const PATIENCE: Duration = Duration::from_secs(30);

/// Two hosts with a link `first` between 10.77.0.1 on ours and 10.77.0.2 on theirs.
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
            ours: Host::new(format!("ot{}-{number}-ours", std::process::id())),
            theirs: Host::new(format!("ot{}-{number}-theirs", std::process::id())),
        };
        network.add_link("first", "10.77.0");
        network
    }

    /// Adds a link that has the same name at both ends, and the addresses 1 and 2 of a network.
    /// The name may be followed by an index for our end.
    pub(crate) fn add_link(&self, link: &str, network: &str) {
        let theirs = &self.theirs.name;
        let name = link.split_whitespace().next().unwrap();
        self.ours.ip(&format!(
            "link add {link} type veth peer name {name} netns {theirs}"
        ));
        for (host, number) in [(&self.ours, 1), (&self.theirs, 2)] {
            host.ip(&format!("addr add {network}.{number}/24 dev {name}"));
            host.ip(&format!("link set {name} up"));
        }
        for host in [&self.ours, &self.theirs] {
            host.wait_for_link(name, true);
        }
    }
}

/// A network namespace.
pub(crate) struct Host {
    name: String,
}

impl Host {
    fn new(name: String) -> Self {
        ip(&format!("netns add {name}"));
        Self { name }
    }

    /// Runs the `ip` command in this namespace.
    pub(crate) fn ip(&self, arguments: &str) {
        ip(&format!("-netns {} {arguments}", self.name));
    }

    /// Waits until the kernel has noticed that a link works, or that it does not.
    pub(crate) fn wait_for_link(&self, link: &str, works: bool) {
        let show = format!("-netns {} link show {link}", self.name);
        let begin = Instant::now();
        while ip(&show).contains("state UP") != works {
            assert!(begin.elapsed() < PATIENCE, "{link} is as it was");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Reads a setting of the kernel in this namespace.
    pub(crate) fn setting(&self, path: &str) -> u64 {
        let value = ip(&format!("netns exec {} cat /proc/sys/{path}", self.name));
        value.trim().parse().unwrap()
    }

    /// Runs a test in this namespace, with what it logs.
    pub(crate) fn run<F: AsyncFnOnce(Log) + Send>(&self, test: F) {
        self.enter(|| {
            let log = Log::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .finish();
            let _logging = tracing::subscriber::set_default(subscriber);
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(test(log));
        });
    }

    /// Makes a plain member of a group in this namespace.
    pub(crate) fn peer(&self, group: SocketAddrV4, address: Ipv4Addr) -> Peer {
        let socket = self.enter(|| {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&group.into()).unwrap();
            socket.join_multicast_v4(group.ip(), &address).unwrap();
            socket.set_multicast_if_v4(&address).unwrap();
            socket.set_multicast_loop_v4(false).unwrap();
            socket
        });
        Peer {
            socket: socket.into(),
            group,
        }
    }

    /// Calls something on a thread of its own that is in this namespace.
    fn enter<T: Send>(&self, call: impl FnOnce() -> T + Send) -> T {
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
        ip(&format!("netns del {}", self.name));
    }
}

/// A member of the group that is not ours.
pub(crate) struct Peer {
    socket: UdpSocket,
    group: SocketAddrV4,
}

impl Peer {
    pub(crate) fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.group).unwrap();
    }

    pub(crate) fn hear(&self) -> (Vec<u8>, Ipv4Addr) {
        self.socket.set_nonblocking(false).unwrap();
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 2048];
        let (octets, source) = self.socket.recv_from(&mut buffer).unwrap();
        let SocketAddr::V4(source) = source else {
            panic!("{source} is not IPv4");
        };
        (buffer[..octets].to_vec(), *source.ip())
    }

    /// Tells whether a datagram has come, and drops those that came before.
    pub(crate) fn has_heard(&self, datagram: &[u8]) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 2048];
        while let Ok((octets, _)) = self.socket.recv_from(&mut buffer) {
            if &buffer[..octets] == datagram {
                return true;
            }
        }
        false
    }
}

/// What a test has logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Counts the lines of a level that have a text.
    pub(crate) fn count(&self, level: &str, text: &str) -> usize {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines()
            .filter(|line| line.contains(level) && line.contains(text))
            .count()
    }
}

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits, but not for ever.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it did not happen in time")
}

/// Runs the `ip` command and returns what it prints.
fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("this test needs the ip command of iproute2");
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
