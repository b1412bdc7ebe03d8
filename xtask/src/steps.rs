//! The steps of a long task, with the time that each took.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What was done so far.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
}

struct Row {
    name: String,
    outcome: Outcome,
}

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    NotRun(String),
}

impl Steps {
    /// Runs a step under a heading, and keeps its time.
    ///
    /// # Errors
    ///
    /// Those of the step, with its name.
    pub(crate) fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let result = step();
        let took = start.elapsed();
        let outcome = if result.is_ok() {
            Outcome::Passed(took)
        } else {
            Outcome::Failed(took)
        };
        self.rows.push(Row {
            name: name.to_owned(),
            outcome,
        });
        result.with_context(|| format!("step `{name}` failed"))
    }

    /// Notes a step that was not run, and why.
    pub(crate) fn not_run(&mut self, name: &str, why: &str) {
        eprintln!("\n== {name}: NOT RUN: {why}");
        self.rows.push(Row {
            name: name.to_owned(),
            outcome: Outcome::NotRun(why.to_owned()),
        });
    }

    /// The table of the steps.
    pub(crate) fn table(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|row| row.name.len())
            .max()
            .unwrap_or(0)
            .max(5);
        let mut total = Duration::ZERO;
        let mut table = String::new();
        for Row { name, outcome } in &self.rows {
            let (took, note) = match outcome {
                Outcome::Passed(took) => (*took, String::new()),
                Outcome::Failed(took) => (*took, "  FAILED".to_owned()),
                Outcome::NotRun(why) => (Duration::ZERO, format!("  NOT RUN: {why}")),
            };
            total += took;
            table += &format!("{name:width$}  {:>7.1} s{note}\n", took.as_secs_f64());
        }
        table += &format!("{:width$}  {:>7.1} s\n", "total", total.as_secs_f64());
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
        let lines: Vec<&str> = table.lines().collect();
        assert!(
            lines[0].starts_with("good") && lines[0].ends_with(" s"),
            "{table}"
        );
        assert!(
            lines[1].starts_with("bad") && lines[1].ends_with("FAILED"),
            "{table}"
        );
        assert!(lines[2].ends_with("NOT RUN: no program for it"), "{table}");
        assert!(lines[3].starts_with("total"), "{table}");
    }
}
