use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::filter::{Filter, Hook};
use crate::lab::Switch;
use crate::namespace::Namespace;
use crate::process::HostCommand;

/// The interface with which every host is plugged into the switch.
const INTERFACE: &str = "eth0";

/// IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A host of a [`Lab`](crate::Lab): a network namespace with a loopback interface and `eth0`.
///
/// A handle: it can be cloned, and the host lasts as long as its lab does. Every method panics if
/// the kernel or `ip` refuses what it asks.
#[derive(Debug, Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    namespace: Namespace,
    handle: File,
    filter: Filter,
    folder: PathBuf,
    ipv4: Ipv4Addr,
    ipv6: Ipv6Addr,
    switch: Arc<Switch>,
}

impl Host {
    /// Makes the `number`-th host and plugs it in.
    pub(crate) fn create(switch: &Arc<Switch>, name: &str, number: u8) -> Self {
        let namespace = switch.create_namespace(name);
        let folder = switch.folder().join(name);
        fs::create_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        switch.plug_in(name, INTERFACE, &namespace);
        let host = Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                handle: namespace.open(),
                filter: Filter::of_host(&namespace),
                namespace,
                folder,
                ipv4: Ipv4Addr::new(10, 0, 0, number),
                ipv6: Ipv6Addr::from_bits(switch.ipv6_prefix().to_bits() | u128::from(number)),
                switch: Arc::clone(switch),
            }),
        };
        host.configure();
        host
    }

    /// Returns the host's name, which is also the name of its port at the switch.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Returns the address in 10.0.0.0/24.
    pub fn ipv4(&self) -> Ipv4Addr {
        self.inner.ipv4
    }

    /// Returns the address in the lab's IPv6 prefix.
    pub fn ipv6(&self) -> Ipv6Addr {
        self.inner.ipv6
    }

    /// Returns the address of a family.
    pub fn address(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.inner.ipv4.into(),
            Family::V6 => self.inner.ipv6.into(),
        }
    }

    /// Returns the domain name that stands for the host's address of a family on every host of
    /// the lab: `<name>.v4.lab` or `<name>.v6.lab`.
    pub fn domain_name(&self, family: Family) -> String {
        let label = match family {
            Family::V4 => "v4",
            Family::V6 => "v6",
        };
        format!("{}.{label}.lab", self.inner.name)
    }

    /// Returns the host's own folder, for files that its programs need. It goes with the lab,
    /// unless the test panics.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Returns the lab's folder, which holds the logs of all its programs and stays.
    pub fn logs(&self) -> &Path {
        self.inner.switch.folder()
    }

    /// Lets the clients of this host trust an authority when they announce over HTTPS.
    ///
    /// # Panics
    ///
    /// Panics if its certificate cannot be copied.
    pub fn trust(&self, authority: &Path) {
        let copied = fs::copy(authority, self.authority());
        copied.unwrap_or_else(|error| panic!("{}: {error}", authority.display()));
    }

    /// Where the certificate of the authority is, if the clients of this host trust one.
    pub fn authority(&self) -> PathBuf {
        self.folder().join("authority.pem")
    }

    /// Prepares a program to run on this host, with the host's folder as its home.
    pub fn command(&self, program: impl AsRef<Path>) -> HostCommand {
        let program = program.as_ref();
        let path = program
            .to_str()
            .unwrap_or_else(|| panic!("{} is not UTF-8", program.display()));
        let short = program
            .file_name()
            .map_or(path.into(), |name| name.to_string_lossy());
        let mut command = self.inner.namespace.command(path);
        command
            .current_dir(&self.inner.folder)
            .env("HOME", &self.inner.folder)
            .env("LC_ALL", "C");
        for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        let name = format!("{}-{short}", self.inner.name);
        HostCommand::new(command, name, self.logs())
    }

    /// Runs a closure on a thread that lives on this host: every socket it opens is the host's,
    /// and remains so wherever it is moved to. A panic of the closure goes on in the caller.
    ///
    /// In `/proc`, `net` belongs to the process, not to the thread: read `/proc/thread-self/net`.
    pub fn enter<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            setns(&self.inner.handle, CloneFlags::CLONE_NEWNET)
                .unwrap_or_else(|error| panic!("cannot enter {}: {error}", self.inner.name));
            run()
        };
        thread::scope(|scope| scope.spawn(entered).join())
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// Runs a line of `ip`, without the word `ip`, such as `route add ::/0 dev eth0`.
    pub fn ip(&self, line: &str) {
        self.inner.namespace.ip(line);
    }

    /// Sets a kernel setting of the network below `/proc/sys`, such as `net/ipv4/ip_forward`.
    pub fn sysctl(&self, setting: &str, value: &str) {
        let path = Path::new("/proc/sys").join(setting);
        self.enter(|| {
            fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        });
    }

    /// Shuts `eth0` down, as the operator of the host can. Its addresses stay.
    pub fn link_down(&self) {
        self.ip(&format!("link set dev {INTERFACE} down"));
    }

    /// Takes `eth0` up again and waits until frames pass.
    pub fn link_up(&self) {
        self.ip(&format!("link set dev {INTERFACE} up"));
        self.await_link();
    }

    /// Pulls the cable: `eth0` is up but loses its carrier.
    pub fn unplug(&self) {
        self.inner.switch.set_port(&self.inner.name, "down");
    }

    /// Plugs the cable in again and waits until frames pass.
    pub fn plug(&self) {
        self.inner.switch.set_port(&self.inner.name, "up");
        self.await_link();
    }

    /// Drops arriving packets that an nftables expression matches, such as `udp dport 9696`, or
    /// `numgen random mod 100 < 5 udp dport 6969` for a loss of 5 %. An empty expression matches
    /// everything. Further calls drop more.
    pub fn drop_incoming(&self, matching: &str) {
        self.inner.filter.drop_matching(Hook::Input, matching);
    }

    /// Drops packets that the host sends, like [`drop_incoming`](Self::drop_incoming). A sender
    /// notices it: `send` fails with "operation not permitted".
    pub fn drop_outgoing(&self, matching: &str) {
        self.inner.filter.drop_matching(Hook::Output, matching);
    }

    /// Ends all drops of this host.
    pub fn drop_nothing(&self) {
        self.inner.filter.clear();
    }

    /// Counts the packets that this host has dropped since it was made.
    pub fn dropped(&self) -> u64 {
        self.inner.filter.dropped()
    }

    fn configure(&self) {
        // Without duplicate address detection an address can be used at once, also the link-local
        // one. And a downed interface keeps its addresses, as IPv4 does anyway.
        for (setting, value) in [
            ("accept_dad", "0"),
            ("dad_transmits", "0"),
            ("keep_addr_on_down", "1"),
        ] {
            self.sysctl(&format!("net/ipv6/conf/{INTERFACE}/{setting}"), value);
        }
        self.inner.namespace.ip(&format!(
            "link set dev {INTERFACE} up\n\
             addr add {}/24 dev {INTERFACE}\n\
             addr add {}/64 dev {INTERFACE} nodad\n",
            self.inner.ipv4, self.inner.ipv6
        ));
        self.await_link();
        // The file grows with the lab, so a host also knows the names of later ones.
        let hosts = self.inner.namespace.etc("hosts");
        std::os::unix::fs::symlink(self.inner.switch.hosts_file(), &hosts)
            .unwrap_or_else(|error| panic!("{}: {error}", hosts.display()));
    }

    /// Waits until frames pass between this host and the others.
    fn await_link(&self) {
        let inner = &self.inner;
        inner
            .switch
            .await_link(&inner.name, INTERFACE, &inner.namespace);
    }
}
