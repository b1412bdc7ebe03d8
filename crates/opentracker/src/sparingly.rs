//! Log lines that somebody else could have written without end.

use std::fmt;
use std::time::{Duration, Instant};

/// Lines of one kind that are logged within [`PERIOD`].
const MOST: u32 = 10;

/// How long they are counted together.
const PERIOD: Duration = Duration::from_secs(60);

/// Lets some lines a minute through, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Sparingly {
    began: Option<Instant>,
    logged: u32,
    held_back: u64,
}

/// How many lines were held back before this one; as text it goes behind the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeldBack(u64);

impl Sparingly {
    /// Decides whether one more line is logged; `None`: it is only counted.
    pub(crate) fn allow(&mut self, now: Instant) -> Option<HeldBack> {
        let is_over = |began| now.saturating_duration_since(began) >= PERIOD;
        if self.began.is_none_or(is_over) {
            self.began = Some(now);
            self.logged = 0;
        }
        if self.logged >= MOST {
            self.held_back += 1;
            return None;
        }
        self.logged += 1;
        Some(HeldBack(std::mem::take(&mut self.held_back)))
    }
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (1 line like it was left out)"),
            lines => write!(f, " ({lines} lines like it were left out)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted_and_said_later() {
        let start = Instant::now();
        let mut sparingly = Sparingly::default();
        for _ in 0..MOST {
            assert_eq!(sparingly.allow(start), Some(HeldBack(0)));
        }
        for _ in 0..3 {
            assert_eq!(sparingly.allow(start + PERIOD / 2), None);
        }
        let next = sparingly.allow(start + PERIOD).unwrap();
        assert_eq!(next.to_string(), " (3 lines like it were left out)");
        let after = sparingly.allow(start + PERIOD).unwrap();
        assert_eq!(after.to_string(), "");
    }
}
