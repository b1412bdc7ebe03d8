use nom::Parser;
use opentracker_types::{AnnounceRequest as Announce, Event, InfoHash, PeerId};

use crate::wire::{
    ACTION_ANNOUNCE, RequestHead, Writer, be_i32, be_u16, be_u32, be_u64, octets, too_short,
};
use crate::{AnnounceOptions, ConnectionId, DecodeError, EncodeError, TransactionId};

/// Announces a peer to a swarm and asks for others (BEP 15 `announce`, BEP 41).
///
/// | octets | field |
/// |---|---|
/// | 0 8 | connection id |
/// | 8 4 | action, 1 |
/// | 12 4 | transaction id |
/// | 16 20 | info hash |
/// | 36 20 | peer id |
/// | 56 8 | octets downloaded |
/// | 64 8 | octets left |
/// | 72 8 | octets uploaded |
/// | 80 4 | event: 0 none, 1 completed, 2 started, 3 stopped; any other number is none |
/// | 84 4 | IPv4 address, 0 = the sender's |
/// | 88 4 | key |
/// | 92 4 | number of peers wanted, signed; negative = the tracker chooses |
/// | 96 2 | port |
/// | 98 | options ([`AnnounceOptions`]) |
///
/// The packet is the same over IPv4 and IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnounceRequest<'a> {
    /// What the tracker gave out in its [`ConnectReply`](crate::ConnectReply).
    pub connection: ConnectionId,
    /// What the reply will repeat.
    pub transaction: TransactionId,
    /// What every front end knows of an announce. Decoding always finds a peer id and a number
    /// of octets left.
    pub announce: Announce,
    /// Octets that the client says it has downloaded.
    pub downloaded: u64,
    /// Octets that the client says it has uploaded.
    pub uploaded: u64,
    /// The IPv4 address that the client claims. A tracker that does not want to be used against
    /// others ignores it in favour of the packet's source.
    pub ip: [u8; 4],
    /// A number that identifies the client across changes of address.
    pub key: u32,
    /// What follows the fixed part.
    pub options: AnnounceOptions<'a>,
}

impl<'a> AnnounceRequest<'a> {
    /// Octets of the fixed part, without options.
    pub const WIRE_LEN: usize = 98;

    /// Makes a request that says no more than what it must: nothing downloaded or uploaded yet,
    /// the sender's own address, a key of 0, no options.
    #[inline]
    pub const fn new(
        connection: ConnectionId,
        transaction: TransactionId,
        announce: Announce,
    ) -> Self {
        Self {
            connection,
            transaction,
            announce,
            downloaded: 0,
            uploaded: 0,
            ip: [0; 4],
            key: 0,
            options: AnnounceOptions::new(&[]),
        }
    }

    /// Decodes the packet; everything after its fixed part is options.
    ///
    /// # Errors
    ///
    /// Fails on a packet shorter than [`WIRE_LEN`](Self::WIRE_LEN) and on another action.
    #[inline]
    pub fn decode(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (body, head) = RequestHead::decode_action(packet, ACTION_ANNOUNCE)?;
        let fields = (
            octets.map(InfoHash::new),
            octets.map(PeerId::new),
            be_u64,
            be_u64,
            be_u64,
            be_u32.map(event_from_wire),
            octets,
            be_u32,
            be_i32,
            be_u16,
        )
            .parse(body);
        let Ok((
            options,
            (info_hash, peer_id, downloaded, left, uploaded, event, ip, key, num_want, port),
        )) = fields
        else {
            return Err(too_short(packet).with(head.transaction));
        };
        let mut announce = Announce::new(info_hash, port)
            .with_peer_id(peer_id)
            .with_left(left)
            .with_event(event);
        announce.num_want = u32::try_from(num_want).ok();
        Ok(Self {
            connection: head.connection,
            transaction: head.transaction,
            announce,
            downloaded,
            uploaded,
            ip,
            key,
            options: AnnounceOptions::new(options),
        })
    }

    /// Writes the packet to the front of the buffer and returns its length in octets.
    ///
    /// What the packet cannot say is approximated: no peer id is all zeros, an unknown number
    /// of octets left is the largest there is, [`Event::Paused`] is no event, and a number of
    /// peers wanted beyond `i32::MAX` is `i32::MAX`.
    ///
    /// # Errors
    ///
    /// Fails if the buffer is smaller than [`WIRE_LEN`](Self::WIRE_LEN) and the options.
    #[inline]
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, EncodeError> {
        let announce = &self.announce;
        let options = self.options.as_bytes();
        let peer_id = announce.peer_id.unwrap_or(PeerId::new([0; PeerId::LEN]));
        let num_want = announce
            .num_want
            .map_or(-1, |peers| i32::try_from(peers).unwrap_or(i32::MAX));
        Ok(
            Writer::with_room(buffer, Self::WIRE_LEN.saturating_add(options.len()))?
                .put(self.connection.as_bytes())
                .put_u32(ACTION_ANNOUNCE)
                .put(self.transaction.as_bytes())
                .put(announce.info_hash.as_bytes())
                .put(peer_id.as_bytes())
                .put_u64(self.downloaded)
                .put_u64(announce.left.unwrap_or(u64::MAX))
                .put_u64(self.uploaded)
                .put_u32(event_to_wire(announce.event))
                .put(&self.ip)
                .put_u32(self.key)
                .put(&num_want.to_be_bytes())
                .put(&announce.port.to_be_bytes())
                .put_slice(options)
                .finish(),
        )
    }
}

const fn event_from_wire(number: u32) -> Event {
    match number {
        1 => Event::Completed,
        2 => Event::Started,
        3 => Event::Stopped,
        _ => Event::None,
    }
}

const fn event_to_wire(event: Event) -> u32 {
    match event {
        Event::None | Event::Paused => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;
    use crate::testing::{assert_encodes, assert_too_short_below};

    /// By hand from the table of BEP 15, with one option as BEP 41 has them.
    const GOLDEN: &[u8] = b"\x01\x23\x45\x67\x89\xab\xcd\xef\
        \x00\x00\x00\x01\
        \x0b\xad\xca\xfe\
        \x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x00\x11\x22\x33\
        -XX0001-abcdefghijkl\
        \x00\x00\x00\x00\x00\x01\x00\x00\
        \x00\x00\x00\x01\x00\x00\x00\x00\
        \x00\x00\x00\x00\x00\x00\x40\x00\
        \x00\x00\x00\x02\
        \xc0\x00\x02\x07\
        \xde\xad\xbe\xef\
        \xff\xff\xff\xff\
        \x1a\xe1\
        \x02\x04/a?b";

    fn golden() -> AnnounceRequest<'static> {
        let info_hash = "00112233445566778899aabbccddeeff00112233".parse().unwrap();
        AnnounceRequest {
            connection: 0x0123_4567_89ab_cdef.into(),
            transaction: 0x0bad_cafe.into(),
            announce: Announce::new(info_hash, 6881)
                .with_peer_id(PeerId::new(*b"-XX0001-abcdefghijkl"))
                .with_left(1 << 32)
                .with_event(Event::Started),
            downloaded: 65536,
            uploaded: 16384,
            ip: [192, 0, 2, 7],
            key: 0xdead_beef,
            options: AnnounceOptions::new(b"\x02\x04/a?b"),
        }
    }

    fn with_octets(at: usize, octets: &[u8]) -> Vec<u8> {
        let mut packet = GOLDEN.to_vec();
        packet[at..at + octets.len()].copy_from_slice(octets);
        packet
    }

    #[test]
    fn golden_both_ways() {
        assert_eq!(AnnounceRequest::decode(GOLDEN), Ok(golden()));
        assert_encodes(GOLDEN, |buffer| golden().encode(buffer));
    }

    #[test]
    fn truncation() {
        assert_too_short_below(AnnounceRequest::WIRE_LEN, GOLDEN, |packet| {
            AnnounceRequest::decode(packet).err()
        });
        for len in 16..AnnounceRequest::WIRE_LEN {
            let error = AnnounceRequest::decode(&GOLDEN[..len]).unwrap_err();
            assert_eq!(error.transaction(), Some(0x0bad_cafe.into()));
        }
    }

    #[test]
    fn action_is_checked() {
        let error = AnnounceRequest::decode(&with_octets(8, &[0, 0, 0, 2])).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownAction);
        assert_eq!(error.offset(), 8);
        assert_eq!(error.transaction(), Some(0x0bad_cafe.into()));
    }

    #[test]
    fn events() {
        for (number, event) in [
            (0, Event::None),
            (1, Event::Completed),
            (2, Event::Started),
            (3, Event::Stopped),
            (4, Event::None),
            (0x0100_0002, Event::None),
            (u32::MAX, Event::None),
        ] {
            let packet = with_octets(80, &number.to_be_bytes());
            let request = AnnounceRequest::decode(&packet).unwrap();
            assert_eq!(request.announce.event, event, "{number}");
        }
    }

    #[test]
    fn negative_num_want_lets_the_tracker_choose() {
        for (number, num_want) in [
            (-1, None),
            (i32::MIN, None),
            (0, Some(0)),
            (50, Some(50)),
            (i32::MAX, Some(0x7fff_ffff)),
        ] {
            let packet = with_octets(92, &number.to_be_bytes());
            let request = AnnounceRequest::decode(&packet).unwrap();
            assert_eq!(request.announce.num_want, num_want, "{number}");
        }
    }

    #[test]
    fn what_the_packet_cannot_say_is_approximated() {
        let mut request = golden();
        request.announce.peer_id = None;
        request.announce.left = None;
        request.announce.event = Event::Paused;
        request.announce.num_want = Some(u32::MAX);
        let mut packet = [0; 200];
        let octets = request.encode(&mut packet).unwrap();
        let announce = AnnounceRequest::decode(&packet[..octets]).unwrap().announce;
        assert_eq!(announce.peer_id, Some(PeerId::new([0; 20])));
        assert_eq!(announce.left, Some(u64::MAX));
        assert!(!announce.is_seeder());
        assert_eq!(announce.event, Event::None);
        assert_eq!(announce.num_want, Some(0x7fff_ffff));
    }
}
