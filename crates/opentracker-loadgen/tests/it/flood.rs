use std::collections::HashSet;
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use crate::program::{run, start};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn datagrams_are_random_and_of_many_sources() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let target = socket.local_addr().unwrap();
    let line = format!("flood datagrams {target} --sources 10 --duration 300ms");
    let output = std::thread::spawn(move || run(&line));
    let (mut sources, mut lengths) = (HashSet::new(), HashSet::new());
    while sources.len() < 10 || lengths.len() < 100 {
        let (length, source) = socket.recv_from(&mut [0; 2048]).unwrap();
        sources.insert(source);
        lengths.insert(length);
    }
    assert!(sources.iter().all(|source| source.ip().is_loopback()));
    let output = output.join().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn slow_heads_come_octet_by_octet() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let line = format!("flood slow-heads {target} --connections 5 --sources 5 --duration 60s");
    let mut flood = start(&line);
    let accepted: Vec<_> = (0..5).map(|_| listener.accept().unwrap()).collect();
    let sources: HashSet<_> = accepted.iter().map(|(_, source)| source.ip()).collect();
    assert_eq!(sources.len(), 5);
    for (mut stream, _) in accepted {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut octets = [0; 2];
        stream.read_exact(&mut octets).unwrap();
        assert_eq!(octets, *b"GE");
    }
    flood.kill().unwrap();
    flood.wait().unwrap();
}

#[test]
fn silent_connections_say_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    let line = format!("flood silence {target} --connections 5 --duration 1s");
    let output = std::thread::spawn(move || run(&line));
    for _ in 0..5 {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut octets = Vec::new();
        stream.read_to_end(&mut octets).unwrap();
        assert!(octets.is_empty(), "{octets:?}");
    }
    let output = output.join().unwrap();
    assert!(output.status.success(), "{output:?}");
}
