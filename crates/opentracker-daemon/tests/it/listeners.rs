//! Section "Configuration" of the contract: listeners as tables, for proxies and on Unix sockets.
//!
//! | sentence | tests |
//! |---|---|
//! | `proxy_protocol` is PROXY v1 and v2 over TCP: the address in the header is the peer's | `a_proxy_header_names_the_peer`, `peers_of_either_family_are_named` |
//! | `external ip` only when no proxy was in the way | `a_proxy_header_names_the_peer` |
//! | PROXY v2 and Cloudflare's Simple Proxy Protocol over UDP | `a_header_in_a_datagram_names_the_peer` |
//! | believed from `trusted_proxies` alone | `strangers_do_not_name_clients` |
//! | a listener with `proxy_protocol` takes nothing without a header | `nothing_comes_without_a_header` |
//! | counted | `strangers_do_not_name_clients`, `nothing_comes_without_a_header` |
//! | who is trusted changes at a reload | `a_reload_says_whom_to_believe` |
//! | limits count against the client, not the proxy | `limits_count_against_whom_a_header_names` |
//! | rights are the client's, not the proxy's | `behind_a_proxy_header_nobody_becomes_an_admin` |
//! | what a client writes itself is not believed | `a_forged_field_behind_a_proxy_header_changes_nothing` |
//! | a proxy behind a proxy | `a_proxy_behind_a_proxy_is_believed_where_it_is_trusted` |
//! | a health check of the proxy itself | `the_proxy_s_own_health_check_is_served` |
//! | `address = "unix:…"` for HTTP; counts as from a trusted proxy | `a_unix_socket_serves_its_proxy` |
//! | its mode, what is left of an earlier run, the stop | `the_file_of_a_unix_socket_comes_and_goes` |
//! | one that somebody serves | `a_unix_socket_in_use_is_left_alone` |
//! | `--check` tries it | `a_unix_socket_in_use_is_left_alone`, `check_shows_the_listeners` |
//! | faults of tables | `faults_of_tables_are_said` |
//! | nobody is trusted: a warning | `check_shows_the_listeners` |

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::datagram::{self, Announce, Client, Reply};
use crate::metrics::Metrics;
use crate::program::{PATIENCE, Setup, Tracker};
use crate::request::{Connection, Response, announce, get_with, head};

const TORRENT: [u8; 20] = [0xab; 20];

/// A table of a listener for proxies at a port of 127.0.0.1.
const PROXIED: &str = "[{ address = \"127.0.0.1:0\", proxy_protocol = true }]";

/// Trusts this host and a network of proxies, which all name their clients first over HTTP.
fn setup() -> Setup {
    let mut setup = Setup::new();
    setup
        .set("http.trusted_proxies", ["127.0.0.1", "10.0.0.0/8"])
        .set_toml("http.listen", PROXIED);
    setup
}

/// A line of version 1.
fn v1(client: &str) -> Vec<u8> {
    let (family, proxy) = if client.contains(':') {
        ("TCP6", "fd00::1")
    } else {
        ("TCP4", "10.0.0.1")
    };
    format!("PROXY {family} {client} {proxy} 4711 80\r\n").into_bytes()
}

/// A header of version 2, before a connection or a datagram, with an extension at its end.
fn v2(client: &str, transport: u8) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    match client.parse().unwrap() {
        IpAddr::V4(ip) => {
            header.extend([0x10 | transport, 0, 12 + 5]);
            header.extend(ip.octets());
            header.extend([10, 0, 0, 1]);
        }
        IpAddr::V6(ip) => {
            header.extend([0x20 | transport, 0, 36 + 5]);
            header.extend(ip.octets());
            header.extend([0xfd; 16]);
        }
    }
    header.extend(4711_u16.to_be_bytes());
    header.extend(80_u16.to_be_bytes());
    header.extend([4, 0, 2, 0, 0]);
    header
}

fn v2_local() -> Vec<u8> {
    b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00".to_vec()
}

/// The 38 octets of the Simple Proxy Protocol.
fn simple(client: [u8; 4]) -> Vec<u8> {
    let mut header = vec![0x56, 0xec];
    header.extend([0; 10]);
    header.extend([0xff, 0xff]);
    header.extend(client);
    header.extend([0xfd; 16]);
    header.extend(4711_u16.to_be_bytes());
    header.extend(6969_u16.to_be_bytes());
    header
}

/// Gets a target on a connection that begins with a header.
fn get_behind(server: SocketAddr, header: &[u8], target: &str, field: &str) -> Response {
    let fields = field.split_once(": ");
    let fields: Vec<_> = fields.into_iter().collect();
    let request = head("GET", target, &fields, &["Connection: close"]);
    let mut connection = Connection::to(server);
    connection.send(&[header, request.as_bytes()].concat());
    connection.response()
}

fn announce_behind(tracker: &Tracker, header: &[u8], port: u16, field: &str) -> Response {
    let target = announce(&TORRENT, port, "left=5");
    get_behind(tracker.http(), header, &target, field)
}

/// The peers of IPv4, as a client that asks by UDP is told.
fn peers(tracker: &Tracker) -> Vec<String> {
    let looked = Client::of(tracker.udp()).announce(&Announce::new(TORRENT, 9));
    let mut peers: Vec<_> = looked.peers.iter().map(ToString::to_string).collect();
    peers.sort();
    peers
}

#[test]
fn a_proxy_header_names_the_peer() {
    let tracker = setup().start();
    for (port, header) in [
        (1001, v1("203.0.113.1")),
        (1002, v2("203.0.113.2", 1)),
        (1003, v1("::ffff:203.0.113.3")),
    ] {
        let announced = announce_behind(&tracker, &header, port, "").announced();
        assert_eq!(announced.external_ip, None);
    }
    let expected = ["203.0.113.1:1001", "203.0.113.2:1002", "203.0.113.3:1003"];
    assert_eq!(peers(&tracker), expected);

    // In pieces, and with more requests behind it.
    let mut connection = Connection::to(tracker.http());
    for octet in v2("203.0.113.4", 1) {
        connection.send(&[octet]);
    }
    for port in [1004, 1005] {
        connection.get(&announce(&TORRENT, port, "")).announced();
    }
    let peers = peers(&tracker);
    assert_eq!(peers[3..], ["203.0.113.4:1004", "203.0.113.4:1005"]);
}

#[test]
fn peers_of_either_family_are_named() {
    let tracker = setup().start();
    for (port, header) in [(1, v1("2001:db8::1")), (2, v2("2001:db8::2", 1))] {
        announce_behind(&tracker, &header, port, "").announced();
    }
    let looked = announce_behind(&tracker, &v1("2001:db8::3"), 3, "").announced();
    let peers: Vec<_> = looked.all().iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["[2001:db8::1]:1", "[2001:db8::2]:2"]);
}

/// Asks by UDP behind a header, and reads the reply, which begins with `echoed`.
fn ask_behind(proxy: &Client, header: &[u8], echoed: &[u8], request: &[u8]) -> Reply {
    let reply = proxy.exchange(&[header, request].concat());
    let reply = reply.strip_prefix(echoed).unwrap_or_else(|| {
        panic!("the reply does not begin as the request does: {reply:?}");
    });
    Reply::read(reply, 7, true)
}

#[test]
fn a_header_in_a_datagram_names_the_peer() {
    let mut setup = Setup::new();
    setup
        .set("http.trusted_proxies", ["127.0.0.1"])
        .set_toml("udp.listen", PROXIED);
    let tracker = setup.start();
    let proxy = Client::of(tracker.udp());
    for (port, header, echoed, other) in [
        (1001, v2("203.0.113.1", 2), Vec::new(), "203.0.113.8"),
        (
            1002,
            simple([203, 0, 113, 2]),
            simple([203, 0, 113, 2]),
            "203.0.113.9",
        ),
    ] {
        let Reply::Connect(id) = ask_behind(&proxy, &header, &echoed, &datagram::connect(7)) else {
            panic!("no connection id");
        };
        let request = Announce::new(TORRENT, port).octets(id, 7);
        let reply = ask_behind(&proxy, &header, &echoed, &request);
        assert!(matches!(reply, Reply::Announce(_)), "{reply:?}");
        // The id is the client's.
        let reply = proxy.exchange(&[&v2(other, 2)[..], &request].concat());
        assert_eq!(reply[..4], datagram::ERROR.to_be_bytes(), "{reply:?}");
    }
    let fields = [("X-Forwarded-For", "198.51.100.1")];
    let target = announce(&TORRENT, 9, "");
    let looked = get_with(tracker.http(), &target, &fields).announced();
    let peers: Vec<_> = looked.all().iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["203.0.113.1:1001", "203.0.113.2:1002"]);
}

/// Tells whether a connection on which this was sent is closed without a response.
fn is_closed_after(server: SocketAddr, octets: &[u8]) -> bool {
    let mut connection = Connection::to(server);
    connection.offer(octets);
    connection.is_at_end()
}

/// HTTP connections that were closed where they had to begin with a PROXY header.
fn refused_proxies(metrics: &Metrics, reason: &str) -> u64 {
    metrics.get(&format!(
        "opentracker_http_proxies_refused_total{{reason=\"{reason}\"}}"
    ))
}

#[test]
fn strangers_do_not_name_clients() {
    let mut setup = Setup::new();
    setup
        .set("http.trusted_proxies", ["10.0.0.0/8"])
        .set_toml("udp.listen", PROXIED)
        .set_toml("http.listen", PROXIED);
    let tracker = setup.start();
    let request = head("GET", &announce(&TORRENT, 1, ""), &[], &[]);
    for header in [v1("203.0.113.1"), v2("203.0.113.1", 1), v2_local(), vec![]] {
        let octets = [&header[..], request.as_bytes()].concat();
        assert!(is_closed_after(tracker.http(), &octets), "{header:?}");
    }
    let stranger = Client::of(tracker.udp());
    for header in [v2("203.0.113.1", 2), simple([203, 0, 113, 1]), vec![]] {
        stranger.send(&[&header[..], &datagram::connect(7)].concat());
    }
    let metrics = Metrics::wait(tracker.operator(), |metrics| {
        metrics.dropped("proxy_source") == 3
    });
    assert_eq!(refused_proxies(&metrics, "source"), 4);
    assert_eq!(metrics.udp("connect"), 0);
    assert_eq!(metrics.datagrams("in"), 3);
}

#[test]
fn nothing_comes_without_a_header() {
    let mut setup = setup();
    setup.set_toml("udp.listen", PROXIED);
    let tracker = setup.start();
    let request = head("GET", "/healthz", &[], &[]).into_bytes();
    for octets in [
        request.clone(),
        [b"PROXY TCP4 203.0.113.1\r\n", &request[..]].concat(),
        [&v2("203.0.113.1", 1)[1..], &request].concat(),
        // The datagrams' header.
        [&simple([203, 0, 113, 1])[..], &request].concat(),
        b"PROXY ".repeat(30),
    ] {
        assert!(is_closed_after(tracker.http(), &octets), "{octets:?}");
    }
    let proxy = Client::of(tracker.udp());
    for header in [&v1("203.0.113.1")[..], &[], &v2_local()] {
        proxy.send(&[header, &datagram::connect(7)].concat());
    }
    let metrics = Metrics::wait(tracker.operator(), |metrics| {
        metrics.dropped("proxy_header") == 3
    });
    assert_eq!(refused_proxies(&metrics, "header"), 5);
    assert_eq!(metrics.udp("connect"), 0);
}

#[test]
fn a_reload_says_whom_to_believe() {
    let mut tracker = setup().start();
    announce_behind(&tracker, &v1("203.0.113.1"), 1, "").announced();
    tracker.setup.set("http.trusted_proxies", ["10.0.0.0/8"]);
    let log = tracker.reload().join("\n");
    assert!(log.contains("http.trusted_proxies"), "{log}");
    let request = head("GET", "/healthz", &[], &[]);
    let octets = [&v1("203.0.113.1")[..], request.as_bytes()].concat();
    assert!(is_closed_after(tracker.http(), &octets));
}

#[test]
fn limits_count_against_whom_a_header_names() {
    let mut setup = setup();
    setup
        .set_toml("udp.listen", PROXIED)
        .set("limits.rate", "1/h")
        .set("limits.burst", 2);
    let tracker = setup.start();
    let http = |client: &str| {
        let reply = announce_behind(&tracker, &v1(client), 1000, "").bencode();
        reply.get("failure reason").is_some()
    };
    let proxy = Client::of(tracker.udp());
    let udp = |client: &str| {
        let header = v2(client, 2);
        let Reply::Connect(id) = ask_behind(&proxy, &header, &[], &datagram::connect(7)) else {
            panic!("no connection id");
        };
        let request = Announce::new(TORRENT, 1000).octets(id, 7);
        matches!(ask_behind(&proxy, &header, &[], &request), Reply::Error(_))
    };
    assert_eq!([(); 3].map(|()| http("203.0.113.1")), [false, false, true]);
    assert_eq!([(); 3].map(|()| udp("203.0.113.2")), [false, false, true]);
    assert!(
        !http("203.0.113.3") && !udp("203.0.113.3"),
        "another client"
    );
}

#[test]
fn behind_a_proxy_header_nobody_becomes_an_admin() {
    let mut setup = setup();
    setup
        .set("access.admin", ["127.0.0.0/8", "192.0.2.1"])
        .set("access.stats", ["127.0.0.0/8", "192.0.2.1"]);
    let tracker = setup.start();
    for (header, expected) in [
        (v1("198.51.100.1"), 403),
        (v2("198.51.100.1", 1), 403),
        // Who is behind it is the one that counts.
        (v1("192.0.2.1"), 200),
        (v2("192.0.2.1", 1), 200),
        // The proxy itself has no rights.
        (v2_local(), 403),
        (b"PROXY UNKNOWN\r\n".to_vec(), 403),
        (v1("127.0.0.1"), 403),
    ] {
        for target in ["/metrics", "/stats"] {
            let response = get_behind(tracker.http(), &header, target, "");
            assert_eq!(response.status, expected, "{target}: {header:?}");
        }
        let full = get_behind(tracker.http(), &header, "/scrape", "").bencode();
        assert_eq!(full.get("files").is_some(), expected == 200, "{header:?}");
    }
}

#[test]
fn a_forged_field_behind_a_proxy_header_changes_nothing() {
    let mut setup = setup();
    setup.set("access.admin", ["192.0.2.1"]);
    let tracker = setup.start();
    let header = v1("198.51.100.1");
    for field in [
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-For: 192.0.2.1, 10.0.0.1",
        "Forwarded: for=192.0.2.1",
        "X-Real-IP: 192.0.2.1",
    ] {
        let response = get_behind(tracker.http(), &header, "/metrics", field);
        assert_eq!(response.status, 403, "{field}");
        announce_behind(&tracker, &header, 1000, field).announced();
    }
    assert_eq!(peers(&tracker), ["198.51.100.1:1000"]);
}

#[test]
fn a_proxy_behind_a_proxy_is_believed_where_it_is_trusted() {
    let tracker = setup().start();
    // An nginx behind a haproxy: the address in the header is a trusted proxy's.
    let field = "X-Forwarded-For: 192.0.2.9, 203.0.113.1";
    announce_behind(&tracker, &v1("10.0.0.1"), 1001, field).announced();
    announce_behind(&tracker, &v2_local(), 1002, field).announced();
    assert_eq!(peers(&tracker), ["203.0.113.1:1001", "203.0.113.1:1002"]);
    let silent = announce_behind(&tracker, &v1("10.0.0.1"), 1003, "");
    assert_eq!(silent.status, 400);
    assert!(silent.failure_reason().contains("x-forwarded-for"));
}

#[test]
fn the_proxy_s_own_health_check_is_served() {
    let tracker = setup().start();
    for header in [v2_local(), b"PROXY UNKNOWN\r\n".to_vec(), v1("127.0.0.1")] {
        let response = get_behind(tracker.http(), &header, "/healthz", "");
        assert_eq!(response.status, 200, "{header:?}");
        // It is no peer.
        let silent = announce_behind(&tracker, &header, 1000, "");
        assert_eq!(silent.status, 400, "{header:?}");
    }
    assert!(peers(&tracker).is_empty());
}

/// A setup that listens on a Unix socket in its folder, besides UDP and for its operator.
fn on_unix_socket() -> Setup {
    let mut setup = Setup::new();
    let listen = format!("unix:{}", setup.path("http.sock").display());
    setup
        .set("http.listen", [&*listen])
        .set("http.trusted_proxies", crate::program::NOTHING)
        .listeners(2);
    setup
}

/// Sends a request of HTTP/1.0 with a field, and returns all that comes.
fn ask_at(path: &Path, target: &str, field: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {target} HTTP/1.0\r\n{field}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

fn status_at(path: &Path, target: &str, field: &str) -> String {
    ask_at(path, target, field)[9..12].to_owned()
}

#[test]
fn a_unix_socket_serves_its_proxy() {
    let mut setup = on_unix_socket();
    setup.set("access.admin", ["192.0.2.1", "0.0.0.0"]);
    let tracker = setup.start();
    let path = tracker.setup.path("http.sock");
    let named = "X-Forwarded-For: 192.0.2.1, 203.0.113.1\r\n";
    let target = announce(&TORRENT, 1000, "");
    let announced = ask_at(&path, &target, named);
    assert!(announced.contains("10:incompletei1e"), "{announced}");
    assert!(!announced.contains("external ip"), "{announced}");
    assert_eq!(peers(&tracker), ["203.0.113.1:1000"]);

    let silent = ask_at(&path, &target, "");
    assert!(silent.starts_with("HTTP/1.1 400 "), "{silent}");
    assert!(silent.contains("it has to set x-forwarded-for"), "{silent}");
    let status = |target, field| status_at(&path, target, field);
    assert_eq!(status("/healthz", ""), "200");
    for field in ["", named, "X-Forwarded-For: 127.0.0.1\r\n"] {
        assert_eq!(status("/metrics", field), "403", "{field}");
    }
    assert_eq!(status("/metrics", "X-Forwarded-For: 192.0.2.1\r\n"), "200");
    let log = tracker.log().join("\n");
    let line = format!("listening on http unix:{}", path.display());
    assert!(log.contains(&line), "{log}");
}

#[test]
fn the_file_of_a_unix_socket_comes_and_goes() {
    let mut tracker = on_unix_socket().start();
    let path = tracker.setup.path("http.sock");
    let file = fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o660);
    tracker.signal("KILL");
    tracker.wait();
    assert!(path.exists(), "nobody has removed it");
    let refused = UnixStream::connect(&path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let mut again = Setup::new();
    let listen = format!("unix:{}", path.display());
    again.set("http.listen", [&*listen]).listeners(2);
    let mut again = again.start();
    assert_eq!(status_at(&path, "/healthz", ""), "200");
    assert_eq!(again.stop("TERM").0.code(), Some(0));
    assert!(!path.exists(), "it is removed at the stop");
}

#[test]
fn a_unix_socket_in_use_is_left_alone() {
    let tracker = on_unix_socket().start();
    let path = tracker.setup.path("http.sock");
    let mut other = Setup::new();
    let listen = format!("unix:{}", path.display());
    let ended = other.set("http.listen", [&*listen]).run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = format!("cannot listen on {listen}: somebody serves it");
    assert!(ended.stderr.contains(&said), "{ended:?}");
    // That may be the tracker which is to be restarted.
    let ended = other.argument("--check").run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(status_at(&path, "/healthz", ""), "200");

    let mut other = Setup::new();
    let file = other.write("file", "not a socket");
    let listen = format!("unix:{}", file.display());
    other.set("http.listen", [&*listen]).argument("--check");
    let ended = other.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("is no socket"), "{ended:?}");
    assert_eq!(fs::read(file).unwrap(), b"not a socket");
}

#[test]
fn check_shows_the_listeners() {
    let mut setup = Setup::new();
    let path = setup.path("http.sock");
    let http = format!(
        "[{{ address = \"127.0.0.1:0\", proxy_protocol = true }}, \"unix:{}\"]",
        path.display()
    );
    setup
        .set_toml("http.listen", &http)
        .set_toml("udp.listen", PROXIED)
        .argument("--check");
    let ended = setup.run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for shown in [format!("listen = {http}"), format!("listen = {PROXIED}")] {
        assert!(ended.stdout.contains(&shown), "{shown}: {ended:?}");
    }
    let warning = "http.trusted_proxies: it is empty, so nobody can use the listeners";
    assert!(ended.stderr.contains(warning), "{ended:?}");
    assert!(!path.exists(), "nothing is left of it");
    let ended = setup.set("http.trusted_proxies", ["10.0.0.1"]).run();
    assert!(!ended.stderr.contains("trusted_proxies"), "{ended:?}");
}

#[test]
fn faults_of_tables_are_said() {
    for (key, listen, said) in [
        (
            "http.listen",
            "{ address = \"[::]:1\", tls = true }",
            "[::]:1 needs tls.certificate: write the file of the certificate",
        ),
        (
            "http.listen",
            "{ address = \"[::]:1\", proxy_protcol = true }",
            "did you mean `proxy_protocol`?",
        ),
        (
            "http.listen",
            "{ address = \"[::]:1\", proxy_protocol = 2 }",
            "proxy_protocol: write `true` or `false`",
        ),
        (
            "http.listen",
            "\"/run/http.sock\"",
            "a Unix socket is written \"unix:/run/http.sock\"",
        ),
        (
            "http.listen",
            "\"unix:http.sock\"",
            "\"unix:http.sock\" is no Unix socket: write an absolute path",
        ),
        (
            "udp.listen",
            "\"unix:/run/udp.sock\"",
            "unix:/run/udp.sock is for http.listen: UDP is served at an address and a port",
        ),
    ] {
        let mut setup = Setup::new();
        let ended = setup.set_toml(key, listen).argument("--check").run();
        assert_eq!(ended.code, Some(2), "{listen}: {ended:?}");
        assert!(ended.stderr.contains(key), "{listen}: {ended:?}");
        assert!(ended.stderr.contains(said), "{listen}: {ended:?}");
    }
    let twice = "[\"unix:/run/no/a.sock\", \"unix:/run/no/a.sock\"]";
    let mut setup = Setup::new();
    let ended = setup
        .set_toml("http.listen", twice)
        .argument("--check")
        .run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("is there twice"), "{ended:?}");
    // Where there is no folder there is no socket.
    assert!(ended.stderr.contains("cannot open its folder"), "{ended:?}");
}
