//! How durations are written: `30m`, `1h30m`.

use std::time::Duration;

use super::value::{Bounded, Input, Value, Wrong};

impl Value for Duration {
    const WANTED: &'static str = "a duration";

    fn hint() -> String {
        "a number and a unit, `s`, `m`, `h` or `d`, like \"30m\"".to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.parse(parse_duration)
    }

    fn to_toml(&self) -> toml::Value {
        // "90m" and "24h" read better than "1h30m" and "1d".
        format_duration(*self, 2).into()
    }
}

impl Bounded for Duration {
    fn bound(&self) -> String {
        format_duration(*self, 1)
    }
}

const UNITS: [(&str, u64); 4] = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)];

/// Writes a duration in the largest unit of which it is a multiple, `least` times at least.
fn format_duration(duration: Duration, least: u64) -> String {
    let total = duration.as_secs();
    let divides = |seconds| total.is_multiple_of(seconds) && total / seconds >= least;
    let unit = UNITS.into_iter().find(|&(_, seconds)| divides(seconds));
    let (name, seconds) = unit.unwrap_or(("s", 1));
    format!("{}{name}", total / seconds)
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let (_, seconds) = UNITS
            .into_iter()
            .find(|(unit, _)| rest[digits..].starts_with(unit))?;
        total = total.checked_add(number.checked_mul(seconds)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("0s", 0),
            ("30s", 30),
            ("45m", 2700),
            ("24h", 86400),
            ("1h30m", 5400),
            (" 2d ", 172_800),
        ] {
            assert_eq!(
                parse_duration(text.trim()),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            " ",
            "30",
            "m",
            "30x",
            "-1s",
            "1.5h",
            "30 m",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(text.trim()), None, "{text}");
        }
        for (seconds, written, bound) in [
            (86400, "24h", "1d"),
            (5400, "90m", "90m"),
            (60, "60s", "1m"),
            (0, "0s", "0s"),
        ] {
            let duration = Duration::from_secs(seconds);
            assert_eq!(duration.to_toml().as_str(), Some(written));
            assert_eq!(duration.bound(), bound);
        }
    }

    proptest! {
        #[test]
        fn durations_go_both_ways(seconds in 0..10_000_000_u64) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse_duration(&format_duration(duration, 2)), Some(duration));
            prop_assert_eq!(parse_duration(&format_duration(duration, 1)), Some(duration));
        }
    }
}
