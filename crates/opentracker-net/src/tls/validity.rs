//! Until when a certificate is good, which libraries of TLS keep to themselves.

use std::time::{Duration, SystemTime};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Returns from when and until when a certificate is good (RFC 5280, 4.1.2.5); `None` if it is no
/// certificate.
pub(super) fn validity(certificate: &[u8]) -> Option<[SystemTime; 2]> {
    let mut certificate = Elements(Elements(certificate).take(SEQUENCE)?);
    let mut fields = Elements(certificate.take(SEQUENCE)?);
    fields.take(VERSION);
    fields.take(INTEGER)?;
    // The algorithm of its signature, and who has issued it.
    fields.take(SEQUENCE)?;
    fields.take(SEQUENCE)?;
    let mut times = Elements(fields.take(SEQUENCE)?);
    Some([times.take_time()?, times.take_time()?])
}

/// Elements of DER, one behind the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Takes the next element, if it has this tag, and returns what is in it.
    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let (&tag, rest) = self.0.split_first()?;
        if tag != wanted {
            return None;
        }
        let (&length, mut rest) = rest.split_first()?;
        let mut length = usize::from(length);
        if length >= 0x80 {
            let octets = length & 0x7f;
            if octets > size_of::<u32>() {
                return None;
            }
            let (long, behind) = rest.split_at_checked(octets)?;
            let add = |sum: usize, &octet: &u8| sum << 8 | usize::from(octet);
            length = long.iter().fold(0, add);
            rest = behind;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    fn take_time(&mut self) -> Option<SystemTime> {
        if let Some(time) = self.take(UTC_TIME) {
            let century = if number(time.get(..2)?)? < 50 {
                "20"
            } else {
                "19"
            };
            return read_time(&[century.as_bytes(), time].concat());
        }
        read_time(self.take(GENERALIZED_TIME)?)
    }
}

/// Reads `20261126073000Z`. What lies before 1970 is then.
fn read_time(text: &[u8]) -> Option<SystemTime> {
    let text = text.strip_suffix(b"Z").filter(|text| text.len() == 14)?;
    let part = |at: usize| number(text.get(at..at + 2)?);
    let year = part(0)? * 100 + part(2)?;
    let days = days(year, part(4)?, part(6)?)?;
    let secs = ((days * 24 + part(8)?) * 60 + part(10)?) * 60 + part(12)?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(secs))
}

fn number(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Returns the days from 1970 to a date of the calendar of Gregory, or 0 if it is before.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin with March here, so that the leap day is the last one of its year.
    let (year, month) = match month {
        1 | 2 => (year + 399, month + 9),
        _ => (year + 400, month - 3),
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    // 1970-01-01 counts from the year −400.
    Some(days.saturating_sub(EPOCH))
}

/// The days from 1 March of the year −400 to 1 January 1970.
const EPOCH: u64 = 719_468 + 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(text: &str) -> Option<u64> {
        let time = read_time(text.as_bytes())?;
        Some(
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        )
    }

    #[test]
    fn times_are_seconds_since_1970() {
        for (text, expected) in [
            ("19700101000000Z", Some(0)),
            ("19691231235959Z", Some(86_399)),
            ("20000229120000Z", Some(951_825_600)),
            ("20000301000000Z", Some(951_868_800)),
            ("20261126073000Z", Some(1_795_678_200)),
            ("20380119031408Z", Some(1 << 31)),
            ("99991231235959Z", Some(253_402_300_799)),
            ("20261301000000Z", None),
            ("20261126073000", None),
            ("202611260730Z", None),
            ("2026112607300xZ", None),
        ] {
            assert_eq!(secs(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_validity() {
        for octets in [
            &b""[..],
            b"\x30",
            b"\x30\x05\x30\x03\x02\x01\x01",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x89\x01\x01\x01\x01\x01\x01\x01\x01\x01",
        ] {
            assert_eq!(validity(octets), None);
        }
    }
}
