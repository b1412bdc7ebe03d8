//! Tasks of the workspace: `cargo xtask help` lists them.
//!
//! Everything that a developer, CI or a packager runs more than once lives here, so that there is
//! one way to do it and it is Rust. What xtask deliberately does not do: it holds no logic of the
//! tracker and links none of its crates. It runs programs (`cargo`, `tar`, …) and reads files.
//!
//! A task is a row of [`TASKS`] and a function that takes the workspace and its own arguments:
//! to add one, write a module and add the row.

mod bench;
mod chart;
mod ci;
mod dist;
mod guard;
mod markdown;
mod metadata;
mod plot;
mod programs;
mod steps;
mod system;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};
use workspace::Workspace;

/// One subcommand of `cargo xtask`.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// The arguments it takes; tidy holds the commands in the documentation against it.
    pub(crate) usage: &'static str,
    pub(crate) summary: &'static str,
    run: fn(&Workspace, Args) -> Result<()>,
}

/// Every subcommand, in the order of `cargo xtask help`.
pub(crate) const TASKS: &[Task] = &[
    Task {
        name: "test",
        usage: "[--unprivileged]",
        summary: "all tests; as root also those in network namespaces, with real clients",
        run: test::run,
    },
    Task {
        name: "ci",
        usage: "[--static] [--unprivileged]",
        summary: "format, lints, tidy, docs, examples, bans, then `test` (not with --static)",
        run: ci::run,
    },
    Task {
        name: "tidy",
        usage: "",
        summary: "the rules of the house that no compiler knows",
        run: tidy::run,
    },
    Task {
        name: "bench",
        usage: "peers|udp|http|memory|store [--quick] | guard [--update] | plot [--check]",
        summary: "tables: the tracker beside others under the same load, its latency and scaling, or the store alone; instructions, against docs/benchmarks.md; the picture of its tables",
        run: bench::run,
    },
    Task {
        name: "dist",
        usage: "",
        summary: "the release archive and its checksum, in dist/",
        run: dist::run,
    },
];

/// The arguments of a task, taken one by one.
pub(crate) struct Args {
    rest: Vec<String>,
}

impl Args {
    /// Takes a flag; says whether it was given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let before = self.rest.len();
        self.rest.retain(|argument| argument != name);
        self.rest.len() < before
    }

    /// Takes the first argument that is not a flag.
    pub(crate) fn word(&mut self) -> Option<String> {
        let place = self.rest.iter().position(|word| !word.starts_with('-'))?;
        Some(self.rest.remove(place))
    }

    /// Ends the parsing.
    ///
    /// # Errors
    ///
    /// An argument is left over.
    pub(crate) fn finish(self) -> Result<()> {
        match self.rest.first() {
            None => Ok(()),
            Some(argument) => bail!("unknown argument `{argument}`; see `cargo xtask help`"),
        }
    }
}

#[cfg(test)]
impl Args {
    pub(crate) fn of(words: &[&str]) -> Self {
        Self {
            rest: words.iter().map(|&word| word.to_owned()).collect(),
        }
    }
}

fn main() -> ExitCode {
    match dispatch(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut arguments: Vec<String>) -> Result<()> {
    if arguments.is_empty() || matches!(arguments[0].as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return Ok(());
    }
    let name = arguments.remove(0);
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        bail!("no task `{name}`; see `cargo xtask help`");
    };
    (task.run)(&Workspace::open()?, Args { rest: arguments })
}

fn help() -> String {
    let usage = |task: &Task| {
        format!("{} {}", task.name, task.usage)
            .trim_end()
            .to_owned()
    };
    let width = TASKS
        .iter()
        .map(|task| usage(task).len())
        .max()
        .unwrap_or(0);
    let mut text = String::from("cargo xtask <task>\n\n");
    for task in TASKS {
        text += &format!("  {:width$}  {}\n", usage(task), task.summary);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_taken_once_and_leftovers_are_refused() {
        let mut args = Args::of(&["--static", "udp", "--no-such"]);
        assert_eq!(args.word().as_deref(), Some("udp"));
        assert_eq!(args.word(), None);
        assert!(args.flag("--static"));
        assert!(!args.flag("--static"));
        let error = args.finish().unwrap_err();
        assert!(error.to_string().contains("--no-such"), "{error}");
    }

    #[test]
    fn an_unknown_task_is_refused() {
        assert!(dispatch(vec!["no-such-task".to_owned()]).is_err());
    }
}
