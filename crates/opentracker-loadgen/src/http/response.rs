//! Responses, as far as a load generator needs to understand them.

use httparse::{EMPTY_HEADER, Status};

use crate::head::{MAX_HEADERS, closes, value};

/// The beginning of a buffer, read as a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// It is not all there.
    Partial,
    /// It is all there.
    Complete(Response<'a>),
    /// It is none, or none that is understood here: a chunked body, say.
    Malformed,
}

/// A response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
    /// Octets of all of it.
    pub(super) octets: usize,
    /// Whether the connection ends with it.
    pub(super) closes: bool,
}

/// The longest head of a response.
const MAX_HEAD_OCTETS: usize = 8 << 10;

/// Reads a response; `has_ended` says that nothing more comes.
pub(super) fn parse(input: &[u8], has_ended: bool) -> Parsed<'_> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let octets = match head.parse(input) {
        Ok(Status::Complete(octets)) => octets,
        Ok(Status::Partial) if !has_ended && input.len() <= MAX_HEAD_OCTETS => {
            return Parsed::Partial;
        }
        Ok(Status::Partial) | Err(_) => return Parsed::Malformed,
    };
    let length = match value(head.headers, "content-length").map(number) {
        Some(None) => return Parsed::Malformed,
        length => length.flatten(),
    };
    if value(head.headers, "transfer-encoding").is_some() {
        return Parsed::Malformed;
    }
    let rest = &input[octets..];
    let body = match length {
        Some(length) => rest.get(..length),
        // Without a length, the end of the connection is the end of the body.
        None => has_ended.then_some(rest),
    };
    match (body, head.code) {
        (Some(body), Some(status)) => Parsed::Complete(Response {
            status,
            body,
            octets: octets + body.len(),
            closes: length.is_none() || closes(head.version, head.headers),
        }),
        (None, _) if !has_ended => Parsed::Partial,
        _ => Parsed::Malformed,
    }
}

/// Reads a decimal number.
fn number(digits: &[u8]) -> Option<usize> {
    // Without this, a sign would pass.
    let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Response<'_> {
    /// The reason if this is a refusal: a status other than 200 or a `failure reason`.
    pub(super) fn refusal(&self) -> Option<Vec<u8>> {
        let reason = self
            .body
            .strip_prefix(b"d14:failure reason")
            .and_then(string);
        match (self.status, reason) {
            (200, None) => None,
            (200, Some(reason)) => Some(reason.to_vec()),
            (status, reason) => {
                let mut text = format!("HTTP {status}").into_bytes();
                if let Some(reason) = reason {
                    text.extend_from_slice(b": ");
                    text.extend_from_slice(reason);
                }
                Some(text)
            }
        }
    }

    /// Number of IPv4 peers in a compact list (BEP 23).
    pub(super) fn peers(&self) -> usize {
        const KEY: &[u8] = b"5:peers";
        let key = self.body.windows(KEY.len()).position(|part| part == KEY);
        key.and_then(|at| string(&self.body[at + KEY.len()..]))
            .map_or(0, |peers| peers.len() / 6)
    }
}

/// Reads a bencoded string.
fn string(input: &[u8]) -> Option<&[u8]> {
    let colon = input.iter().position(|&octet| octet == b':')?;
    input[colon + 1..].get(..number(&input[..colon])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(input: &[u8]) -> Response<'_> {
        match parse(input, false) {
            Parsed::Complete(response) => response,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_response_ends_where_its_length_says() {
        let input = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcHTTP/1.1 200";
        assert_eq!(
            complete(input),
            Response {
                status: 200,
                body: b"abc",
                octets: 41,
                closes: false,
            }
        );
        for cut in 0..41 {
            assert_eq!(parse(&input[..cut], false), Parsed::Partial, "{cut}");
            assert_eq!(parse(&input[..cut], true), Parsed::Malformed, "{cut}");
        }
    }

    #[test]
    fn a_response_without_a_length_ends_with_the_connection() {
        let input = b"HTTP/1.1 200 OK\r\n\r\nabc";
        assert_eq!(parse(input, false), Parsed::Partial);
        assert!(matches!(
            parse(input, true),
            Parsed::Complete(Response {
                body: b"abc",
                closes: true,
                ..
            })
        ));
    }

    #[test]
    fn who_closes() {
        for (input, closes) in [
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", true),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
                false,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
            (
                "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n",
                true,
            ),
        ] {
            assert_eq!(complete(input.as_bytes()).closes, closes, "{input}");
        }
    }

    #[test]
    fn what_is_not_understood_is_malformed() {
        for input in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 2OO\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            assert_eq!(parse(input.as_bytes(), false), Parsed::Malformed, "{input}");
        }
        let endless = [b'x'; MAX_HEAD_OCTETS + 1];
        assert_eq!(parse(&endless, false), Parsed::Malformed);
    }

    #[test]
    fn refusals_and_peers_are_found() {
        let response = |status, body| Response {
            status,
            body,
            octets: 0,
            closes: false,
        };
        let good = response(
            200,
            b"d8:completei1e8:intervali9e5:peers12:abcdefABCDEF6:peers60:e",
        );
        assert_eq!(good.refusal(), None);
        assert_eq!(good.peers(), 2);
        let refused = response(200, b"d14:failure reason3:no!8:retry in5:nevere");
        assert_eq!(refused.refusal().unwrap(), b"no!");
        assert_eq!(refused.peers(), 0);
        let bad = response(400, b"d14:failure reason4:porte");
        assert_eq!(bad.refusal().unwrap(), b"HTTP 400: port");
        assert_eq!(response(404, b"x").refusal().unwrap(), b"HTTP 404");
        assert_eq!(response(200, b"d14:failure reason99:e").refusal(), None);
    }
}
