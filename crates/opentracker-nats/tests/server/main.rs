//! The carrier against Debian's NATS server.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cluster;
mod process;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;
use opentracker_lab::nats::{Certificates, Operator};
use opentracker_livesync::{Carrier, Class};
use opentracker_nats::{Link, MAX_INCOMING, MAX_WAITING, Nats, NatsConfig, Subject};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use self::cluster::{Log, PATIENCE, hear, meet, until};
use self::process::Server;

/// As long as a packet can be.
const PACKET: Bytes = Bytes::from_static(&[b'.'; 1232]);

fn start(server: &Server) -> Nats {
    Nats::start(config(server.url("nats"))).unwrap()
}

fn config(url: String) -> NatsConfig {
    NatsConfig {
        servers: vec![url.parse().unwrap()],
        subject: "opentracker.livesync".parse().unwrap(),
        credentials: None,
        ca: None,
    }
}

#[tokio::test]
async fn everybody_hears_all_but_himself() {
    let server = Server::start("everybody", "");
    let [mut a, mut b, mut c] = [start(&server), start(&server), start(&server)];
    meet(&mut a, &mut b).await;
    meet(&mut a, &mut c).await;
    meet(&mut b, &mut c).await;
    a.send(&Bytes::from_static(b"of a"), Class::Live);
    assert_eq!(hear(&mut b).await, b"of a");
    b.send(&Bytes::from_static(b"of b"), Class::Tell);
    assert_eq!(hear(&mut a).await, b"of b");
    assert_eq!(hear(&mut c).await, b"of a");
    assert_eq!(hear(&mut c).await, b"of b");
    let status = c.status();
    assert!(status.is_up);
    assert_eq!(
        (status.destinations, status.waiting, status.backlog),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn a_link_hears_what_is_for_all_and_what_is_for_itself() {
    let server = Server::start("link", "");
    let all: Subject = "opentracker.livesync.webtorrent".parse().unwrap();
    let names = ["a", "b", "c"].map(|name| all.with(name).unwrap());
    let [a, mut b, mut c] = names.each_ref().map(|own| {
        let subjects = vec![all.clone(), own.clone()];
        Link::start(config(server.url("nats")), subjects, 4).unwrap()
    });
    until("all are connected", || {
        [&a, &b, &c].iter().all(|link| link.status().is_up)
    })
    .await;
    // What comes before the others have subscribed is lost.
    for link in [&mut b, &mut c] {
        while timeout(Duration::from_millis(100), next(link)).await != Ok(b"all".to_vec()) {
            a.send(&all, Bytes::from_static(b"all"), Class::Live);
        }
    }
    for (subject, words) in [(&names[1], "to b"), (&names[2], "to c"), (&all, "end")] {
        a.send(subject, Bytes::from_static(words.as_bytes()), Class::Live);
    }
    for (link, own) in [(&mut b, "to b"), (&mut c, "to c")] {
        let mut heard = Vec::new();
        while heard.len() < 2 {
            let words = timeout(PATIENCE, next(link)).await.unwrap();
            if words != b"all" {
                heard.push(String::from_utf8(words).unwrap());
            }
        }
        // Of two subjects either may come first.
        heard.sort_unstable();
        assert_eq!(heard, ["end", own]);
    }
    // Nothing is sent until this waits for something.
    let before = a.status().dropped;
    (0..10).for_each(|_| a.send(&all, PACKET, Class::Live));
    assert_eq!((a.status().waiting, a.status().dropped - before), (4, 6));
}

async fn next(link: &mut Link) -> Vec<u8> {
    poll_fn(|cx| link.poll_recv(cx)).await.to_vec()
}

#[tokio::test]
async fn what_waits_at_an_end_is_sent() {
    const PACKETS: usize = 1000;
    let server = Server::start("end", "");
    let [mut a, mut b] = [start(&server), start(&server)];
    meet(&mut a, &mut b).await;
    for _ in 0..PACKETS {
        a.send(&PACKET, Class::Live);
    }
    poll_fn(|cx| a.poll_close(cx)).await;
    drop(a);
    for _ in 0..PACKETS {
        assert_eq!(hear(&mut b).await, PACKET);
    }

    server.signal(Signal::SIGKILL);
    until("b has noticed", || !b.status().is_up).await;
    b.send(&PACKET, Class::Live);
    poll_fn(|cx| b.poll_close(cx)).await;
}

#[tokio::test]
async fn a_password_in_the_url_is_used() {
    let server = Server::start("password", "authorization { user: u, password: \"p@ss\" }");
    let url = server.url("nats").replace("://", "://u:p%40ss@");
    let [mut a, mut b] =
        [config(url.clone()), config(url)].map(|config| Nats::start(config).unwrap());
    meet(&mut a, &mut b).await;
}

#[tokio::test]
async fn tls_and_credentials_let_in_who_has_both() {
    let operator = Operator::new();
    let mut server = Server::prepare("tls");
    let files = Certificates::make(&server.folder, server.address);
    server.configure(&format!(
        "{}{}",
        files.server_config(),
        operator.server_config()
    ));
    server.run();

    let mut known = config(server.url("tls"));
    known.ca = Some(files.ca().to_owned());
    known.credentials = Some(server.file("user.creds", &operator.user()));
    let [mut a, mut b] = [0; 2].map(|_| Nats::start(known.clone()).unwrap());
    meet(&mut a, &mut b).await;

    let other = Operator::new();
    let mut stranger = known.clone();
    stranger.credentials = Some(server.file("stranger.creds", &other.user()));
    let stranger = Nats::start(stranger).unwrap();
    server.says("authentication error").await;
    assert!(!stranger.status().is_up);

    let mut distrustful = known;
    let others = Certificates::make(&server.folder.join("other"), server.address);
    distrustful.ca = Some(others.ca().to_owned());
    let distrustful = Nats::start(distrustful).unwrap();
    server.says("TLS handshake error").await;
    assert!(!distrustful.status().is_up);
}

#[tokio::test]
async fn nats_gone_for_an_hour_keeps_8192_packets_and_sends_none_of_them() {
    let log = Log::begin();
    let mut server = Server::start("gone", "");
    let [mut a, mut b] = [start(&server), start(&server)];
    meet(&mut a, &mut b).await;
    log.forget();

    server.kill();
    until("a has noticed", || !a.status().is_up).await;
    let before = a.status();
    assert_eq!(before.waiting, 0);
    // One each 15 s of 80 workers is 19,200 in an hour.
    let packets = 19_200;
    for _ in 0..packets {
        a.send(&PACKET, Class::Live);
    }
    assert_eq!(a.status().waiting, MAX_WAITING);

    server.run();
    until("both are back", || a.status().is_up && b.status().is_up).await;
    assert_eq!(a.status().waiting, 0);
    assert_eq!(a.status().dropped - before.dropped, packets);
    assert!(meet(&mut a, &mut b).await.is_empty());
    let lines = log.lines();
    assert_eq!(
        lines,
        [
            "WARN broken",
            "WARN broken",
            "INFO connected",
            "INFO connected"
        ]
    );
}

#[tokio::test]
async fn a_server_that_stands_still_holds_nobody_up() {
    let server = Server::start("still", "");
    let [mut a, mut b] = [start(&server), start(&server)];
    meet(&mut a, &mut b).await;
    server.signal(Signal::SIGSTOP);
    // What the kernel takes for the server is some megabytes.
    let mut packets = 0;
    let before = a.status();
    while a.status().dropped == before.dropped {
        for _ in 0..64 {
            a.send(&PACKET, Class::Live);
        }
        packets += 64;
        assert!(packets < 1_000_000, "{:?}", a.status());
        yield_now().await;
    }
    a.send(&PACKET, Class::Tell);
    assert_eq!(a.status().waiting, MAX_WAITING);
    assert_eq!(a.status().dropped_tells, 1);
    server.signal(Signal::SIGCONT);
    until("a has sent all that waits", || a.status().waiting == 0).await;
    meet(&mut a, &mut b).await;
}

#[tokio::test]
async fn what_nobody_takes_is_dropped_and_counted() {
    let server = Server::start("backlog", "");
    let many: Subject = "opentracker.livesync".parse().unwrap();
    let mark = many.with("mark").unwrap();
    // Both come in order, and a link takes of them in turn. It has subscribed marks last.
    let [a, mut b] = [0; 2].map(|_| {
        let subjects = vec![many.clone(), mark.clone()];
        Link::start(config(server.url("nats")), subjects, MAX_WAITING).unwrap()
    });
    until("both are connected", || {
        a.status().is_up && b.status().is_up
    })
    .await;
    // What comes before `b` has subscribed is lost.
    while timeout(Duration::from_millis(100), next(&mut b))
        .await
        .is_err()
    {
        a.send(&mark, Bytes::from_static(b"too early"), Class::Live);
    }
    a.send(&mark, Bytes::from_static(b"begin"), Class::Live);
    take_until(&mut b, b"begin", Duration::ZERO).await;

    let before = (a.status(), b.status());
    for packets in 1..=2 * MAX_INCOMING {
        a.send(&many, PACKET, Class::Live);
        if packets % 1024 == 0 {
            until("a has sent them", || a.status().waiting == 0).await;
        }
    }
    a.send(&mark, Bytes::from_static(b"end"), Class::Live);
    // `b` takes far fewer than 8192 in the time that this may take, and its connection goes on.
    take_until(&mut b, b"end", Duration::from_millis(10)).await;
    let sent = a.status().sent - before.0.sent;
    let take_all = poll_fn(|cx| {
        while b.poll_recv(cx).is_ready() {}
        let after = b.status();
        let received = after.received - before.1.received;
        if received + after.backlog - before.1.backlog == sent {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    timeout(PATIENCE, take_all).await.unwrap();
    assert!(b.status().backlog > before.1.backlog);
    assert_eq!(a.status().dropped, before.0.dropped);
}

/// Takes messages, with a pause between them, until this one comes.
async fn take_until(link: &mut Link, last: &[u8], pause: Duration) {
    let take = async {
        while next(link).await != last {
            sleep(pause).await;
        }
    };
    timeout(PATIENCE, take).await.unwrap();
}
