//! How amounts of memory and rates are written: `2GiB`, `5/s`.

use std::time::Duration;

use super::value::{Input, Value, Wrong};

/// A bound on memory, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryBound {
    /// Octets; `None`: no bound.
    pub octets: Option<u64>,
}

/// A bound on requests in a time, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestRate {
    /// Time from one request to the next; `None`: no bound.
    pub interval: Option<Duration>,
}

/// Larger ones first, so that an amount is written in the largest unit that it is a multiple of.
const SIZES: [(&str, u64); 6] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1000),
];

const TIMES: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

/// The least bound on memory: an empty tracker has room for some torrents in it.
const MIN_OCTETS: u64 = 1 << 20;

/// The most requests in a unit of time; beyond it there is nothing to limit.
const MAX_REQUESTS: u32 = 1_000_000;

impl Value for MemoryBound {
    const WANTED: &'static str = "an amount of memory";

    fn hint() -> String {
        "a number and a unit, `MiB` or `GiB`, like \"2GiB\", from 1MiB, or \"\" for no bound"
            .to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.parse(|text| {
            if text.is_empty() {
                return Some(Self::default());
            }
            let (number, unit) = split(text)?;
            let (_, size) = SIZES.into_iter().find(|(name, _)| *name == unit)?;
            let octets = u64::from(number).checked_mul(size)?;
            (octets >= MIN_OCTETS).then_some(Self {
                octets: Some(octets),
            })
        })
    }

    fn to_toml(&self) -> toml::Value {
        let Some(octets) = self.octets else {
            return String::new().into();
        };
        let divides = |&(_, size): &(&str, u64)| octets.is_multiple_of(size);
        let (unit, size) = SIZES.into_iter().find(divides).unwrap_or(("", 1));
        format!("{}{unit}", octets / size).into()
    }
}

impl Value for RequestRate {
    const WANTED: &'static str = "a rate";

    fn hint() -> String {
        "requests in a second, a minute or an hour, like \"5/s\", \"300/m\" or \"5000/h\", or \
         \"off\""
            .to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.parse(|text| {
            if text == "off" {
                return Some(Self::default());
            }
            let (requests, unit) = split(text)?;
            let unit = unit.strip_prefix('/')?;
            let (_, secs) = TIMES.into_iter().find(|(name, _)| *name == unit)?;
            (1..=MAX_REQUESTS).contains(&requests).then(|| Self {
                interval: Some(Duration::from_secs(secs) / requests),
            })
        })
    }

    fn to_toml(&self) -> toml::Value {
        let Some(interval) = self.interval else {
            return "off".into();
        };
        let nanos = interval.as_nanos().max(1);
        // Intervals are rounded down, so what comes out is rounded to the nearest.
        let requests = |secs: u64| {
            let unit = u128::from(secs) * 1_000_000_000;
            (unit + nanos / 2) / nanos
        };
        let exact = |&(_, secs): &(&str, u64)| {
            let requests = requests(secs);
            requests > 0 && u128::from(secs) * 1_000_000_000 / requests == nanos
        };
        let (unit, secs) = TIMES.into_iter().find(exact).unwrap_or(TIMES[2]);
        format!("{}/{unit}", requests(secs)).into()
    }
}

/// Splits a number from what follows it.
fn split(text: &str) -> Option<(u32, &str)> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Value>(text: &str) -> Option<T> {
        T::read(Input::Text(text)).ok()
    }

    #[test]
    fn memory_has_a_unit() {
        for (text, octets, written) in [
            ("", None, ""),
            ("1MiB", Some(1 << 20), "1MiB"),
            ("2GiB", Some(2 << 30), "2GiB"),
            ("2048MiB", Some(2 << 30), "2GiB"),
            ("1500 MB", Some(1_500_000_000), "1500MB"),
            ("4000000KB", Some(4_000_000_000), "4GB"),
        ] {
            let bound: MemoryBound = read(text).unwrap();
            assert_eq!(bound.octets, octets, "{text}");
            assert_eq!(bound.to_toml().as_str(), Some(written));
        }
        for text in [
            "2",
            "2G",
            "GiB",
            "-1GiB",
            "0GiB",
            "1023KiB",
            "1.5GiB",
            "9999999999GiB",
        ] {
            assert_eq!(read::<MemoryBound>(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_has_a_time() {
        for (text, nanos, written) in [
            ("off", None, "off"),
            ("5/s", Some(200_000_000), "5/s"),
            ("3/s", Some(333_333_333), "3/s"),
            ("300/m", Some(200_000_000), "5/s"),
            ("7/m", Some(8_571_428_571), "7/m"),
            ("1/h", Some(3_600_000_000_000), "1/h"),
            ("1000000/s", Some(1000), "1000000/s"),
        ] {
            let rate: RequestRate = read(text).unwrap();
            let expected = nanos.map(Duration::from_nanos);
            assert_eq!(rate.interval, expected, "{text}");
            assert_eq!(rate.to_toml().as_str(), Some(written));
            assert_eq!(read::<RequestRate>(written), Some(rate), "it reads back");
        }
        for text in ["", "5", "0/s", "5/d", "/s", "5 per s", "1000001/s", "-5/s"] {
            assert_eq!(read::<RequestRate>(text), None, "{text}");
        }
    }
}
