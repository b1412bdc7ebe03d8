//! The programs that bear the load: how each is started and stopped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Bench, install};

/// A program that answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Contestant {
    Ours,
    /// One datagram a system call.
    ReflectorOneByOne,
    /// Up to 64 datagrams a system call.
    ReflectorInBatches,
    ReflectorHttp,
    AquaticUdp,
    AquaticUdpIoUring,
    AquaticHttp,
    OpentrackerC,
}

/// The protocol by which it is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Udp,
    Http,
}

/// The processor of whoever answers.
const CORE: &str = "0";

/// How long a program may take until it listens.
const START: Duration = Duration::from_secs(20);

impl Contestant {
    /// Its name in the tables.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "**opentracker**",
            Self::ReflectorOneByOne => "reflector, one by one",
            Self::ReflectorInBatches => "reflector, in batches",
            Self::ReflectorHttp => "reflector",
            Self::AquaticUdp => "aquatic_udp (mio)",
            Self::AquaticUdpIoUring => "aquatic_udp (io_uring)",
            Self::AquaticHttp => "aquatic_http",
            Self::OpentrackerC => "opentracker (C)",
        }
    }

    /// Whether it keeps swarms.
    pub(super) const fn is_tracker(self) -> bool {
        !matches!(
            self,
            Self::ReflectorOneByOne | Self::ReflectorInBatches | Self::ReflectorHttp
        )
    }

    /// Writes its configuration, and returns its command line, which is to run in `folder`.
    fn command(self, bench: &Bench, folder: &Path, port: u16) -> Result<Vec<PathBuf>> {
        let address = format!("127.0.0.1:{port}");
        let loadgen = bench.programs.join("opentracker-loadgen");
        let reflect = |protocol: &str, options: &[&str]| {
            let mut command = vec![loadgen.clone()];
            let arguments = [
                "reflect",
                protocol,
                "--duration",
                "1h",
                "--listen",
                &address,
            ];
            command.extend(arguments.iter().chain(options).map(PathBuf::from));
            command
        };
        let with_config = |program: PathBuf, option: &str, text: String| -> Result<_> {
            let config = folder.join("config.toml");
            fs::write(&config, text)?;
            Ok(vec![program, option.into(), config])
        };
        let network = format!("[network]\naddress = \"{address}\"\n");
        match self {
            Self::ReflectorOneByOne => Ok(reflect("udp", &["--batch", "1"])),
            Self::ReflectorInBatches => Ok(reflect("udp", &[])),
            Self::ReflectorHttp => Ok(reflect("http", &[])),
            Self::Ours => {
                let text = format!(
                    "udp = {{ listen = [\"{address}\"], workers = 1 }}\n\
                     http = {{ listen = [\"{address}\"] }}\n\
                     access = {{ admin = [\"127.0.0.0/8\"] }}\n\
                     log = {{ level = \"warn\" }}\n"
                );
                with_config(bench.programs.join("opentracker"), "--config", text)
            }
            Self::AquaticUdp => with_config(bench.peers.join("bin/aquatic_udp"), "-c", network),
            Self::AquaticUdpIoUring => {
                with_config(bench.peers.join("io_uring/bin/aquatic_udp"), "-c", network)
            }
            Self::AquaticHttp => with_config(bench.peers.join("bin/aquatic_http"), "-c", network),
            Self::OpentrackerC => {
                // As root it makes its working directory the root, so the list has to be there.
                let list = folder.join("allow-list");
                fs::copy(bench.allow_list(), list)?;
                let port = port.to_string();
                let mut command = vec![install::opentracker_c(&bench.peers)];
                let arguments = ["-i", "127.0.0.1", "-p", &port, "-P", &port];
                let list = ["-w", "allow-list", "-d", "."];
                command.extend(arguments.iter().chain(&list).map(PathBuf::from));
                Ok(command)
            }
        }
    }
}

/// A running program, which ends with this value.
pub(super) struct Server {
    pub(super) contestant: Contestant,
    started: Instant,
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Server {
    /// Starts a program on its processor, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It does not start or does not listen.
    pub(super) fn start(bench: &Bench, contestant: Contestant, protocol: Protocol) -> Result<Self> {
        let name: String = contestant
            .name()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let folder = bench.folder.join(name);
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let log = File::create(folder.join("log"))?;
        let libraries = install::libraries(&bench.workspace.sh, &bench.peers)?;
        let process = Command::new("taskset")
            .args(["--cpu-list", CORE])
            .args(contestant.command(bench, &folder, port)?)
            .current_dir(&folder)
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start taskset")?;
        let mut server = Self {
            contestant,
            started: Instant::now(),
            process,
            port,
            folder,
        };
        server.wait_until_it_listens(protocol)?;
        server.wait_until_it_rests()?;
        Ok(server)
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Waits as long as is said of its age.
    pub(super) fn wait_for(&self, wait: impl Fn(Duration) -> Duration) {
        thread::sleep(wait(self.started.elapsed()));
    }

    pub(super) fn id(&self) -> String {
        // taskset replaces itself with the program.
        self.process.id().to_string()
    }

    fn wait_until_it_listens(&mut self, protocol: Protocol) -> Result<()> {
        let sockets = match protocol {
            Protocol::Udp => "/proc/net/udp",
            Protocol::Http => "/proc/net/tcp",
        };
        let local = format!(" 0100007F:{:04X} ", self.port);
        let start = Instant::now();
        while start.elapsed() < START {
            if let Some(status) = self.process.try_wait()? {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("{} ended with {status}:\n{log}", self.contestant.name());
            }
            if fs::read_to_string(sockets)?.contains(&local) {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("{} does not listen", self.contestant.name())
    }

    /// One that still reads its lists would count them as what the load has cost.
    fn wait_until_it_rests(&self) -> Result<()> {
        let status = format!("/proc/{}/status", self.process.id());
        let resident = || -> Result<Option<String>> {
            let text = fs::read_to_string(&status)?;
            let line = text.lines().find(|line| line.starts_with("VmRSS:"));
            Ok(line.map(str::to_owned))
        };
        let mut before = resident()?;
        loop {
            thread::sleep(Duration::from_millis(500));
            let now = resident()?;
            if now == before {
                return Ok(());
            }
            before = now;
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
