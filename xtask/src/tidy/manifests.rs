//! Rules for the manifests.

use toml::{Table, Value};

use super::{Finding, Repository, line_of};

/// What a member writes itself; everything else of `[package]` is inherited.
const OWN_FIELDS: [&str; 2] = ["name", "description"];

/// What a member that is of use by itself may write, too.
const PRODUCT_FIELDS: [&str; 4] = ["readme", "keywords", "categories", "metadata"];

/// What every member inherits.
const INHERITED: [&str; 6] = [
    "version",
    "edition",
    "rust-version",
    "license",
    "authors",
    "publish",
];

/// One list of lints, short enough to know.
const MAX_LINTS: usize = 30;

/// The root is virtual, its list of lints is short, and each external dependency has a reason.
pub(super) fn root(repository: &Repository) -> Vec<Finding> {
    let file = "Cargo.toml";
    let text = repository.text(file);
    let manifest = match parse(file, text) {
        Ok(manifest) => manifest,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    if manifest.contains_key("package") {
        findings.push(Finding::new(
            file,
            line_of(text, "[package]"),
            "the root is virtual",
        ));
    }
    let lints: usize = table(&manifest, &["workspace", "lints"])
        .map(|tools| {
            tools
                .values()
                .filter_map(Value::as_table)
                .map(Table::len)
                .sum()
        })
        .unwrap_or_default();
    if lints > MAX_LINTS {
        let message = format!("{lints} lints, {MAX_LINTS} at most");
        findings.push(Finding::new(
            file,
            line_of(text, "[workspace.lints"),
            message,
        ));
    }
    let empty = Table::new();
    let dependencies = table(&manifest, &["workspace", "dependencies"]).unwrap_or(&empty);
    for (name, dependency) in dependencies {
        let is_ours = dependency.get("path").is_some();
        let line = line_of(text, &format!("{name} = "));
        if !is_ours && !has_reason(text, line) {
            let message = format!("`{name}` has no comment above it that says what it is for");
            findings.push(Finding::new(file, line, message));
        }
        if dependency.get("git").is_some() {
            findings.push(Finding::new(
                file,
                line,
                format!("`{name}` is not from a registry"),
            ));
        }
    }
    findings
}

/// A member inherits its fields, its lints and the versions of its dependencies.
pub(super) fn members(repository: &Repository) -> Vec<Finding> {
    let members = repository.ending("/Cargo.toml");
    members
        .filter(|(file, _)| file.starts_with("crates/") || file.starts_with("xtask/"))
        .flat_map(|(file, text)| member(file, text))
        .collect()
}

fn member(file: &str, text: &str) -> Vec<Finding> {
    let manifest = match parse(file, text) {
        Ok(manifest) => manifest,
        Err(finding) => return vec![finding],
    };
    let mut findings = Vec::new();
    let mut report = |start: &str, message: String| {
        findings.push(Finding::new(file, line_of(text, start), message));
    };
    let empty = Table::new();
    let package = table(&manifest, &["package"]).unwrap_or(&empty);
    for field in INHERITED {
        if !package.get(field).is_some_and(inherits) {
            report(
                field,
                format!("`{field}` is not inherited from the workspace"),
            );
        }
    }
    for field in OWN_FIELDS
        .into_iter()
        .filter(|field| !package.contains_key(*field))
    {
        report("[package]", format!("no `{field}`"));
    }
    for field in package.keys().map(String::as_str) {
        let lists: [&[&str]; 3] = [&INHERITED, &OWN_FIELDS, &PRODUCT_FIELDS];
        if !lists.iter().any(|fields| fields.contains(&field)) {
            report(field, format!("`{field}` is not a field of ours"));
        }
    }
    if !manifest.get("lints").is_some_and(inherits) {
        report(
            "[lints]",
            "the lints are not inherited from the workspace".to_owned(),
        );
    }
    let targets = table(&manifest, &["target"]).unwrap_or(&empty);
    let tables = targets
        .values()
        .filter_map(Value::as_table)
        .chain([&manifest]);
    for (name, dependency) in tables.flat_map(dependencies) {
        let has_own_version = ["version", "path", "git"].map(|key| dependency.get(key));
        if !inherits(dependency) || has_own_version.iter().any(Option::is_some) {
            report(
                name,
                format!("the version of `{name}` is not the workspace's"),
            );
        }
    }
    findings
}

fn dependencies(manifest: &Table) -> impl Iterator<Item = (&String, &Value)> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|kind| manifest.get(kind)?.as_table())
        .flatten()
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

fn has_reason(text: &str, line: usize) -> bool {
    let above = text.lines().nth(line.saturating_sub(2)).unwrap_or_default();
    above
        .strip_prefix("# ")
        .is_some_and(|reason| !reason.starts_with("---"))
}

fn table<'a>(manifest: &'a Table, path: &[&str]) -> Option<&'a Table> {
    path.iter()
        .try_fold(manifest, |table, key| table.get(*key)?.as_table())
}

fn parse(file: &str, text: &str) -> Result<Table, Finding> {
    text.parse()
        .map_err(|error: toml::de::Error| Finding::new(file, 1, error.message()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

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

    fn found(text: &str) -> Vec<(String, usize)> {
        let repository = Repository::of(&[("crates/a/Cargo.toml", text)]);
        let findings = members(&repository);
        findings
            .iter()
            .map(|finding| (finding.message.clone(), finding.line))
            .collect()
    }

    #[test]
    fn a_member_that_inherits_all_is_in_order() {
        assert_eq!(found(MEMBER), []);
    }

    #[test]
    fn own_fields_versions_and_lints_are_found() {
        for (ours, theirs, line, word) in [
            (
                "edition.workspace = true",
                "edition = \"2021\"",
                5,
                "`edition`",
            ),
            ("license.workspace = true\n", "", 1, "`license`"),
            (
                "name = \"a\"",
                "name = \"a\"\nreadme = \"README.md\"\nhomepage = \"\"",
                4,
                "`homepage`",
            ),
            ("description = \"A crate\"\n", "", 1, "`description`"),
            (
                "[lints]\nworkspace = true",
                "[lints]\nrust = {}",
                14,
                "lints",
            ),
            ("nom.workspace = true", "nom = \"8\"", 12, "`nom`"),
            (
                "nom.workspace = true",
                "nom = { workspace = true, path = \"b\" }",
                12,
                "`nom`",
            ),
            (
                "[lints]",
                "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n[lints]",
                15,
                "`libc`",
            ),
        ] {
            let text = MEMBER.replace(ours, theirs);
            let found = found(&text);
            assert_eq!(found.len(), 1, "{text}\n{found:?}");
            assert!(found[0].0.contains(word), "{found:?}");
            assert_eq!(found[0].1, line, "{text}\n{found:?}");
        }
    }

    #[test]
    fn an_external_dependency_needs_its_own_reason() {
        let text = "[workspace.dependencies]\n# --- ours ---\na = { path = \"a\" }\n# Parses.\n\
                    nom = \"8\"\nserde = \"1\"\n# Fetches.\nb = { git = \"https://b.example\" }\n\
                    # --- others ---\ntoml = \"1\"\n";
        let found = root(&Repository::of(&[("Cargo.toml", text)]));
        let mut places = places(&found);
        places.sort_unstable();
        assert_eq!(
            places,
            [("Cargo.toml", 6), ("Cargo.toml", 8), ("Cargo.toml", 10)]
        );
    }

    #[test]
    fn a_package_in_the_root_and_too_many_lints_are_found() {
        let lints: String = (0..31)
            .map(|number| format!("lint{number} = \"warn\"\n"))
            .collect();
        let text = format!("[package]\nname = \"a\"\n[workspace.lints.rust]\n{lints}");
        let found = root(&Repository::of(&[("Cargo.toml", &text)]));
        assert_eq!(places(&found), [("Cargo.toml", 1), ("Cargo.toml", 3)]);
    }
}
