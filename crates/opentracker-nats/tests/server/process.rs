//! A server with a folder and an address of its own.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{sleep, timeout};

/// Of addresses that nobody else has, so that no other program can have taken it.
const PORT: u16 = 4222;

pub(crate) struct Server {
    pub(crate) folder: PathBuf,
    pub(crate) address: Ipv4Addr,
    process: Option<Child>,
}

impl Server {
    /// Starts a server with what else is to stand in its configuration.
    pub(crate) fn start(name: &str, config: &str) -> Self {
        let mut server = Self::prepare(name);
        server.configure(config);
        server.run();
        server
    }

    pub(crate) fn prepare(name: &str) -> Self {
        static SERVERS: AtomicU8 = AtomicU8::new(1);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("nats-{name}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let [.., high, low] = std::process::id().to_be_bytes();
        let last = SERVERS.fetch_add(1, Ordering::Relaxed);
        Self {
            folder,
            address: Ipv4Addr::new(127, high | 128, low, last),
            process: None,
        }
    }

    pub(crate) fn configure(&self, config: &str) {
        self.file("server.conf", config);
    }

    /// Writes a file beside the server's own, and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn run(&mut self) {
        let log = File::create(self.log()).unwrap();
        let process = Command::new("nats-server")
            .args(["-a", &self.address.to_string(), "-p", &PORT.to_string()])
            .arg("-c")
            .arg(self.folder.join("server.conf"))
            .stderr(log)
            .spawn()
            .expect("it takes Debian's package nats-server");
        self.process = Some(process);
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}:{PORT}", self.address)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.process.as_ref().unwrap().id();
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Waits until something stands in the server's log.
    pub(crate) async fn says(&self, words: &str) {
        let wait = async {
            while !fs::read_to_string(self.log()).unwrap().contains(words) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let has_said = timeout(Duration::from_secs(60), wait).await;
        let log = || fs::read_to_string(self.log()).unwrap();
        assert!(has_said.is_ok(), "{}", log());
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
