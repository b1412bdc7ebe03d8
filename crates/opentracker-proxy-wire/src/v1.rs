use core::fmt::{self, Write};
use core::str::{self, FromStr};

use crate::ends::Ends;
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};

/// What the line begins with.
const PREFIX: &[u8] = b"PROXY ";

/// The header of version 1 of the PROXY protocol, section 2.1 of its specification: a line of text
/// before all else on a connection.
///
/// ```text
/// PROXY TCP4 <source ip> <destination ip> <source port> <destination port>\r\n
/// PROXY TCP6 <source ip> <destination ip> <source port> <destination port>\r\n
/// PROXY UNKNOWN<anything>\r\n
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderV1 {
    /// Both ends of the client's connection; `None` if the proxy does not know them.
    pub ends: Option<Ends>,
}

impl HeaderV1 {
    /// Octets of the longest line, its end included.
    pub const MAX_WIRE_LEN: usize = 107;

    /// Decodes the header that octets begin with, and returns it with its length; `None` while it is
    /// not complete.
    ///
    /// # Errors
    ///
    /// Fails as soon as it is sure that no header comes.
    pub fn decode(octets: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let prefix = octets.iter().zip(PREFIX);
        if let Some(offset) = prefix.clone().position(|(octet, wanted)| octet != wanted) {
            return Err(DecodeError::new(DecodeErrorKind::NoHeader, offset));
        }
        let mut line = octets.iter().take(Self::MAX_WIRE_LEN);
        let Some(end) = line.position(|&octet| octet == b'\n') else {
            if octets.len() >= Self::MAX_WIRE_LEN {
                return Err(DecodeError::new(
                    DecodeErrorKind::TooLong,
                    Self::MAX_WIRE_LEN,
                ));
            }
            return Ok(None);
        };
        let fields = octets
            .get(PREFIX.len()..end)
            .and_then(|line| line.strip_suffix(b"\r"));
        let header = fields.and_then(Self::read);
        let bad = DecodeError::new(DecodeErrorKind::BadLine, PREFIX.len());
        header
            .map(|header| Some((header, end.saturating_add(1))))
            .ok_or(bad)
    }

    fn read(fields: &[u8]) -> Option<Self> {
        if fields.starts_with(b"UNKNOWN") {
            return Some(Self { ends: None });
        }
        let (family, addresses) = str::from_utf8(fields).ok()?.split_once(' ')?;
        let ends = match family {
            "TCP4" => {
                let (ips, ports) = read_ends(addresses)?;
                Ends::v4(ips, ports)
            }
            "TCP6" => {
                let (ips, ports) = read_ends(addresses)?;
                Ends::v6(ips, ports)
            }
            _ => return None,
        };
        Some(Self { ends: Some(ends) })
    }

    /// Writes the header to the front of a buffer and returns its length.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller; [`Self::MAX_WIRE_LEN`] octets are always enough.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let available_octets = buffer.len();
        let mut rest = Rest(buffer);
        let written = match self.ends {
            None => rest.write_str("PROXY UNKNOWN\r\n"),
            Some(Ends::V4 {
                source: from,
                destination: to,
            }) => {
                let ports = (from.port(), to.port());
                put_line(&mut rest, "TCP4", from.ip(), to.ip(), ports)
            }
            Some(Ends::V6 {
                source: from,
                destination: to,
            }) => {
                let ports = (from.port(), to.port());
                put_line(&mut rest, "TCP6", from.ip(), to.ip(), ports)
            }
        };
        written.map_err(|_full| EncodeError::BufferTooSmall { available_octets })?;
        Ok(available_octets.saturating_sub(rest.0.len()))
    }
}

/// Reads `<ip> <ip> <port> <port>`.
fn read_ends<T: FromStr>(text: &str) -> Option<([T; 2], [u16; 2])> {
    let mut fields = text.split(' ');
    let mut ip = || fields.next()?.parse().ok();
    let ips = [ip()?, ip()?];
    let mut port = || read_port(fields.next()?);
    let ports = [port()?, port()?];
    fields.next().is_none().then_some((ips, ports))
}

/// Reads a number without sign and without leading zeros, as the specification has it.
fn read_port(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|octet| octet.is_ascii_digit());
    let is_padded = text.len() > 1 && text.starts_with('0');
    (is_plain && !is_padded)
        .then(|| text.parse().ok())
        .flatten()
}

fn put_line(
    rest: &mut Rest<'_>,
    family: &str,
    from: &impl fmt::Display,
    to: &impl fmt::Display,
    (from_port, to_port): (u16, u16),
) -> fmt::Result {
    write!(rest, "PROXY {family} {from} {to} {from_port} {to_port}\r\n")
}

/// What is left of a buffer.
struct Rest<'a>(&'a mut [u8]);

impl Write for Rest<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let rest = core::mem::take(&mut self.0);
        let (front, rest) = rest.split_at_mut_checked(text.len()).ok_or(fmt::Error)?;
        front.copy_from_slice(text.as_bytes());
        self.0 = rest;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ends::testing::ends;

    fn decode(text: &str) -> Result<Option<(HeaderV1, usize)>, DecodeErrorKind> {
        HeaderV1::decode(text.as_bytes()).map_err(|error| error.kind())
    }

    fn encoded(header: HeaderV1) -> String {
        let mut buffer = [0; HeaderV1::MAX_WIRE_LEN];
        let octets = header.encode(&mut buffer).unwrap();
        String::from_utf8(buffer[..octets].to_vec()).unwrap()
    }

    /// The examples of the specification's section 2.1.
    #[test]
    fn golden() {
        let v4 = Ends::v4(["192.168.0.1", "192.168.0.11"].map(ip), [56324, 443]);
        let most = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let v6 = Ends::v6([most, most].map(ip), [65535, 65535]);
        for (line, ends) in [
            (
                "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
                Some(v4),
            ),
            (
                &*format!("PROXY TCP6 {most} {most} 65535 65535\r\n"),
                Some(v6),
            ),
            ("PROXY UNKNOWN\r\n", None),
        ] {
            let header = HeaderV1 { ends };
            assert_eq!(encoded(header), line);
            let followed = format!("{line}GET / HTTP/1.1\r\n");
            assert_eq!(decode(&followed), Ok(Some((header, line.len()))), "{line}");
        }
        let longest = format!("PROXY UNKNOWN {most} {most} 65535 65535\r\n");
        assert_eq!(longest.len(), HeaderV1::MAX_WIRE_LEN);
        let unknown = HeaderV1 { ends: None };
        assert_eq!(decode(&longest), Ok(Some((unknown, longest.len()))));
    }

    fn ip<T: FromStr<Err: fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_header_is_refused_at_once() {
        for text in ["GET / HTTP/1.1\r\n", "P ", "PROXY", "PROX", "", "\r\n"] {
            let expected = if "PROXY ".starts_with(text) {
                Ok(None)
            } else {
                Err(DecodeErrorKind::NoHeader)
            };
            assert_eq!(decode(text), expected, "{text}");
        }
        let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
        assert_eq!(decode(&endless), Err(DecodeErrorKind::TooLong));
        assert_eq!(decode(&endless[..106]), Ok(None));
    }

    #[test]
    fn lines_are_read_as_strictly_as_they_are_written() {
        for fields in [
            "TCP4 192.0.2.1 192.0.2.2 1 2 ",
            "TCP4 192.0.2.1 192.0.2.2 1",
            "TCP4 192.0.2.1  192.0.2.2 1 2",
            "TCP4  192.0.2.1 192.0.2.2 1 2",
            "TCP4 192.0.2.1 192.0.2.2 1 65536",
            "TCP4 192.0.2.1 192.0.2.2 +1 2",
            "TCP4 192.0.2.1 192.0.2.2 01 2",
            "TCP4 192.0.2.1 192.0.2.2  2",
            "TCP4 192.0.2.01 192.0.2.2 1 2",
            "TCP4 2001:db8::1 2001:db8::2 1 2",
            "TCP6 192.0.2.1 192.0.2.2 1 2",
            "TCP4",
            "UDP4 192.0.2.1 192.0.2.2 1 2",
            "",
        ] {
            let line = format!("PROXY {fields}\r\n");
            assert_eq!(decode(&line), Err(DecodeErrorKind::BadLine), "{line}");
        }
        let no_return = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n";
        assert_eq!(decode(no_return), Err(DecodeErrorKind::BadLine));
    }

    #[test]
    fn a_small_buffer_is_refused() {
        let header = HeaderV1 { ends: None };
        let error = header.encode(&mut [0; 14]).unwrap_err();
        let available_octets = 14;
        assert_eq!(error, EncodeError::BufferTooSmall { available_octets });
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(ends in prop::option::of(ends()), cut in 0..108_usize) {
            let header = HeaderV1 { ends };
            let line = encoded(header);
            prop_assert_eq!(decode(&line), Ok(Some((header, line.len()))));
            let part = &line[..cut.min(line.len() - 1)];
            prop_assert_eq!(decode(part), Ok(None), "it is not whole");
        }

        #[test]
        fn what_is_decoded_is_encoded(text in "PROXY (TCP4|TCP6|UNKNOWN)[ 0-9a-f.:]{0,60}\r\n") {
            if let Ok(Some((header, _))) = decode(&text) {
                let again = encoded(header);
                prop_assert_eq!(decode(&again), Ok(Some((header, again.len()))));
            }
        }
    }
}
