//! `cargo xtask tidy`: the rules of the house that no compiler knows.
//!
//! Each check is a function from the [`Repository`] to a list of [`Finding`]s. It looks at text
//! and at `cargo metadata` alone, so that its tests can show it a repository with one fault in it.

mod bans;
mod code;
pub(crate) mod docs;
mod floors;
mod layout;
mod manifests;
mod sources;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};

use crate::Args;
use crate::metadata::Metadata;
use crate::workspace::Workspace;

/// A check: its name and its function.
type Check = (&'static str, fn(&Repository) -> Vec<Finding>);

/// Every check, in the order of the house: layout, crates, code, prose.
const CHECKS: &[Check] = &[
    ("top level", layout::top_level),
    ("machine", layout::machine),
    ("whitespace", layout::whitespace),
    ("floors", floors::floors),
    ("I/O line", floors::io_line),
    ("test targets", floors::test_targets),
    ("root manifest", manifests::root),
    ("member manifests", manifests::members),
    ("bans", bans::bans),
    ("code", sources::forbidden),
    ("unsafe code", sources::unsafe_code),
    ("file length", sources::length),
    ("links", docs::links),
    ("commands", docs::commands),
    ("changelog", docs::changelog),
    ("picture", docs::picture),
];

/// What the checks look at.
#[derive(Default)]
pub(crate) struct Repository {
    /// The text files by their path from the root.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) metadata: Metadata,
}

/// A breach of a rule, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl Repository {
    /// Reads the files and the metadata. A file that is not UTF-8 is listed as an empty one.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or cargo fails.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let mut files = BTreeMap::new();
        for file in workspace.files()? {
            let octets = workspace.sh.read_binary_file(&file)?;
            files.insert(file, String::from_utf8(octets).unwrap_or_default());
        }
        Ok(Self {
            files,
            metadata: workspace.metadata()?,
        })
    }

    /// The text of a file, empty when there is none.
    fn text(&self, file: &str) -> &str {
        self.files.get(file).map_or("", String::as_str)
    }

    /// The files whose name ends so, with their texts.
    fn ending<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let files = self
            .files
            .iter()
            .filter(move |(file, _)| file.ends_with(suffix));
        files.map(|(file, text)| (file.as_str(), text.as_str()))
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
        Self {
            files: files.iter().map(owned).collect(),
            metadata: Metadata::default(),
        }
    }
}

/// Runs the task.
///
/// # Errors
///
/// There are findings.
pub(crate) fn run(workspace: &Workspace, args: Args) -> Result<()> {
    args.finish()?;
    check(workspace)
}

/// Runs every check and prints the findings.
///
/// # Errors
///
/// There are findings.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let repository = Repository::read(workspace)?;
    let mut count = 0;
    for (name, check) in CHECKS {
        for finding in check(&repository) {
            println!("{finding} [{name}]");
            count += 1;
        }
    }
    if count > 0 {
        bail!("tidy found {count} breaches of the rules");
    }
    println!(
        "tidy: {} checks on {} files",
        CHECKS.len(),
        repository.files.len()
    );
    Ok(())
}

/// The number of the first line that starts so, or 1.
fn line_of(text: &str, start: &str) -> usize {
    text.lines()
        .position(|line| line.starts_with(start))
        .map_or(1, |index| index + 1)
}

/// Findings as (file, line), for the tests of the checks.
#[cfg(test)]
fn places(findings: &[Finding]) -> Vec<(&str, usize)> {
    findings
        .iter()
        .map(|finding| (finding.file.as_str(), finding.line))
        .collect()
}
