//! Rules for the manifests, and for what they bring in.
//!
//! The manifests are read line by line, as they are written: one entry a line.

use std::collections::BTreeSet;

use cargo_metadata::Source;
use toml::{Table, Value};

use super::{Finding, Repository, line_of};

/// What every member inherits.
const INHERITED: [&str; 6] = [
    "version",
    "edition",
    "rust-version",
    "license",
    "authors",
    "publish",
];

/// Members for this repository alone, which nobody else takes.
const INTERNAL: [&str; 3] = [
    "crates/opentracker-lab/Cargo.toml",
    "fuzz/Cargo.toml",
    "xtask/Cargo.toml",
];

/// What every other member says of itself, and how each entry begins.
const OWN: [&str; 3] = ["readme = \"README.md\"", "keywords = [", "categories = ["];

/// Addresses that we do not have.
const INVENTED: [&str; 2] = ["repository", "homepage"];

/// How the documentation of a library begins, so that it and the README are one text.
const CRATE_DOC: &str = "#![doc = include_str!(\"../README.md\")]\n";

/// One list of lints, short enough to know.
const MAX_LINTS: usize = 30;

/// The root is virtual, its list of lints is short, each external dependency has a reason, and the
/// oldest compiler is the same everywhere.
pub(super) fn root(repository: &Repository) -> Vec<Finding> {
    let file = "Cargo.toml";
    let text = repository.text(file);
    let mut findings = Vec::new();
    let mut report = |line, message: &str| findings.push(Finding::new(file, line, message));
    if text.lines().any(|line| line == "[package]") {
        report(line_of(text, "[package]"), "the root is virtual");
    }
    let is_lint = |section: &str| section.starts_with("[workspace.lints.");
    let lints = entries(text).filter(|(section, ..)| is_lint(section));
    if lints.count() > MAX_LINTS {
        report(line_of(text, "[workspace.lints."), "too many lints");
    }
    for (section, line, entry) in entries(text) {
        let above = text.lines().nth(line.saturating_sub(2)).unwrap_or_default();
        let has_reason = above.starts_with("# ") && !above.starts_with("# ---");
        let is_external = section == "[workspace.dependencies]" && !entry.contains("path = ");
        if is_external && !has_reason {
            report(line, "no comment above it says what it is for");
        }
        let Some(version) = entry.strip_prefix("rust-version = ") else {
            continue;
        };
        let version = version.trim_matches('"');
        let image = repository.text("deploy/container/Containerfile");
        if !image.contains(&format!("FROM rust:{version}-")) {
            report(line, "deploy/container/Containerfile has another compiler");
        }
        let toolchain = repository.text("rust-toolchain.toml");
        if toolchain.contains("channel") && !toolchain.contains(&format!("\"{version}")) {
            report(line, "rust-toolchain.toml has another compiler");
        }
    }
    findings
}

/// A member inherits its fields, its lints and the versions of its dependencies.
pub(super) fn members(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in repository.ending("/Cargo.toml") {
        let mut report = |line, message: String| findings.push(Finding::new(file, line, message));
        for field in INHERITED {
            let line = format!("{field}.workspace = true");
            if !entries(text).any(|entry| entry.0 == "[package]" && entry.2 == line) {
                report(line_of(text, field), format!("no `{line}`"));
            }
        }
        if !text.contains("\ndescription = \"") {
            report(1, "no description".to_owned());
        }
        if !text.contains("\n[lints]\nworkspace = true\n") {
            let line = line_of(text, "[lints]");
            report(line, "the lints are not the workspace's".to_owned());
        }
        for (section, line, entry) in entries(text) {
            let (name, rest) = entry.split_once([' ', '.']).unwrap_or((entry, ""));
            if section.contains("dependencies") && !rest.contains("workspace = true") {
                report(
                    line,
                    format!("the version of `{name}` is not the workspace's"),
                );
            }
        }
    }
    findings
}

/// A member that others may take has a README, which begins its documentation, and says what it is;
/// no member has an address.
pub(super) fn packages(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in repository.ending("/Cargo.toml") {
        let mut report = |file: &str, line, message: String| {
            findings.push(Finding::new(file, line, message));
        };
        let package = || entries(text).filter(|(section, ..)| *section == "[package]");
        for (_, line, entry) in package() {
            if INVENTED.iter().any(|field| entry.starts_with(field)) {
                report(file, line, "an address that is not ours".to_owned());
            }
        }
        let is_member = file.starts_with("crates/") || file.starts_with("xtask/");
        if !is_member || INTERNAL.contains(&file) {
            continue;
        }
        for start in OWN {
            if !package().any(|(.., entry)| entry.starts_with(start)) {
                report(file, 1, format!("no `{start}`"));
            }
        }
        let folder = file.trim_end_matches("Cargo.toml");
        if repository.text(&format!("{folder}README.md")).is_empty() {
            report(file, 1, "no README.md beside it".to_owned());
        }
        let library = format!("{folder}src/lib.rs");
        let code = repository.text(&library);
        if !code.is_empty() && !code.starts_with(CRATE_DOC) {
            report(
                &library,
                1,
                format!("does not begin with `{}`", CRATE_DOC.trim_end()),
            );
        }
    }
    findings
}

/// The entries of a manifest: the heading above each, its line, and the first line of its text.
fn entries(text: &str) -> impl Iterator<Item = (&str, usize, &str)> {
    let mut section = "";
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        if line.starts_with('[') {
            section = line;
        }
        let is_entry = line.starts_with(|c: char| c.is_alphanumeric() || c == '"');
        is_entry.then_some((section, number, line))
    })
}

/// One integration binary per crate, `it`; the others are namespace tests.
pub(super) fn test_targets(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in repository.metadata.workspace_packages() {
        let mut tests = member.targets.iter().filter(|target| target.is_test());
        if let Some(target) = tests.find(|target| target.test && target.name != "it") {
            let message = format!(
                "`{}`: integration tests are modules of tests/it/main.rs; one that needs root has \
                 `test = false`",
                target.name
            );
            findings.push(Finding::new(repository.manifest(member), 1, message));
        }
    }
    findings
}

/// No crate of the tree is banned by `deny.toml`, but for its wrappers, and each is from the
/// default registry.
///
/// `cargo deny` says the same, and more of advisories and licences; where it is not installed, this
/// holds.
pub(super) fn bans(repository: &Repository) -> Vec<Finding> {
    let file = "deny.toml";
    let text = repository.text(file);
    let deny: Table = match text.parse() {
        Ok(deny) => deny,
        Err(error) => return vec![Finding::new(file, 1, error.to_string())],
    };
    let metadata = &repository.metadata;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        if !package.source.as_ref().is_none_or(Source::is_crates_io) {
            let message = format!("`{}` is not from the default registry", package.name);
            findings.push(Finding::new("Cargo.lock", 1, message));
        }
    }
    let mut arrows = BTreeSet::new();
    for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
        for used in &node.dependencies {
            arrows.insert((&*metadata[&node.id].name, &*metadata[used].name));
        }
    }
    let bans = deny
        .get("bans")
        .and_then(|bans| bans.get("deny")?.as_array());
    for ban in bans.into_iter().flatten() {
        let word = |key| ban.get(key).and_then(Value::as_str).unwrap_or_default();
        let wrappers = ban.get("wrappers").and_then(Value::as_array);
        for (user, used) in &arrows {
            let is_wrapper = |wrapper: &Value| wrapper.as_str() == Some(user);
            if *used == word("crate") && !wrappers.is_some_and(|all| all.iter().any(is_wrapper)) {
                let line = line_of(text, &format!("    {{ crate = \"{used}\""));
                let message = format!("`{used}` is banned for `{user}`: {}", word("reason"));
                findings.push(Finding::new(file, line, message));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tidy::faulty::{package, places};

    const MEMBER: &str = "\
[package]
name = \"a\"
description = \"A crate\"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
authors.workspace = true
publish.workspace = true

[dependencies]
nom.workspace = true

[lints]
workspace = true
";

    #[test]
    fn own_fields_versions_and_lints_are_found() {
        for (ours, theirs, line, word) in [
            ("edition.w", "edition = \"2021\"\nw", 5, "`edition"),
            ("license.workspace = true\n", "", 1, "`license"),
            ("\ndescription", "\nhomepage", 1, "description"),
            (
                "[lints]\nworkspace = true",
                "[lints]\nrust = {}",
                14,
                "lints",
            ),
            ("nom.workspace = true", "nom = \"8\"", 12, "`nom`"),
            (
                "[lints]",
                "[target.x.dependencies]\na = \"1\"\n[lints]",
                15,
                "`a`",
            ),
        ] {
            let text = MEMBER.replace(ours, theirs);
            let found = |text| members(&Repository::of(&[("crates/a/Cargo.toml", text)]));
            assert_eq!(found(MEMBER), []);
            let found = found(&text);
            assert_eq!(
                places(&found),
                [("crates/a/Cargo.toml", line)],
                "{text}\n{found:?}"
            );
            assert!(found[0].message.contains(word), "{found:?}");
        }
    }

    #[test]
    fn a_member_without_what_a_package_needs_is_found() {
        let manifest = "[package]\nname = \"a\"\nreadme = \"README.md\"\nkeywords = [\"a\"]\n\
                        categories = [\"a\"]\n";
        let found = |manifest: &str, readme: &str, code: &str| {
            let found = packages(&Repository::of(&[
                ("crates/a/Cargo.toml", manifest),
                ("crates/a/README.md", readme),
                ("crates/a/src/lib.rs", code),
                ("crates/opentracker-lab/Cargo.toml", "[package]\n"),
                ("xtask/Cargo.toml", "[package]\n"),
            ]));
            let found = found.iter().map(ToString::to_string);
            found.collect::<Vec<_>>()
        };
        let code = format!("{CRATE_DOC}mod a;\n");
        assert_eq!(found(manifest, "# a\n", &code), [""; 0]);
        assert_eq!(found(manifest, "# a\n", ""), [""; 0], "a program");
        for (line, start) in (3..).zip(OWN) {
            let text = manifest.replace(manifest.lines().nth(line - 1).unwrap(), "");
            let expected = format!("crates/a/Cargo.toml:1: no `{start}`");
            assert_eq!(found(&text, "# a\n", &code), [expected]);
        }
        for field in INVENTED {
            let text = format!("{manifest}{field} = \"https://tracker.example\"\n");
            let expected = "crates/a/Cargo.toml:6: an address that is not ours";
            assert_eq!(found(&text, "# a\n", &code), [expected]);
        }
        let expected = "crates/a/Cargo.toml:1: no README.md beside it";
        assert_eq!(found(manifest, "", &code), [expected]);
        let found = found(manifest, "# a\n", "//! A crate.\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/a/src/lib.rs:1: "), "{found:?}");
    }

    #[test]
    fn an_external_dependency_needs_its_own_reason() {
        let text = "[workspace.dependencies]\n# --- ours ---\na = { path = \"a\" }\n# Parses.\n\
                    nom = \"8\"\nserde = \"1\"\n# --- others ---\ntoml = \"1\"\n";
        let found = root(&Repository::of(&[("Cargo.toml", text)]));
        assert_eq!(places(&found), [("Cargo.toml", 6), ("Cargo.toml", 8)]);
    }

    #[test]
    fn a_package_in_the_root_too_many_lints_and_other_compilers_are_found() {
        let lints: String = (0..31).map(|n| format!("lint{n} = \"warn\"\n")).collect();
        let package = "[workspace.package]\nrust-version = \"1.95\"\n[package]\nname = \"a\"\n";
        let text = format!("{package}[workspace.lints.rust]\n{lints}");
        let found = |image: &str, channel: &str| {
            let files = [
                ("Cargo.toml", text.as_str()),
                ("deploy/container/Containerfile", image),
                ("rust-toolchain.toml", channel),
            ];
            let found = root(&Repository::of(&files));
            found.iter().map(|finding| finding.line).collect::<Vec<_>>()
        };
        assert_eq!(
            found("FROM rust:1.95-bookworm", "channel = \"1.95.0\""),
            [3, 5]
        );
        assert_eq!(
            found("FROM rust:1.94-bookworm", "channel = \"1.96\""),
            [3, 5, 2, 2]
        );
    }

    #[test]
    fn a_second_integration_binary_is_found() {
        let tests = [("it", true), ("netns", false), ("more", true)];
        let found = test_targets(&Repository::with_packages(
            &[],
            &[package("a", &[], &tests)],
        ));
        assert_eq!(places(&found), [("crates/a/Cargo.toml", 1)]);
        assert!(found[0].message.starts_with("`more`"), "{found:?}");
    }

    #[test]
    fn banned_crates_and_strange_sources_are_found() {
        let deny = "[bans]\ndeny = [\n    { crate = \"openssl\", reason = \"C\" },\n    \
                    { crate = \"nom\", wrappers = [\"wire\"], reason = \"private\" },\n]\n";
        let uses = |names: &[&'static str]| -> Vec<_> {
            names
                .iter()
                .map(|name| (*name, serde_json::Value::Null))
                .collect()
        };
        let mut packages = [
            package("wire", &uses(&["nom"]), &[]),
            package("core", &uses(&["nom", "openssl"]), &[]),
            package("nom", &[], &[]),
            package("openssl", &[], &[]),
        ];
        packages[2]["source"] = json!("registry+https://mirror.example/");
        let found = bans(&Repository::with_packages(
            &[("deny.toml", deny)],
            &packages,
        ));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "Cargo.lock:1: `nom` is not from the default registry",
                "deny.toml:3: `openssl` is banned for `core`: C",
                "deny.toml:4: `nom` is banned for `core`: private",
            ]
        );
        assert_eq!(bans(&Repository::of(&[("deny.toml", "bans = [")])).len(), 1);
    }
}
