//! Rules for files: where they are, how long, and what none of them holds.

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
    "book.toml",
    "clippy.toml",
    "crates",
    "deny.toml",
    "deploy",
    "docs",
    "fuzz",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "xtask",
];

/// What no file holds, the ending of the files that are looked at, and why. Spelled so that this
/// file holds none of it.
const WORDS: &[(&str, &str, &str)] = &[
    (concat!("/ro", "ot/"), "", "a machine's path"),
    (concat!("/wo", "rk/"), "", "a machine's path"),
    (concat!("/ho", "me/"), "", "a machine's path"),
    (concat!("index.", "crates.io"), "", "a registry's host"),
    (concat!("static.", "crates.io"), "", "a registry's host"),
    (concat!("py", "pi.org"), "", "a registry's host"),
    (concat!("registry.", "npmjs.org"), "", "a registry's host"),
    (concat!("deb.", "debian.org"), "", "a registry's host"),
    (concat!("FIX", "ME"), ".rs", "do it, or file it"),
    (concat!("TO", "DO"), ".rs", "do it, or file it"),
    (concat!("#[ig", "nore"), ".rs", "a test that nobody runs"),
];

/// The files that may hold `unsafe`: a system call or a measured gain each, in a small module.
///
/// The lint `unsafe_code` holds all others to it; each block has its `// SAFETY:` line by clippy's
/// `undocumented_unsafe_blocks`.
const UNSAFE_FILES: &[&str] = &[
    "crates/opentracker-ctl/src/doctor/clock.rs",
    "crates/opentracker-datagrams/src/calls.rs",
    "crates/opentracker-datagrams/src/options.rs",
    "crates/opentracker-net/src/http/accept.rs",
    "crates/opentracker-store/src/prefetch.rs",
    "crates/opentracker-xdp/src/bpf.rs",
    "crates/opentracker-xdp/src/calls.rs",
    "crates/opentracker-xdp/src/memory.rs",
    "crates/opentracker/src/memory.rs",
];

/// The crates that may hold `unsafe`.
pub(crate) fn crates_with_unsafe_code() -> BTreeSet<&'static str> {
    let crates = UNSAFE_FILES.iter().map(|file| file.split('/').nth(1));
    crates.flatten().collect()
}

/// Where "no file over about 500 lines" ends.
const MAX_LINES: usize = 650;

/// The top level of the repository is what `docs/architecture.md` says.
pub(super) fn top_level(repository: &Repository) -> Vec<Finding> {
    let files = repository.files.keys();
    let found: BTreeSet<&str> = files.filter_map(|path| path.split('/').next()).collect();
    let known: BTreeSet<&str> = TOP_LEVEL.iter().copied().collect();
    let strange = found
        .difference(&known)
        .map(|name| Finding::new(name, 1, "not a name of the top level"));
    let missing = known.difference(&found);
    strange
        .chain(missing.map(|name| Finding::new(name, 1, "missing from the top level")))
        .collect()
}

/// No file knows the machine it was written on, and nothing is unfinished.
pub(super) fn words(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in &repository.files {
        for (word, _, why) in WORDS.iter().filter(|(_, ending, _)| file.ends_with(ending)) {
            for (number, line) in (1..).zip(text.lines()) {
                if holds(line, word) {
                    findings.push(Finding::new(file, number, format!("`{word}`: {why}")));
                }
            }
        }
    }
    findings
}

/// Says whether a line holds a word that is not the end of a longer one.
fn holds(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '}' | '*');
    line.match_indices(word)
        .any(|(start, _)| !line[..start].ends_with(is_part))
}

/// `unsafe` is confined to the files of a table.
pub(super) fn unsafe_code(repository: &Repository) -> Vec<Finding> {
    let sources = repository
        .ending(".rs")
        .filter(|(file, text)| !file.starts_with("xtask/") && text.contains("unsafe_code"))
        .map(|(file, _)| file);
    let found: BTreeSet<&str> = sources.collect();
    let known: BTreeSet<&str> = UNSAFE_FILES.iter().copied().collect();
    let strange = found.difference(&known);
    let gone = known.difference(&found);
    let table = "the table in xtask/src/tidy/text.rs";
    strange
        .map(|file| Finding::new(file, 1, format!("permits `unsafe`, but is not in {table}")))
        .chain(gone.map(|file| Finding::new(file, 1, format!("is in {table} without need"))))
        .collect()
}

/// No file is too long to read.
pub(super) fn length(repository: &Repository) -> Vec<Finding> {
    repository
        .ending(".rs")
        .filter(|(_, text)| text.lines().count() > MAX_LINES)
        .map(|(file, _)| Finding::new(file, MAX_LINES, format!("over {MAX_LINES} lines")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::faulty::places;

    #[test]
    fn the_top_level_is_exact() {
        let files: Vec<(&str, &str)> = TOP_LEVEL
            .iter()
            .filter(|name| **name != "README.md")
            .chain(&["notes.txt"])
            .map(|name| (*name, ""))
            .collect();
        let found = top_level(&Repository::of(&files));
        assert_eq!(places(&found), [("notes.txt", 1), ("README.md", 1)]);
    }

    #[test]
    fn words_are_found_where_they_do_not_belong() {
        let words: String = WORDS.iter().map(|(word, ..)| format!("{word}\n")).collect();
        let found = |file| words_in(file, &words);
        assert_eq!(found("a.rs"), WORDS.len());
        assert_eq!(found("a.md"), WORDS.len() - 3);
        assert_eq!(words_in("a.md", &format!("see a{}x\n", WORDS[0].0)), 0);
    }

    fn words_in(file: &str, text: &str) -> usize {
        words(&Repository::of(&[(file, text)])).len()
    }

    #[test]
    fn files_that_permit_unsafe_code_without_a_row_are_found_and_rows_without_a_file() {
        let (first, rest) = UNSAFE_FILES.split_first().unwrap();
        let permitted = "#![expect(\n    unsafe_code,\n    reason = \"…\"\n)]\n";
        let mut files: Vec<(&str, &str)> = rest.iter().map(|file| (*file, permitted)).collect();
        files.extend([(*first, "fn f() {}\n"), ("a.rs", permitted)]);
        let found = unsafe_code(&Repository::of(&files));
        assert_eq!(places(&found), [("a.rs", 1), (*first, 1)]);
    }

    #[test]
    fn a_long_file_is_found() {
        let (long, short) = ("\n".repeat(MAX_LINES + 1), "\n".repeat(MAX_LINES));
        let found = length(&Repository::of(&[("a.rs", &long), ("b.rs", &short)]));
        assert_eq!(places(&found), [("a.rs", MAX_LINES)]);
    }
}
