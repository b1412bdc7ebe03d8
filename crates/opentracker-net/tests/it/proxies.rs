//! Listeners for proxies: PROXY headers, and Unix sockets.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Tracker, Worker};
use opentracker_http::Counter;
use opentracker_net::http::{Config, Listeners, Server, UnixError, UnixListen};

use crate::site::{PATIENCE, Plan, Site, operator_plane};

const V1: &str = "PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\r\n";
const ANNOUNCE: &str =
    "GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=6881 HTTP/1.1\r\nHost: a\r\n\r\n";
const PAGE: &str = "GET /stats HTTP/1.1\r\nHost: a\r\n\r\n";

/// A site whose connections begin with a PROXY header.
fn site() -> Site {
    let mut plan = Plan::behind_proxy();
    plan.proxy_protocol = true;
    plan.start()
}

#[test]
fn a_proxy_header_names_the_peer_and_who_asks_for_a_page() {
    let site = site();
    let mut client = site.connect();
    client.send(&format!("{V1}{ANNOUNCE}"));
    let body = client.response().body;
    assert!(body.starts_with(b"d8:completei0e10:downloadedi0e10:incompletei1e"));
    let other = "PROXY TCP4 192.0.2.2 198.51.100.1 4711 80\r\n";
    let mut client = site.connect();
    // In pieces, so that the connection has met the runtime.
    for octet in other.chars() {
        client.send(&octet.to_string());
    }
    client.send(ANNOUNCE);
    let body = client.response().body;
    assert!(body.ends_with(b"5:peers6:\xc0\0\x02\x01\x1a\xe1e"));
    client.send(PAGE);
    let page = client.response();
    assert_eq!(page.status, 203);
    assert_eq!(page.field("Source"), Some("Named(192.0.2.2)"));
    assert_eq!(page.body, PAGE.as_bytes(), "without the header");

    let mut client = site.connect();
    client.send(&format!("{V1}{PAGE}"));
    let page = client.response();
    assert_eq!(page.field("Source"), Some("Named(192.0.2.1)"));
}

#[test]
fn who_sends_no_proxy_header_is_closed() {
    let site = site();
    let mut client = site.connect();
    client.send(ANNOUNCE);
    assert!(is_closed(&mut client.stream));
    assert_eq!(site.count(Counter::BadProxyHeader), 1);

    let plan = Plan {
        proxy_protocol: true,
        ..Plan::default()
    };
    let site = plan.start();
    let mut client = site.connect();
    client.send(&format!("{V1}{ANNOUNCE}"));
    assert!(is_closed(&mut client.stream));
    assert_eq!(site.count(Counter::UntrustedProxy), 1);
}

/// Tells whether nothing comes but the end, or that it was closed before all was read.
fn is_closed(stream: &mut impl Read) -> bool {
    match stream.read(&mut [0; 10]) {
        Ok(octets) => octets == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::remove_dir_all(&path).ok();
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn listen(&self) -> UnixListen {
        UnixListen {
            path: self.0.join("http.sock"),
            owner: None,
            proxy_protocol: false,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn bind(listen: &UnixListen, threads: usize) -> Result<Listeners, UnixError> {
    let config = Config {
        unix: vec![listen.clone()],
        threads,
        ..Config::default()
    };
    Listeners::bind(&config).map_err(|error| match error {
        opentracker_net::http::ListenError::Unix(error) => error,
        other => panic!("{other}"),
    })
}

fn serve(listen: &UnixListen, threads: usize) -> Server {
    let rules = Plan::default().rules();
    let tracker = Arc::new(Tracker::new(rules, Instant::now(), &mut rand::rng()));
    let worker = || Worker::new(Arc::clone(&tracker), rand::random(), None);
    let listeners = bind(listen, threads).unwrap();
    listeners.serve(&operator_plane(), None, worker).unwrap()
}

fn ask(listen: &UnixListen, request: &str) -> String {
    let mut stream = UnixStream::connect(&listen.path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// An announce after which the connection is closed.
fn announce(fields: &str) -> String {
    let line = "GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=6881 HTTP/1.0\r\n";
    format!("{line}{fields}\r\n")
}

#[test]
fn a_unix_socket_is_a_trusted_proxy() {
    let folder = Folder::new("unix-trusted");
    let listen = folder.listen();
    let server = serve(&listen, 2);
    let silent = ask(&listen, &announce(""));
    assert!(silent.starts_with("HTTP/1.1 400 "), "{silent}");
    assert!(silent.contains("the proxy does not say who asks"));
    for client in ["192.0.2.1", "2001:db8::1"] {
        let field = format!("X-Forwarded-For: {client}\r\n");
        let reply = ask(&listen, &announce(&field));
        assert!(reply.contains("10:incompletei"), "{reply}");
        assert!(!reply.contains("external ip"), "{reply}");
    }
    let page = ask(&listen, "GET /stats HTTP/1.0\r\n\r\n");
    assert!(page.contains("\r\nSource: Local\r\n"), "{page}");
    server.shutdown(PATIENCE);
}

#[test]
fn a_unix_socket_may_begin_with_a_proxy_header() {
    let folder = Folder::new("unix-header");
    let listen = UnixListen {
        proxy_protocol: true,
        ..folder.listen()
    };
    let server = serve(&listen, 1);
    let reply = ask(&listen, &format!("{V1}{}", announce("")));
    assert!(reply.contains("10:incompletei1e"), "{reply}");
    let page = ask(&listen, &format!("{V1}GET /stats HTTP/1.0\r\n\r\n"));
    assert!(page.contains("\r\nSource: Named(192.0.2.1)\r\n"), "{page}");
    server.shutdown(PATIENCE);
}

#[test]
fn the_file_of_a_unix_socket_comes_and_goes() {
    let folder = Folder::new("unix-file");
    let listen = folder.listen();
    let server = serve(&listen, 1);
    let file = fs::metadata(&listen.path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o660);
    // Who serves it keeps it.
    let error = bind(&listen, 1).unwrap_err();
    assert!(matches!(error, UnixError::InUse { .. }), "{error}");
    assert!(ask(&listen, &announce("")).starts_with("HTTP/1.1 400 "));
    server.shutdown(Duration::from_secs(1));
    assert!(!listen.path.exists());

    // What is left of a process that was killed is replaced.
    drop(UnixListener::bind(&listen.path).unwrap());
    let server = serve(&listen, 1);
    assert!(ask(&listen, &announce("")).starts_with("HTTP/1.1 400 "));
    // What somebody else has put there meanwhile is not removed.
    fs::remove_file(&listen.path).unwrap();
    fs::write(&listen.path, "theirs").unwrap();
    server.shutdown(Duration::from_secs(1));
    assert_eq!(fs::read(&listen.path).unwrap(), b"theirs");

    // And what is no socket is not replaced.
    let error = bind(&listen, 1).unwrap_err();
    assert!(matches!(error, UnixError::NoSocket { .. }), "{error}");
    let path = listen.path.display();
    let said = format!("cannot listen on unix:{path}: a file that is no socket is there");
    assert_eq!(error.to_string(), said);
}

#[test]
fn of_two_that_start_at_once_one_has_the_unix_socket() {
    let folder = Folder::new("unix-race");
    let listen = folder.listen();
    for _ in 0..20 {
        drop(UnixListener::bind(&listen.path).unwrap());
        let both = std::thread::scope(|scope| {
            let start = || scope.spawn(|| bind(&listen, 1));
            [start(), start()].map(|thread| thread.join().unwrap())
        });
        let bound = both.iter().filter(|bound| bound.is_ok()).count();
        assert_eq!(bound, 1, "{both:?}");
        assert!(UnixStream::connect(&listen.path).is_ok());
    }
}
