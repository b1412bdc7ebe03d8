//! Rules for all files: where they are, and what no file holds.

use std::collections::BTreeSet;

use super::{Finding, Repository};

/// The top level, exactly.
const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "deploy",
    "docs",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "xtask",
];

/// Allowed at the top level, but not required.
const OPTIONAL: &[&str] = &["fuzz"];

/// Beginnings of paths that exist on one machine only, spelled so that this file holds none.
const MACHINE_PATHS: [&str; 3] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
];

/// Hosts of package registries: what is installed from where is the machine's own setting.
const REGISTRIES: [&str; 6] = [
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("crates.io", "-index"),
    concat!("py", "pi.org"),
    concat!("registry.", "npmjs.org"),
    concat!("deb.", "debian.org"),
];

/// Cargo's own name for its default registry, which it writes into every `Cargo.lock`.
const LOCK_SOURCE: &str = concat!(
    "source = \"registry+https://github.com/rust-lang/crates.io",
    "-index\""
);

/// Suffixes of the files that are written by hand.
const WRITTEN: [&str; 8] = [
    ".rs",
    ".toml",
    ".md",
    ".service",
    ".ci/run",
    "Containerfile",
    ".gitignore",
    ".conf",
];

/// The top level of the repository is what `docs/architecture.md` says.
pub(super) fn top_level(repository: &Repository) -> Vec<Finding> {
    let first = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let found: BTreeSet<String> = repository.files.keys().map(first).collect();
    let mut findings = Vec::new();
    for name in &found {
        if !TOP_LEVEL.contains(&name.as_str()) && !OPTIONAL.contains(&name.as_str()) {
            findings.push(Finding::new(name, 1, "not a name of the top level"));
        }
    }
    for name in TOP_LEVEL.iter().filter(|name| !found.contains(**name)) {
        findings.push(Finding::new(name, 1, "missing from the top level"));
    }
    findings
}

/// No file knows the machine it was written on.
pub(super) fn machine(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in &repository.files {
        for (number, line) in (1..).zip(text.lines()) {
            for path in MACHINE_PATHS
                .into_iter()
                .filter(|path| holds_path(line, path))
            {
                findings.push(Finding::new(
                    file,
                    number,
                    format!("a machine's path: {path}"),
                ));
            }
            let is_lock = file.ends_with("Cargo.lock");
            if is_lock && line.starts_with("source = ") && line != LOCK_SOURCE {
                findings.push(Finding::new(file, number, "not from the default registry"));
            }
            for host in REGISTRIES
                .into_iter()
                .filter(|host| !is_lock && line.contains(host))
            {
                findings.push(Finding::new(
                    file,
                    number,
                    format!("a registry's host: {host}"),
                ));
            }
        }
    }
    findings
}

/// Written files have neither tabs nor trailing space, and end with one line feed.
pub(super) fn whitespace(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in &repository.files {
        if !WRITTEN.iter().any(|suffix| file.ends_with(suffix)) {
            continue;
        }
        for (number, line) in (1..).zip(text.split('\n')) {
            if line.contains('\t') {
                findings.push(Finding::new(file, number, "a tab"));
            }
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new(file, number, "space at the end of the line"));
            }
        }
        let last = text.lines().count();
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            findings.push(Finding::new(
                file,
                last,
                "does not end with exactly one line feed",
            ));
        }
    }
    findings
}

/// Says whether a line holds an absolute path that begins so, not a part of a longer one.
fn holds_path(line: &str, path: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '}' | '*');
    line.match_indices(path)
        .any(|(start, _)| !line[..start].ends_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn the_top_level_is_exact() {
        let files: Vec<(&str, &str)> = TOP_LEVEL
            .iter()
            .filter(|name| **name != "LICENSE-MIT")
            .chain(&["fuzz", "notes.txt"])
            .map(|name| (*name, ""))
            .collect();
        let found = top_level(&Repository::of(&files));
        assert_eq!(places(&found), [("notes.txt", 1), ("LICENSE-MIT", 1)]);
    }

    #[test]
    fn paths_of_a_machine_and_hosts_of_registries_are_found() {
        let text = format!(
            "see {0}x\nsee a{0}x\n{1}\n",
            MACHINE_PATHS[0], REGISTRIES[3]
        );
        let found = machine(&Repository::of(&[("a.md", &text)]));
        assert_eq!(places(&found), [("a.md", 1), ("a.md", 3)], "{found:?}");
    }

    #[test]
    fn the_lock_file_names_the_default_registry_alone() {
        let text = format!("{LOCK_SOURCE}\nsource = \"registry+https://mirror.example/\"\n");
        let found = machine(&Repository::of(&[("Cargo.lock", &text)]));
        assert_eq!(places(&found), [("Cargo.lock", 2)], "{found:?}");
    }

    #[test]
    fn bad_whitespace_is_found() {
        let files = [
            ("a.rs", "a \n\tb\n"),
            ("b.md", "no line feed"),
            ("c.md", "two\n\n"),
            ("d.json", "\t \n"),
        ];
        let found = whitespace(&Repository::of(&files));
        assert_eq!(
            places(&found),
            [("a.rs", 1), ("a.rs", 2), ("b.md", 1), ("c.md", 2)]
        );
    }
}
