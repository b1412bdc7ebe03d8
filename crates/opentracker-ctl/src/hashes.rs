//! Info hashes that somebody names, one by one or as a list.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use opentracker_types::InfoHash;

/// Digits of a hash of version 1, and of one of version 2.
const DIGITS: [usize; 2] = [40, 64];

/// Info hashes of the command line, of the standard input or of files.
#[derive(Debug, Args)]
pub(crate) struct Hashes {
    /// Info hashes: 40 hexadecimal digits, or the 64 of version 2; `-` reads them from the
    /// standard input, one a line, and what follows one is its note.
    #[arg(value_name = "HASH", required_unless_present = "file")]
    hashes: Vec<String>,
    /// Reads info hashes from a file as well, one a line; several times for several files.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
}

/// An info hash, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) info_hash: InfoHash,
    pub(crate) note: String,
}

impl Hashes {
    /// Reads all of them. Nothing is done if one cannot be read.
    pub(crate) fn read(&self) -> Result<Vec<Noted>> {
        let mut found = Vec::new();
        for word in &self.hashes {
            if word == "-" {
                let mut text = Vec::new();
                io::stdin().lock().read_to_end(&mut text)?;
                found.extend(lines(&String::from_utf8_lossy(&text), "standard input")?);
            } else {
                let (info_hash, note) = (parse(word).map_err(anyhow::Error::msg)?, String::new());
                found.push(Noted { info_hash, note });
            }
        }
        for file in &self.file {
            let shown = file.display().to_string();
            let text = fs::read(file).with_context(|| format!("cannot read {shown}"))?;
            found.extend(lines(&String::from_utf8_lossy(&text), &shown)?);
        }
        ensure!(
            !found.is_empty(),
            "there is no info hash among what was read"
        );
        Ok(found)
    }
}

/// Reads the hash of a torrent, of either version; of the longer one trackers see the beginning.
pub(crate) fn parse(word: &str) -> Result<InfoHash, String> {
    let is_hash = DIGITS.contains(&word.len()) && word.bytes().all(|c| c.is_ascii_hexdigit());
    let digits = if is_hash { word.get(..DIGITS[0]) } else { None };
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("`{word}` is no info hash: write its 40 hexadecimal digits"))
}

/// Reads the lines of a list as the tracker does, but takes none that it does not know.
fn lines(text: &str, origin: &str) -> Result<Vec<Noted>> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let end = line.find(|c: char| !c.is_ascii_hexdigit());
        let (hash, note) = line.split_at(end.unwrap_or(line.len()));
        let info_hash = parse(hash)
            .map_err(|_| anyhow::anyhow!("{origin}:{number}: `{line}` begins with no info hash"))?;
        let note = note.trim_matches(|c: char| c.is_whitespace() || matches!(c, '#' | ',' | ';'));
        found.push(Noted {
            info_hash,
            note: note.to_owned(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_their_notes() {
        let (a, b) = ("aA".repeat(20), "bb".repeat(32));
        let text = format!("\u{feff}# a list\n\n  {a} notice 2026-117\r\n{b}\n{a}#x\n");
        let found = lines(&text, "a").unwrap();
        let of = |octet, note: &str| Noted {
            info_hash: InfoHash::new([octet; 20]),
            note: note.to_owned(),
        };
        assert_eq!(
            found,
            [of(0xaa, "notice 2026-117"), of(0xbb, ""), of(0xaa, "x")]
        );
        let error = lines(&format!("{a}\n{a}0 x\n"), "list").unwrap_err();
        assert!(error.to_string().starts_with("list:2: "), "{error}");
    }

    #[test]
    fn a_hash_has_the_length_of_one() {
        assert!(parse(&"0".repeat(40)).is_ok());
        assert!(parse(&"0".repeat(64)).is_ok());
        for wrong in ["", "0", &"0".repeat(41), &"g".repeat(40), &"é".repeat(20)] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
