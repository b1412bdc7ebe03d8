//! Frames octet by octet, with checksums of the tests' own.

use crate::network::{OUR_MAC, THEIR_MAC};

/// What is between the link-layer header and UDP.
#[derive(Clone)]
pub(crate) struct Ip(pub(crate) Vec<u8>);

/// From 10.77.0.2 to 10.77.0.1, with options.
pub(crate) fn ipv4(options: &[u8], udp: usize) -> Ip {
    let words = 5 + options.len() / 4;
    let total = 4 * words + udp;
    let mut header = vec![
        0x40 | u8::try_from(words).unwrap(),
        0,
        u8::try_from(total >> 8).unwrap(),
        u8::try_from(total & 0xff).unwrap(),
        0,
        0,
        0x40,
        0,
        64,
        17,
        0,
        0,
    ];
    header.extend([10, 77, 0, 2, 10, 77, 0, 1]);
    header.extend(options);
    let sum = sum(&header);
    header[10..12].copy_from_slice(&sum);
    Ip(header)
}

/// From fd77::2 to fd77::1; the next header is `next`, or what is before it.
pub(crate) fn ipv6(extension: &[u8], next: u8, udp: usize) -> Ip {
    let octets = u16::try_from(extension.len() + udp).unwrap().to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, octets[0], octets[1], next, 64];
    for last in [2, 1] {
        header.extend([0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    header.extend(extension);
    Ip(header)
}

/// UDP from port 1000, with the right sum.
pub(crate) fn udp(port: u16, payload: &[u8], is_v6: bool) -> Vec<u8> {
    let octets = u16::try_from(8 + payload.len()).unwrap().to_be_bytes();
    let [high, low] = port.to_be_bytes();
    let mut datagram = vec![0x03, 0xe8, high, low, octets[0], octets[1], 0, 0];
    datagram.extend(payload);
    let addresses = if is_v6 {
        ipv6(&[], 17, 0).0[8..40].to_vec()
    } else {
        ipv4(&[], 0).0[12..20].to_vec()
    };
    let pseudo = [&addresses[..], &[0, 17, octets[0], octets[1]]].concat();
    let sum = sum(&[&pseudo[..], &datagram].concat());
    datagram[6..8].copy_from_slice(&sum);
    datagram
}

pub(crate) fn frame(tag: &[u8], ip: &Ip, udp: &[u8]) -> Vec<u8> {
    let kind = if ip.0[0] >> 4 == 6 {
        [0x86, 0xdd]
    } else {
        [0x08, 0x00]
    };
    [&OUR_MAC[..], &THEIR_MAC, tag, &kind, &ip.0, udp].concat()
}

/// The checksum of the Internet, in the plainest way.
fn sum(octets: &[u8]) -> [u8; 2] {
    let mut sum = 0_u32;
    for pair in octets.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = u16::try_from(sum).unwrap();
    (!sum).to_be_bytes()
}
