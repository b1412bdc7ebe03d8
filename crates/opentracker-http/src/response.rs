//! The head of a response, and the body that goes with it.

use crate::head::Persistence;

/// What a response says besides its body, which is text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Response<'a> {
    pub(crate) status: Status,
    /// The methods that would be allowed, if this one is not.
    pub(crate) allow: Option<&'a str>,
    /// The origin whose pages may read it, if there is one.
    pub(crate) allow_origin: Option<&'a str>,
    pub(crate) persistence: Persistence,
    /// The request was a `HEAD`: the body is announced and left out.
    pub(crate) is_head: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    BadRequest,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    HeadTooLarge,
    Unavailable,
}

impl Response<'_> {
    /// Makes a response to a request that was not a `HEAD`.
    pub(crate) const fn new(status: Status, persistence: Persistence) -> Self {
        Self {
            status,
            allow: None,
            allow_origin: None,
            persistence,
            is_head: false,
        }
    }

    /// Appends the response.
    pub(crate) fn put(&self, body: &[u8], out: &mut Vec<u8>) {
        // The status line and the fields that are always there.
        const FRAME: usize = 160;
        out.reserve(FRAME + body.len());
        out.extend_from_slice(self.status.line());
        out.extend_from_slice(b"Content-Type: text/plain\r\n");
        put_field(
            out,
            "Content-Length",
            itoa::Buffer::new().format(body.len()),
        );
        if let Some(methods) = self.allow {
            put_field(out, "Allow", methods);
        }
        if let Some(origin) = self.allow_origin {
            put_field(out, "Access-Control-Allow-Origin", origin);
            put_field(out, "Vary", "Origin");
        }
        match self.persistence {
            Persistence::Kept => {}
            Persistence::KeptExplicitly => put_field(out, "Connection", "keep-alive"),
            Persistence::Closed => put_field(out, "Connection", "close"),
        }
        out.extend_from_slice(b"\r\n");
        if !self.is_head {
            out.extend_from_slice(body);
        }
    }
}

impl Status {
    /// Returns the number of the status.
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::HeadTooLarge => 431,
            Self::Unavailable => 503,
        }
    }

    const fn line(self) -> &'static [u8] {
        match self {
            Self::Ok => b"HTTP/1.1 200 OK\r\n",
            Self::BadRequest => b"HTTP/1.1 400 Bad Request\r\n",
            Self::Forbidden => b"HTTP/1.1 403 Forbidden\r\n",
            Self::NotFound => b"HTTP/1.1 404 Not Found\r\n",
            Self::MethodNotAllowed => b"HTTP/1.1 405 Method Not Allowed\r\n",
            Self::RequestTimeout => b"HTTP/1.1 408 Request Timeout\r\n",
            Self::HeadTooLarge => b"HTTP/1.1 431 Request Header Fields Too Large\r\n",
            Self::Unavailable => b"HTTP/1.1 503 Service Unavailable\r\n",
        }
    }
}

fn put_field(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
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
        let response = Response::new(Status::Ok, Persistence::Kept);
        assert_eq!(
            put(&response, "de"),
            "before HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nde"
        );
        let response = Response {
            allow: Some("GET"),
            ..Response::new(Status::MethodNotAllowed, Persistence::Closed)
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
            ..Response::new(Status::Ok, Persistence::KeptExplicitly)
        };
        assert_eq!(
            put(&response, "twelve chars"),
            "before HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n\
             Connection: keep-alive\r\n\r\n"
        );
    }

    #[test]
    fn a_status_has_its_code() {
        for status in [
            Status::Ok,
            Status::BadRequest,
            Status::NotFound,
            Status::MethodNotAllowed,
            Status::RequestTimeout,
            Status::HeadTooLarge,
            Status::Unavailable,
        ] {
            let start = format!("HTTP/1.1 {} ", status.code());
            assert!(status.line().starts_with(start.as_bytes()), "{start}");
        }
    }
}
