//! The bans of `deny.toml`, held against `Cargo.lock` without `cargo deny`.
//!
//! Only the names and the wrappers: advisories and licences need `cargo deny` itself.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Finding, Repository, line_of};

#[derive(Deserialize)]
struct Deny {
    bans: Bans,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// The crates that may depend on it directly; none may when empty.
    #[serde(default)]
    wrappers: Vec<String>,
    reason: String,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    /// Names, followed by a version where there are several.
    #[serde(default)]
    dependencies: Vec<String>,
}

/// No banned crate is in the tree, but behind its wrappers.
pub(super) fn bans(repository: &Repository) -> Vec<Finding> {
    let deny: Deny = match toml::from_str(repository.text("deny.toml")) {
        Ok(deny) => deny,
        Err(error) => return vec![Finding::new("deny.toml", 1, error.message())],
    };
    let text = repository.text("Cargo.lock");
    let lock: Lock = match toml::from_str(text) {
        Ok(lock) => lock,
        Err(error) => return vec![Finding::new("Cargo.lock", 1, error.message())],
    };
    let mut findings = Vec::new();
    for ban in &deny.bans.deny {
        let line = line_of(text, &format!("name = \"{}\"", ban.name));
        let mut report = |user: &str| {
            let message = format!("`{}` is banned{user}: {}", ban.name, ban.reason);
            findings.push(Finding::new("Cargo.lock", line, message));
        };
        let users: BTreeSet<&str> = lock
            .package
            .iter()
            .filter(|package| package.uses(&ban.name))
            .map(Locked::name)
            .collect();
        for user in users {
            if !ban.wrappers.iter().any(|wrapper| wrapper == user) {
                report(&format!(" for `{user}`"));
            }
        }
        let is_locked = lock.package.iter().any(|package| package.name == ban.name);
        if ban.wrappers.is_empty() && is_locked {
            report("");
        }
    }
    findings
}

impl Locked {
    fn name(&self) -> &str {
        &self.name
    }

    fn uses(&self, name: &str) -> bool {
        self.dependencies
            .iter()
            .any(|used| used.split(' ').next() == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"
[bans]
deny = [
    { crate = "openssl", reason = "C" },
    { crate = "nom", wrappers = ["wire"], reason = "private" },
]
"#;

    fn found(lock: &str) -> Vec<String> {
        let repository = Repository::of(&[("deny.toml", DENY), ("Cargo.lock", lock)]);
        bans(&repository).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_wrapped_crate_is_in_order() {
        let lock = "[[package]]\nname = \"nom\"\n\n[[package]]\nname = \"wire\"\n\
                    dependencies = [\"nom\"]\n";
        assert_eq!(found(lock), [""; 0]);
    }

    #[test]
    fn banned_crates_and_strange_users_are_found() {
        let lock = "[[package]]\nname = \"core\"\ndependencies = [\"nom 8.0.0\", \"openssl\"]\n\n\
                    [[package]]\nname = \"nom\"\n\n[[package]]\nname = \"openssl\"\n";
        assert_eq!(
            found(lock),
            [
                "Cargo.lock:9: `openssl` is banned for `core`: C",
                "Cargo.lock:9: `openssl` is banned: C",
                "Cargo.lock:6: `nom` is banned for `core`: private",
            ]
        );
    }

    #[test]
    fn a_broken_list_is_found() {
        let repository = Repository::of(&[("deny.toml", "[bans]\ndeny = 7\n")]);
        assert_eq!(bans(&repository).len(), 1);
    }
}
