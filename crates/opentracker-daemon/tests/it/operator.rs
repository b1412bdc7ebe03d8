//! Who asks the admin API: over the control socket, or over TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{PATIENCE, Setup, Tracker};

/// What the tests have as a token.
pub(crate) const TOKEN: &str = "0123456789abcdefghij";

/// An info hash as the API writes it.
pub(crate) fn hex(info_hash: [u8; 20]) -> String {
    let digits = info_hash.iter().map(|octet| format!("{octet:02x}"));
    digits.collect()
}

/// Where the control socket of a setup is.
pub(crate) fn socket(setup: &Setup) -> PathBuf {
    setup.path("control.sock")
}

/// A setup with a control socket, and a token.
pub(crate) fn setup() -> Setup {
    let mut setup = Setup::new();
    let token = setup.write("token", &format!("{TOKEN}\n"));
    let socket = socket(&setup);
    setup
        .set("admin.socket", socket.to_str().unwrap())
        .set("admin.token", token.to_str().unwrap());
    setup
}

/// A way to the API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    way: Way,
    fields: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
enum Way {
    Socket(PathBuf),
    Tcp(SocketAddr),
}

trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) text: String,
}

impl Answer {
    /// Reads the body of a request that was done.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }

    /// Reads what is said to be wrong, and which parameter.
    #[track_caller]
    pub(crate) fn problem(&self) -> (u16, String, Option<String>) {
        assert!(
            self.has("content-type: application/problem+json"),
            "{self:?}"
        );
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["status"], self.status, "{self:?}");
        let kind = problem["type"].as_str().unwrap();
        let kind = kind.strip_prefix("/api/v1/problems/").unwrap();
        let field = problem["field"].as_str().map(str::to_owned);
        (self.status, kind.to_owned(), field)
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.head
            .lines()
            .any(|other| other.eq_ignore_ascii_case(line))
    }
}

impl Api {
    /// Over the control socket.
    pub(crate) fn control(tracker: &Tracker) -> Self {
        Self::at(&socket(&tracker.setup))
    }

    /// Over a control socket.
    pub(crate) fn at(path: &Path) -> Self {
        let way = Way::Socket(path.to_owned());
        Self {
            way,
            fields: Vec::new(),
        }
    }

    /// Over TCP.
    pub(crate) fn tcp(address: SocketAddr) -> Self {
        Self {
            way: Way::Tcp(address),
            fields: Vec::new(),
        }
    }

    /// The same, with the token.
    pub(crate) fn with_token(self) -> Self {
        self.with("Authorization", &format!("Bearer {TOKEN}"))
    }

    /// The same, with a header field.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Asks for something under `/api/v1/`.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, target: &str) -> Answer {
        let mut text = String::new();
        self.send(method, target).read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            text: body.to_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Value {
        self.ask("GET", target).json()
    }

    /// Follows a stream.
    #[track_caller]
    pub(crate) fn follow(&self, target: &str) -> Lines {
        let mut reader = BufReader::new(self.send("GET", target));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        Lines(reader)
    }

    fn send(&self, method: &str, target: &str) -> Box<dyn Stream> {
        let mut stream: Box<dyn Stream> = match &self.way {
            Way::Socket(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
            Way::Tcp(address) => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Box::new(stream)
            }
        };
        // Without chunks, and with the end of the connection for the end of the body.
        let mut head = format!("{method} /api/v1/{target} HTTP/1.0\r\n");
        if !self.fields.iter().any(|(name, _)| name == "Host") {
            head += "Host: tracker.test\r\n";
        }
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        stream
    }
}

/// The lines of a stream.
pub(crate) struct Lines(BufReader<Box<dyn Stream>>);

impl Lines {
    /// Waits for the next object; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if line != "\n" {
                return Some(serde_json::from_str(&line).unwrap());
            }
        }
    }
}
