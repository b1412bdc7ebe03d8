//! HTTPS with clients whose libraries of TLS are others than the tracker's: transmission and aria2 with
//! `GnuTLS`, libtorrent with OpenSSL, and the programs `curl` and `openssl`. They trust an authority of the
//! test's own, and nobody else.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use opentracker_lab::nats::Certificates;
use opentracker_lab::{Client, Endpoint, Family, Host, Lab, Scheme, Torrent, Tracker};

/// How long any step may take; a client whose first announce was lost asks again after a minute.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where HTTPS is served.
const PORT: u16 = 443;

/// Starts a tracker with HTTPS on a host, which the other hosts trust.
fn start(lab: &Lab, host: &Host, others: &[&Host]) -> Tracker {
    let certificates = Certificates::make(&host.folder().join("tls"), host.ipv4());
    for other in others {
        other.trust(certificates.ca());
    }
    let [certificate, key] = certificates.server();
    let config = format!(
        "http.listen = [\"0.0.0.0:6969\", {{ address = \"0.0.0.0:{PORT}\", tls = true }}]\n\
         tls = {{ certificate = {certificate:?}, key = {key:?} }}\n"
    );
    let path = host.folder().join("opentracker.toml");
    fs::write(&path, config).expect("the folder of the host can be written to");
    let path = path.to_str().expect("the path is text");
    let mut tracker = Tracker::spawn(host, &[], &["--config", path]);
    tracker.wait_until_answering(&[Tracker::endpoint(host, Scheme::Udp, Family::V4)]);
    assert!(lab.logs().is_dir());
    tracker
}

#[test]
fn clients_meet_through_https() {
    let lab = Lab::new("https-swarm");
    let [host, seeder, alice, bob] =
        ["tracker", "seeder", "alice", "bob"].map(|name| lab.host(name));
    let _tracker = start(&lab, &host, &[&seeder, &alice, &bob]);
    let https = Endpoint::new(Scheme::Https, SocketAddr::new(host.ipv4().into(), PORT));
    let udp = Tracker::endpoint(&host, Scheme::Udp, Family::V4);
    let torrent = Torrent::random(1, 1 << 20, &https.announce_url());
    let counts = || udp.scrape(&host, torrent.info_hash());
    let _seeder = Client::Libtorrent.seed(&seeder, &torrent);
    lab.wait_until(PATIENCE, "the tracker has the seeder", || {
        counts().is_ok_and(|counts| counts.seeders == 1)
    });
    let mut fetchers = [(Client::Transmission, &alice), (Client::Aria2, &bob)]
        .map(|(client, host)| client.fetch(host, &torrent));
    for fetcher in &mut fetchers {
        fetcher.wait_until_complete(PATIENCE);
    }
    lab.wait_until(PATIENCE, "all are counted as done", || {
        counts().is_ok_and(|counts| counts.seeders == 3 && counts.downloads == 2)
    });
}

#[test]
fn curl_and_openssl_are_served() {
    let lab = Lab::new("https-programs");
    let (host, client) = (lab.host("tracker"), lab.host("client"));
    let _tracker = start(&lab, &host, &[&client]);
    let authority = client.authority();
    let url = format!("https://{}:{PORT}", host.ipv4());
    let announce = format!("{url}/announce?info_hash=aaaaaaaaaaaaaaaaaaaa&port=1&left=0&compact=1");
    for version in [&["--tlsv1.3"][..], &["--tlsv1.2", "--tls-max", "1.2"]] {
        let curl = client
            .command("curl")
            .args(["--silent", "--fail", "--cacert"]);
        let said = curl.arg(&authority).args(version).arg(&announce).run();
        assert!(said.starts_with("d8:complete"), "{said:?}");
    }
    // What goes to the operator plane, after an announce on the same connection.
    let curl = client
        .command("curl")
        .args(["--silent", "--fail", "--cacert"]);
    let said = curl
        .arg(&authority)
        .args([&announce, &format!("{url}/")])
        .run();
    assert!(said.contains("<!DOCTYPE html>"), "{said:?}");

    // A session, and the same one again.
    let session = client.folder().join("session");
    let connect = |option: &str| {
        let script = format!(
            "printf 'GET /healthz HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' | \
             openssl s_client -connect {}:{PORT} -CAfile {} -verify_return_error -ign_eof {option} {} 2>&1",
            host.ipv4(),
            authority.display(),
            session.display(),
        );
        client.command("sh").args(["-c", &script]).run()
    };
    let first = connect("-sess_out");
    assert!(
        first.contains("New, TLSv1.3") && first.contains("200 OK"),
        "{first}"
    );
    let again = connect("-sess_in");
    assert!(
        again.contains("Reused, TLSv1.3") && again.contains("200 OK"),
        "{again}"
    );
}
