//! The head of a response, and the body that goes with it, whole or in pieces.

use crate::head::Persistence;

/// What a response says besides its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Response<'a> {
    pub(crate) status: Status,
    pub(crate) content_type: &'a str,
    /// More header fields, as pairs of name and value.
    pub(crate) fields: &'a [(&'a str, &'a str)],
    pub(crate) persistence: Persistence,
    /// The request was a `HEAD`: the body is announced and left out.
    pub(crate) is_head: bool,
}

pub(crate) const TEXT: &str = "text/plain";

/// How the client knows where a body ends whose length is not known when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// It comes in chunks (RFC 9112, section 7.1).
    Chunked,
    /// The connection is closed: HTTP/1.0 has nothing better.
    UntilClosed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Found,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    HeadTooLarge,
}

impl<'a> Response<'a> {
    /// A response without further header fields to a request that was not a `HEAD`.
    pub(crate) const fn new(
        status: Status,
        content_type: &'a str,
        persistence: Persistence,
    ) -> Self {
        Self {
            status,
            content_type,
            fields: &[],
            persistence,
            is_head: false,
        }
    }

    /// Appends the response.
    pub(crate) fn put(&self, body: &[u8], out: &mut Vec<u8>) {
        let mut length = itoa::Buffer::new();
        let length = ("Content-Length", length.format(body.len()));
        self.put_head(Some(length), body.len(), out);
        if !self.is_head {
            out.extend_from_slice(body);
        }
    }

    /// Appends the head of a response whose body follows piece by piece.
    pub(crate) fn put_head_of_stream(&self, framing: Framing, out: &mut Vec<u8>) {
        let field = match framing {
            Framing::Chunked => Some(("Transfer-Encoding", "chunked")),
            Framing::UntilClosed => None,
        };
        self.put_head(field, 0, out);
    }

    fn put_head(&self, length: Option<(&str, &str)>, body_octets: usize, out: &mut Vec<u8>) {
        // The status line and the fields that are always there.
        const FRAME: usize = 160;
        out.reserve(FRAME + body_octets);
        out.extend_from_slice(self.status.line());
        put_field(out, "Content-Type", self.content_type);
        if let Some((name, value)) = length {
            put_field(out, name, value);
        }
        for (name, value) in self.fields {
            put_field(out, name, value);
        }
        match self.persistence {
            Persistence::Kept => {}
            Persistence::KeptExplicitly => put_field(out, "Connection", "keep-alive"),
            Persistence::Closed => put_field(out, "Connection", "close"),
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Framing {
    /// Appends a piece of a body: what `put` appends. Nothing at all is not a piece.
    pub(crate) fn put_piece<T>(self, out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        // The length of a chunk comes first and is known last; it may have leading zeros.
        const DIGITS: usize = 8;
        let start = out.len();
        if self == Self::UntilClosed {
            return put(out);
        }
        out.extend_from_slice(&[b'0'; DIGITS]);
        out.extend_from_slice(b"\r\n");
        let piece = out.len();
        let result = put(out);
        let octets = out.len() - piece;
        if octets == 0 {
            // A chunk of no octets would end the body.
            out.truncate(start);
        } else {
            let length = format!("{octets:0DIGITS$x}");
            out[start..start + DIGITS].copy_from_slice(length.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        result
    }

    /// Appends the end of a body.
    pub(crate) fn put_end(self, out: &mut Vec<u8>) {
        match self {
            Self::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
            Self::UntilClosed => {}
        }
    }
}

impl Status {
    const fn line(self) -> &'static [u8] {
        match self {
            Self::Ok => b"HTTP/1.1 200 OK\r\n",
            Self::Found => b"HTTP/1.1 302 Found\r\n",
            Self::BadRequest => b"HTTP/1.1 400 Bad Request\r\n",
            Self::Forbidden => b"HTTP/1.1 403 Forbidden\r\n",
            Self::NotFound => b"HTTP/1.1 404 Not Found\r\n",
            Self::MethodNotAllowed => b"HTTP/1.1 405 Method Not Allowed\r\n",
            Self::RequestTimeout => b"HTTP/1.1 408 Request Timeout\r\n",
            Self::HeadTooLarge => b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
        }
    }
}

/// Appends a header field. What would end the field before its time is left out.
fn put_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    if value.bytes().any(|octet| octet.is_ascii_control()) {
        out.extend(value.bytes().filter(|octet| !octet.is_ascii_control()));
    } else {
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(response: &Response<'_>, body: &str) -> String {
        let mut out = b"before ".to_vec();
        response.put(body.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses() {
        let response = Response::new(Status::Ok, TEXT, Persistence::Kept);
        assert_eq!(
            put(&response, "de"),
            "before HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nde"
        );
        let response = Response {
            fields: &[("Allow", "GET")],
            persistence: Persistence::Closed,
            ..Response::new(Status::MethodNotAllowed, TEXT, Persistence::Kept)
        };
        assert_eq!(
            put(&response, ""),
            "before HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain\r\n\
             Content-Length: 0\r\nAllow: GET\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_head_gets_no_body() {
        let response = Response {
            is_head: true,
            ..Response::new(Status::Ok, "text/html", Persistence::KeptExplicitly)
        };
        assert_eq!(
            put(&response, "twelve chars"),
            "before HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\n\
             Connection: keep-alive\r\n\r\n"
        );
    }

    #[test]
    fn a_body_in_pieces() {
        let put = |framing: Framing, persistence| {
            let mut out = b"before ".to_vec();
            Response::new(Status::Ok, TEXT, persistence).put_head_of_stream(framing, &mut out);
            let pieces = ["a".repeat(300), String::new(), "b".to_owned()];
            for piece in &pieces {
                let returned = framing.put_piece(&mut out, |out| {
                    out.extend_from_slice(piece.as_bytes());
                    piece.len()
                });
                assert_eq!(returned, piece.len());
            }
            framing.put_end(&mut out);
            String::from_utf8(out).unwrap()
        };
        let a = "a".repeat(300);
        assert_eq!(
            put(Framing::Chunked, Persistence::Kept),
            format!(
                "before HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
                 Transfer-Encoding: chunked\r\n\r\n\
                 0000012c\r\n{a}\r\n00000001\r\nb\r\n0\r\n\r\n"
            )
        );
        assert_eq!(
            put(Framing::UntilClosed, Persistence::Closed),
            format!(
                "before HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
                 Connection: close\r\n\r\n{a}b"
            )
        );
    }

    #[test]
    fn no_value_breaks_out_of_its_field() {
        let response = Response {
            fields: &[("Location", "http://a/\r\nSet-Cookie: b\0")],
            ..Response::new(Status::Found, TEXT, Persistence::Kept)
        };
        let text = put(&response, "");
        assert!(text.ends_with("Location: http://a/Set-Cookie: b\r\n\r\n"));
    }
}
