//! Lists in text, an entry a line.

use std::fmt;
use std::io::{self, BufRead, Read};

/// The most octets of a line that are looked at. An entry and its note need far fewer; the rest of
/// a longer line is passed over.
const MAX_LINE: u64 = 256;

/// The most lines that [`Skipped`] names.
const MAX_NAMED: usize = 5;

/// Lines of a list that are no entries and were passed over. The `Display` form names the first
/// few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    lines: u64,
    first: Vec<u64>,
}

/// Reads a list. `take` is given each line without the space before it, and says whether it is an
/// entry. Empty lines, lines that begin with `#`, and a byte order mark are ignored.
///
/// # Errors
///
/// Those of the reader.
pub(super) fn read(
    mut text: impl BufRead,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<Skipped> {
    let mut skipped = Skipped::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if text.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() != Some(&b'\n') {
            text.skip_until(b'\n')?;
        }
        let without_mark = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1);
        let line = without_mark.unwrap_or(&line).trim_ascii_start();
        let is_blank = matches!(line.first(), None | Some(b'#'));
        if !is_blank && !take(line) {
            skipped.add(number);
        }
    }
    Ok(skipped)
}

impl Skipped {
    /// Returns the number of lines.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    fn add(&mut self, number: u64) {
        self.lines += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(number);
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            1 => f.write_str("1 line is no entry and was skipped: line ")?,
            lines => write!(f, "{lines} lines are no entries and were skipped: lines ")?,
        }
        for (place, number) in self.first.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{number}")?;
        }
        if self.lines > self.first.len() as u64 {
            f.write_str(", …")?;
        }
        Ok(())
    }
}
