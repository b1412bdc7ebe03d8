//! The head of a request (RFC 9112): what of it matters here.

use std::mem::MaybeUninit;

use httparse::{EMPTY_HEADER, Header, Status};

/// The most octets of a head, the empty line at its end included.
pub(crate) const MAX_HEAD_OCTETS: usize = 8 * 1024;

/// The most header fields of a head.
pub(crate) const MAX_HEADER_FIELDS: usize = 64;

/// A request head.
#[derive(Debug)]
pub(crate) struct Head<'a, 'h> {
    pub(crate) method: Method,
    /// The path of the request target, as it stands there.
    pub(crate) path: &'a [u8],
    /// What follows the `?` of the request target; empty without one.
    pub(crate) query: &'a [u8],
    pub(crate) persistence: Persistence,
    /// A body follows, or may follow.
    pub(crate) has_body: bool,
    /// The client wants to go on with WebSocket (RFC 6455).
    pub(crate) wants_websocket: bool,
    fields: &'h [Header<'a>],
    /// Octets of the head.
    pub(crate) octets: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Other,
}

/// What becomes of the connection after the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It is kept, as HTTP/1.1 has it without saying.
    Kept,
    /// It is kept, and the client has to be told so (HTTP/1.0).
    KeptExplicitly,
    /// It is closed.
    Closed,
}

/// Why octets are not a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// They are not HTTP/1.0 or HTTP/1.1.
    NotHttp,
    /// There is more than one `Host` field (RFC 9112, section 3.2).
    TwoHosts,
    /// There are more than [`MAX_HEAD_OCTETS`] octets or [`MAX_HEADER_FIELDS`] fields.
    TooLarge,
}

/// Room for the fields of a head.
#[derive(Debug)]
pub(crate) struct FieldSlots<'a> {
    usual: [MaybeUninit<Header<'a>>; MAX_HEADER_FIELDS],
    /// Used for a head whose target is not UTF-8.
    rare: Vec<Header<'a>>,
}

impl FieldSlots<'_> {
    pub(crate) const fn new() -> Self {
        Self {
            usual: [const { MaybeUninit::uninit() }; MAX_HEADER_FIELDS],
            rare: Vec::new(),
        }
    }
}

/// What a head is made of.
struct Parts<'a, 'h> {
    method: &'a [u8],
    target: &'a [u8],
    minor: u8,
    fields: &'h [Header<'a>],
    octets: usize,
}

impl<'a, 'h> Head<'a, 'h> {
    /// Parses the head that the octets begin with; `None` if it is not complete yet.
    pub(crate) fn parse(
        octets: &'a [u8],
        slots: &'h mut FieldSlots<'a>,
    ) -> Result<Option<Self>, HeadError> {
        // What is wrong beyond the bound must not depend on how much of it has come.
        let octets = octets.get(..MAX_HEAD_OCTETS).unwrap_or(octets);
        let parts = match parse(octets, slots) {
            Ok(Status::Complete(parts)) => parts,
            Ok(Status::Partial) if octets.len() < MAX_HEAD_OCTETS => return Ok(None),
            Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Err(HeadError::TooLarge);
            }
            Err(_) => return Err(HeadError::NotHttp),
        };
        let (path, query) = split_target(parts.target);
        let mut head = Self {
            method: match parts.method {
                b"GET" => Method::Get,
                b"HEAD" => Method::Head,
                _ => Method::Other,
            },
            path,
            query,
            persistence: if parts.minor == 0 {
                Persistence::Closed
            } else {
                Persistence::Kept
            },
            has_body: false,
            wants_websocket: false,
            fields: parts.fields,
            octets: parts.octets,
        };
        let mut hosts = 0;
        for field in parts.fields {
            head.note(field, parts.minor, &mut hosts);
        }
        if hosts > 1 {
            return Err(HeadError::TwoHosts);
        }
        Ok(Some(head))
    }

    /// Goes through the header fields as pairs of name and value.
    pub(crate) fn fields(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&'a str, &'a [u8])> + Clone + use<'a, 'h> {
        self.fields.iter().map(|field| (field.name, field.value))
    }

    fn note(&mut self, field: &Header<'_>, minor: u8, hosts: &mut u32) {
        // The length tells most fields apart from these without looking at the name.
        match field.name.len() {
            4 if field.name.eq_ignore_ascii_case("host") => *hosts += 1,
            7 if field.name.eq_ignore_ascii_case("upgrade") => {
                self.wants_websocket |= has_token(field.value, b"websocket");
            }
            10 if field.name.eq_ignore_ascii_case("connection") => {
                if has_token(field.value, b"close") {
                    self.persistence = Persistence::Closed;
                } else if minor == 0 && has_token(field.value, b"keep-alive") {
                    self.persistence = Persistence::KeptExplicitly;
                }
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                let is_zero = field.value.iter().all(|&octet| octet == b'0');
                self.has_body |= !is_zero || field.value.is_empty();
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => self.has_body = true,
            _ => {}
        }
    }
}

/// Parses the head that the octets begin with.
fn parse<'a, 'h>(
    octets: &'a [u8],
    slots: &'h mut FieldSlots<'a>,
) -> httparse::Result<Parts<'a, 'h>> {
    let mut request = httparse::Request::new(&mut []);
    let head_octets = match request.parse_with_uninit_headers(octets, &mut slots.usual) {
        Ok(Status::Complete(head_octets)) => head_octets,
        Ok(Status::Partial) => return Ok(Status::Partial),
        Err(httparse::Error::Token) => return parse_any_target(octets, &mut slots.rare),
        Err(error) => return Err(error),
    };
    match request {
        httparse::Request {
            method: Some(method),
            path: Some(target),
            version: Some(minor),
            headers,
        } => Ok(Status::Complete(Parts {
            method: method.as_bytes(),
            target: target.as_bytes(),
            minor,
            fields: headers,
            octets: head_octets,
        })),
        _ => Err(httparse::Error::Token),
    }
}

/// Parses a head whose target has octets that are not UTF-8: clients are known to send info hashes
/// as they are.
fn parse_any_target<'a, 'h>(
    octets: &'a [u8],
    slots: &'h mut Vec<Header<'a>>,
) -> httparse::Result<Parts<'a, 'h>> {
    let end = octets.iter().position(|&octet| octet == b'\n');
    let line = &octets[..end.unwrap_or(octets.len())];
    let mut words = line.splitn(3, |&octet| octet == b' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let is_method = method.iter().all(u8::is_ascii_alphabetic);
    if !is_method || !target.iter().all(|&octet| octet > b' ' && octet != 0x7f) {
        return Err(httparse::Error::Token);
    }
    let Some(end) = end else {
        return Ok(Status::Partial);
    };
    let minor = match words.next().unwrap_or_default().trim_ascii_end() {
        b"HTTP/1.0" => 0,
        b"HTTP/1.1" => 1,
        _ => return Err(httparse::Error::Version),
    };
    // Whatever is wrong with a target that is ASCII, httparse has found it.
    if method.is_empty() || target.is_ascii() {
        return Err(httparse::Error::Token);
    }
    slots.resize(MAX_HEADER_FIELDS, EMPTY_HEADER);
    match httparse::parse_headers(&octets[end + 1..], slots)? {
        Status::Partial => Ok(Status::Partial),
        Status::Complete((fields_octets, fields)) => Ok(Status::Complete(Parts {
            method,
            target,
            minor,
            fields,
            octets: end + 1 + fields_octets,
        })),
    }
}

/// Splits a request target into path and query. An absolute form loses its scheme and host.
fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    let target = strip_origin(target);
    match target.iter().position(|&octet| octet == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &[]),
    }
}

fn strip_origin(target: &[u8]) -> &[u8] {
    if target.starts_with(b"/") {
        return target;
    }
    for scheme in [b"http://".as_slice(), b"https://"] {
        if let Some((start, rest)) = target.split_at_checked(scheme.len())
            && start.eq_ignore_ascii_case(scheme)
        {
            let end = rest.iter().position(|octet| b"/?".contains(octet));
            return match end {
                Some(end) if rest[end] == b'/' => &rest[end..],
                // The path is empty, which is the root.
                Some(_) | None => b"/",
            };
        }
    }
    target
}

/// Tells whether a list of tokens has one of them.
fn has_token(value: &[u8], token: &[u8]) -> bool {
    value
        .split(|&octet| octet == b',')
        .any(|entry| entry.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Seen {
        method: Method,
        path: String,
        query: String,
        persistence: Persistence,
        has_body: bool,
        octets: usize,
    }

    fn see(octets: &[u8]) -> Result<Option<Seen>, HeadError> {
        let mut slots = FieldSlots::new();
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        Ok(Head::parse(octets, &mut slots)?.map(|head| Seen {
            method: head.method,
            path: text(head.path),
            query: text(head.query),
            persistence: head.persistence,
            has_body: head.has_body,
            octets: head.octets,
        }))
    }

    fn seen(head: &str) -> Seen {
        see(head.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_plain_head() {
        let head = "GET /announce?port=1&x=? HTTP/1.1\r\nHost: a\r\n\r\n";
        let expected = Seen {
            method: Method::Get,
            path: "/announce".to_owned(),
            query: "port=1&x=?".to_owned(),
            persistence: Persistence::Kept,
            has_body: false,
            octets: head.len(),
        };
        assert_eq!(seen(head), expected);
        assert_eq!(see([head, "GET /"].concat().as_bytes()), Ok(Some(expected)));
        for end in 0..head.len() {
            assert_eq!(see(&head.as_bytes()[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn targets() {
        for (target, path, query) in [
            ("/", "/", ""),
            ("/?", "/", ""),
            ("/a?b", "/a", "b"),
            ("http://host/a?b", "/a", "b"),
            ("HTTP://host:80/a?b", "/a", "b"),
            ("https://[::1]/a/b?c", "/a/b", "c"),
            ("http://host", "/", ""),
            ("http://host?b", "/", ""),
            ("//host/a", "//host/a", ""),
            ("*", "*", ""),
        ] {
            let seen = seen(&format!("GET {target} HTTP/1.1\r\n\r\n"));
            assert_eq!((&*seen.path, &*seen.query), (path, query), "{target}");
        }
    }

    #[test]
    fn methods() {
        for (method, expected) in [
            ("GET", Method::Get),
            ("HEAD", Method::Head),
            ("get", Method::Other),
            ("POST", Method::Other),
            ("BREW", Method::Other),
        ] {
            let head = format!("{method} / HTTP/1.1\r\n\r\n");
            assert_eq!(seen(&head).method, expected, "{method}");
        }
    }

    #[test]
    fn persistence() {
        use Persistence::{Closed, Kept, KeptExplicitly};
        for (version, fields, expected) in [
            ("1.1", "", Kept),
            ("1.1", "Connection: close\r\n", Closed),
            ("1.1", "CONNECTION: foo , Close\r\n", Closed),
            ("1.1", "Connection: keep-alive\r\n", Kept),
            ("1.1", "Connection: x\r\nConnection: close\r\n", Closed),
            ("1.1", "Connection: closed\r\n", Kept),
            ("1.0", "", Closed),
            ("1.0", "Connection: Keep-Alive\r\n", KeptExplicitly),
            ("1.0", "Connection: keep-alive, close\r\n", Closed),
        ] {
            let head = format!("GET / HTTP/{version}\r\n{fields}\r\n");
            assert_eq!(seen(&head).persistence, expected, "{head}");
        }
    }

    #[test]
    fn bodies() {
        for (fields, has_body) in [
            ("Content-Length: 0\r\n", false),
            ("Content-Length: 00\r\n", false),
            ("Content-Length: 1\r\n", true),
            ("Content-Length: \r\n", true),
            ("Content-Length: -0\r\n", true),
            ("content-length: 0\r\nContent-Length: 5\r\n", true),
            ("Content-Length: 5\r\nContent-Length: 0\r\n", true),
            ("Transfer-Encoding: chunked\r\n", true),
            ("transfer-encoding: identity\r\n", true),
        ] {
            let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
            assert_eq!(seen(&head).has_body, has_body, "{fields}");
        }
    }

    #[test]
    fn targets_have_any_octets() {
        let head = b"GET /announce?info_hash=\x81\xff\xc3\xa9%00 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET";
        let mut slots = FieldSlots::new();
        let parsed = Head::parse(head, &mut slots).unwrap().unwrap();
        assert_eq!(parsed.path, b"/announce");
        assert_eq!(parsed.query, b"info_hash=\x81\xff\xc3\xa9%00");
        assert_eq!(parsed.persistence, Persistence::KeptExplicitly);
        assert_eq!(parsed.octets, head.len() - 3);
        for end in 0..head.len() - 3 {
            let mut slots = FieldSlots::new();
            let parsed = Head::parse(&head[..end], &mut slots);
            assert!(matches!(parsed, Ok(None)), "{end}: {parsed:?}");
        }
        for wrong in [
            b"GET /\xff\x01 HTTP/1.1\r\n\r\n".as_slice(),
            b"G\xff /\xff HTTP/1.1\r\n\r\n",
            b"GET /\xff HTTP/2.0\r\n\r\n",
            b"GET /\xff\r\n\r\n",
        ] {
            let mut slots = FieldSlots::new();
            let parsed = Head::parse(wrong, &mut slots).map(|_| ());
            assert_eq!(parsed, Err(HeadError::NotHttp), "{wrong:?}");
        }
    }

    #[test]
    fn two_hosts_are_one_too_many() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n";
        assert_eq!(see(head), Err(HeadError::TwoHosts));
    }

    #[test]
    fn what_is_not_http() {
        for octets in [
            "HELO mail\r\n",
            "GET\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n",
            "GET / HTTP/1.1\r\nno field\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "\x16\x03\x01\x02\0\x01\0\x01",
        ] {
            assert_eq!(see(octets.as_bytes()), Err(HeadError::NotHttp), "{octets}");
        }
    }

    #[test]
    fn the_limits_are_exact() {
        let of_octets = |octets: usize| {
            let frame = "GET / HTTP/1.1\r\nX: \r\n\r\n".len();
            format!(
                "GET / HTTP/1.1\r\nX: {}\r\n\r\n",
                "x".repeat(octets - frame)
            )
        };
        assert_eq!(seen(&of_octets(MAX_HEAD_OCTETS)).octets, MAX_HEAD_OCTETS);
        let longer = of_octets(MAX_HEAD_OCTETS + 1);
        assert_eq!(see(longer.as_bytes()), Err(HeadError::TooLarge));
        let unfinished = &longer.as_bytes()[..MAX_HEAD_OCTETS - 1];
        assert_eq!(see(unfinished), Ok(None));
        let unfinished = &longer.as_bytes()[..MAX_HEAD_OCTETS];
        assert_eq!(see(unfinished), Err(HeadError::TooLarge));

        let of_fields = |fields| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(fields));
        assert_eq!(seen(&of_fields(MAX_HEADER_FIELDS)).path, "/");
        let more = of_fields(MAX_HEADER_FIELDS + 1);
        assert_eq!(see(more.as_bytes()), Err(HeadError::TooLarge));
    }
}
