//! A tracker within another program: starts it on loopback, announces to it over HTTP, and prints
//! what it counts.
//!
//! `cargo run -p opentracker --example embedded`

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use opentracker::{Tracker, config::Values};

fn main() -> Result<(), Box<dyn Error>> {
    let mut values = Values::default();
    values.udp.listen = vec!["127.0.0.1:0".parse()?]; // port 0: any that is free
    values.http.listen = vec!["127.0.0.1:0".parse()?];
    values.admin.listen = vec![]; // no page for operators
    let tracker = Tracker::start(values.validate()?)?;
    for listener in tracker.listeners() {
        println!("{} on {}", listener.protocol, listener.address);
    }

    let mut listeners = tracker.listeners().iter();
    let http = listeners
        .find(|listener| listener.protocol == "http")
        .and_then(|listener| listener.address.internet())
        .ok_or("no HTTP")?;
    let mut stream = TcpStream::connect(http)?;
    stream.write_all(
        b"GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=6881&left=0 HTTP/1.1\r\n\
          Host: localhost\r\nConnection: close\r\n\r\n",
    )?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    println!("{}", response.escape_ascii());

    let totals = tracker.core().totals(Instant::now());
    let (torrents, seeders) = (totals.torrents, totals.peers.seeders());
    println!("torrents: {torrents}, seeders: {seeders}");
    tracker.shutdown();
    Ok(())
}
