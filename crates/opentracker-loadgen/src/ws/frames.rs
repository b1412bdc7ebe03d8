//! Frames of WebSocket (RFC 6455), as far as a client of a tracker needs them.

/// What a connection has received first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<'a> {
    /// A frame, with the octets that it takes.
    Frame {
        opcode: u8,
        payload: &'a [u8],
        octets: usize,
    },
    /// Less than a frame.
    Partial,
}

pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// Reads a frame of a server, which has no mask.
pub(super) fn parse(octets: &[u8]) -> Parsed<'_> {
    let frame = || {
        let (&[first, length], rest) = octets.split_first_chunk()?;
        let (length, rest) = match length & 0x7f {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (u16::from_be_bytes(*length).into(), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
            }
            short => (short.into(), rest),
        };
        let payload = rest.get(..length)?;
        let octets = octets.len() - rest.len() + length;
        Some(Parsed::Frame {
            opcode: first & 15,
            payload,
            octets,
        })
    };
    frame().unwrap_or(Parsed::Partial)
}

/// Appends a frame of a client. Its mask is zero, which the server takes off like any other.
pub(super) fn put(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => out.push(0x80 | length),
        (_, Ok(length)) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend((payload.len() as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut sent = Vec::new();
            put(TEXT, &payload, &mut sent);
            // As a server has it: without the mask.
            let head = sent.len() - length - 4;
            let mut received = sent[..head].to_vec();
            received[1] &= 0x7f;
            received.extend(&payload);
            let frame = Parsed::Frame {
                opcode: TEXT,
                payload: &payload,
                octets: received.len(),
            };
            assert_eq!(parse(&received), frame);
            assert_eq!(parse(&received[..received.len() - 1]), Parsed::Partial);
        }
    }
}
