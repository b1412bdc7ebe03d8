//! The programs that are measured: how each is started and stopped.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Bench, install};

/// A program that answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Ours,
    /// Ours, below the network stack.
    OursBelow,
    /// One datagram a system call.
    ReflectorOneByOne,
    /// Up to 64 datagrams a system call.
    ReflectorInBatches,
    /// Below the network stack.
    ReflectorBelow,
    ReflectorHttp,
    ReflectorHyper,
    AquaticUdp,
    AquaticUdpIoUring,
    AquaticHttp,
    /// Ours, over TLS.
    OursSecure,
    /// The same of aquatic.
    AquaticHttpSecure,
    AquaticWs,
    BittorrentTracker,
    OpentrackerC,
}

/// The protocol by which it is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Udp,
    Http,
}

/// The processor of whoever answers.
pub(super) const CORE: &str = "0";

/// How long a program may take until it listens.
const START: Duration = Duration::from_secs(20);

impl Program {
    /// Its name in the tables.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ours | Self::OursSecure => "**opentracker**",
            Self::OursBelow => "**opentracker**, XDP",
            Self::ReflectorOneByOne => "reflector, one by one",
            Self::ReflectorInBatches => "reflector, in batches",
            Self::ReflectorBelow => "reflector, XDP",
            Self::ReflectorHttp => "reflector",
            Self::ReflectorHyper => "reflector, of hyper",
            Self::AquaticUdp => "aquatic_udp (mio)",
            Self::AquaticUdpIoUring => "aquatic_udp (io_uring)",
            Self::AquaticHttp | Self::AquaticHttpSecure => "aquatic_http",
            Self::AquaticWs => "aquatic_ws",
            Self::BittorrentTracker => "bittorrent-tracker (node)",
            Self::OpentrackerC => "opentracker (C)",
        }
    }

    /// Whether it keeps swarms.
    pub(super) fn is_tracker(self) -> bool {
        !self.name().starts_with("reflector")
    }

    /// Its program, its arguments, and its `config.toml`, all for the folder that it runs in.
    fn command(self, bench: &Bench, ip: Ipv4Addr, port: u16) -> (PathBuf, String, String) {
        let address = format!("{ip}:{port}");
        let [certificate, key] = bench.certificate();
        let reflector = |arguments: &str| {
            let program = bench.ours.join("opentracker-loadgen");
            let arguments = format!("reflect {arguments} --duration 1h --listen {address}");
            (program, arguments, String::new())
        };
        let aquatic = |program: &str| {
            let config = format!("[network]\naddress = \"{address}\"\n");
            (
                bench.others.join(program),
                "-c config.toml".to_owned(),
                config,
            )
        };
        match self {
            Self::ReflectorOneByOne => reflector("udp --batch 1"),
            Self::ReflectorInBatches => reflector("udp"),
            Self::ReflectorBelow => reflector("udp --xdp eth0"),
            Self::ReflectorHttp => reflector("http"),
            Self::ReflectorHyper => reflector("http --engine hyper"),
            Self::AquaticUdp => aquatic("bin/aquatic_udp"),
            Self::AquaticUdpIoUring => aquatic("io_uring/bin/aquatic_udp"),
            Self::AquaticHttp => aquatic("bin/aquatic_http"),
            Self::AquaticHttpSecure => {
                let (program, arguments, config) = aquatic("bin/aquatic_http");
                let tls = format!(
                    "enable_tls = true\ntls_certificate_path = {certificate:?}\n\
                     tls_private_key_path = {key:?}\n"
                );
                (program, arguments, config + &tls)
            }
            Self::AquaticWs => aquatic("bin/aquatic_ws"),
            Self::BittorrentTracker => (
                "node".into(),
                format!("{} {port}", install::node_tracker(&bench.others).display()),
                String::new(),
            ),
            Self::Ours => (
                bench.ours.join("opentracker"),
                "--config config.toml".to_owned(),
                format!(
                    "udp = {{ listen = [\"{address}\"], workers = 1 }}\n\
                     http = {{ listen = [\"{address}\"] }}\n\
                     access.admin = [\"127.0.0.0/8\"]\n\
                     log = {{ level = \"warn\" }}\n"
                ),
            ),
            Self::OursBelow => (
                bench.ours.join("opentracker"),
                "--config config.toml".to_owned(),
                format!(
                    "[udp]\n\
                     listen = [\"{address}\"]\n\
                     workers = 1\n\
                     backend = \"xdp\"\n\
                     xdp = {{ interfaces = [\"eth0\"], mode = \"native\" }}\n\
                     [http]\n\
                     listen = []\n\
                     [log]\n\
                     level = \"warn\"\n"
                ),
            ),
            Self::OursSecure => (
                bench.ours.join("opentracker"),
                "--config config.toml".to_owned(),
                format!(
                    "udp = {{ listen = [] }}\n\
                     http = {{ listen = [{{ address = \"{address}\", tls = true }}] }}\n\
                     tls = {{ certificate = {certificate:?}, key = {key:?} }}\n\
                     log = {{ level = \"warn\" }}\n"
                ),
            ),
            // As root it makes its working directory the root, so the list has to be there.
            Self::OpentrackerC => (
                install::opentracker_c(&bench.others),
                format!("-i 127.0.0.1 -p {port} -P {port} -w allow-list -d ."),
                String::new(),
            ),
        }
    }
}

/// Where a program runs: the address that it is asked at, and its network, if that is not the one of
/// all others.
pub(super) struct Place {
    pub(super) ip: Ipv4Addr,
    pub(super) namespace: Option<String>,
}

/// A running program, which ends with this value.
pub(super) struct Server {
    pub(super) program: Program,
    started: Instant,
    process: Child,
    ip: Ipv4Addr,
    port: u16,
    folder: PathBuf,
    config: String,
}

impl Server {
    /// Starts a program on its processor, and waits until it listens.
    pub(super) fn start(bench: &Bench, program: Program, protocol: Protocol) -> Result<Self> {
        Self::start_with(bench, program, protocol, "")
    }

    /// The same with more lines in its `config.toml`.
    pub(super) fn start_with(
        bench: &Bench,
        program: Program,
        protocol: Protocol,
        more: &str,
    ) -> Result<Self> {
        let place = Place {
            ip: Ipv4Addr::LOCALHOST,
            namespace: None,
        };
        Self::start_at(bench, program, protocol, more, &place)
    }

    /// The same at another place.
    pub(super) fn start_at(
        bench: &Bench,
        program: Program,
        protocol: Protocol,
        more: &str,
        Place { ip, namespace }: &Place,
    ) -> Result<Self> {
        let name = program.name();
        let folder: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let folder = bench.folder.join(folder);
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let (path, arguments, config) = program.command(bench, *ip, port);
        fs::write(folder.join("config.toml"), format!("{config}{more}"))?;
        fs::copy(bench.allow_list(), folder.join("allow-list"))?;
        let log = File::create(folder.join("log"))?;
        let libraries = install::libraries(&bench.workspace.sh, &bench.others)?;
        let mut words = vec!["taskset", "--cpu-list", CORE];
        if let Some(namespace) = namespace {
            words.splice(0..0, ["ip", "netns", "exec", namespace]);
        }
        let process = Command::new(words[0])
            .args(&words[1..])
            .arg(path)
            .args(arguments.split_whitespace())
            .current_dir(&folder)
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", words[0]))?;
        let mut server = Self {
            program,
            started: Instant::now(),
            process,
            ip: *ip,
            port,
            folder,
            config,
        };
        server.wait_until_it_listens(protocol)?;
        server.wait_until_it_rests()?;
        Ok(server)
    }

    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.ip, self.port)
    }

    /// Waits as long as is said of its age.
    pub(super) fn wait_for(&self, wait: impl Fn(Duration) -> Duration) {
        thread::sleep(wait(self.started.elapsed()));
    }

    /// Writes other lines behind its configuration, and lets it read that.
    pub(super) fn reload(&self, more: &str) -> Result<()> {
        fs::write(
            self.folder.join("config.toml"),
            format!("{}{more}", self.config),
        )?;
        let status = Command::new("kill").args(["-HUP", &self.id()]).status()?;
        ensure!(status.success(), "it is gone");
        Ok(())
    }

    pub(super) fn id(&self) -> String {
        // taskset, and ip before it, replace themselves with the program.
        self.process.id().to_string()
    }

    /// A size of its memory, such as `VmRSS`.
    pub(super) fn resident_octets(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibioctets = line.and_then(|line| line.split_whitespace().nth(1));
        let kibioctets: u64 = kibioctets.context("it has no memory")?.parse()?;
        Ok(kibioctets * 1024)
    }

    /// How many descriptors it has.
    pub(super) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.id()))?.count())
    }

    fn wait_until_it_listens(&mut self, protocol: Protocol) -> Result<()> {
        let sockets = match protocol {
            Protocol::Udp => "udp",
            Protocol::Http => "tcp",
        };
        let sockets = format!("/proc/{}/net/{sockets}", self.id());
        let ip = u32::from_ne_bytes(self.ip.octets());
        let local = format!(" {ip:08X}:{:04X} ", self.port);
        // What has no socket says so.
        let says_so = |log: &str| log.contains("listening on udp");
        let start = Instant::now();
        while start.elapsed() < START {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended with {status}:\n{log}", self.program.name());
            }
            let sockets = fs::read_to_string(&sockets).unwrap_or_default();
            if says_so(&log) || sockets.contains(&local) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("{} does not listen", self.program.name())
    }

    /// One that still reads its lists would count them as what the load has cost.
    fn wait_until_it_rests(&self) -> Result<()> {
        loop {
            let before = self.resident_octets("VmRSS")?;
            thread::sleep(Duration::from_millis(500));
            if self.resident_octets("VmRSS")? == before {
                return Ok(());
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has at the moment, for UDP nor for TCP.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = tcp.local_addr()?;
        if std::net::UdpSocket::bind(address).is_ok() {
            return Ok(address.port());
        }
    }
    bail!("no port is free for UDP and TCP")
}
