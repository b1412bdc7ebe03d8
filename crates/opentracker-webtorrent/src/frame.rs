//! Frames of WebSocket (RFC 6455, section 5), from and to octets.

use std::io::Cursor;
use std::ops::ControlFlow;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The most octets of a message: five offers have about 15 KiB.
pub const MAX_MESSAGE_OCTETS: usize = 64 * 1024;

/// The most octets of a control frame.
const MAX_CONTROL_OCTETS: usize = 125;

/// What comes over a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    /// A whole message. Browsers send text; what is binary is taken as text.
    Message(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// The other side ends it, with what it says of that.
    Close(&'a [u8]),
}

/// Why a connection must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A frame that is not allowed there.
    Frame,
    /// A message that is too large.
    Size,
}

/// Puts frames and messages together. At rest it holds no memory.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Octets of a frame that is not complete.
    frame: Vec<u8>,
    /// Payload of a message that is not complete.
    message: Vec<u8>,
    /// Frames of a message have come, and its last one has not.
    is_fragmented: bool,
}

impl Reader {
    /// Takes octets, which it unmasks in place, and hands over what is complete, until that breaks off.
    pub(crate) fn read(
        &mut self,
        input: &mut [u8],
        mut take: impl FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        if self.frame.is_empty() {
            let rest = self.read_frames(input, &mut take)?;
            self.frame.extend_from_slice(&input[rest..]);
            return Ok(());
        }
        let mut octets = std::mem::take(&mut self.frame);
        octets.extend_from_slice(input);
        let rest = self.read_frames(&mut octets, &mut take)?;
        if rest == 0 {
            self.frame = octets;
        } else {
            self.frame.extend_from_slice(&octets[rest..]);
        }
        Ok(())
    }

    /// Whether a message has begun to come.
    pub(crate) fn is_in_message(&self) -> bool {
        self.is_fragmented || !self.frame.is_empty()
    }

    /// Takes the frames that are complete, and returns how many octets they have.
    fn read_frames(
        &mut self,
        octets: &mut [u8],
        take: &mut impl FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> Result<usize, Fault> {
        let mut at = 0;
        while let Some(head) = self.head(&octets[at..])? {
            let payload = at + head.octets..at + head.octets + head.payload;
            let Some(payload) = octets.get_mut(payload) else {
                break;
            };
            at += head.octets + head.payload;
            unmask(payload, head.mask);
            if self.take_frame(&head, payload, take).is_break() {
                return Ok(octets.len());
            }
        }
        Ok(at)
    }

    /// Reads the head of a frame, if it is complete, and checks that it may come now.
    fn head(&self, octets: &[u8]) -> Result<Option<Head>, Fault> {
        let mut cursor = Cursor::new(octets);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Fault::Frame)?;
        let Some((head, payload)) = parsed else {
            return Ok(None);
        };
        let payload = usize::try_from(payload).map_err(|_| Fault::Size)?;
        let is_plain = !(head.rsv1 || head.rsv2 || head.rsv3);
        let is_allowed = match head.opcode {
            OpCode::Control(_) => head.is_final && payload <= MAX_CONTROL_OCTETS,
            OpCode::Data(Data::Continue) => self.is_fragmented,
            OpCode::Data(_) => !self.is_fragmented,
        };
        let Some(mask) = head.mask.filter(|_| is_plain && is_allowed) else {
            return Err(Fault::Frame);
        };
        if payload > MAX_MESSAGE_OCTETS - self.message.len() {
            return Err(Fault::Size);
        }
        Ok(Some(Head {
            opcode: head.opcode,
            is_final: head.is_final,
            mask,
            octets: usize::try_from(cursor.position()).expect("it is within the octets"),
            payload,
        }))
    }

    fn take_frame(
        &mut self,
        head: &Head,
        payload: &[u8],
        take: &mut impl FnMut(Item<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match head.opcode {
            OpCode::Control(Control::Close) => take(Item::Close(payload)),
            OpCode::Control(Control::Ping) => take(Item::Ping(payload)),
            OpCode::Control(_) => take(Item::Pong),
            OpCode::Data(_) if head.is_final && !self.is_fragmented => take(Item::Message(payload)),
            OpCode::Data(_) => {
                self.message.extend_from_slice(payload);
                self.is_fragmented = !head.is_final;
                if self.is_fragmented {
                    return ControlFlow::Continue(());
                }
                take(Item::Message(&std::mem::take(&mut self.message)))
            }
        }
    }
}

/// The head of a frame.
struct Head {
    opcode: OpCode,
    is_final: bool,
    mask: [u8; 4],
    octets: usize,
    payload: usize,
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let (words, rest) = payload.as_chunks_mut();
    let key = u32::from_ne_bytes(mask);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (octet, key) in rest.iter_mut().zip(mask) {
        *octet ^= key;
    }
}

/// Writes a message as a frame.
pub(crate) fn put_text(message: &[u8], out: &mut Vec<u8>) {
    put(OpCode::Data(Data::Text), message, out);
}

/// Writes a question whether somebody is there.
pub(crate) fn put_ping(out: &mut Vec<u8>) {
    put(OpCode::Control(Control::Ping), &[], out);
}

/// Writes the answer to it.
pub(crate) fn put_pong(payload: &[u8], out: &mut Vec<u8>) {
    put(OpCode::Control(Control::Pong), payload, out);
}

/// Writes the last frame, with what is said of the end: a code, and perhaps words.
pub(crate) fn put_close(payload: &[u8], out: &mut Vec<u8>) {
    put(OpCode::Control(Control::Close), payload, out);
}

fn put(opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
    let head = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let formatted = head.format(payload.len() as u64, out);
    formatted.expect("a vector takes all that is written");
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 0xf4];
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
            len @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(mask);
        let keys = mask.iter().cycle();
        frame.extend(payload.iter().zip(keys).map(|(octet, key)| octet ^ key));
        frame
    }

    /// What comes of octets that arrive in pieces.
    fn read(octets: &[u8], piece: usize) -> (Vec<String>, Result<(), Fault>, Reader) {
        let (mut reader, mut items) = (Reader::default(), Vec::new());
        for piece in octets.chunks(piece) {
            let taken = reader.read(&mut piece.to_vec(), |item| {
                items.push(match item {
                    Item::Message(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                });
                ControlFlow::Continue(())
            });
            if taken.is_err() {
                return (items, taken, reader);
            }
        }
        (items, Ok(()), reader)
    }

    #[test]
    fn messages_are_put_together_with_control_frames_between() {
        let octets = [
            masked(0x81, b"whole"),
            masked(0x01, b"fir"),
            masked(0x89, b"ping"),
            masked(0x00, b""),
            masked(0x8a, b""),
            masked(0x80, b"st"),
            masked(0x82, &[b'x'; 300]),
            masked(0x88, &[3, 0xe8]),
        ];
        let octets = octets.concat();
        for piece in [1, 2, 3, 7, 100, octets.len()] {
            let (items, taken, reader) = read(&octets, piece);
            assert_eq!(taken, Ok(()));
            let long = "x".repeat(300);
            assert_eq!(
                items,
                [
                    "whole",
                    "Ping([112, 105, 110, 103])",
                    "Pong",
                    "first",
                    &long,
                    "Close([3, 232])"
                ]
            );
            assert!(!reader.is_in_message());
            assert_eq!((reader.frame.capacity(), reader.message.capacity()), (0, 0));
        }
    }

    #[test]
    fn what_is_not_allowed_is_a_fault() {
        let unmasked = vec![0x81, 1, b'x'];
        let large = MAX_MESSAGE_OCTETS + 1;
        let mut huge = vec![0x81, 0xff];
        huge.extend((64_u64 << 20).to_be_bytes());
        huge.extend([0; 4]);
        let mut endless = vec![0x81, 0xff];
        endless.extend([0xff; 12]);
        for (octets, fault) in [
            (unmasked, Fault::Frame),
            (masked(0xc1, b"reserved bit"), Fault::Frame),
            (masked(0x83, b"reserved opcode"), Fault::Frame),
            (masked(0x8b, b"reserved control"), Fault::Frame),
            (masked(0x09, b"a ping in parts"), Fault::Frame),
            (masked(0x89, &[0; 126]), Fault::Frame),
            (masked(0x80, b"nothing to continue"), Fault::Frame),
            (
                [masked(0x01, b"a"), masked(0x81, b"b")].concat(),
                Fault::Frame,
            ),
            (masked(0x81, &vec![b' '; large]), Fault::Size),
            (huge, Fault::Size),
            (endless, Fault::Size),
        ] {
            for piece in [1, octets.len()] {
                assert_eq!(read(&octets, piece).1, Err(fault), "{:x?}", &octets[..2]);
            }
        }
        let half = masked(0x01, &vec![b' '; MAX_MESSAGE_OCTETS / 2]);
        let more = masked(0x00, &vec![b' '; MAX_MESSAGE_OCTETS / 2]);
        let last = masked(0x80, b" ");
        let (_, taken, reader) = read(&[half, more, last].concat(), 16_384);
        assert_eq!(taken, Err(Fault::Size));
        assert!(reader.message.len() <= MAX_MESSAGE_OCTETS);
    }

    #[test]
    fn the_largest_message_comes_whole() {
        let message = vec![b'y'; MAX_MESSAGE_OCTETS];
        let (items, taken, _) = read(&masked(0x81, &message), 16_384);
        assert_eq!((items.len(), taken), (1, Ok(())));
        assert_eq!(items[0].as_bytes(), message);
    }

    #[test]
    fn frames_are_written_without_a_mask() {
        let mut out = Vec::new();
        put_text(b"{}", &mut out);
        put_ping(&mut out);
        put_pong(b"p", &mut out);
        put_close(&[3, 0xf1], &mut out);
        put_text(&[b'z'; 200], &mut out);
        assert_eq!(
            out[..14],
            *b"\x81\x02{}\x89\x00\x8a\x01p\x88\x02\x03\xf1\x81"
        );
        assert_eq!(out[14..17], [126, 0, 200]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(octets in vec(any::<u8>(), 0..200), piece in 1_usize..50) {
            let (whole, cut) = (read(&octets, octets.len().max(1)), read(&octets, piece));
            prop_assert_eq!(whole.0, cut.0);
            prop_assert_eq!(whole.1, cut.1);
        }
    }
}
