//! Medians, ratios and tables.

use super::latency::Waits;
use super::loadgen::Sample;

/// How fast a contestant is: the medians of its samples.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SpeedRow {
    name: &'static str,
    median: Sample,
}

impl SpeedRow {
    /// Takes the medians.
    ///
    /// # Panics
    ///
    /// There is no sample.
    pub(super) fn new(name: &'static str, samples: &[Sample]) -> Self {
        let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
        let limited = samples.iter().filter(|sample| sample.is_limited).count();
        Self {
            name,
            median: Sample {
                answers_per_sec: of(|sample| sample.answers_per_sec),
                cpu_micros: of(|sample| sample.cpu_micros),
                lost: of(|sample| sample.lost),
                peers: of(|sample| sample.peers),
                p50_micros: of(|sample| sample.p50_micros),
                p99_9_micros: of(|sample| sample.p99_9_micros),
                is_limited: 2 * limited > samples.len(),
            },
        }
    }
}

/// Writes the table of a load. The first row is ours; what it is by each other stands beside the
/// figures.
pub(super) fn speed(title: &str, rows: &[SpeedRow]) -> String {
    let mut text = format!(
        "### {title}\n\n\
         | | answers/s | ratio | CPU µs an answer | ratio | lost | peers | p50 µs | p99.9 µs |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    let Some(ours) = rows.first().map(|row| row.median) else {
        return text;
    };
    for SpeedRow { name, median } in rows {
        text += &format!(
            "| {name} | {}{} | {} | {:.2} | {} | {:.2} % | {:.1} | {:.0} | {:.0} |\n",
            thousands(median.answers_per_sec),
            if median.is_limited { "†" } else { "" },
            ratio(ours.answers_per_sec, median.answers_per_sec),
            median.cpu_micros,
            ratio(ours.cpu_micros, median.cpu_micros),
            100.0 * median.lost,
            median.peers,
            median.p50_micros,
            median.p99_9_micros,
        );
    }
    if rows.iter().any(|row| row.median.is_limited) {
        text += "\n† The load generator was the limit: this could be more.\n";
    }
    text
}

/// How much memory a contestant has after filling, in octets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MemoryRow {
    pub(super) name: &'static str,
    pub(super) resident: f64,
    /// The same before.
    pub(super) before: f64,
    pub(super) torrents: f64,
    pub(super) peers: f64,
}

impl MemoryRow {
    fn growth(&self) -> f64 {
        self.resident - self.before
    }
}

/// Writes the table of a shape. The first row is ours.
pub(super) fn memory(title: &str, rows: &[MemoryRow]) -> String {
    let Some(ours) = rows.first() else {
        return String::new();
    };
    let mut text = format!(
        "### Memory, {title}: {} torrents, {} peers\n\n\
         | | resident MB | ratio | octets a torrent | octets a peer |\n\
         |---|--:|--:|--:|--:|\n",
        thousands(ours.torrents),
        thousands(ours.peers),
    );
    for row in rows {
        text += &format!(
            "| {} | {:.0} | {} | {:.0} | {:.1} |\n",
            row.name,
            row.resident / 1e6,
            ratio(ours.resident, row.resident),
            row.growth() / row.torrents,
            row.growth() / row.peers,
        );
    }
    text
}

/// Writes the table of waits. The first row is what the others are compared with.
pub(super) fn latency(peers: f64, waits: &[Waits]) -> String {
    let mut text = format!(
        "### Latency of announces over UDP, {} peers, µs\n\n\
         | beside | p50 | p99 | p99.9 | p99.9 above the first |\n\
         |---|--:|--:|--:|--:|\n",
        thousands(peers),
    );
    let percentile = |waits: &Waits, index: usize| {
        median(waits.rounds.iter().map(|round| round[index]).collect())
    };
    let idle = waits.first().map_or(0.0, |idle| percentile(idle, 2));
    for row in waits {
        let [p50, p99, p99_9] = [0, 1, 2].map(|index| percentile(row, index));
        text += &format!(
            "| {} | {p50:.0} | {p99:.0} | {p99_9:.0} | {:+.0} |\n",
            row.beside.name(),
            p99_9 - idle,
        );
    }
    text
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    if figures.len().is_multiple_of(2) {
        f64::midpoint(figures[half - 1], figures[half])
    } else {
        figures[half]
    }
}

fn ratio(ours: f64, other: f64) -> String {
    format!("{:.2} ×", ours / other)
}

/// Writes a number without its fraction, and with gaps between thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(answers_per_sec: f64, is_limited: bool) -> Sample {
        Sample {
            answers_per_sec,
            cpu_micros: 1e6 / answers_per_sec,
            lost: 0.0,
            peers: 20.0,
            p50_micros: 100.0,
            p99_9_micros: 900.0,
            is_limited,
        }
    }

    #[test]
    fn a_row_is_the_median_of_its_samples() {
        let samples = [300e3, 100e3, 200e3].map(|rate| sample(rate, rate > 150e3));
        let row = SpeedRow::new("x", &samples);
        assert_eq!(row.median, sample(200e3, true));
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
    }

    #[test]
    fn ratios_are_ours_by_theirs() {
        let rows = [
            SpeedRow::new("ours", &[sample(250e3, true)]),
            SpeedRow::new("theirs", &[sample(200e3, false)]),
        ];
        let text = speed("Load", &rows);
        let ours = "| ours | 250 000† | 1.00 × | 4.00 | 1.00 × | 0.00 % | 20.0 | 100 | 900 |\n";
        let theirs = "| theirs | 200 000 | 1.25 × | 5.00 | 0.80 × | 0.00 % | 20.0 | 100 | 900 |\n";
        assert!(text.contains(ours) && text.contains(theirs), "{text}");
        assert!(
            text.contains("† The load generator was the limit"),
            "{text}"
        );
    }

    #[test]
    fn memory_is_counted_by_what_it_grew() {
        let rows = [("ours", 110e6), ("theirs", 220e6)].map(|(name, resident)| MemoryRow {
            name,
            resident,
            before: 10e6,
            torrents: 1e6,
            peers: 2e6,
        });
        let text = memory("small", &rows);
        assert!(text.contains("small: 1 000 000 torrents, 2 000 000 peers"));
        assert!(
            text.contains("| ours | 110 | 1.00 × | 100 | 50.0 |\n"),
            "{text}"
        );
        assert!(
            text.contains("| theirs | 220 | 0.50 × | 210 | 105.0 |\n"),
            "{text}"
        );
    }
}
