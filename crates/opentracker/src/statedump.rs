//! The state that the C program writes with `mode=statedump` and reads with `-l`.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use opentracker_types::InfoHash;

/// Octets of a line that are looked at: 40 digits and two numbers.
const MAX_LINE: u64 = 128;

/// Why a state dump cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[error("cannot load the state dump {}", path.display())]
pub struct StatedumpError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub cause: io::Error,
}

/// What was loaded from a state dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatedumpLoaded {
    /// Torrents whose download counts were taken.
    pub torrents: u64,
    /// Torrents that were last announced longer ago than `announce.torrent_timeout`.
    pub expired: u64,
    /// Lines that are not of a state dump.
    pub skipped: u64,
}

/// A torrent of a state dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) info_hash: InfoHash,
    /// Minutes since it was last announced.
    pub(crate) age_minutes: u32,
    pub(crate) downloads: u64,
}

/// Reads the torrents of a state dump, a line at a time: `HASH:MINUTE:DOWNLOADS`, where MINUTE is
/// when the torrent was last announced, in minutes since 1970. A line that is not like this is
/// `None`.
pub(crate) fn entries(
    mut text: impl BufRead,
    now_minutes: u64,
) -> impl Iterator<Item = io::Result<Option<Entry>>> {
    let mut line = Vec::new();
    std::iter::from_fn(move || {
        line.clear();
        match read_line(&mut text, &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(parse(&line, now_minutes))),
            Err(error) => Some(Err(error)),
        }
    })
}

/// Reads a line, or as much of it as may be of use.
fn read_line(text: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let octets = text.by_ref().take(MAX_LINE).read_until(b'\n', line)?;
    if octets > 0 && line.last() != Some(&b'\n') {
        text.skip_until(b'\n')?;
    }
    Ok(octets)
}

fn parse(line: &[u8], now_minutes: u64) -> Option<Entry> {
    let mut fields = str::from_utf8(line).ok()?.trim().split(':');
    let info_hash = fields.next()?.parse().ok()?;
    let minute: u64 = fields.next()?.parse().ok()?;
    let downloads = fields.next()?.parse().ok()?;
    let age = now_minutes.saturating_sub(minute);
    let entry = Entry {
        info_hash,
        age_minutes: u32::try_from(age).unwrap_or(u32::MAX),
        downloads,
    };
    fields.next().is_none().then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_c_program_are_read_and_others_are_not() {
        let hash = "AB".repeat(20);
        let long = "x".repeat(1000);
        let text = format!(
            "{hash}:29000000:7\n{hash}:28999940:0\r\n{hash}:29000009:18446744073709551615\n\
             {hash}:29000000\n{hash}:29000000:7:1\n{long}\n\n{hash}:x:1\n{hash}:1:1"
        );
        let entry = |age_minutes, downloads| {
            Some(Entry {
                info_hash: InfoHash::new([0xab; 20]),
                age_minutes,
                downloads,
            })
        };
        let read: io::Result<Vec<_>> = entries(text.as_bytes(), 29_000_000).collect();
        assert_eq!(
            read.unwrap(),
            [
                entry(0, 7),
                entry(60, 0),
                entry(0, u64::MAX),
                None,
                None,
                None,
                None,
                None,
                entry(28_999_999, 1),
            ]
        );
    }
}
