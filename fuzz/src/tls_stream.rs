use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use opentracker_net::tls::{Certificate, Certificates, Failure, Stream, Tls};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::input::Input;

const AUTHORITY: &[u8] = include_bytes!("../../crates/opentracker-lab/src/tls/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../crates/opentracker-lab/src/tls/tracker.pem");
const KEY: &[u8] = include_bytes!("../../crates/opentracker-lab/src/tls/tracker.key");

static SERVER: LazyLock<Tls> = LazyLock::new(|| {
    let certificate = Certificate::from_pem(CERTIFICATE, KEY).unwrap();
    Tls::new(Certificates::new(vec![certificate]).unwrap()).unwrap()
});

static CLIENTS: LazyLock<[Arc<ClientConfig>; 2]> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(AUTHORITY).unwrap())
        .unwrap();
    [&rustls::version::TLS12, &rustls::version::TLS13].map(|version| {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let builder = builder.with_root_certificates(roots.clone());
        Arc::new(builder.with_no_client_auth())
    })
});

/// Turns without anything that moves, after which nothing does.
const IDLE_TURNS: usize = 4;

/// The stream of a server, and a client that speaks TLS, over a socket that gives and takes as little as
/// it likes: what one side says the other one hears. Where an octet is changed on the way, or where what
/// comes is not TLS, the connection may end, and nothing else happens.
///
/// The first octet says which version the client speaks, and whether something is changed or there is no
/// client at all; then come how much the socket takes and gives at a time up to a zero, and the rest is
/// what the client says, or what comes without one.
pub fn tls_stream(octets: &[u8]) {
    let mut input = Input::new(octets);
    let Some(choice) = input.octet() else {
        return;
    };
    let mut cuts = Vec::new();
    while let Some(cut @ 1..) = input.octet() {
        cuts.push(cut);
    }
    let mut wire = Wire::new(cuts);
    let client = &CLIENTS[usize::from(choice & 1)];
    if choice & 2 != 0 {
        wire.up.extend(input.rest());
        wire.is_over = true;
        let over = Connection::new(None, wire).accept();
        assert!(over.is_err(), "without a client there is no connection");
        return;
    }
    if choice & 4 != 0 {
        let place = usize::from(input.octet().unwrap_or(0)) * 16;
        wire.change = Some((place + usize::from(choice >> 4), choice | 1));
    }
    let is_changed = wire.change.is_some();
    let name = ServerName::try_from("tracker.example").unwrap();
    let client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut connection = Connection::new(Some(client), wire);
    match connection.accept() {
        Ok(stream) => {
            let heard = connection.talk(stream, input.rest());
            assert!(heard || is_changed, "something is lost");
        }
        Err(failure) => assert!(is_changed, "no handshake: {failure:?}"),
    }
}

/// What is on its way between the two.
struct Wire {
    up: VecDeque<u8>,
    down: VecDeque<u8>,
    is_over: bool,
    /// How much is given and taken at a time, in turn; a multiple of 16 is nothing at first.
    cuts: VecDeque<u8>,
    /// The octet of the client that is changed, and how.
    change: Option<(usize, u8)>,
}

impl Wire {
    fn new(cuts: Vec<u8>) -> Self {
        Self {
            up: VecDeque::new(),
            down: VecDeque::new(),
            is_over: false,
            cuts: cuts.into(),
            change: None,
        }
    }

    fn cut(&mut self) -> Option<usize> {
        let Some(cut) = self.cuts.pop_front() else {
            return Some(usize::MAX);
        };
        self.cuts.push_back(cut | 1);
        (cut % 16 != 0).then_some(usize::from(cut))
    }
}

/// The server's socket.
#[derive(Clone)]
struct Socket(Rc<RefCell<Wire>>);

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = &mut *self.0.borrow_mut();
        let Some(cut) = wire.cut() else {
            return Poll::Pending;
        };
        if wire.up.is_empty() && !wire.is_over {
            return Poll::Pending;
        }
        let taken = wire.up.len().min(cut).min(buffer.remaining());
        for octet in wire.up.drain(..taken) {
            buffer.put_slice(&[octet]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = &mut *self.0.borrow_mut();
        let Some(cut) = wire.cut() else {
            return Poll::Pending;
        };
        let taken = octets.len().min(cut);
        wire.down.extend(&octets[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Both sides.
struct Connection {
    client: Option<ClientConnection>,
    wire: Rc<RefCell<Wire>>,
}

impl Connection {
    fn new(client: Option<ClientConnection>, wire: Wire) -> Self {
        Self {
            client,
            wire: Rc::new(RefCell::new(wire)),
        }
    }

    /// Lets both shake hands. What stands still is over.
    fn accept(&mut self) -> Result<Stream<Socket>, Failure> {
        let socket = Socket(Rc::clone(&self.wire));
        let mut server = pin!(Stream::accept(&SERVER, socket, Vec::new(), None));
        let cx = &mut Context::from_waker(Waker::noop());
        let mut idle = 0;
        loop {
            let has_moved = self.drive_client();
            if let Poll::Ready(accepted) = server.as_mut().poll(cx) {
                return accepted;
            }
            idle = if has_moved { 0 } else { idle + 1 };
            self.wire.borrow_mut().is_over |= idle > 4096;
        }
    }

    /// Lets the client say something, and the server say the same. Returns whether both have heard it
    /// all.
    fn talk(&mut self, mut stream: Stream<Socket>, words: &[u8]) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        // The end of the handshake may be on its way.
        self.drive_client();
        let client = self.client.as_mut().unwrap();
        client.set_buffer_limit(None);
        client.writer().write_all(words).unwrap();
        client.send_close_notify();
        let (mut heard, mut said, mut answer) = (Vec::new(), 0, Vec::new());
        let (mut has_ended, mut idle) = (false, 0);
        while idle < IDLE_TURNS * 4096 {
            idle += 1;
            if self.drive_client() {
                idle = 0;
            }
            let mut buffer = [0; 64];
            let mut buffer = ReadBuf::new(&mut buffer);
            if !has_ended {
                match Pin::new(&mut stream).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) if buffer.filled().is_empty() => has_ended = true,
                    Poll::Ready(Ok(())) => heard.extend_from_slice(buffer.filled()),
                    Poll::Ready(Err(_broken)) => return false,
                    Poll::Pending => {}
                }
            }
            if said < heard.len() {
                match Pin::new(&mut stream).poll_write(cx, &heard[said..]) {
                    Poll::Ready(Ok(octets)) => said += octets,
                    Poll::Ready(Err(_broken)) => return false,
                    Poll::Pending => {}
                }
            } else if has_ended && Pin::new(&mut stream).poll_flush(cx).is_ready() {
                let _ = Pin::new(&mut stream).poll_shutdown(cx);
            }
            let client = self.client.as_mut().unwrap();
            // It ends with an error once there is nothing more.
            let _ = client.reader().read_to_end(&mut answer);
            if has_ended && answer.len() == words.len() {
                break;
            }
        }
        heard == words && answer == words
    }

    /// Sends what the client has to say, and lets it hear what there is. Returns whether something moved.
    fn drive_client(&mut self) -> bool {
        let Some(client) = &mut self.client else {
            return false;
        };
        let wire = &mut *self.wire.borrow_mut();
        let mut records = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut records).unwrap();
        }
        let has_moved = !records.is_empty() || !wire.down.is_empty();
        if let Some((place, how)) = &mut wire.change {
            match records.get_mut(*place) {
                Some(octet) => {
                    *octet ^= *how;
                    *place = usize::MAX;
                }
                None => *place = place.saturating_sub(records.len()),
            }
        }
        wire.up.extend(records);
        while !wire.down.is_empty() {
            let read = client.read_tls(&mut wire.down);
            if read.is_err() || client.process_new_packets().is_err() {
                // It has nothing more to say.
                wire.down.clear();
                wire.is_over = true;
            }
        }
        has_moved
    }
}
