//! A UDP tracker of a few lines that shows a test each request.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use opentracker_udp_wire::{
    AnnounceReply, AnnounceRequest, ConnectReply, ConnectionId, ErrorReply, Request, ScrapeReply,
    TransactionId,
};

/// What to do with a request.
pub(crate) enum Verdict {
    Answer,
    Refuse(&'static str),
    Ignore,
}

/// A request as a test sees it: where from, and what.
pub(crate) type Look<'a> = (SocketAddr, Request<'a>);

/// The tracker; it ends with this value.
pub(crate) struct Tracker<T> {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> Tracker<T> {
    /// Starts it; `judge` decides on each request, and `state` is what it keeps.
    pub(crate) fn start(
        mut state: T,
        judge: impl Fn(&mut T, Look<'_>) -> Verdict + Send + 'static,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((octets, source)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let request = Request::decode(&buffer[..octets]).expect("a well-formed request");
                check_connection(&request, source);
                let mut reply = [0; 2048];
                let octets = match judge(&mut state, (source, request)) {
                    Verdict::Answer => answer(&request, source, &mut reply),
                    Verdict::Refuse(message) => {
                        let error = ErrorReply {
                            transaction: transaction(&request),
                            message: message.as_bytes(),
                        };
                        error.encode(&mut reply).unwrap()
                    }
                    Verdict::Ignore => continue,
                };
                socket.send_to(&reply[..octets], source).unwrap();
            }
            state
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    /// Ends it, and returns what it kept.
    pub(crate) fn finish(mut self) -> T {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is taken once");
        thread.join().expect("the tracker saw nothing wrong")
    }
}

/// The id that an address gets, which differs from those of all others.
fn connection(source: SocketAddr) -> ConnectionId {
    let SocketAddr::V4(source) = source else {
        panic!("{source}");
    };
    (u64::from(u32::from(*source.ip())) << 32 | 7).into()
}

fn check_connection(request: &Request<'_>, source: SocketAddr) {
    let used = match request {
        Request::Connect(_) => return,
        Request::Announce(request) => request.connection,
        Request::Scrape(request) => request.connection(),
    };
    assert_eq!(used, connection(source), "the id of another address");
}

fn transaction(request: &Request<'_>) -> TransactionId {
    match request {
        Request::Connect(request) => request.transaction,
        Request::Announce(AnnounceRequest { transaction, .. }) => *transaction,
        Request::Scrape(request) => request.transaction(),
    }
}

fn answer(request: &Request<'_>, source: SocketAddr, reply: &mut [u8]) -> usize {
    let transaction = transaction(request);
    let encoded = match request {
        Request::Connect(_) => ConnectReply {
            transaction,
            connection: connection(source),
        }
        .encode(reply),
        Request::Announce(_) => AnnounceReply {
            transaction,
            interval_secs: 1800,
            leechers: 1,
            seeders: 1,
            peers: &[1; 12],
        }
        .encode(reply),
        Request::Scrape(request) => {
            let mut builder = ScrapeReply::begin(reply, transaction).unwrap();
            for _ in request.info_hashes() {
                assert!(builder.push(Default::default()));
            }
            Ok(builder.finish())
        }
    };
    encoded.unwrap()
}
