//! The steps of a long task, with the time that each took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What was done so far.
#[derive(Default)]
pub(crate) struct Steps {
    /// Name, time and what is to be said of it.
    rows: Vec<(String, Duration, String)>,
}

impl Steps {
    /// Runs a step under a heading, and keeps its time.
    pub(crate) fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = step();
        let note = if result.is_ok() { "" } else { "  FAILED" };
        self.rows
            .push((name.to_owned(), start.elapsed(), note.to_owned()));
        result.with_context(|| format!("step `{name}` failed"))
    }

    /// Notes a step that was not run, and why.
    pub(crate) fn not_run(&mut self, name: &str, why: &str) {
        let note = format!("  NOT RUN: {why}");
        eprintln!("\n== {name}:{note}");
        self.rows.push((name.to_owned(), Duration::ZERO, note));
    }

    /// The table of the steps.
    pub(crate) fn table(&self) -> String {
        let total: Duration = self.rows.iter().map(|(_, took, _)| *took).sum();
        let mut table = String::new();
        for (name, took, note) in
            self.rows
                .iter()
                .chain([&("total".to_owned(), total, String::new())])
        {
            table += &format!("{:>7.1} s  {name}{note}\n", took.as_secs_f64());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn the_table_shows_what_passed_failed_and_was_not_run() {
        let mut steps = Steps::default();
        assert_eq!(steps.run("good", || Ok(7)).unwrap(), 7);
        let error = steps
            .run("bad", || -> Result<()> { bail!("broken") })
            .unwrap_err();
        assert_eq!(format!("{error:#}"), "step `bad` failed: broken");
        steps.not_run("absent", "no program for it");
        let table = steps.table();
        let said: Vec<&str> = table
            .lines()
            .filter_map(|line| line.split_once(" s  "))
            .map(|(_, said)| said)
            .collect();
        let absent = "absent  NOT RUN: no program for it";
        assert_eq!(said, ["good", "bad  FAILED", absent, "total"]);
    }
}
