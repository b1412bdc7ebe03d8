//! Figures, times and tables as people read them.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Writes a size: `512 B`, `1.5 GiB`.
pub(crate) fn octets(octets: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if octets < 1024 {
        return format!("{octets} B");
    }
    let mut rest = octets as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if rest < 1023.95 {
            break;
        }
        rest /= 1024.0;
        unit = larger;
    }
    format!("{rest:.1} {unit}")
}

/// Writes a number in few characters: `950`, `12.3k`, `4.5M`.
pub(crate) fn short(number: f64) -> String {
    if number < 9.95 && number.fract() >= 0.05 {
        return format!("{number:.1}");
    }
    if number < 9999.5 {
        return format!("{number:.0}");
    }
    let mut rest = number / 1000.0;
    for unit in ["k", "M", "G"] {
        if rest < 999.95 {
            return format!("{rest:.1}{unit}");
        }
        rest /= 1000.0;
    }
    format!("{rest:.1}T")
}

/// Writes a duration with its two largest units: `3 d 4 h`, `12 s`.
pub(crate) fn seconds(seconds: u64) -> String {
    let parts = [
        (seconds / DAY, "d"),
        (seconds % DAY / HOUR, "h"),
        (seconds % HOUR / MINUTE, "min"),
        (seconds % MINUTE, "s"),
    ];
    let first = parts.iter().position(|(number, _)| *number > 0);
    let parts = parts.iter().skip(first.unwrap_or(3)).take(2);
    let parts: Vec<_> = parts
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    match parts.is_empty() {
        true => "0 s".to_owned(),
        false => parts.join(" "),
    }
}

/// Writes a short time with its unit: `12 µs`, `3.4 ms`.
pub(crate) fn brief(seconds: f64) -> String {
    let micros = seconds * 1e6;
    if micros < 9.95 {
        format!("{micros:.1} µs")
    } else if micros < 999.5 {
        format!("{micros:.0} µs")
    } else if micros < 999_500.0 {
        format!("{:.1} ms", micros / 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}

/// Writes a number with its noun: `1 torrent`, `2 torrents`.
pub(crate) fn count(number: impl Into<u64>, noun: &str) -> String {
    match number.into() {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// Writes a point in time, given in milliseconds since 1970: `2026-11-25 21:04:05Z`.
pub(crate) fn time(ms: u64) -> String {
    let seconds = ms / 1000;
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (
        seconds % DAY / HOUR,
        seconds % HOUR / MINUTE,
        seconds % MINUTE,
    );
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970-01-01. Years begin in March here, so that the day of a leap year
/// is their last.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let of_era = days % ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = days / ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Pads the cells of rows to columns: the first column to the left, those whose cells below the
/// first row are numbers to the right.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let is_number = |column: usize| {
        let cells = || rows.iter().skip(1).filter_map(|row| row.get(column));
        let is_figure = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit());
        column > 0 && cells().any(is_figure) && cells().all(|cell| cell == "-" || is_figure(cell))
    };
    let shapes: Vec<_> = (0..columns)
        .map(|column| (width(column), is_number(column)))
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&shapes);
        let cells: Vec<_> = cells
            .map(|(cell, &(width, right))| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            })
            .collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// Writes what may not be there.
pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        for (number, said) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(octets(number), said);
        }
        assert_eq!(octets((1 << 20) - 1), "1.0 MiB");
        assert!(octets(u64::MAX).ends_with("PiB"));
        for (number, said) in [
            (0.0, "0"),
            (0.25, "0.2"),
            (950.0, "950"),
            (12_345.0, "12.3k"),
            (4.5e6, "4.5M"),
            (999_960.0, "1.0M"),
        ] {
            assert_eq!(short(number), said);
        }
        for (number, said) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (273_600, "3 d 4 h"),
        ] {
            assert_eq!(seconds(number), said);
        }
        for (number, said) in [
            (1.2e-6, "1.2 µs"),
            (34e-6, "34 µs"),
            (0.0034, "3.4 ms"),
            (2.0, "2.0 s"),
        ] {
            assert_eq!(brief(number), said);
        }
        assert_eq!(count(1_u32, "peer"), "1 peer");
        assert_eq!(count(0_u64, "peer"), "0 peers");
    }

    #[test]
    fn times() {
        for (seconds, said) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_795_554_245, "2026-11-24 21:04:05Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(time(seconds * 1000), said);
        }
    }

    #[test]
    fn columns_are_padded_and_numbers_stand_to_the_right() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["hash", "peers", "note"]),
            row(["aa", "12", "a b"]),
            row(["b", "7", ""]),
        ];
        assert_eq!(
            table(&rows),
            "hash  peers  note\naa       12  a b\nb         7\n"
        );
        assert_eq!(table(&[]), "");
    }
}
