//! What is shown of a run while it lasts.

use std::io::{IsTerminal, Write, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::args::RunArgs;
use crate::tally::Tally;
use crate::text::grouped;

/// What a thread has counted up to its last turn.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Mutex<Reading>);

/// A reading of gauges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reading {
    answered: u64,
    /// Refusals and whatever else is no answer, except what is lost.
    failed: u64,
    lost: u64,
    latency_sum: u64,
}

impl Gauge {
    /// Shows a tally.
    pub(crate) fn publish(&self, tally: &Tally) {
        let counts = &tally.counts;
        let reading = Reading {
            answered: counts.answered.total(),
            failed: counts.refusals() + counts.malformed + tally.broken,
            lost: counts.lost,
            latency_sum: tally.latency.sum,
        };
        // Once a second somebody else has it for some nanoseconds.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reading;
    }

    fn read_all(gauges: &[Self]) -> Reading {
        let mut sum = Reading::default();
        for gauge in gauges {
            let reading = *gauge.0.lock().unwrap_or_else(PoisonError::into_inner);
            sum.answered += reading.answered;
            sum.failed += reading.failed;
            sum.lost += reading.lost;
            sum.latency_sum += reading.latency_sum;
        }
        sum
    }
}

/// One line on the terminal, rewritten every second; elsewhere a line a second.
#[derive(Debug)]
pub(crate) struct ProgressLine {
    last: Reading,
    /// What begins and ends a line; `None` shows nothing.
    ends: Option<(&'static str, &'static str)>,
}

/// Rewrites the line of a terminal.
const REWRITE: &str = "\r\x1b[K";

impl ProgressLine {
    /// Shows what the command line asks for.
    pub(crate) fn new(args: &RunArgs) -> Self {
        let ends = match (args.quiet, stderr().is_terminal(), args.progress) {
            (true, ..) | (false, false, false) => None,
            (false, true, _) => Some((REWRITE, "")),
            (false, false, true) => Some(("", "\n")),
        };
        Self {
            last: Reading::default(),
            ends,
        }
    }

    /// Shows the second up to `at` nanoseconds of the run.
    pub(crate) fn show(&mut self, at: u64, is_measuring: bool, gauges: &[Gauge]) {
        let reading = Gauge::read_all(gauges);
        let text = describe(at, is_measuring, self.last, reading);
        self.last = reading;
        if let Some((start, end)) = self.ends {
            // Nothing depends on whether anybody reads this.
            let _ = write!(stderr(), "{start}{text}{end}");
        }
    }

    /// Begins anew, as the tallies do after the warm-up.
    pub(crate) fn restart(&mut self) {
        self.last = Reading::default();
    }

    /// Leaves the terminal without a line.
    pub(crate) fn clear(&self) {
        if self.ends.is_some_and(|(start, _)| start == REWRITE) {
            // As above.
            let _ = write!(stderr(), "{REWRITE}");
        }
    }
}

fn describe(at: u64, is_measuring: bool, last: Reading, now: Reading) -> String {
    let answered = now.answered.saturating_sub(last.answered);
    let latency = now.latency_sum.saturating_sub(last.latency_sum);
    let mean = latency.checked_div(answered).unwrap_or(0);
    format!(
        "{:>4} s{}  {:>9} answers/s  mean {:>8.1} µs  lost {}  failed {}",
        Duration::from_nanos(at).as_secs(),
        if is_measuring { "" } else { " (warm-up)" },
        grouped(answered),
        Duration::from_nanos(mean).as_secs_f64() * 1e6,
        grouped(now.lost),
        grouped(now.failed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Kind;

    #[test]
    fn the_line_shows_the_last_second() {
        let last = Reading {
            answered: 1_000,
            latency_sum: 5_000_000,
            ..Reading::default()
        };
        let now = Reading {
            answered: 201_000,
            failed: 3,
            lost: 12_345,
            latency_sum: 5_000_000 + 200_000 * 250_500,
        };
        assert_eq!(
            describe(3_000_000_005, true, last, now),
            "   3 s    200 000 answers/s  mean    250.5 µs  lost 12 345  failed 3"
        );
        let text = describe(1_000_000_000, false, last, last);
        assert!(text.contains("(warm-up)          0 answers/s"));
    }

    #[test]
    fn gauges_show_the_latest() {
        let gauges = [Gauge::default(), Gauge::default()];
        let mut tally = Tally::default();
        tally.counts.answered.count(Kind::Announce);
        tally.answer(1, 500);
        tally.counts.lost = 1;
        tally.counts.error(b"no");
        gauges[0].publish(&tally);
        gauges[1].publish(&tally);
        gauges[1].publish(&tally);
        let sum = Reading {
            answered: 2,
            failed: 2,
            lost: 2,
            latency_sum: 1_000,
        };
        assert_eq!(Gauge::read_all(&gauges), sum);
    }
}
