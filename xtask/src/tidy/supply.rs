//! Rules for the crates of others, which `deny.toml` has: under which licences they are, and which of
//! them run a program when they are built.
//!
//! `cargo deny` holds the same, and looks for advisories as well; where it is not installed, this
//! holds.

use cargo_metadata::Package;
use toml::{Table, Value};

use super::{Finding, Repository};

const FILE: &str = "deny.toml";

/// Every crate may be taken under licences of the list.
pub(super) fn licences(repository: &Repository) -> Vec<Finding> {
    let allowed = words(repository, &["licenses", "allow"]);
    let of_others = repository.metadata.packages.iter();
    let fault = |package: &Package| {
        // The bar is how `OR` was written once.
        let licence = package
            .license
            .as_deref()
            .unwrap_or_default()
            .replace('/', " OR ");
        let message = format!("`{}` is under `{licence}`", package.name);
        (!is_allowed(&licence, &allowed)).then(|| Finding::new(FILE, 1, message))
    };
    of_others
        .filter(|package| package.source.is_some())
        .filter_map(fault)
        .collect()
}

/// A crate with a build script is known, and a known one has one.
pub(super) fn build_scripts(repository: &Repository) -> Vec<Finding> {
    let allowed = words(repository, &["bans", "build", "allow-build-scripts"]);
    let packages = repository.metadata.packages.iter();
    let mut with_one: Vec<&str> = packages
        .filter(|package| {
            package
                .targets
                .iter()
                .any(cargo_metadata::Target::is_custom_build)
        })
        .map(|package| package.name.as_str())
        .collect();
    with_one.sort_unstable();
    with_one.dedup();
    let is_known = |name: &&&str| allowed.iter().any(|known| known == **name);
    let unknown = with_one.iter().filter(|name| !is_known(name));
    let unknown =
        unknown.map(|name| format!("`{name}` has a build script, and is not allowed one"));
    let gone = allowed
        .iter()
        .filter(|name| !with_one.contains(&name.as_str()));
    let gone = gone.map(|name| format!("`{name}` has no build script"));
    unknown
        .chain(gone)
        .map(|message| Finding::new(FILE, 1, message))
        .collect()
}

/// The words of a list of `deny.toml`; what is wrong with the file is found with the bans.
fn words(repository: &Repository, path: &[&str]) -> Vec<String> {
    let table = repository.text(FILE).parse::<Table>().unwrap_or_default();
    let start = Value::Table(table);
    let list = path.iter().try_fold(&start, |value, key| value.get(key));
    let words = list.and_then(Value::as_array).into_iter().flatten();
    words
        .filter_map(|word| Some(word.as_str()?.to_owned()))
        .collect()
}

/// Says whether the licences of an expression will do: one of those that `OR` joins, and all of
/// those that `AND` joins.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let any = split(expression, " OR ");
    if any.len() > 1 {
        return any.iter().any(|part| is_allowed(part, allowed));
    }
    let all = split(expression, " AND ");
    if all.len() > 1 {
        return all.iter().all(|part| is_allowed(part, allowed));
    }
    let inner = expression
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    inner.map_or_else(
        || allowed.iter().any(|licence| licence == expression),
        |inner| is_allowed(inner, allowed),
    )
}

/// Splits an expression where a word stands outside of parentheses.
fn split<'a>(expression: &'a str, word: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in expression.match_indices(word) {
        let before = &expression[start..at];
        if before.matches('(').count() == before.matches(')').count() {
            parts.push(before);
            start = at + word.len();
        }
    }
    parts.push(&expression[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tidy::faulty::package;

    const DENY: &str = "[licenses]\nallow = [\"MIT\", \"Zlib\"]\n\
                        [bans.build]\nallow-build-scripts = [\"libc\", \"old\"]\n";

    #[test]
    fn expressions_of_licences_are_understood() {
        let allowed = ["MIT", "Zlib"].map(str::to_owned);
        for (expression, is_good) in [
            ("MIT", true),
            ("GPL-3.0-only OR MIT", true),
            ("Apache-2.0 WITH LLVM-exception OR MIT", true),
            ("(GPL-3.0-only OR MIT) AND Zlib", true),
            ("GPL-3.0-only OR (MIT AND Zlib)", true),
            ("MIT AND GPL-3.0-only", false),
            ("(MIT OR Zlib) AND GPL-3.0-only", false),
            ("MIT OR-LATER", false),
            ("", false),
        ] {
            assert_eq!(is_allowed(expression, &allowed), is_good, "{expression}");
        }
    }

    #[test]
    fn other_licences_and_build_scripts_are_found() {
        let mut packages = ["libc", "odd", "ours"].map(|name| package(name, &[], &[]));
        let source = json!("registry+https://github.com/rust-lang/crates.io-index");
        let script = json!([{ "name": "build", "kind": ["custom-build"], "src_path": "" }]);
        for (package, licence) in packages.iter_mut().zip(["MIT/Zlib", "GPL-3.0-only"]) {
            package["source"] = source.clone();
            package["license"] = licence.into();
            package["targets"] = script.clone();
        }
        let repository = Repository::with_packages(&[(FILE, DENY)], &packages);
        let said = |findings: Vec<Finding>| -> Vec<String> {
            findings
                .iter()
                .map(|finding| finding.message.clone())
                .collect()
        };
        assert_eq!(
            said(licences(&repository)),
            ["`odd` is under `GPL-3.0-only`"]
        );
        assert_eq!(
            said(build_scripts(&repository)),
            [
                "`odd` has a build script, and is not allowed one",
                "`old` has no build script"
            ]
        );
    }
}
