//! The figures of the last seven days, one value every five minutes.
//!
//! Whoever owns the [`Trends`] lets them [look](Trends::look) at the tracker about once a minute, and
//! keeps their octets over a restart:
//!
//! ```text
//! opentracker trends 1
//! interval 300
//! series udp_announces http_announces webtorrent_announces refusals torrents seeders leechers memory_octets
//! end 5932801
//! values 3
//! 210.5 12.25 3 0 1200 3400 5600 1048576
//! -
//! 208 12 3.5 0.5 1201 3404 5611 1048704
//! ```
//!
//! `end` numbers the interval of the last value since 1970, and `-` is an interval in which nobody
//! looked.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::{Duration, Instant};

use opentracker_api as api;
use opentracker_core::Tracker;
use opentracker_http::Counter as Http;
use opentracker_udp::Counter as Udp;
use opentracker_webtorrent::Counter as Web;

use crate::activity::refusals;

/// Time from one value to the next.
const INTERVAL_SECS: u64 = 300;

/// Seven days of values.
const MAX_VALUES: usize = 7 * 24 * 3600 / 300;

/// Four rates, then four figures of the moment.
const SERIES: [&str; 8] = [
    "udp_announces",
    "http_announces",
    "webtorrent_announces",
    "refusals",
    "torrents",
    "seeders",
    "leechers",
    "memory_octets",
];

const RATES: usize = 4;

/// What the octets begin with.
const HEAD: &str = "opentracker trends 1";

/// The values of one interval; `None`: nobody looked.
type Row = Option<[f64; SERIES.len()]>;

/// The figures of up to seven days.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trends {
    /// The oldest first; at most [`MAX_VALUES`].
    rows: VecDeque<Row>,
    /// The interval of the last row, numbered from 1970.
    end: u64,
    /// What was counted when a value was last taken. A tracker counts from zero.
    before: Counted,
}

/// Sums that rates are made of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Counted {
    uptime: Duration,
    sums: [u64; RATES],
}

/// What is to be seen of a tracker at one time.
#[derive(Debug, Clone, Copy)]
struct Figures {
    counted: Counted,
    levels: [f64; SERIES.len() - RATES],
}

/// Why octets are no trends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrendsError {
    /// They do not begin as version 1 does, with the series that this program keeps.
    #[error("it is of another version")]
    Version,
    /// A line is not what belongs there.
    #[error("line {0} is not what belongs there")]
    Line(usize),
    /// It does not have as many lines as it says, or not all of the last.
    #[error("its end is missing")]
    Cut,
}

impl Trends {
    /// No trends have more octets.
    pub const MAX_OCTETS: u64 = 512 << 10;

    /// Takes a value, if the interval that `time` since 1970 is in has none yet. To be called more
    /// often than there are values: a minute is good.
    pub fn look(&mut self, tracker: &Tracker, now: Instant, time: Duration) {
        if self.is_due(time) {
            self.take(time, Figures::of(tracker, now));
        }
    }

    /// Returns them as the API says them.
    pub fn answer(&self) -> api::Trends {
        let values = |index: usize| {
            let rows = self.rows.iter();
            rows.map(|row| row.map(|values| values[index])).collect()
        };
        let series = SERIES.iter().enumerate();
        api::Trends {
            interval_secs: INTERVAL_SECS,
            end_ms: self.end * INTERVAL_SECS * 1000,
            series: series
                .map(|(index, &name)| api::Series {
                    name: name.to_owned(),
                    values: values(index),
                })
                .collect(),
        }
    }

    /// Writes them down, in at most [`Self::MAX_OCTETS`].
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!(
            "{HEAD}\ninterval {INTERVAL_SECS}\nseries {}\nend {}\nvalues {}\n",
            SERIES.join(" "),
            self.end,
            self.rows.len()
        );
        for row in &self.rows {
            match row {
                None => text.push('-'),
                Some(values) => {
                    let words: Vec<_> = values.iter().map(f64::to_string).collect();
                    text.push_str(&words.join(" "));
                }
            }
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Reads what [`encode`](Self::encode) wrote. What it counted is not in it: a tracker that has
    /// been started counts anew.
    ///
    /// # Errors
    ///
    /// Fails if that is of another version, or damaged.
    pub fn decode(octets: &[u8]) -> Result<Self, TrendsError> {
        let text = str::from_utf8(octets).map_err(|_| TrendsError::Version)?;
        let mut lines = (1..).zip(text.lines());
        let mut series = "series".to_owned();
        for name in SERIES {
            write!(series, " {name}").expect("a String takes everything");
        }
        for expected in [HEAD, &format!("interval {INTERVAL_SECS}"), &series] {
            if lines.next().map(|(_, line)| line) != Some(expected) {
                return Err(TrendsError::Version);
            }
        }
        let mut number = |name: &str, most: u64| {
            let (line, text) = lines.next().ok_or(TrendsError::Cut)?;
            let number = text.strip_prefix(name).and_then(|text| text.parse().ok());
            let bounded = number.filter(|number| *number <= most);
            bounded.ok_or(TrendsError::Line(line))
        };
        let end = number("end ", u64::MAX / (INTERVAL_SECS * 1000))?;
        let count = number("values ", MAX_VALUES as u64)?;
        let rows = lines
            .map(|(line, text)| row(text).ok_or(TrendsError::Line(line)))
            .collect::<Result<VecDeque<_>, _>>()?;
        if rows.len() as u64 != count || !text.ends_with('\n') {
            return Err(TrendsError::Cut);
        }
        Ok(Self {
            rows,
            end,
            before: Counted::default(),
        })
    }

    fn is_due(&self, time: Duration) -> bool {
        self.rows.is_empty() || interval(time) != self.end
    }

    fn take(&mut self, time: Duration, figures: Figures) {
        let interval = interval(time);
        // The clock went back: what it said was later never was.
        while !self.rows.is_empty() && self.end >= interval {
            self.rows.pop_back();
            self.end = self.end.saturating_sub(1);
        }
        let gap = match self.rows.is_empty() {
            true => 0,
            false => (interval - self.end - 1).min(MAX_VALUES as u64),
        };
        self.rows.extend((0..gap).map(|_| None));
        self.rows.push_back(Some(self.values(figures)));
        let surplus = self.rows.len().saturating_sub(MAX_VALUES);
        self.rows.drain(..surplus);
        self.end = interval;
        self.before = figures.counted;
    }

    /// The rates since the last value, and the figures of the moment.
    fn values(&self, figures: Figures) -> [f64; SERIES.len()] {
        let Counted { uptime, sums } = figures.counted;
        let secs = uptime.saturating_sub(self.before.uptime).as_secs_f64();
        let mut values = [0.0; SERIES.len()];
        let (rates, levels) = values.split_at_mut(RATES);
        for ((rate, sum), before) in rates.iter_mut().zip(sums).zip(self.before.sums) {
            // Hundredths are enough to draw, and short to write.
            let per_second = sum.saturating_sub(before) as f64 / secs.max(1.0);
            *rate = (per_second * 100.0).round() / 100.0;
        }
        levels.copy_from_slice(&figures.levels);
        values
    }
}

impl Figures {
    fn of(tracker: &Tracker, now: Instant) -> Self {
        let totals = tracker.totals(now);
        let (seeders, peers) = (totals.peers.seeders(), totals.peers.total());
        let counters = tracker.counters();
        let levels = [
            totals.torrents,
            seeders,
            peers.saturating_sub(seeders),
            tracker.heap_octets(),
        ];
        Self {
            counted: Counted {
                uptime: now.saturating_duration_since(tracker.start()),
                sums: [
                    counters.sum_of(&Udp::ANNOUNCES),
                    counters.sum_of(&Http::ANNOUNCES),
                    counters.sum(Web::Announce),
                    refusals(counters),
                ],
            },
            levels: levels.map(|level| level as f64),
        }
    }
}

fn interval(time: Duration) -> u64 {
    time.as_secs() / INTERVAL_SECS
}

/// Reads the line of an interval.
fn row(text: &str) -> Option<Row> {
    if text == "-" {
        return Some(None);
    }
    let mut values = [0.0; SERIES.len()];
    let mut words = text.split(' ');
    for value in &mut values {
        let number: f64 = words.next()?.parse().ok()?;
        if !number.is_finite() || number.is_sign_negative() {
            return None;
        }
        *value = number;
    }
    words.next().is_none().then_some(Some(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Tuesday in 2025.
    const BEGIN: u64 = 1_759_276_800;

    fn at(secs: u64) -> Duration {
        Duration::from_secs(BEGIN + secs)
    }

    fn figures(uptime: u64, announces: u64, torrents: u32) -> Figures {
        Figures {
            counted: Counted {
                uptime: Duration::from_secs(uptime),
                sums: [announces, 2 * announces, 3 * announces, 1],
            },
            levels: [f64::from(torrents), 2.0, 3.0, 4096.0],
        }
    }

    fn series(trends: &Trends, name: &str) -> Vec<Option<f64>> {
        let answer = trends.answer();
        let found = answer.series.into_iter().find(|series| series.name == name);
        found.unwrap().values
    }

    #[test]
    fn a_value_is_taken_once_an_interval() {
        let mut trends = Trends::default();
        for secs in (60..900).step_by(60) {
            let figures = figures(secs, secs * 10, 7);
            if trends.is_due(at(secs)) {
                trends.take(at(secs), figures);
            }
        }
        // At 60, 300 and 600 seconds.
        assert_eq!(series(&trends, "torrents"), [Some(7.0); 3]);
        assert_eq!(series(&trends, "udp_announces"), [Some(10.0); 3]);
        assert_eq!(series(&trends, "http_announces"), [Some(20.0); 3]);
        assert_eq!(series(&trends, "webtorrent_announces"), [Some(30.0); 3]);
        let refusals = [Some(0.02), Some(0.0), Some(0.0)];
        assert_eq!(series(&trends, "refusals"), refusals);
        assert_eq!(trends.answer().end_ms, (BEGIN + 600) * 1000);
        assert_eq!(trends.answer().interval_secs, 300);
    }

    #[test]
    fn where_nobody_looked_is_a_gap() {
        let mut trends = Trends::default();
        trends.take(at(0), figures(1, 0, 1));
        trends.take(at(900), figures(901, 9000, 2));
        let torrents = [Some(1.0), None, None, Some(2.0)];
        assert_eq!(series(&trends, "torrents"), torrents);
        assert_eq!(series(&trends, "udp_announces")[3], Some(10.0));
        // After longer than is kept nothing is left of before.
        trends.take(at(1 << 30), figures(1 << 30, 9000, 3));
        let torrents = series(&trends, "torrents");
        assert_eq!(torrents.len(), MAX_VALUES);
        assert_eq!(torrents[MAX_VALUES - 1], Some(3.0));
        assert!(torrents[..MAX_VALUES - 1].iter().all(Option::is_none));
    }

    #[test]
    fn seven_days_are_kept() {
        let mut trends = Trends::default();
        for number in 0..3000_u32 {
            let secs = u64::from(number) * INTERVAL_SECS;
            trends.take(at(secs), figures(secs, 0, number));
        }
        let torrents = series(&trends, "torrents");
        assert_eq!(torrents.len(), 2016);
        assert_eq!((torrents[0], torrents[2015]), (Some(984.0), Some(2999.0)));
    }

    #[test]
    fn a_clock_that_goes_back_takes_what_never_was() {
        let mut trends = Trends::default();
        for (secs, torrents) in [(0, 1), (300, 2), (600, 3), (350, 4)] {
            trends.take(at(secs), figures(secs + 1, 0, torrents));
        }
        assert_eq!(series(&trends, "torrents"), [Some(1.0), Some(4.0)]);
        assert_eq!(trends.answer().end_ms, (BEGIN + 300) * 1000);
        trends.take(Duration::ZERO, figures(1, 0, 5));
        assert_eq!(series(&trends, "torrents"), [Some(5.0)]);
        trends.take(at(0), figures(1, 0, 6));
        assert_eq!(trends.rows.len(), MAX_VALUES);
    }

    #[test]
    fn they_outlast_a_restart_and_rates_begin_anew() {
        let mut trends = Trends::default();
        trends.take(at(0), figures(100, 5000, 1));
        trends.take(at(600), figures(700, 6230, 2));
        let mut restored = Trends::decode(&trends.encode()).unwrap();
        assert_eq!(restored.answer(), trends.answer());
        restored.take(at(900), figures(10, 50, 3));
        let announces = [Some(50.0), None, Some(2.05), Some(5.0)];
        assert_eq!(series(&restored, "udp_announces"), announces);
        let none = Trends::decode(&Trends::default().encode()).unwrap();
        assert_eq!(none, Trends::default());
    }

    #[test]
    fn the_octets_are_bounded() {
        let most = Figures {
            counted: Counted {
                uptime: Duration::from_secs(1),
                sums: [u64::MAX; RATES],
            },
            levels: [u64::MAX as f64; SERIES.len() - RATES],
        };
        let mut trends = Trends::default();
        for number in 0..MAX_VALUES as u64 {
            trends.before = Counted::default();
            trends.take(at(number * INTERVAL_SECS), most);
        }
        assert!(trends.encode().len() as u64 <= Trends::MAX_OCTETS);
        let decoded = Trends::decode(&trends.encode()).unwrap();
        assert_eq!(decoded.answer(), trends.answer());
    }

    #[test]
    fn damage_is_found() {
        let mut trends = Trends::default();
        trends.take(at(0), figures(100, 5000, 1));
        trends.take(at(600), figures(700, 6230, 2));
        let whole = String::from_utf8(trends.encode()).unwrap();
        for (from, to) in [
            ("trends 1", "trends 2"),
            ("interval 300", "interval 60"),
            ("refusals ", ""),
        ] {
            let damaged = whole.replace(from, to);
            let error = Trends::decode(damaged.as_bytes()).unwrap_err();
            assert_eq!(error, TrendsError::Version, "{damaged}");
        }
        for (from, to, line) in [
            ("end ", "end -", 4),
            ("end ", "end 99999999999999", 4),
            ("values 3", "values 2017", 5),
            ("\n-\n", "\n--\n", 7),
            (" 4096\n-", " NaN\n-", 6),
            (" 4096\n-", " -1\n-", 6),
            (" 4096\n-", "\n-", 6),
            (" 4096\n-", " 4096 1\n-", 6),
        ] {
            let damaged = whole.replacen(from, to, 1);
            let error = Trends::decode(damaged.as_bytes()).unwrap_err();
            assert_eq!(error, TrendsError::Line(line), "{damaged}");
        }
        for (from, to) in [("values 3", "values 4"), ("\n-\n", "\n")] {
            let damaged = whole.replacen(from, to, 1);
            assert_eq!(Trends::decode(damaged.as_bytes()), Err(TrendsError::Cut));
        }
        for len in 0..whole.len() {
            assert!(Trends::decode(&whole.as_bytes()[..len]).is_err(), "{len}");
        }
        assert!(Trends::decode(&[0xff; 99]).is_err());
    }

    #[test]
    fn a_tracker_is_looked_at() {
        let start = Instant::now();
        let tracker = crate::fixture::tracker(start);
        crate::fixture::seed(&tracker, 5, start);
        let mut trends = Trends::default();
        for secs in [9, 10] {
            trends.look(&tracker, start + Duration::from_secs(secs), at(secs));
        }
        for (name, value) in [("torrents", 5.0), ("seeders", 5.0), ("leechers", 0.0)] {
            assert_eq!(series(&trends, name), [Some(value)], "{name}");
        }
        assert_eq!(series(&trends, "udp_announces"), [Some(0.0)]);
        assert!(series(&trends, "memory_octets")[0] > Some(0.0));
    }
}
