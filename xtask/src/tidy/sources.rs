//! Rules for Rust sources.

use super::{Finding, Repository, code};

/// The files that may hold `unsafe`: a system call or a measured gain each, in a small module.
///
/// That each block has its `// SAFETY:` line is left to clippy's `undocumented_unsafe_blocks`.
const UNSAFE_FILES: &[&str] = &[
    "crates/opentracker-datagrams/src/calls.rs",
    "crates/opentracker-datagrams/src/options.rs",
    "crates/opentracker-http/src/sys.rs",
    "crates/opentracker-loadgen/src/sys/datagrams.rs",
    "crates/opentracker-loadgen/src/sys/mod.rs",
    "crates/opentracker-loadgen/src/sys/poller.rs",
    "crates/opentracker-store/src/prefetch.rs",
    "crates/opentracker-udp/src/sys.rs",
];

/// "No file over about 800 lines."
const MAX_LINES: usize = 800;

/// Marks of unfinished work, spelled so that this file does not hold them.
const UNFINISHED: [&str; 2] = [concat!("FIX", "ME"), concat!("TO", "DO")];

/// No suppression without a reason, no test that is silently left out, nothing unfinished.
pub(super) fn forbidden(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in repository.ending(".rs") {
        for (number, line) in (1..).zip(code::only(text).lines()) {
            let mut report = |message: &str| findings.push(Finding::new(file, number, message));
            let is_attribute = line.contains("#[") || line.contains("#![");
            if is_attribute && (line.contains("[allow(") || line.contains(" allow(")) {
                report("`allow`: suppress a lint with `#[expect(lint, reason = \"…\")]`");
            }
            if line.contains("#[ignore") {
                report("an ignored test is a test that nobody runs");
            }
            for name in ["todo", "unimplemented"] {
                if code::has_word(line, name) && line.contains(&format!("{name}!")) {
                    report("unfinished code");
                }
            }
        }
        for (number, line) in (1..).zip(text.lines()) {
            for mark in UNFINISHED
                .into_iter()
                .filter(|mark| code::has_word(line, mark))
            {
                findings.push(Finding::new(
                    file,
                    number,
                    format!("`{mark}`: do it or file it"),
                ));
            }
        }
    }
    findings
}

/// `unsafe` is confined to the files of a table.
pub(super) fn unsafe_code(repository: &Repository) -> Vec<Finding> {
    confined(repository, UNSAFE_FILES)
}

/// No file is too long to read.
pub(super) fn length(repository: &Repository) -> Vec<Finding> {
    let too_long = |text: &str| text.lines().count() > MAX_LINES;
    repository
        .ending(".rs")
        .filter(|(_, text)| too_long(text))
        .map(|(file, _)| Finding::new(file, MAX_LINES, format!("over {MAX_LINES} lines")))
        .collect()
}

fn confined(repository: &Repository, allowed: &[&str]) -> Vec<Finding> {
    let first_unsafe = |text: &str| {
        let code = code::only(text);
        code.lines()
            .position(|line| code::has_word(line, "unsafe"))
            .map(|index| index + 1)
    };
    let mut findings = Vec::new();
    for (file, text) in repository.ending(".rs") {
        match (first_unsafe(text), allowed.contains(&file)) {
            (Some(line), false) => {
                let message = "`unsafe` outside the table in xtask/src/tidy/sources.rs";
                findings.push(Finding::new(file, line, message));
            }
            (None, true) => {
                findings.push(Finding::new(
                    file,
                    1,
                    "in the table of `unsafe` without need",
                ));
            }
            _ => {}
        }
    }
    let gone = allowed
        .iter()
        .filter(|file| !repository.files.contains_key(**file));
    findings.extend(gone.map(|file| Finding::new(file, 1, "in the table of `unsafe`, but gone")));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn suppressions_ignored_tests_and_unfinished_code_are_found() {
        let source = "#[allow(dead_code)]\n#![allow(x)]\n#[cfg_attr(a, allow(b))]\n#[ignore]\n\
                      fn f() { todo!() }\nself.allow(hash); // #[allow(x)]\n";
        let source = format!("{source}// {}: later\n", concat!("FIX", "ME"));
        let found = forbidden(&Repository::of(&[("a.rs", &source), ("a.md", &source)]));
        let lines = [1, 2, 3, 4, 5, 7].map(|line| ("a.rs", line));
        assert_eq!(places(&found), lines, "{found:?}");
    }

    #[test]
    fn unsafe_is_confined_to_its_table() {
        let repository = Repository::of(&[
            ("a.rs", "// unsafe\nfn f() { unsafe { g() } }\n"),
            ("b.rs", "fn f() { unsafe { g() } }\n"),
            ("c.rs", "#![deny(unsafe_code)]\n"),
        ]);
        let found = confined(&repository, &["b.rs", "c.rs", "d.rs"]);
        assert_eq!(
            places(&found),
            [("a.rs", 2), ("c.rs", 1), ("d.rs", 1)],
            "{found:?}"
        );
    }

    #[test]
    fn a_long_file_is_found() {
        let (long, short) = ("\n".repeat(801), "\n".repeat(800));
        let found = length(&Repository::of(&[("a.rs", &long), ("b.rs", &short)]));
        assert_eq!(places(&found), [("a.rs", 800)]);
    }
}
