//! Clients that go on announcing while the tracker is restarted, each in its own way, and none of
//! which may lose an answer over HTTP.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::datagram::{Announce, Reply, connect};
use crate::program::PATIENCE;
use crate::request::{announce, head};

/// What they announce.
pub(crate) const TORRENT: [u8; 20] = [0xee; 20];

/// How long a UDP client waits before it asks again.
const ASKS_AGAIN: Duration = Duration::from_millis(200);

/// How long some clients take between two steps, as a slow line makes it.
const PACE: Duration = Duration::from_millis(15);

/// How a client announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By a connection for each announce.
    Connection,
    /// By a connection that is kept; if it is closed before anything of an answer came, by another.
    Kept,
    /// By a connection for each announce, whose first octets come late.
    Late,
    /// By a connection for each announce, whose head comes in two parts.
    Piecewise,
    /// By UDP, again and again until there is an answer.
    Udp,
}

/// How many peers there are.
pub(crate) const PEERS: u32 = 10;

const WAYS: [Way; PEERS as usize] = [
    Way::Connection,
    Way::Connection,
    Way::Connection,
    Way::Kept,
    Way::Kept,
    Way::Late,
    Way::Late,
    Way::Piecewise,
    Way::Piecewise,
    Way::Udp,
];

/// Clients at work.
#[derive(Debug, Default)]
pub(crate) struct Load {
    is_over: AtomicBool,
    answered: [AtomicU32; WAYS.len()],
}

impl Load {
    /// Waits until each client has had so many more answers.
    pub(crate) fn wait(&self, answers: u32) {
        let counts = || {
            self.answered
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed))
        };
        let until = counts().map(|count| count + answers);
        let deadline = Instant::now() + PATIENCE;
        while counts()
            .iter()
            .zip(&until)
            .any(|(count, until)| count < until)
        {
            let (counts, over) = (counts(), self.is_over.load(Ordering::Relaxed));
            assert!(
                !over && Instant::now() < deadline,
                "{WAYS:?}: {counts:?} of {until:?}"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Tells the clients to end, also when the test fails.
struct Over<'a>(&'a Load);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Does something while clients announce.
pub(crate) fn under_load(http: SocketAddr, udp: SocketAddr, work: impl FnOnce(&Load)) {
    let load = Load::default();
    thread::scope(|scope| {
        for (number, (way, answered)) in (0..).zip(WAYS.iter().zip(&load.answered)) {
            let load = &load;
            scope.spawn(move || {
                // One that fails ends all.
                let _over = Over(load);
                let mut client = Client {
                    way: *way,
                    port: 2000 + number,
                    http,
                    udp,
                    kept: None,
                };
                while !load.is_over.load(Ordering::Relaxed) {
                    client.announce();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _over = Over(&load);
        work(&load);
    });
}

struct Client {
    way: Way,
    port: u16,
    http: SocketAddr,
    udp: SocketAddr,
    kept: Option<TcpStream>,
}

impl Client {
    fn announce(&mut self) {
        let target = announce(&TORRENT, self.port, "");
        let lines: &[&str] = match self.way {
            Way::Kept => &[],
            _ => &["Connection: close"],
        };
        let head = head("GET", &target, &[], lines);
        let (first, rest) = match self.way {
            Way::Udp => return self.announce_by_udp(),
            Way::Piecewise => head.split_at(30),
            _ => (head.as_str(), ""),
        };
        if let Some(mut kept) = self.kept.take()
            && let Ok(answer) = ask(&mut kept, first, rest)
        {
            return self.take(kept, &answer);
        }
        let mut stream = TcpStream::connect(self.http).expect("the socket is held");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        if self.way == Way::Late {
            thread::sleep(PACE);
        }
        match ask(&mut stream, first, rest) {
            Ok(answer) => self.take(stream, &answer),
            Err(error) => panic!("{:?} lost an answer: {error}", self.way),
        }
    }

    fn take(&mut self, stream: TcpStream, answer: &str) {
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        if self.way == Way::Kept && !answer.contains("Connection: close") {
            self.kept = Some(stream);
        }
    }

    /// Announces as BEP 15 says, with less patience.
    fn announce_by_udp(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.try_udp().is_none() {
            assert!(Instant::now() < deadline, "no answer by UDP");
        }
    }

    /// Tries it once, at a port of its own, to which no answer of an earlier time comes.
    fn try_udp(&self) -> Option<()> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.udp).unwrap();
        socket.set_read_timeout(Some(ASKS_AGAIN)).unwrap();
        let ask = |transaction, request: &[u8]| {
            socket.send(request).ok()?;
            let mut octets = [0; 2048];
            let length = socket.recv(&mut octets).ok()?;
            Some(Reply::read(&octets[..length], transaction, true))
        };
        let Reply::Connect(connection) = ask(1, &connect(1))? else {
            return None;
        };
        let announce = Announce::new(TORRENT, self.port);
        match ask(2, &announce.octets(connection, 2))? {
            Reply::Announce(_) => Some(()),
            // The connection id was of the program before.
            _ => None,
        }
    }
}

/// Sends a request and receives the answer. It fails if the connection ends before that.
fn ask(stream: &mut TcpStream, first: &str, rest: &str) -> io::Result<String> {
    stream.write_all(first.as_bytes())?;
    if !rest.is_empty() {
        thread::sleep(PACE);
        stream.write_all(rest.as_bytes())?;
    }
    let mut answer = Vec::new();
    let mut octets = [0; 4096];
    loop {
        let length = stream.read(&mut octets)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend(&octets[..length]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Some((_, length)) = head.split_once("Content-Length: ")
            && let length = length.lines().next().unwrap_or_default()
            && body.len() >= length.parse().unwrap()
        {
            return Ok(text);
        }
    }
}
