//! The end of a server.

use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentracker_core::{Cluster, Worker};
use opentracker_net::http::{Config, Counter, Listeners};
use opentracker_types::{InfoHash, PeerAddr, PeerFlags};

use crate::site::{Client, PATIENCE, Plan, SCRAPE, SCRAPED, Site, operator_plane};

#[test]
fn a_request_under_way_is_finished_and_idle_connections_are_closed() {
    let site = Site::start();
    let mut idle = site.connect();
    idle.send(SCRAPE);
    assert_eq!(idle.response().status, 200);
    let mut busy = site.connect();
    busy.send(SCRAPE.strip_suffix("\r\n").unwrap());
    site.wait(|site| site.count(Counter::Accepted) == 2);

    let (address, server) = (site.address, site.server);
    let shutdown = std::thread::spawn(move || server.shutdown(PATIENCE));
    idle.expect_end();
    let start = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(start.elapsed() < PATIENCE, "it goes on accepting");
    }
    assert!(!shutdown.is_finished());
    busy.send("\r\n");
    let response = busy.response();
    assert_eq!(response.text(), SCRAPED);
    assert_eq!(response.field("Connection"), Some("close"));
    busy.expect_end();
    shutdown.join().unwrap();
}

#[test]
fn what_does_not_finish_is_cut_off() {
    let site = Site::start();
    let mut client = site.connect();
    client.send("GET / HTTP/1.1\r\n");
    site.wait(|site| site.count(Counter::Accepted) == 1);
    let start = Instant::now();
    site.server.shutdown(Duration::from_millis(100));
    assert!(start.elapsed() >= Duration::from_millis(100));
    client.expect_end();
}

#[test]
fn what_waits_in_a_passed_listener_is_served_by_the_next_server() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let tracker = Site::start().tracker;
    let start = |threads| {
        let config = Config {
            threads,
            ..Config::default()
        };
        let passed = [held.try_clone().unwrap(), held.try_clone().unwrap()];
        let listeners = Listeners::adopt(&config, &passed, &[]).unwrap();
        assert_eq!(listeners.local_addrs(), [address]);
        let worker = || Worker::new(Arc::clone(&tracker), 1, None);
        let server = listeners.serve(&operator_plane(), None, worker).unwrap();
        assert_eq!(server.heartbeats().count(), threads);
        server
    };
    for threads in [1, 3] {
        let mut waiting: Vec<_> = (0..20).map(|_| Client::connect(address)).collect();
        for client in &mut waiting {
            client.send(SCRAPE);
        }
        let server = start(threads);
        for client in &mut waiting {
            assert_eq!(client.response().text(), SCRAPED);
        }
        server.shutdown(PATIENCE);
    }
}

#[test]
fn a_dropped_server_stops() {
    let Site {
        address, server, ..
    } = Site::start();
    drop(server);
    let start = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(start.elapsed() < PATIENCE, "it goes on");
    }
}

/// A cluster that wants to be called in time, and remembers how often it was.
#[derive(Debug, Clone, Default)]
struct Ear(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    due: Option<Instant>,
    told: usize,
    timeouts: usize,
    flushes: usize,
}

impl Cluster for Ear {
    fn tell(&mut self, _: &InfoHash, _: PeerAddr, _: PeerFlags, now: Instant) {
        let heard = &mut *self.0.lock().unwrap();
        heard.told += 1;
        heard.due = Some(now + Duration::from_millis(50));
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.0.lock().unwrap().due
    }
    fn handle_timeout(&mut self, now: Instant) {
        let heard = &mut *self.0.lock().unwrap();
        if heard.due.is_some_and(|due| due <= now) {
            heard.due = None;
            heard.timeouts += 1;
        }
    }
    fn flush(&mut self, _: Instant) {
        self.0.lock().unwrap().flushes += 1;
    }
}

#[test]
fn the_cluster_hears_in_time_and_at_the_end() {
    let plan = Plan::default();
    let listeners = Listeners::bind(&plan.config()).unwrap();
    let address = listeners.local_addrs()[0];
    let tracker = Plan::behind_proxy().start().tracker;
    let ear = Ear::default();
    let worker = || Worker::new(Arc::clone(&tracker), 1, Some(Box::new(ear.clone())));
    let server = listeners.serve(&operator_plane(), None, worker).unwrap();
    let mut client = Client::connect(address);
    let hash = "a".repeat(20);
    // Of peers on loopback it hears nothing.
    client.send(&format!(
        "GET /announce?info_hash={hash}&port=1 HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
    ));
    assert_eq!(client.response().status, 200);
    let start = Instant::now();
    while ear.0.lock().unwrap().timeouts == 0 {
        assert!(start.elapsed() < PATIENCE, "nobody looks after the cluster");
        std::thread::sleep(Duration::from_millis(2));
    }
    server.shutdown(PATIENCE);
    let heard = ear.0.lock().unwrap();
    assert_eq!((heard.told, heard.timeouts, heard.flushes), (1, 1, 1));
}
