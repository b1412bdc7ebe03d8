//! What clients may take of the server.

use std::io::{Read, Write};
use std::time::Duration;

use opentracker_net::http::Counter;

use crate::site::{Client, Plan, SCRAPE, SCRAPED, Site};

/// A site of one thread with so many places for connections.
fn site_of(max_connections: usize) -> Site {
    let mut plan = Plan::default();
    plan.config.max_connections = max_connections;
    plan.start()
}

fn ask(client: &mut Client) {
    client.send(SCRAPE);
    assert_eq!(client.response().text(), SCRAPED);
}

#[test]
fn at_the_limit_the_longest_idle_connection_gives_way() {
    let site = site_of(3);
    let mut clients: Vec<Client> = (0..3).map(|_| site.connect()).collect();
    for client in &mut clients {
        ask(client);
    }
    // The first one has asked again since.
    ask(&mut clients[0]);
    let mut newcomer = site.connect();
    ask(&mut newcomer);
    clients[1].expect_end();
    ask(&mut clients[0]);
    ask(&mut clients[2]);
    assert_eq!(site.count(Counter::Evicted), 1);
    assert_eq!(site.count(Counter::Overloaded), 0);
}

#[test]
fn those_that_come_at_once_are_no_more_than_the_limit_either() {
    const LIMIT: usize = 4;
    const COMING: usize = 50;
    let mut plan = Plan::default();
    plan.config.max_connections = LIMIT;
    let mut clients = Vec::new();
    let site = plan.start_after(|address| {
        for _ in 0..COMING {
            let mut client = Client::connect(address);
            client.send(SCRAPE);
            clients.push(client);
        }
    });
    for client in &mut clients {
        assert_eq!(client.response().text(), SCRAPED);
    }
    for client in &mut clients[..COMING - LIMIT] {
        client.expect_end();
    }
    assert_eq!(site.count(Counter::Evicted), (COMING - LIMIT) as u64);
    assert_eq!(site.count(Counter::Overloaded), 0);
}

#[test]
fn where_none_is_idle_a_new_connection_is_closed() {
    let site = site_of(2);
    let mut busy: Vec<Client> = (0..2).map(|_| site.connect()).collect();
    for client in &mut busy {
        // A head that is not complete.
        ask(client);
        client.send(&SCRAPE[..20]);
    }
    // They count as busy once their octets were read.
    std::thread::sleep(Duration::from_millis(200));
    let mut newcomer = site.connect();
    newcomer.send("G");
    site.wait(|site| site.count(Counter::Overloaded) == 1);
    // It may be a reset, since the octet was not read.
    let read = newcomer.stream.read(&mut [0; 100]);
    assert!(!read.is_ok_and(|octets| octets > 0));
    for client in &mut busy {
        client.send(&SCRAPE[20..]);
        assert_eq!(client.response().text(), SCRAPED);
    }
}

#[test]
fn a_client_that_never_reads_costs_little() {
    let site = Site::start();
    let mut client = site.connect();
    let request = SCRAPE.repeat(1000);
    client.stream.set_nonblocking(true).unwrap();
    let (mut sent, mut blocked) = (0, 0);
    // Until neither side takes more for a while.
    while blocked < 50 {
        match client.stream.write(&request.as_bytes()[sent..]) {
            Ok(octets) => {
                sent = (sent + octets) % request.len();
                blocked = 0;
            }
            Err(_) => {
                blocked += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    let (here, there) = (
        site.address.port(),
        client.stream.local_addr().unwrap().port(),
    );
    let unsent = octets_to_be_sent(here, there);
    assert!((1..300_000).contains(&unsent), "{unsent}");
}

/// What the system holds of the replies on a connection.
fn octets_to_be_sent(local_port: u16, remote_port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let row = table.lines().find(|row| {
        row.contains(&format!(":{local_port:04X} "))
            && row.contains(&format!(":{remote_port:04X} "))
            && row
                .split_whitespace()
                .nth(1)
                .unwrap()
                .ends_with(&format!(":{local_port:04X}"))
    });
    let queues = row.unwrap().split_whitespace().nth(4).unwrap();
    u64::from_str_radix(queues.split(':').next().unwrap(), 16).unwrap()
}
