//! The program that steers frames: to the queue's socket those that are surely for us, to the kernel
//! all others.

use std::os::fd::{AsRawFd, BorrowedFd};

use crate::instructions::{Assembler, Do, Label, Register, Size, When};
use crate::table::{
    BUCKET_BITS, BUCKET_ENTRIES, BUCKET_OCTETS, EACH, ENTRY_OCTETS, ENTRY_WORDS, HEAD_OCTETS, LAST,
    PORT_WORD, VERSION_SHIFT,
};

/// What the program answers, of `enum xdp_action`.
pub(crate) const PASS: i32 = 2;

/// `bpf_redirect_map`.
const REDIRECT: i32 = 51;

/// Fields of `struct xdp_md`.
const DATA: i16 = 0;
const DATA_END: i16 = 4;
const QUEUE: i16 = 16;

/// Fields of the Ethernet header, and its octets; a tag of 802.1Q is four more.
const SOURCE: i16 = 6;
const TYPE: i16 = 12;
const TAGGED_TYPE: i16 = 16;
const ETHERNET: i32 = 14;
const TAG: i32 = 4;

const UDP: i32 = 17;

/// The longest frame that is taken: the kernel leaves 256 octets free before what it writes, and behind
/// that there has to be room for the reply. No request is as long, unless it is junk.
const MAX_FRAME_OCTETS: i32 = 2048 - 256;

/// What is needed of the frame, in registers that calls leave as they are.
const CONTEXT: Register = Register(6);
/// Where the Ethernet header begins, later that of IP.
const FRAME: Register = Register(7);
const END: Register = Register(8);
const TABLE: Register = Register(9);
/// Address and port that it goes to, word by word, as the table has them.
const GOAL: [Register; ENTRY_WORDS] = [
    Register(0),
    Register(1),
    Register(2),
    Register(3),
    Register(4),
];
const SPARE: Register = Register(5);

/// Writes the program.
///
/// A frame is for the socket of its queue if it is no longer than [`MAX_FRAME_OCTETS`], goes to the
/// address of the interface, has one tag of 802.1Q at the most, is IPv4 without options that is no fragment or IPv6 without extension headers,
/// is UDP, and goes to an address and port of the table. On an interface that is not loopback,
/// addresses that come from no network are left to the kernel, which drops them: 127.0.0.0/8 and
/// ::/64, which has `::1` and the addresses that stand for IPv4 in it.
///
/// Where the queue has no socket the kernel gets the frame.
pub(crate) fn steering(
    table: BorrowedFd<'_>,
    sockets: BorrowedFd<'_>,
    is_loopback: bool,
) -> Vec<u64> {
    let mut code = Assembler::default();
    let [pass, untagged, v6, look_up, found] = [(); 5].map(|()| code.label());
    code.with(Do::Move, CONTEXT, Register(1));
    code.load(Size::Word, FRAME, CONTEXT, DATA);
    code.load(Size::Word, END, CONTEXT, DATA_END);
    code.load_value(TABLE, table.as_raw_fd());
    code.with(Do::Move, SPARE, FRAME);
    code.with_number(Do::Add, SPARE, MAX_FRAME_OCTETS);
    code.jump_when(END, When::Greater, SPARE, pass);
    // As short as IPv4 gets, tag and all.
    need(&mut code, ETHERNET + 20 + 8, pass);
    ethernet(&mut code, pass);
    code.load(Size::Half, GOAL[0], FRAME, TYPE);
    code.jump_when_number(GOAL[0], When::NotEqual, wire(0x8100), untagged);
    code.load(Size::Half, GOAL[0], FRAME, TAGGED_TYPE);
    code.with_number(Do::Add, FRAME, TAG);
    code.place(untagged);
    code.with_number(Do::Add, FRAME, ETHERNET);
    code.jump_when_number(GOAL[0], When::Equal, wire(0x86dd), v6);
    code.jump_when_number(GOAL[0], When::NotEqual, wire(0x0800), pass);
    ipv4(&mut code, is_loopback, pass);
    code.jump(look_up);
    code.place(v6);
    ipv6(&mut code, is_loopback, pass);
    code.place(look_up);
    find(&mut code, found);
    code.place(pass);
    code.with_number(Do::Move, Register(0), PASS);
    code.exit();
    code.place(found);
    code.load_map(Register(1), sockets.as_raw_fd());
    code.load(Size::Word, Register(2), CONTEXT, QUEUE);
    // What it answers where the map has nothing.
    code.with_number(Do::Move, Register(3), PASS);
    code.call(REDIRECT);
    code.exit();
    code.finish()
}

/// Two octets as they are loaded from the wire.
fn wire(number: u16) -> i32 {
    i32::from(number.to_be())
}

/// Passes a frame on that has not so many octets more.
fn need(code: &mut Assembler, octets: i32, pass: Label) {
    code.with(Do::Move, SPARE, FRAME);
    code.with_number(Do::Add, SPARE, octets);
    code.jump_when(SPARE, When::Greater, END, pass);
}

/// Passes a frame on that does not go to the address of the interface, or comes from a group.
fn ethernet(code: &mut Assembler, pass: Label) {
    for (size, offset) in [(Size::Word, 0), (Size::Half, 4)] {
        code.load(size, GOAL[0], FRAME, offset);
        code.load(size, GOAL[1], TABLE, offset);
        code.jump_when(GOAL[0], When::NotEqual, GOAL[1], pass);
    }
    code.load(Size::Octet, GOAL[0], FRAME, SOURCE);
    code.with_number(Do::And, GOAL[0], 1);
    code.jump_when_number(GOAL[0], When::NotEqual, 0, pass);
}

fn ipv4(code: &mut Assembler, is_loopback: bool, pass: Label) {
    need(code, 20 + 8, pass);
    // Version 4, and a header of five words.
    code.load(Size::Octet, GOAL[0], FRAME, 0);
    code.jump_when_number(GOAL[0], When::NotEqual, 0x45, pass);
    // More fragments, and the offset of this one.
    code.load(Size::Half, GOAL[0], FRAME, 6);
    code.with_number(Do::And, GOAL[0], wire(0x3fff));
    code.jump_when_number(GOAL[0], When::NotEqual, 0, pass);
    code.load(Size::Octet, GOAL[0], FRAME, 9);
    code.jump_when_number(GOAL[0], When::NotEqual, UDP, pass);
    if !is_loopback {
        code.load(Size::Octet, GOAL[0], FRAME, 12);
        code.jump_when_number(GOAL[0], When::Equal, 127, pass);
    }
    code.load(Size::Word, GOAL[0], FRAME, 16);
    for word in &GOAL[1..PORT_WORD] {
        code.with_number(Do::Move, *word, 0);
    }
    goal_port(code, 20, 4);
}

fn ipv6(code: &mut Assembler, is_loopback: bool, pass: Label) {
    need(code, 40 + 8, pass);
    code.load(Size::Octet, GOAL[0], FRAME, 6);
    code.jump_when_number(GOAL[0], When::NotEqual, UDP, pass);
    if !is_loopback {
        code.load(Size::Double, GOAL[0], FRAME, 8);
        code.jump_when_number(GOAL[0], When::Equal, 0, pass);
    }
    for (word, offset) in GOAL[..PORT_WORD].iter().zip([24, 28, 32, 36]) {
        code.load(Size::Word, *word, FRAME, offset);
    }
    goal_port(code, 40, 6);
}

/// Loads the port, which is behind a header of so many octets.
fn goal_port(code: &mut Assembler, header: i16, version: i32) {
    code.load(Size::Half, GOAL[PORT_WORD], FRAME, header + 2);
    code.with_number(Do::Or, GOAL[PORT_WORD], version << VERSION_SHIFT);
}

/// Looks the goal up.
fn find(code: &mut Assembler, found: Label) {
    code.with_number(Do::Move, SPARE, 0);
    for word in GOAL {
        code.word_with_number(Do::Multiply, SPARE, EACH.cast_signed());
        code.word_with(Do::Add, SPARE, word);
    }
    code.word_with_number(Do::Multiply, SPARE, LAST.cast_signed());
    code.word_with_number(Do::ShiftRight, SPARE, 32 - BUCKET_BITS.cast_signed());
    code.with_number(Do::Multiply, SPARE, number(BUCKET_OCTETS).into());
    code.with(Do::Add, TABLE, SPARE);
    for entry in 0..BUCKET_ENTRIES {
        let next = code.label();
        // Its port first, which an empty one does not have.
        for word in (0..ENTRY_WORDS).rev() {
            let offset = HEAD_OCTETS + entry * ENTRY_OCTETS + 4 * word;
            code.load(Size::Word, SPARE, TABLE, number(offset));
            code.jump_when(SPARE, When::NotEqual, GOAL[word], next);
        }
        code.jump(found);
        code.place(next);
    }
}

fn number(octets: usize) -> i16 {
    i16::try_from(octets).expect("a bucket is small")
}
