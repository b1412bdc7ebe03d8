//! What is found in a configuration, and how it is said: where, which key, what would be right.

use std::fmt::{self, Write};

/// Something that is wrong with a configuration, or worth a warning: `FILE:LINE: KEY: MESSAGE`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Finding {
    /// The file, the variable of the environment or the flag; `None` for values set in code.
    pub origin: Option<String>,
    /// Number of the line, from 1, where there is one.
    pub line: Option<usize>,
    /// Section and key, or the key of the C program, where there is one: `announce.interval`.
    pub key: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Everything that is wrong with a configuration, in the order of its sources; a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Finding>);

impl Finding {
    /// Creates one about a source as a whole: a file that cannot be read, for example.
    pub fn new(origin: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            origin: Some(origin.into()),
            message: message.into(),
            ..Self::default()
        }
    }

    pub(super) fn at(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }

    pub(super) fn saying(self, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..self
        }
    }

    pub(super) fn about(self, key: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..self
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}:")?;
            if let Some(line) = self.line {
                write!(f, "{line}:")?;
            }
            f.write_str(" ")?;
        }
        if let Some(key) = &self.key {
            write_in_line(f, key)?;
            f.write_str(": ")?;
        }
        write_in_line(f, &self.message)
    }
}

/// Writes what may quote a file, whose keys may have any character in them: a finding is one line, and
/// tells a terminal nothing.
fn write_in_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() {
            write!(f, "{}", character.escape_default())?;
        } else {
            f.write_char(character)?;
        }
    }
    Ok(())
}

impl ConfigErrors {
    /// Keeps findings that are faults; `Ok` if there are none.
    pub(super) fn check(faults: Vec<Finding>) -> Result<(), Self> {
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Self(faults))
        }
    }

    /// Returns the faults, at least one.
    pub fn faults(&self) -> &[Finding] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Returns the candidate that somebody who wrote `word` has most likely meant: at most a third of
/// its letters differ, two letters exchanged counting once.
pub(super) fn nearest<Name: AsRef<str>>(
    word: &str,
    candidates: impl IntoIterator<Item = Name>,
) -> Option<Name> {
    let distance = |name: &Name| strsim::osa_distance(word, name.as_ref());
    candidates
        .into_iter()
        .map(|name| (distance(&name), name))
        .filter(|(distance, name)| *distance <= name.as_ref().len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Joins names as a sentence does: `a, b and c`.
pub(super) fn enumerate<Name: fmt::Display>(
    names: impl IntoIterator<Item = Name>,
    conjunction: &str,
) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if !names.is_empty() => format!("{} {conjunction} {last}", names.join(", ")),
        last => last.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_near() {
        let names = ["listen", "workers", "max_payload", "udp", "http"];
        for (word, meant) in [
            ("worker", Some("workers")),
            ("wrokers", Some("workers")),
            ("listen_on", None),
            ("max-payload", Some("max_payload")),
            ("upd", Some("udp")),
            ("ftp", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names), meant, "{word}");
        }
    }

    #[test]
    fn names_are_joined_as_in_a_sentence() {
        assert_eq!(enumerate([""; 0], "and"), "");
        assert_eq!(enumerate(["a"], "and"), "`a`");
        assert_eq!(enumerate(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }

    #[test]
    fn findings_say_what_they_know() {
        let finding = Finding::new("a.toml", "wrong").at(Some(3)).about("udp");
        assert_eq!(finding.to_string(), "a.toml:3: udp: wrong");
        assert_eq!(Finding::new("-r", "wrong").to_string(), "-r: wrong");
        let in_code = Finding::default().about("udp.workers");
        assert_eq!(in_code.to_string(), "udp.workers: ");
    }

    #[test]
    fn a_finding_is_one_line_whatever_it_quotes() {
        let finding = Finding::new("a.toml", "no `\r\n`").about("udp.a\nb.toml:1: ä\x1b[2J");
        let said = "a.toml: udp.a\\nb.toml:1: ä\\u{1b}[2J: no `\\r\\n`";
        assert_eq!(finding.to_string(), said);
    }
}
