//! `cargo xtask tidy`: the rules of the workspace that no compiler knows.
//!
//! Each check is a function from the [`Repository`] to a list of [`Finding`]s. It looks at text
//! and at what cargo says alone, so that its tests can show it a repository with one fault in it.

pub(crate) mod docs;
mod floors;
mod manifests;
mod supply;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail};
use cargo_metadata::Metadata;
use xshell::cmd;

use crate::workspace::Workspace;

/// A check: its name and its function.
type Check = (&'static str, fn(&Repository) -> Vec<Finding>);

/// Every check.
const CHECKS: &[Check] = &[
    ("top level", text::top_level),
    ("words", text::words),
    ("unsafe code", text::unsafe_code),
    ("file length", text::length),
    ("floors", floors::floors),
    ("I/O line", floors::io_line),
    ("root manifest", manifests::root),
    ("member manifests", manifests::members),
    ("packages", manifests::packages),
    ("test targets", manifests::test_targets),
    ("bans", manifests::bans),
    ("licences", supply::licences),
    ("build scripts", supply::build_scripts),
    ("links", docs::links),
    ("contents", docs::contents),
    ("paths", docs::paths),
    ("named tests", docs::named_tests),
    ("blocks", docs::blocks),
    ("commands", docs::commands),
    ("changelog", docs::changelog),
    ("picture", docs::picture),
];

/// What the checks look at.
pub(crate) struct Repository {
    /// The text files by their path from the root.
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) metadata: Metadata,
    /// What is built for each crate below the I/O line, see [`tree`].
    trees: BTreeMap<&'static str, Vec<Built>>,
}

/// A crate of a tree, with the features that it is built with.
#[derive(Debug, PartialEq, Eq)]
struct Built {
    name: String,
    features: Vec<String>,
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
    /// Reads the files and asks cargo. A file that is not UTF-8 is listed as an empty one.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let mut files = BTreeMap::new();
        for file in workspace.files()? {
            let octets = workspace.sh.read_binary_file(&file)?;
            files.insert(file, String::from_utf8(octets).unwrap_or_default());
        }
        let metadata = workspace.metadata()?;
        let members = metadata.workspace_packages();
        let below = floors::below_the_line().filter(|name| members.iter().any(|m| m.name == *name));
        let trees: Result<_> = below
            .map(|name| Ok((name, tree(workspace, name)?)))
            .collect();
        Ok(Self {
            files,
            trees: trees?,
            metadata,
        })
    }

    /// The text of a file, empty when there is none.
    fn text(&self, file: &str) -> &str {
        self.files.get(file).map_or("", String::as_str)
    }

    /// The files whose name ends so, with their texts.
    fn ending<'a>(&'a self, suffix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(move |(file, _)| file.ends_with(suffix))
            .map(|(file, text)| (file.as_str(), text.as_str()))
    }

    /// The path of a member's manifest from the root.
    fn manifest<'a>(&self, member: &'a cargo_metadata::Package) -> &'a str {
        let path = &member.manifest_path;
        path.strip_prefix(&self.metadata.workspace_root)
            .unwrap_or(path)
            .as_str()
    }
}

/// Asks cargo what it builds for one crate alone, without its default features, its tests and the
/// macros that run in the compiler.
///
/// `cargo metadata` cannot say that: it unites the features that all members ask for.
fn tree(workspace: &Workspace, package: &str) -> Result<Vec<Built>> {
    let format = "{p}|{f}";
    let tree = cmd!(
        workspace.sh,
        "cargo tree --locked --package {package} --no-default-features
         --edges normal,build,no-proc-macro --prefix none --no-dedupe --format {format}"
    );
    let built = |line: &str| {
        let (package, features) = line.split_once('|')?;
        Some(Built {
            name: package.split(' ').next()?.to_owned(),
            features: features.split(',').map(str::to_owned).collect(),
        })
    };
    Ok(tree.quiet().read()?.lines().filter_map(built).collect())
}

/// Runs every check and prints the findings.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
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
    let files = repository.files.len();
    println!("tidy: {} checks on {files} files", CHECKS.len());
    Ok(())
}

/// The number of the first line that starts so, or 1.
fn line_of(text: &str, start: &str) -> usize {
    text.lines()
        .position(|line| line.starts_with(start))
        .map_or(1, |index| index + 1)
}

/// Repositories with a fault, for the tests of the checks.
#[cfg(test)]
mod faulty {
    use serde_json::{Value, json};

    use super::{Finding, Repository};

    impl Repository {
        /// A repository of text files, without a package.
        pub(super) fn of(files: &[(&str, &str)]) -> Self {
            Self::with_packages(files, &[])
        }

        /// A repository of packages that `package` has made.
        pub(super) fn with_packages(files: &[(&str, &str)], packages: &[Value]) -> Self {
            let ids: Vec<&Value> = packages.iter().map(|package| &package["id"]).collect();
            let nodes: Vec<&Value> = packages.iter().map(|package| &package["node"]).collect();
            let metadata = json!({
                "packages": packages,
                "workspace_members": ids,
                "resolve": { "nodes": nodes, "root": null },
                "workspace_root": "/repo",
                "target_directory": "/repo/target",
                "version": 1,
            });
            let owned = |(file, text): &(&str, &str)| ((*file).to_owned(), (*text).to_owned());
            Self {
                files: files.iter().map(owned).collect(),
                metadata: serde_json::from_value(metadata).unwrap(),
                trees: std::collections::BTreeMap::new(),
            }
        }
    }

    /// A package of `crates/` with dependencies of a kind (`null`, `"dev"` or `"build"`) each, and
    /// test targets that plain `cargo test` runs or not.
    pub(super) fn package(name: &str, uses: &[(&str, Value)], tests: &[(&str, bool)]) -> Value {
        let dependency = |(name, kind): &(&str, Value)| {
            json!({ "name": name, "kind": kind, "req": "*", "optional": false,
                    "uses_default_features": true, "features": [] })
        };
        let target = |(name, test): &(&str, bool)| json!({ "name": name, "kind": ["test"], "test": test, "src_path": "" });
        let used: Vec<&str> = uses.iter().map(|(name, _)| *name).collect();
        json!({
            "name": name,
            "id": name,
            "version": "0.1.0",
            "manifest_path": format!("/repo/crates/{name}/Cargo.toml"),
            "features": {},
            "dependencies": uses.iter().map(dependency).collect::<Vec<_>>(),
            "targets": tests.iter().map(target).collect::<Vec<_>>(),
            "node": { "id": name, "dependencies": used },
        })
    }

    /// Findings as (file, line).
    pub(super) fn places(findings: &[Finding]) -> Vec<(&str, usize)> {
        let findings = findings.iter();
        findings
            .map(|finding| (finding.file.as_str(), finding.line))
            .collect()
    }
}
