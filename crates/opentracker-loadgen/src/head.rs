//! The head of an HTTP message, cut into its lines.

/// The head of a request or a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The first line, without its end.
    pub(crate) first_line: &'a [u8],
    headers: &'a [u8],
    /// Octets of all of it, with the empty line that ends it.
    pub(crate) octets: usize,
}

const LINE_END: &[u8] = b"\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";

impl<'a> Head<'a> {
    /// Finds the head at the beginning of a buffer; `None` if it has not all come.
    pub(crate) fn find(input: &'a [u8]) -> Option<Self> {
        let end = position(input, HEAD_END)?;
        let head = &input[..end];
        let first_end = position(head, LINE_END).unwrap_or(end);
        Some(Self {
            first_line: &head[..first_end],
            headers: &head[first_end..],
            octets: end + HEAD_END.len(),
        })
    }

    /// The value of a header without the spaces around it; the name is given in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers
            .split(|&octet| octet == b'\n')
            .find_map(|line| {
                let (found, value) = line.split_at_checked(name.len())?;
                let value = value.strip_prefix(b":")?;
                found
                    .eq_ignore_ascii_case(name.as_bytes())
                    .then_some(value.trim_ascii())
            })
    }

    /// Tells whether the connection ends with this message: HTTP/1.0 keeps it only if it says so,
    /// HTTP/1.1 unless it says otherwise.
    pub(crate) fn closes(&self, is_1_0: bool) -> bool {
        match self.header("connection") {
            Some(value) if value.eq_ignore_ascii_case(b"close") => true,
            Some(value) if value.eq_ignore_ascii_case(b"keep-alive") => false,
            _ => is_1_0,
        }
    }
}

fn position(input: &[u8], part: &[u8]) -> Option<usize> {
    input.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line() {
        let input = b"GET / HTTP/1.1\r\nHost: a:1\r\nX-Host:b\r\nConnection:  Close \r\n\r\nGET";
        let head = Head::find(input).unwrap();
        assert_eq!(head.first_line, b"GET / HTTP/1.1");
        assert_eq!(head.octets, input.len() - 3);
        assert_eq!(head.header("host"), Some(&b"a:1"[..]));
        assert_eq!(head.header("x-host"), Some(&b"b"[..]));
        assert_eq!(head.header("CONNECTION"), Some(&b"Close"[..]));
        assert_eq!(head.header("ost"), None);
        for end in 0..head.octets {
            assert_eq!(Head::find(&input[..end]), None);
        }
    }

    #[test]
    fn a_head_may_be_one_line() {
        let head = Head::find(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
        assert_eq!(head.first_line, b"HTTP/1.0 200 OK");
        assert_eq!(head.header("content-length"), None);
        assert_eq!(Head::find(b"\r\n\r\n").unwrap().first_line, b"");
    }
}
