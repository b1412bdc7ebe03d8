use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// Lines of each log that a failure shows.
const TAIL_LINES: usize = 40;

/// Asks until there is an answer; `None` if there is none within `timeout`. It asks once more
/// when the time is over, so that a machine that stood still meanwhile does not fail a test.
pub(crate) fn poll<T>(timeout: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let last = Instant::now() >= deadline;
        match ask() {
            Some(answer) => return Some(answer),
            None if last => return None,
            None => thread::sleep(PERIOD),
        }
    }
}

/// Puts together the ends of all logs in a lab's folder, by name.
pub(crate) fn log_tails(folder: &Path) -> String {
    let mut logs: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    let mut text = String::new();
    for log in logs {
        let octets = fs::read(&log).unwrap_or_default();
        text.push_str(&format!("--- the end of {}\n", log.display()));
        text.push_str(&tail(&String::from_utf8_lossy(&octets)));
    }
    text
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..].iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_asked_until_it_holds() {
        let mut asked = 0;
        let answer = poll(Duration::from_secs(60), || {
            asked += 1;
            (asked == 3).then_some(asked)
        });
        assert_eq!(answer, Some(3));
    }

    #[test]
    fn a_condition_is_asked_at_least_once() {
        assert_eq!(poll(Duration::ZERO, || Some(1)), Some(1));
        assert_eq!(poll(Duration::ZERO, || None::<u8>), None);
    }

    #[test]
    fn the_tail_of_a_text_is_its_last_lines() {
        let text: String = (0..100).map(|line| format!("{line}\n")).collect();
        assert!(tail(&text).starts_with("60\n61\n"));
        assert!(tail(&text).ends_with("98\n99\n"));
        assert_eq!(tail("one"), "one\n");
    }
}
