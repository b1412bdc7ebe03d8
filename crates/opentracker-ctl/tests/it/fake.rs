//! A tracker that answers what a test wants, over a Unix socket or TCP, and keeps what it was
//! asked.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

/// An answer to a method and a target.
#[derive(Debug, Clone)]
pub(crate) struct Canned {
    request: &'static str,
    status: &'static str,
    kind: &'static str,
    body: String,
    /// The connection stays open after the body, as that of a stream.
    goes_on: bool,
}

/// The tracker. It answers as long as the test runs.
#[derive(Debug)]
pub(crate) struct Fake {
    /// What names it: the arguments of the program.
    pub(crate) arguments: Vec<String>,
    asked: Arc<Mutex<Vec<String>>>,
    socket: Option<PathBuf>,
}

impl Canned {
    /// 200 with JSON.
    pub(crate) fn json(request: &'static str, body: &serde_json::Value) -> Self {
        Self {
            request,
            status: "200 OK",
            kind: "application/json",
            body: body.to_string(),
            goes_on: false,
        }
    }

    /// A problem.
    pub(crate) fn problem(request: &'static str, status: &'static str, detail: &str) -> Self {
        let body = serde_json::json!({
            "type": "/api/v1/problems/a", "title": "Not so", "status": 400, "detail": detail,
        });
        Self {
            status,
            kind: "application/problem+json",
            ..Self::json(request, &body)
        }
    }

    /// Anything else.
    pub(crate) fn other(request: &'static str, status: &'static str, body: &str) -> Self {
        Self {
            status,
            kind: "text/plain",
            body: body.to_owned(),
            ..Self::json(request, &serde_json::Value::Null)
        }
    }

    /// Lines that are sent, after which the stream goes on or ends.
    pub(crate) fn stream(request: &'static str, body: &str, goes_on: bool) -> Self {
        Self {
            body: body.to_owned(),
            goes_on,
            ..Self::json(request, &serde_json::Value::Null)
        }
    }
}

impl Fake {
    /// Listens on a Unix socket.
    pub(crate) fn unix(name: &str, canned: Vec<Canned>) -> Self {
        Self::unix_at(socket(name), canned)
    }

    /// Listens on a Unix socket of this path, which is gone at the end.
    pub(crate) fn unix_at(path: PathBuf, canned: Vec<Canned>) -> Self {
        std::fs::remove_file(&path).ok();
        let listener = UnixListener::bind(&path).unwrap();
        let arguments = ["--socket", path.to_str().unwrap()].map(str::to_owned);
        let accept = move || listener.accept().unwrap().0;
        let mut fake = Self::serve(arguments.into(), canned, accept);
        fake.socket = Some(path);
        fake
    }

    /// Listens on a port of loopback.
    pub(crate) fn tcp(canned: Vec<Canned>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accept = move || listener.accept().unwrap().0;
        Self::serve(vec!["--url".to_owned(), url], canned, accept)
    }

    fn serve<S: Read + Write + Send + 'static>(
        arguments: Vec<String>,
        canned: Vec<Canned>,
        accept: impl Fn() -> S + Send + 'static,
    ) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            loop {
                let (stream, canned, log) = (accept(), canned.clone(), Arc::clone(&log));
                thread::spawn(move || answer(stream, &canned, &log));
            }
        });
        Self {
            arguments,
            asked,
            socket: None,
        }
    }

    /// Runs the program against it.
    pub(crate) fn run(&self, arguments: &[&str]) -> crate::Said {
        let named = self.arguments.iter().map(String::as_str);
        crate::run(&arguments.iter().copied().chain(named).collect::<Vec<_>>())
    }

    /// What it was asked since the last call: a head each, in lower case but for the request line.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// The request lines of what it was asked, without the version.
    pub(crate) fn requests(&self) -> Vec<String> {
        let line = |head: String| head.lines().next().unwrap().replace(" HTTP/1.1", "");
        self.asked().into_iter().map(line).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            std::fs::remove_file(socket).ok();
        }
    }
}

/// Where a socket of a test is: a path of a Unix socket has 107 octets at most, which a target
/// folder may have already.
pub(crate) fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("opentracker-ctl-{}-{name}", std::process::id()))
}

fn answer<S: Read + Write>(mut stream: S, canned: &[Canned], log: &Mutex<Vec<String>>) {
    let (mut head, mut octet) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut octet).is_err() {
            return;
        }
        head.extend(octet);
    }
    let head = String::from_utf8(head).unwrap();
    let request = head.lines().next().unwrap().replace(" HTTP/1.1", "");
    log.lock().unwrap().push(head);
    let unknown = Canned::other("", "404 Not Found", "no such page\n");
    let found = canned.iter().find(|canned| canned.request == request);
    let Canned {
        status,
        kind,
        body,
        goes_on,
        ..
    } = found.unwrap_or(&unknown);
    let length = match goes_on {
        true => "transfer-encoding: chunked".to_owned(),
        false => format!("content-length: {}", body.len()),
    };
    let instance = "opentracker-instance: pid=7; tracker_id=00000102";
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{instance}\r\n{length}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok();
    if *goes_on {
        // A line at a time, in two pieces each.
        for line in body.split_inclusive('\n') {
            let (first, second) = line.split_at(line.len() / 2);
            for piece in [first, second]
                .into_iter()
                .filter(|piece| !piece.is_empty())
            {
                let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
                stream.write_all(chunk.as_bytes()).ok();
            }
        }
        // Until the reader goes.
        stream.read_exact(&mut octet).ok();
    } else {
        stream.write_all(body.as_bytes()).ok();
    }
}
