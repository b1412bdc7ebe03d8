//! The network under a tracker that runs: its interface goes down and comes back, its address
//! changes and is given back. It serves what it can, says once what it lost, and has all of it again.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use opentracker_lab::{Endpoint, Host, Lab, Scheme, Tracker};
use opentracker_types::InfoHash;

const PATIENCE: Duration = Duration::from_secs(20);

/// Where the tracker serves whatever addresses it has.
const ANYWHERE: u16 = 6969;

/// Where it serves one address.
const AT_ADDRESS: u16 = 7070;

#[test]
fn a_link_and_an_address_that_come_back_are_served_again() {
    let lab = Lab::new("links");
    let (host, client) = (lab.host("tracker"), lab.host("client"));
    let own = host.ipv4();
    let config = format!(
        "log.level = \"debug\"\n\
         udp.listen = [\"0.0.0.0:{ANYWHERE}\", \"{own}:{AT_ADDRESS}\"]\n\
         http.listen = [\"0.0.0.0:{ANYWHERE}\", \"{own}:{AT_ADDRESS}\"]\n\
         livesync = {{ listen = \"{own}:9696\", nodes = [\"10.0.0.0/24\"] }}\n"
    );
    let path = host.folder().join("opentracker.toml");
    fs::write(&path, config).expect("a host's folder can be written to");
    let path = path.to_str().expect("the target folder is UTF-8");
    let mut tracker = Tracker::spawn(&host, &[], &["--config", path]);
    tracker.wait_until_answering(&endpoints(own.into(), ANYWHERE));
    let mut said = |words: &str, times: usize| {
        lab.wait_until(PATIENCE, &format!("{words:?} is said"), || {
            tracker.process().log().matches(words).count() >= times
        });
    };
    let serves_all = || {
        for port in [ANYWHERE, AT_ADDRESS] {
            assert_answers(&lab, &client, &endpoints(own.into(), port));
        }
    };
    serves_all();

    host.link_down();
    said("multicast interface is gone or down", 1);
    host.link_up();
    said("multicast group joined again", 1);
    serves_all();

    let other = [10, 0, 0, 99];
    host.ip(&format!("addr del {own}/24 dev eth0"));
    host.ip("addr add 10.0.0.99/24 dev eth0");
    said("multicast interface is gone or down", 2);
    assert_answers(&lab, &client, &endpoints(other.into(), ANYWHERE));
    host.ip("addr del 10.0.0.99/24 dev eth0");
    host.ip(&format!("addr add {own}/24 dev eth0"));
    said("multicast group joined again", 2);
    serves_all();

    let log = tracker.process().log();
    let told: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
        .collect();
    assert_eq!(told.len(), 2, "each loss is said once: {told:#?}");
}

fn endpoints(ip: IpAddr, port: u16) -> [Endpoint; 2] {
    [Scheme::Udp, Scheme::Http].map(|scheme| Endpoint::new(scheme, SocketAddr::new(ip, port)))
}

fn assert_answers(lab: &Lab, client: &Host, endpoints: &[Endpoint]) {
    let probe = InfoHash::new([0; InfoHash::LEN]);
    for endpoint in endpoints {
        let what = format!("{} answers", endpoint.announce_url());
        lab.wait_until(PATIENCE, &what, || endpoint.scrape(client, probe).is_ok());
    }
}
