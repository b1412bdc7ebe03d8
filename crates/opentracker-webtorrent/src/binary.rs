//! Octets as browsers write them: a string in which each character from U+0000 to U+00FF is one.

/// Reads 20 octets.
pub(crate) fn read(text: &str) -> Option<[u8; 20]> {
    let mut octets = [0; 20];
    let mut characters = text.chars();
    for octet in &mut octets {
        *octet = u8::try_from(u32::from(characters.next()?)).ok()?;
    }
    characters.next().is_none().then_some(octets)
}

/// Writes octets as a string of JSON.
pub(crate) fn put(octets: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => out.extend([b'\\', octet]),
            0..0x20 => {
                let [high, low] = [octet >> 4, octet & 15].map(|half| DIGITS[usize::from(half)]);
                out.extend([b'\\', b'u', b'0', b'0', high, low]);
            }
            0x20..0x80 => out.push(octet),
            _ => out.extend([0xc0 | octet >> 6, 0x80 | octet & 0x3f]),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_octet_is_a_character() {
        let octets = *b"\x00\x1f\"\\ a~\x7f\x80\xff0123456789";
        let mut out = Vec::new();
        put(&octets, &mut out);
        let text = str::from_utf8(&out).unwrap();
        assert_eq!(
            text,
            "\"\\u0000\\u001f\\\"\\\\ a~\x7f\u{80}\u{ff}0123456789\""
        );
    }

    #[test]
    fn what_is_not_20_octets_is_not_read() {
        for (text, is_it) in [
            ("01234567890123456789", true),
            ("0123456789012345678", false),
            ("012345678901234567890", false),
            ("0123456789012345678\u{ff}", true),
            ("0123456789012345678\u{100}", false),
            ("", false),
        ] {
            assert_eq!(read(text).is_some(), is_it, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(octets: [u8; 20]) {
            let mut out = Vec::new();
            put(&octets, &mut out);
            let text: String = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read(&text), Some(octets));
        }
    }
}
