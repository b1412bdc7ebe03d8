use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::host::Host;
use crate::process::{HostCommand, Process};
use crate::requirements::{PYTHON, require_program};
use crate::torrent::Torrent;
use crate::wait;

/// TCP port on which each client accepts peers, and the UDP port of what of it uses UDP.
const PORT: &str = "51413";

/// A BitTorrent client that runs on a [`Host`] and finds its peers through the tracker alone.
///
/// Distributed hash table, peer exchange, local discovery, port mapping and uTP are off, so two
/// clients meet over TCP or not at all. The one exception is aria2, see [`Aria2`](Self::Aria2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// `transmission-daemon`. Not `transmission-cli`: that announces `stopped` and `started` at
    /// once over two connections, and whichever arrives last counts.
    ///
    /// Over UDP it announces to an IPv6 tracker only if the URL holds a domain name (it does not
    /// understand a literal address there), and only from an address in 2000::/3.
    Transmission,
    /// `aria2c`. Its UDP tracker client lives in its DHT node and runs only with that, so DHT is
    /// on: but its one entry point is an address to which there is no route, no other host of the
    /// lab is a DHT node, and a private torrent is never looked up there.
    ///
    /// The UDP tracker client is IPv4 only.
    Aria2,
    /// libtorrent-rasterbar, driven by a few lines of Python.
    Libtorrent,
    /// `qbittorrent-nox`: libtorrent as most people run it.
    Qbittorrent,
}

impl Client {
    /// All clients.
    pub const ALL: [Self; 4] = [
        Self::Transmission,
        Self::Aria2,
        Self::Libtorrent,
        Self::Qbittorrent,
    ];

    /// Returns the client's name in lower case, which is also its folder's on the host.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transmission => "transmission",
            Self::Aria2 => "aria2",
            Self::Libtorrent => "libtorrent",
            Self::Qbittorrent => "qbittorrent",
        }
    }

    /// Starts the client with the torrent and all of its payload.
    ///
    /// # Panics
    ///
    /// Panics if the client is not installed, or runs on this host already.
    #[track_caller]
    pub fn seed(self, host: &Host, torrent: &Torrent) -> Session {
        self.start(host, torrent, true)
    }

    /// Starts the client with the torrent and nothing of its payload.
    ///
    /// # Panics
    ///
    /// As [`seed`](Self::seed).
    #[track_caller]
    pub fn fetch(self, host: &Host, torrent: &Torrent) -> Session {
        self.start(host, torrent, false)
    }

    #[track_caller]
    fn start(self, host: &Host, torrent: &Torrent, with_payload: bool) -> Session {
        require_program(self.program());
        let folder = host.folder().join(self.name());
        let places = Places {
            downloads: folder.join("downloads"),
            metainfo: folder.join("lab.torrent"),
            folder,
        };
        create_folder(&places.folder);
        create_folder(&places.downloads);
        write(&places.metainfo, torrent.metainfo());
        let payload = places.downloads.join(torrent.file_name());
        if with_payload {
            write(&payload, torrent.payload());
        }
        let command = self.trust(host.command(self.program()), &host.authority());
        let process = match self {
            Self::Transmission => transmission(command, &places),
            Self::Aria2 => aria2(command, &places),
            Self::Libtorrent => libtorrent(command, &places),
            Self::Qbittorrent => qbittorrent(command, &places),
        }
        .spawn();
        Session {
            client: self,
            process,
            logs: host.logs().to_path_buf(),
            payload,
            expected: torrent.payload().to_vec(),
        }
    }

    /// Lets the client trust an authority for HTTPS, if the host has one.
    fn trust(self, command: HostCommand, authority: &Path) -> HostCommand {
        if !authority.is_file() {
            return command;
        }
        match self {
            // Without the second it would trust everybody.
            Self::Transmission => command
                .env("CURL_CA_BUNDLE", authority)
                .env("TR_CURL_SSL_VERIFY", "1"),
            Self::Aria2 => command.arg(format!("--ca-certificate={}", authority.display())),
            Self::Libtorrent | Self::Qbittorrent => command.env("SSL_CERT_FILE", authority),
        }
    }

    /// The program as `REQUIRED_PACKAGES` has it.
    const fn program(self) -> &'static str {
        match self {
            Self::Transmission => "transmission-daemon",
            Self::Aria2 => "aria2c",
            Self::Libtorrent => PYTHON,
            Self::Qbittorrent => "qbittorrent-nox",
        }
    }

    /// The signal upon which the client announces that it stops.
    const fn stop_signal(self) -> Signal {
        match self {
            // SIGTERM makes it end in haste, without a word.
            Self::Aria2 => Signal::SIGINT,
            Self::Transmission | Self::Libtorrent | Self::Qbittorrent => Signal::SIGTERM,
        }
    }
}

/// A client at work on a torrent. Dropping it kills the client.
#[derive(Debug)]
pub struct Session {
    client: Client,
    process: Process,
    logs: PathBuf,
    payload: PathBuf,
    expected: Vec<u8>,
}

impl Session {
    /// Returns where the client has the payload, or will have it.
    pub fn path(&self) -> &Path {
        &self.payload
    }

    /// Waits until the file on disk equals the torrent's payload in every octet.
    ///
    /// # Panics
    ///
    /// Panics if that takes longer than `timeout` or the client ends before; the message shows the
    /// end of each log of the lab.
    #[track_caller]
    pub fn wait_until_complete(&mut self, timeout: Duration) {
        let ended = wait::poll(timeout, || {
            if self.found() == self.expected {
                return Some(None);
            }
            self.process.status().map(Some)
        });
        let why = match ended {
            Some(None) => return,
            Some(Some(status)) => format!("has ended ({status})"),
            None => format!("is not done after {timeout:?}"),
        };
        panic!(
            "{} {why}: {} of {} octets are missing or wrong\n{}",
            self.process.name(),
            self.lacking(),
            self.expected.len(),
            wait::log_tails(&self.logs)
        );
    }

    /// Asks the client to end, upon which it announces `stopped`, and waits until it has ended.
    /// Transmission does not wait until an announce over HTTP is sent.
    ///
    /// # Panics
    ///
    /// Panics with the client's log if it had ended before or takes longer than `timeout`.
    #[track_caller]
    pub fn stop(mut self, timeout: Duration) {
        self.process.signal(self.client.stop_signal());
        self.process.wait(timeout);
    }

    /// Reads the file on disk; while it is not there yet, nothing.
    fn found(&self) -> Vec<u8> {
        fs::read(&self.payload).unwrap_or_default()
    }

    /// Counts the octets that are missing, wrong or too many in the file on disk.
    fn lacking(&self) -> usize {
        let found = self.found();
        let wrong = found
            .iter()
            .zip(&self.expected)
            .filter(|(one, other)| one != other);
        wrong.count() + found.len().abs_diff(self.expected.len())
    }
}

/// Where a client finds and puts its files.
struct Places {
    folder: PathBuf,
    downloads: PathBuf,
    metainfo: PathBuf,
}

fn transmission(command: HostCommand, places: &Places) -> HostCommand {
    let configuration = places.folder.join("configuration");
    create_folder(&configuration);
    let settings = format!(
        r#"{{
    "dht-enabled": false,
    "lpd-enabled": false,
    "pex-enabled": false,
    "utp-enabled": false,
    "port-forwarding-enabled": false,
    "rpc-enabled": false,
    "message-level": 3,
    "peer-port": {PORT},
    "watch-dir-enabled": true,
    "watch-dir": {:?},
    "download-dir": {:?}
}}
"#,
        places.folder, places.downloads
    );
    write(&configuration.join("settings.json"), settings.as_bytes());
    command
        .arg("--foreground")
        .arg("--config-dir")
        .arg(configuration)
}

fn aria2(command: HostCommand, places: &Places) -> HostCommand {
    command
        .args([
            "--no-conf=true",
            "--summary-interval=0",
            "--show-console-readout=false",
        ])
        .args([
            "--console-log-level=info",
            "--bt-enable-lpd=false",
            "--enable-peer-exchange=false",
        ])
        // See the comment at `Client::Aria2`.
        .args(["--enable-dht=true", "--dht-entry-point=192.0.2.1:9"])
        .arg(format!(
            "--dht-file-path={}",
            places.folder.join("dht.dat").display()
        ))
        .arg(format!("--dht-listen-port={PORT}"))
        .arg(format!("--listen-port={PORT}"))
        // Without the check it takes a complete file for an unfinished one of another download.
        .arg("--check-integrity=true")
        // Seeds for ever.
        .arg("--seed-ratio=0.0")
        .arg(format!("--dir={}", places.downloads.display()))
        .arg(&places.metainfo)
}

fn libtorrent(command: HostCommand, places: &Places) -> HostCommand {
    command
        .args(["-c", include_str!("libtorrent_client.py")])
        .arg(&places.metainfo)
        .arg(&places.downloads)
        .arg(PORT)
}

fn qbittorrent(command: HostCommand, places: &Places) -> HostCommand {
    let profile = places.folder.join("profile");
    let configuration = profile.join("qBittorrent/config");
    fs::create_dir_all(&configuration)
        .unwrap_or_else(|error| panic!("{}: {error}", configuration.display()));
    // Without the notice accepted it waits for an answer at its standard input; with SSRF
    // mitigation it would refuse a tracker in a private network.
    let settings = format!(
        r"[LegalNotice]
Accepted=true

[BitTorrent]
Session\BTProtocol=TCP
Session\DHTEnabled=false
Session\LSDEnabled=false
Session\PeXEnabled=false
Session\Port={PORT}
Session\SSRFMitigation=false

[Network]
PortForwardingEnabled=false
"
    );
    write(&configuration.join("qBittorrent.conf"), settings.as_bytes());
    command
        .arg(format!("--profile={}", profile.display()))
        .arg(format!("--save-path={}", places.downloads.display()))
        .arg("--skip-dialog=true")
        .arg(&places.metainfo)
}

fn create_folder(path: &Path) {
    fs::create_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn write(path: &Path, octets: &[u8]) {
    fs::write(path, octets).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
