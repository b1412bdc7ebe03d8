//! The value types with the feature `serde`: text in formats for people, octets in others.
#![cfg(feature = "serde")]

use opentracker_types::{
    ConnectionId, Event, InfoHash, PeerAddr, PeerFlags, PeerId, SwarmCounts, TrackerId,
    TransactionId,
};
use serde_test::{Configure, Token, assert_de_tokens_error, assert_tokens};

#[test]
fn ids_are_text_for_people() {
    let hash = "0123456789abcdef0123456789abcdef01234567";
    assert_tokens(
        &hash.parse::<InfoHash>().unwrap().readable(),
        &[Token::Str(hash)],
    );
    assert_tokens(
        &PeerId::new(*b"-XX0001-ab&d f+\0ijkl").readable(),
        &[Token::Str("-XX0001-ab&d%20f+%00ijkl")],
    );
    assert_tokens(
        &TrackerId::new(*b"\x0b\xad\xf0\x0d").readable(),
        &[Token::Str("0badf00d")],
    );
    assert_tokens(
        &TransactionId::from(0xcafe).readable(),
        &[Token::Str("0000cafe")],
    );
    assert_tokens(
        &ConnectionId::from(0x0417_2710_1980).readable(),
        &[Token::Str("0000041727101980")],
    );
    for text in ["192.0.2.7:6881", "[2001:db8::7]:6881"] {
        assert_tokens(
            &text.parse::<PeerAddr>().unwrap().readable(),
            &[Token::Str(text)],
        );
    }
    assert_tokens(
        &PeerFlags::from_bits(0xc0).readable(),
        &[Token::Str("seeding|completed")],
    );
}

#[test]
fn ids_are_octets_for_programs() {
    assert_tokens(
        &TrackerId::new([1, 2, 3, 4]).compact(),
        &[
            Token::Tuple { len: 4 },
            Token::U8(1),
            Token::U8(2),
            Token::U8(3),
            Token::U8(4),
            Token::TupleEnd,
        ],
    );
    assert_tokens(&PeerFlags::SEEDING.compact(), &[Token::U8(0x80)]);
}

#[test]
fn what_is_no_id_is_refused() {
    assert_de_tokens_error::<serde_test::Readable<TrackerId>>(
        &[Token::Str("0badf00")],
        "8 hexadecimal digits are expected, this has 7 octets",
    );
    assert_de_tokens_error::<serde_test::Readable<TrackerId>>(
        &[Token::U32(7)],
        "invalid type: integer `7`, expected text",
    );
}

#[test]
fn events_and_counts_have_their_names() {
    assert_tokens(
        &Event::Completed,
        &[Token::UnitVariant {
            name: "Event",
            variant: "completed",
        }],
    );
    let counts = SwarmCounts {
        seeders: 1,
        leechers: 2,
        downloads: 1 << 40,
    };
    assert_tokens(
        &counts,
        &[
            Token::Struct {
                name: "SwarmCounts",
                len: 3,
            },
            Token::Str("seeders"),
            Token::U32(1),
            Token::Str("leechers"),
            Token::U32(2),
            Token::Str("downloads"),
            Token::U64(1 << 40),
            Token::StructEnd,
        ],
    );
}
