//! The tracker with the configurations of `deploy/config` behind real proxies with theirs: whoever comes
//! through them is the peer. Nothing of the files is replaced but the place of the certificate.

use std::fs;
use std::net::{SocketAddr, TcpStream};

use opentracker_lab::{Endpoint, Family, Host, Lab, Process, Scheme, Tracker};
use opentracker_types::InfoHash;

use crate::client::{announce, get, target};
use crate::{PATIENCE, repository, text};

/// Where the files say that the certificate and its key are.
const CERTIFICATE: &str = "/etc/ssl/tracker.example.pem";
const KEY: &str = "/etc/ssl/tracker.example.key";

#[test]
fn nginx_names_the_client_to_the_tracker() {
    let site = Site::new("deploy-nginx", "behind-nginx.toml");
    let folder = site.host.folder().display();
    let nginx = site.host.command("nginx").arg("-c");
    let nginx = nginx.arg(site.configured("nginx.conf"));
    let process = format!("user root; daemon off; pid {folder}/nginx.pid;");
    site.try_out(nginx.args(["-e", "stderr", "-g", &process]).spawn());
}

#[test]
fn haproxy_names_the_client_to_the_tracker() {
    let site = Site::new("deploy-haproxy", "behind-haproxy.toml");
    let haproxy = site.host.command("haproxy").args(["-db", "-f"]);
    let haproxy = haproxy.arg(site.configured("haproxy.cfg"));
    site.try_out(haproxy.spawn());
}

/// Cloudflare is played by a host in one of its networks, which says what its proxy says.
#[test]
fn cloudflare_names_the_client_to_the_tracker() {
    let site = Site::new("deploy-cloudflare", "behind-cloudflare.toml");
    site.host.ip("addr add 173.245.48.1/20 dev eth0");
    site.bob.ip("addr add 173.245.48.2/20 dev eth0");
    let from_bob: SocketAddr = "173.245.48.1:8080".parse().expect("it is an address");
    let direct = SocketAddr::new(site.host.ipv4().into(), 8080);
    let torrent = InfoHash::new([7; 20]);
    let named = "X-Forwarded-For: 198.51.100.1\r\nCF-Connecting-IP: 203.0.113.5\r\n";
    announce(&site.bob, from_bob, torrent, 1001, named);
    let refused = get(&site.bob, from_bob, &target(torrent, 1002), "Host: a\r\n");
    assert_eq!(refused.status, 400, "it does not say who asks");
    announce(&site.alice, direct, torrent, 1003, named);
    let looked = "CF-Connecting-IP: 203.0.113.9\r\n";
    let peers = announce(&site.bob, from_bob, torrent, 1004, looked);
    assert_eq!(
        peers,
        [peer("203.0.113.5", 1001)],
        "no stranger is believed"
    );
    assert_eq!(site.leechers(torrent), 3);
}

fn peer(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().expect("it is an address"), port)
}

/// A host with a tracker, and clients.
struct Site {
    lab: Lab,
    host: Host,
    alice: Host,
    bob: Host,
    _tracker: Tracker,
}

impl Site {
    /// Starts the tracker with a configuration of `deploy/config` as it is.
    fn new(name: &str, config: &str) -> Self {
        let lab = Lab::new(name);
        let host = lab.host("tracker");
        let config = repository(&format!("deploy/config/{config}"));
        let config = config.to_str().expect("the path is text");
        let mut tracker = Tracker::spawn(&host, &[], &["--config", config]);
        let udp = [Family::V4, Family::V6];
        tracker
            .wait_until_answering(&udp.map(|family| Tracker::endpoint(&host, Scheme::Udp, family)));
        Self {
            alice: lab.host("alice"),
            bob: lab.host("bob"),
            lab,
            host,
            _tracker: tracker,
        }
    }

    /// Writes a configuration of a proxy for this host, and returns its path.
    fn configured(&self, file: &str) -> String {
        let folder = self.host.folder();
        let (certificate, key) = (folder.join("tls.pem"), folder.join("tls.key"));
        let openssl = self.host.command("openssl");
        let kind = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ];
        let openssl = openssl
            .args(kind)
            .args(["-nodes", "-subj", "/CN=tracker.example"]);
        openssl
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .run();
        // haproxy wants both in one file, and nginx does not mind.
        let both = [&certificate, &key].map(|file| fs::read(file).expect("it has been made"));
        fs::write(&certificate, both.concat()).expect("the host's folder is there");
        let shipped = text(&format!("deploy/config/{file}"));
        assert!(shipped.contains(CERTIFICATE), "{file}");
        let path = folder.join(file);
        let placed = shipped
            .replace(CERTIFICATE, &certificate.display().to_string())
            .replace(KEY, &key.display().to_string());
        fs::write(&path, placed).expect("the host's folder is there");
        path.display().to_string()
    }

    fn try_out(&self, mut proxy: Process) {
        for (family, torrent) in [(Family::V4, [4; 20]), (Family::V6, [6; 20])] {
            let torrent = InfoHash::new(torrent);
            let plain = SocketAddr::new(self.host.address(family), 80);
            self.await_proxy(plain, &mut proxy);
            announce(&self.alice, plain, torrent, 1001, "");
            let forged = "X-Forwarded-For: 203.0.113.66\r\n";
            announce(&self.alice, plain, torrent, 1002, forged);
            let tls = SocketAddr::new(plain.ip(), 443);
            self.announce_by_tls(tls, torrent, 1003);
            let peers = announce(&self.bob, plain, torrent, 1004, "");
            let alice = self.alice.address(family);
            let expected = [1001, 1002, 1003].map(|port| SocketAddr::new(alice, port));
            assert_eq!(peers, expected, "{}", proxy.log());
            assert_eq!(self.leechers(torrent), 4);
        }
        assert!(!proxy.log().contains(" is DOWN"), "{}", proxy.log());
    }

    /// Waits until the proxy listens, and has reached the tracker.
    fn await_proxy(&self, address: SocketAddr, proxy: &mut Process) {
        self.lab.wait_until(PATIENCE, "the proxy listens", || {
            assert!(proxy.is_running(), "{}", proxy.log());
            self.bob.enter(|| TcpStream::connect(address).is_ok())
        });
        let health = get(&self.bob, address, "/healthz", "Host: tracker.example\r\n");
        assert_eq!(health.status, 200, "{}", proxy.log());
    }

    /// Announces from alice over TLS.
    fn announce_by_tls(&self, server: SocketAddr, torrent: InfoHash, port: u16) {
        let curl = self
            .alice
            .command("curl")
            .args(["--insecure", "--globoff", "--silent"]);
        let curl = curl.args(["--show-error", "--max-time", "30", "--output", "announced"]);
        let url = format!("https://{server}{}", target(torrent, port));
        let status = curl.args(["--write-out", "%{http_code}", &url]).run();
        assert_eq!(status, "200");
    }

    /// Counts the leechers over UDP, past all proxies.
    fn leechers(&self, torrent: InfoHash) -> u32 {
        let udp: Endpoint = Tracker::endpoint(&self.host, Scheme::Udp, Family::V4);
        let counts = udp.scrape(&self.bob, torrent);
        counts.expect("a tracker that runs answers").leechers
    }
}
