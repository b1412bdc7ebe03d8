//! HTTP over TLS.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_http::Limits;
use opentracker_lab::http::Client;
use opentracker_lab::tls::{self, EXPIRED, Pair, RENEWED, RSA, TRACKER};
use opentracker_net::http::{Config, Counter, TlsCounter};
use opentracker_net::tls::{Certificate, CertificateError, Certificates, Tls};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

use crate::site::{PATIENCE, Plan, SCRAPE, SCRAPED, Site};

type Secure = Client<StreamOwned<ClientConnection, TcpStream>>;

fn certificates(pairs: &[Pair]) -> Certificates {
    let read = |pair: &Pair| {
        let (certificate, key) = (pair.certificate.as_bytes(), pair.key.as_bytes());
        Certificate::from_pem(certificate, key).unwrap()
    };
    Certificates::new(pairs.iter().map(read).collect()).unwrap()
}

/// A site, what it serves with, and what its clients have.
struct SecureSite {
    site: Site,
    tls: Tls,
    client: Arc<ClientConfig>,
}

impl SecureSite {
    fn start(pairs: &[Pair]) -> Self {
        Self::with(pairs, Plan::default())
    }

    fn with(pairs: &[Pair], plan: Plan) -> Self {
        let tls = Tls::new(certificates(pairs)).unwrap();
        let site = Plan {
            tls: Some(tls.clone()),
            ..plan
        };
        Self {
            site: site.start(),
            tls,
            client: tls::client_config(),
        }
    }

    fn connect(&self, name: &str) -> Secure {
        tls::connect(&self.client, name, self.site.address)
    }

    /// Returns the certificate that a client gets who asks for a host of this name.
    fn certificate_of(&self, name: &str) -> Vec<u8> {
        let mut client = self.connect(name);
        scrape(&mut client);
        let certificates = client.stream.conn.peer_certificates().unwrap();
        certificates[0].to_vec()
    }

    fn wait_for(&self, counter: TlsCounter, count: u64) {
        self.site.wait(|site| site.count(counter) == count);
    }
}

fn scrape(client: &mut Client<impl Read + Write>) {
    client.send(SCRAPE);
    assert_eq!(client.response().text(), SCRAPED);
}

#[test]
fn a_session_over_tls_is_that_without() {
    let secure = SecureSite::start(&[TRACKER]);
    let mut client = secure.connect("tracker.example");
    for _ in 0..3 {
        scrape(&mut client);
    }
    assert_eq!(client.stream.conn.alpn_protocol(), None, "it did not ask");
    // Many at once, whose responses are more than one record.
    let many = SCRAPE.repeat(2000);
    client.send(&many);
    for _ in 0..2000 {
        assert_eq!(client.response().text(), SCRAPED);
    }
    client.send("GET /scrape?info_hash=short HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_eq!(client.response().status, 400);
    // Its end is said: the client's library takes one that is not for an attack.
    client.expect_end();
    secure.wait_for(TlsCounter::Full, 1);
}

#[test]
fn what_the_announce_threads_do_not_answer_is_handed_over_with_its_keys() {
    let secure = SecureSite::start(&[TRACKER]);
    let mut client = secure.connect("127.0.0.1");
    scrape(&mut client);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert_eq!(response.status, 203);
    assert!(response.text().starts_with("GET / HTTP/1.1"));
    client.expect_end();
}

#[test]
fn octets_may_come_one_by_one_and_both_versions_are_spoken() {
    let secure = SecureSite::start(&[TRACKER]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = Client::connect(secure.site.address).stream;
        let mut config = tls::client_config_of(&[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut client = tls::over(&Arc::new(config), "a.swarm.example", OneByOne(stream));
        scrape(&mut client);
        let connection = &client.stream.conn;
        assert_eq!(connection.protocol_version(), Some(version.version));
        assert_eq!(connection.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

/// A socket that sends octets one by one.
struct OneByOne(TcpStream);

impl Read for OneByOne {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for OneByOne {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.write(&octets[..octets.len().min(1)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[test]
fn who_comes_back_resumes_his_session() {
    let secure = SecureSite::start(&[TRACKER]);
    scrape(&mut secure.connect("tracker.example"));
    // Also after the certificate was replaced: its session is known.
    secure.tls.replace(certificates(&[RENEWED]));
    let mut again = secure.connect("tracker.example");
    scrape(&mut again);
    let kind = again.stream.conn.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Resumed));
    secure.wait_for(TlsCounter::Resumed, 1);
    assert_eq!(secure.site.count(TlsCounter::Full), 1);
}

#[test]
fn each_name_has_its_certificate_and_a_new_one_is_served_at_once() {
    let secure = SecureSite::start(&[TRACKER, RSA]);
    for (name, pair) in [
        ("tracker.example", TRACKER),
        ("A.Swarm.Example", TRACKER),
        ("rsa.example", RSA),
        // By address there is no name, so it is the first.
        ("127.0.0.1", TRACKER),
    ] {
        assert_eq!(secure.certificate_of(name), *pair.der(), "{name}");
    }
    let mut before = secure.connect("tracker.example");
    scrape(&mut before);
    secure.tls.replace(certificates(&[RENEWED]));
    let newcomer = SecureSite {
        client: tls::client_config(),
        ..secure
    };
    assert_eq!(newcomer.certificate_of("tracker.example"), *RENEWED.der());
    scrape(&mut before);
}

#[test]
fn a_pair_that_does_not_fit_is_refused() {
    let refused = |certificate: &str, key: &str| {
        let read = Certificate::from_pem(certificate.as_bytes(), key.as_bytes());
        read.unwrap_err()
    };
    let (certificate, key) = (TRACKER.certificate, TRACKER.key);
    let other = refused(certificate, RENEWED.key);
    assert!(matches!(other, CertificateError::OtherKey), "{other:?}");
    for text in ["", key, "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
        let none = refused(text, key);
        assert!(matches!(none, CertificateError::NoCertificate), "{none:?}");
    }
    let garbage = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    assert!(matches!(refused(garbage, key), CertificateError::NoX509));
    assert!(matches!(
        refused(certificate, certificate),
        CertificateError::NoKey
    ));
    assert!(Certificates::new(Vec::new()).is_none());
}

#[test]
fn a_certificate_says_for_whom_and_until_when_it_is() {
    let all = certificates(&[TRACKER, EXPIRED]);
    let [tracker, expired] = all.iter().collect::<Vec<_>>()[..] else {
        panic!("there are two");
    };
    assert_eq!(tracker.names(), ["tracker.example", "*.swarm.example"]);
    let day = Duration::from_secs(24 * 60 * 60);
    let good = tracker.not_after().duration_since(tracker.not_before());
    assert_eq!(good.unwrap(), day * 36_500);
    assert_eq!(expired.not_before(), expired.not_after() + day);
}

#[test]
fn what_is_no_handshake_is_counted_and_closed() {
    let config = Config {
        limits: Limits {
            head_timeout: Duration::from_millis(300),
            ..Limits::default()
        },
        ..Config::default()
    };
    let plan = Plan {
        config,
        ..Plan::default()
    };
    let secure = SecureSite::with(&[TRACKER], plan);
    // HTTP without TLS.
    let mut plain = secure.site.connect();
    plain.send(SCRAPE);
    assert!(!plain.rest().starts_with(b"HTTP"));
    secure.wait_for(TlsCounter::NotTls, 1);
    // A client that does not trust the certificate, or asks for what is not spoken here.
    let mut stranger = secure.connect("elsewhere.example");
    assert!(stranger.stream.write_all(b"x").is_err());
    secure.wait_for(TlsCounter::Refused, 1);
    let mut config = ClientConfig::clone(&secure.client);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut client = tls::connect(&Arc::new(config), "tracker.example", secure.site.address);
    assert!(client.stream.write_all(b"x").is_err());
    secure.wait_for(TlsCounter::Incompatible, 1);
    // Half of a handshake, and then nothing or the end.
    let hello = hello(&secure.client);
    let mut half = secure.site.connect();
    half.stream.write_all(&hello[..hello.len() / 2]).unwrap();
    let start = Instant::now();
    half.expect_end();
    assert!(start.elapsed() < PATIENCE);
    secure.wait_for(TlsCounter::TimedOut, 1);
    let mut half = secure.site.connect();
    half.stream.write_all(&hello).unwrap();
    half.stream.shutdown(std::net::Shutdown::Write).unwrap();
    half.rest();
    secure.wait_for(TlsCounter::Closed, 1);
    assert_eq!(secure.site.count(TlsCounter::Full), 0);
}

/// Returns the first flight of a client.
fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let mut hello = Vec::new();
    tls::connection(config, "tracker.example")
        .write_tls(&mut hello)
        .unwrap();
    hello
}

#[test]
fn half_open_handshakes_give_way_to_others() {
    let plan = Plan {
        config: Config {
            max_connections: 2,
            ..Config::default()
        },
        ..Plan::default()
    };
    let secure = SecureSite::with(&[TRACKER], plan);
    let mut client = secure.connect("tracker.example");
    scrape(&mut client);
    let hello = hello(&secure.client);
    let mut half_open: Vec<_> = (0..20_u64)
        .map(|number| {
            let mut half = secure.site.connect();
            half.stream.write_all(&hello[..9]).unwrap();
            secure
                .site
                .wait(|site| site.count(Counter::Accepted) == number + 2);
            half
        })
        .collect();
    // One has been idle for longer than the other is half open, but it is asked for less time.
    secure.site.wait(|site| site.count(Counter::Evicted) == 19);
    half_open[0].expect_end();
    scrape(&mut client);
}

#[test]
fn a_proxy_header_comes_before_tls() {
    let mut plan = Plan::behind_proxy();
    plan.proxy_protocol = true;
    let secure = SecureSite::with(&[TRACKER], plan);
    let announce = "GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=1&compact=1 HTTP/1.1\r\n\r\n";
    let mut stream = Client::connect(secure.site.address).stream;
    // Cut somewhere, and with the first octets of TLS behind it.
    stream.write_all(b"PROXY TCP4 192.0.2.7 ").unwrap();
    stream.write_all(b"192.0.2.1 1234 443\r\n").unwrap();
    let mut client = tls::over(&secure.client, "tracker.example", stream);
    client.send(announce);
    assert_eq!(client.response().status, 200);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response();
    assert!(response.head.contains("192.0.2.7"), "{}", response.head);

    let mut without = secure.connect("tracker.example");
    assert!(without.stream.write_all(announce.as_bytes()).is_err());
    secure.wait_for(TlsCounter::NotTls, 1);
}

#[test]
fn a_client_that_does_not_read_gets_everything_later() {
    const REQUESTS: usize = 60_000;

    let secure = SecureSite::start(&[TRACKER]);
    let mut client = secure.connect("tracker.example");
    scrape(&mut client);
    let connection = &mut client.stream.conn;
    connection.set_buffer_limit(None);
    let requests = SCRAPE.repeat(REQUESTS);
    connection.writer().write_all(requests.as_bytes()).unwrap();
    let mut records = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut records).unwrap();
    }
    let mut socket = client.stream.sock.try_clone().unwrap();
    let writer = std::thread::spawn(move || socket.write_all(&records).unwrap());
    // The responses are more than both systems keep, so the tracker stops to read meanwhile.
    let start = Instant::now();
    while !writer.is_finished() && start.elapsed() < Duration::from_millis(200) {
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..REQUESTS {
        assert_eq!(client.response().text(), SCRAPED);
    }
    writer.join().unwrap();
}
