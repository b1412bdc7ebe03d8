use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use crate::filter::{Filter, Hook};
use crate::host::{Family, Host};
use crate::janitor::Janitor;
use crate::namespace::Namespace;
use crate::requirements::{require_program, require_root};
use crate::wait;

/// Name of the switch's namespace and of the bridge in it, so no host can have it.
const SWITCH: &str = "switch";

/// How long a link may take until it carries frames.
const LINK: Duration = Duration::from_secs(10);

/// Prefix of the IPv6 addresses, as long as a test asks for no other: fd00::/64, of the unique
/// local ones.
const UNIQUE_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0);

/// A network of test hosts: a bridge in a namespace of its own, and [`Host`]s plugged into it.
///
/// Everything is removed when the lab and its hosts are dropped, when the test panics, and when
/// its process is killed. Only the logs stay, in `lab/<name>/` of the target folder, and after a
/// panic the hosts' folders too.
#[derive(Debug)]
pub struct Lab {
    switch: Arc<Switch>,
    hosts: AtomicU8,
}

impl Lab {
    /// Makes a network without hosts. The name is the test's: it names the folder of the logs, so
    /// no two labs may have the same at the same time.
    ///
    /// # Panics
    ///
    /// Panics without root's rights, without the programs `ip` and `nft`, or if the kernel
    /// refuses; then nothing is left behind.
    pub fn new(name: &str) -> Self {
        Self::with_ipv6_prefix(name, UNIQUE_LOCAL)
    }

    /// Makes a network like [`new`](Self::new) whose hosts have IPv6 addresses of another /64, for
    /// clients that do not use IPv6 with unique local addresses.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    pub fn with_ipv6_prefix(name: &str, prefix: Ipv6Addr) -> Self {
        require_root();
        require_program("ip");
        require_program("nft");
        Self {
            switch: Arc::new(Switch::create(name, prefix)),
            hosts: AtomicU8::new(0),
        }
    }

    /// Adds a host. The name is at most 15 ASCII letters, digits and hyphens. The first host is
    /// 10.0.0.1, the second 10.0.0.2, and likewise in IPv6.
    ///
    /// # Panics
    ///
    /// Panics if the name does not fit or is taken, or with the 255th host.
    pub fn host(&self, name: &str) -> Host {
        let fits = (1..=15).contains(&name.len())
            && name
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && name != "lo";
        assert!(fits, "`{name}` cannot name a host");
        let number = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(number < 255, "the lab's network is full");
        let host = Host::create(&self.switch, name, number);
        self.switch.register(&host);
        host
    }

    /// Has a name stand for the IPv4 addresses of hosts, on every host.
    pub fn name(&self, name: &str, hosts: &[&Host]) {
        let lines = hosts.iter().map(|host| format!("{} {name}\n", host.ipv4()));
        self.switch.add_names(&lines.collect::<String>());
    }

    /// Parts the network: no frame passes between hosts of different sides. A host on no side
    /// reaches everybody. Further partitions add to it until [`heal`](Self::heal).
    pub fn partition(&self, sides: &[&[&Host]]) {
        for (from_place, from) in sides.iter().enumerate() {
            for (to_place, to) in sides.iter().enumerate() {
                if from_place != to_place && !from.is_empty() && !to.is_empty() {
                    self.drop_frames(&format!(
                        "iifname {{ {} }} oifname {{ {} }}",
                        ports(from),
                        ports(to)
                    ));
                }
            }
        }
    }

    /// Drops frames in the switch that an nftables expression matches. The host's names are the
    /// names of the ports: `iifname "a" udp dport 9696` is what host a sends to port 9696.
    pub fn drop_frames(&self, matching: &str) {
        self.switch.filter.drop_matching(Hook::Forward, matching);
    }

    /// Has the switch look which ports want a multicast group, as a bridge of Linux does unless it is
    /// told otherwise; a lab's switch sends multicast to all.
    pub fn snoop_multicast(&self) {
        let snoop = format!("link set dev {SWITCH} type bridge mcast_snooping 1");
        self.switch.namespace.ip(&snoop);
    }

    /// Ends all partitions and drops of the switch.
    pub fn heal(&self) {
        self.switch.filter.clear();
    }

    /// Counts the frames that the switch has dropped since it was made.
    pub fn dropped_frames(&self) -> u64 {
        self.switch.filter.dropped()
    }

    /// Returns the folder of this lab's logs.
    pub fn logs(&self) -> &Path {
        self.switch.folder()
    }

    /// Waits until a condition holds, looking every 20 ms.
    ///
    /// # Panics
    ///
    /// Panics if it does not hold within `timeout`; the message says `what` was waited for and
    /// shows the end of each program's log.
    #[track_caller]
    pub fn wait_until(&self, timeout: Duration, what: &str, mut condition: impl FnMut() -> bool) {
        if wait::poll(timeout, || condition().then_some(())).is_none() {
            panic!(
                "waited {timeout:?} in vain until {what}\n{}",
                wait::log_tails(self.logs())
            );
        }
    }
}

/// What all hosts of a lab share.
#[derive(Debug)]
pub(crate) struct Switch {
    // Fields are dropped in this order: no program may run any more when its folder goes.
    janitor: Janitor,
    folder: Folder,
    namespace: Namespace,
    filter: Filter,
    ipv6_prefix: Ipv6Addr,
}

impl Switch {
    fn create(name: &str, ipv6_prefix: Ipv6Addr) -> Self {
        let folder = Folder::create(target_folder().join("lab").join(name));
        fs::write(folder.hosts_file(), "127.0.0.1 localhost\n::1 localhost\n")
            .unwrap_or_else(|error| panic!("{}: {error}", folder.path.display()));
        let janitor = Janitor::start();
        let namespace = Namespace::create(format!("{}{SWITCH}", janitor.prefix()));
        // Ports forward from the first moment on, and multicast reaches all of them: nobody here
        // asks for memberships, and the cluster's packets must not depend on it.
        namespace.ip(&format!(
            "link add name {SWITCH} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
             link set dev {SWITCH} up\n"
        ));
        Self {
            janitor,
            folder,
            filter: Filter::of_switch(&namespace),
            namespace,
            ipv6_prefix,
        }
    }

    pub(crate) fn create_namespace(&self, name: &str) -> Namespace {
        Namespace::create(format!("{}{name}", self.janitor.prefix()))
    }

    pub(crate) fn plug_in(&self, port: &str, interface: &str, host: &Namespace) {
        self.namespace.ip(&format!(
            "link add name {port} type veth peer name {interface} netns {}\n\
             link set dev {port} master {SWITCH}\n\
             link set dev {port} up\n",
            host.name()
        ));
    }

    /// Waits until frames pass between a host and the others. The kernel takes note of a new
    /// carrier behind the back of whoever set the link up, a second later at worst; until then
    /// an end of the cable drops what it is to send.
    pub(crate) fn await_link(&self, port: &str, interface: &str, host: &Namespace) {
        let passes = || {
            let forwards = self.namespace.link(port).contains(" state forwarding ");
            (forwards && host.link(interface).contains(" state UP ")).then_some(())
        };
        wait::poll(LINK, passes).unwrap_or_else(|| {
            panic!(
                "{port} is not connected after {LINK:?}:\n{}{}",
                self.namespace.link(port),
                host.link(interface)
            )
        });
    }

    pub(crate) fn set_port(&self, port: &str, state: &str) {
        self.namespace.ip(&format!("link set dev {port} {state}"));
    }

    pub(crate) fn ipv6_prefix(&self) -> Ipv6Addr {
        self.ipv6_prefix
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Says where the names of the lab's hosts stand, in the format of `/etc/hosts`.
    pub(crate) fn hosts_file(&self) -> PathBuf {
        self.folder.hosts_file()
    }

    /// Makes the host's names known to all hosts.
    fn register(&self, host: &Host) {
        let lines = [Family::V4, Family::V6].map(|family| {
            let (address, name) = (host.address(family), host.domain_name(family));
            format!("{address} {name}\n")
        });
        self.add_names(&lines.concat());
    }

    fn add_names(&self, lines: &str) {
        let path = self.hosts_file();
        // Appended to, not replaced: programs that run already see this very file.
        let file = File::options().append(true).open(&path);
        file.and_then(|mut file| file.write_all(lines.as_bytes()))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// The folder of a lab: logs, and a subfolder for each host.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder anew, without the logs of an earlier run.
    fn create(path: PathBuf) -> Self {
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path }
    }

    fn hosts_file(&self) -> PathBuf {
        self.path.join("hosts")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the logs are in {}", self.path.display());
            return;
        }
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        for folder in entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
        {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Finds the folder of the build profile, such as `target/debug`, from the test's executable.
pub(crate) fn profile_folder() -> PathBuf {
    let executable = env::current_exe().expect("/proc shows a process its executable");
    executable
        .ancestors()
        .find(|folder| folder.ends_with("deps"))
        .unwrap_or(&executable)
        .parent()
        .expect("an executable lies in a folder")
        .to_path_buf()
}

fn target_folder() -> PathBuf {
    let profile = profile_folder();
    profile.parent().unwrap_or(&profile).to_path_buf()
}

fn ports(hosts: &[&Host]) -> String {
    let quoted: Vec<String> = hosts
        .iter()
        .map(|host| format!("\"{}\"", host.name()))
        .collect();
    quoted.join(", ")
}
