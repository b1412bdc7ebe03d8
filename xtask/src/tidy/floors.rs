//! The floors of `docs/architecture.md`, against what cargo says.

use cargo_metadata::{Dependency, DependencyKind};

use super::{Finding, Repository, line_of};

/// The floors, from the bottom up. An arrow goes to a lower one, never sideways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Floor {
    /// Uses none of our crates, and is used by those that its row names.
    Beside,
    /// L0.
    Values,
    /// L1.
    Data,
    /// L2.
    Logic,
    /// L2 as well: what puts the rest of it together.
    Machines,
    /// L3, the highest below the I/O line.
    FrontEnds,
    /// L4.
    Io,
    /// L5.
    Compose,
    /// L6.
    Programs,
}

/// The rule for one crate. Lists of names have a space between two.
struct Row {
    floor: Floor,
    name: &'static str,
    /// Everybody else's crates that it may use; counts below the I/O line alone.
    external: &'static str,
    /// The crates of ours that may use it; all above it when empty.
    users: &'static str,
    /// Whether nothing that it uses, without its default features, may be built for `std`.
    is_no_std: bool,
}

/// The table. A crate that is not there yet may have its row already.
const TABLE: &[Row] = &[
    row(Floor::Beside, "opentracker-datagrams", "")
        .for_users("opentracker-net opentracker-multicast opentracker-loadgen"),
    row(Floor::Beside, "opentracker-xdp", "")
        .for_users("opentracker-net opentracker-loadgen opentracker-fuzz"),
    row(Floor::Values, "opentracker-types", "serde thiserror").no_std(),
    row(Floor::Data, "opentracker-api", "serde utoipa"),
    row(Floor::Data, "opentracker-store", "dashmap rand").for_users("opentracker-core"),
    row(Floor::Data, "opentracker-udp-wire", "nom thiserror").no_std(),
    row(Floor::Data, "opentracker-http-wire", "itoa thiserror").no_std(),
    row(Floor::Data, "opentracker-proxy-wire", "thiserror").no_std(),
    row(
        Floor::Data,
        "opentracker-livesync-wire",
        "hkdf hmac nom sha2 thiserror",
    )
    .no_std(),
    row(
        Floor::Logic,
        "opentracker-core",
        // shuttle is in no build but that of its tests.
        "arc-swap ipnet rand shuttle siphasher thiserror tracing",
    ),
    row(Floor::Logic, "opentracker-metainfo", "sha1 sha2 thiserror"),
    row(Floor::Logic, "opentracker-peer-sync", ""),
    row(Floor::Logic, "opentracker-scrape-sync", ""),
    row(
        Floor::Logic,
        "opentracker-snapshot",
        "crc32fast thiserror zstd",
    ),
    row(
        Floor::Machines,
        "opentracker-livesync",
        "bytes rand tracing",
    ),
    row(Floor::FrontEnds, "opentracker-udp", "arc-swap siphasher"),
    row(Floor::FrontEnds, "opentracker-http", "httparse itoa"),
    row(
        Floor::FrontEnds,
        "opentracker-webtorrent",
        "base64 itoa serde serde_json sha1 tungstenite",
    ),
    row(Floor::Io, "opentracker-net", ""),
    row(Floor::Io, "opentracker-multicast", ""),
    row(Floor::Io, "opentracker-nats", ""),
    row(Floor::Io, "opentracker-admin", ""),
    row(Floor::Compose, "opentracker", ""),
    row(Floor::Programs, "opentracker-daemon", ""),
    row(Floor::Programs, "opentracker-ctl", ""),
    row(Floor::Programs, "opentracker-loadgen", ""),
    row(Floor::Programs, TEST_ONLY, ""),
    row(Floor::Programs, "opentracker-fuzz", ""),
    row(Floor::Programs, "xtask", ""),
];

/// The crate that others may use in tests, whatever their floor, and nowhere else.
const TEST_ONLY: &str = "opentracker-lab";

/// What no crate below the I/O line has in its tree.
const RUNTIMES: [&str; 3] = ["tokio", "mio", "socket2"];

const fn row(floor: Floor, name: &'static str, external: &'static str) -> Row {
    Row {
        floor,
        name,
        external,
        users: "",
        is_no_std: false,
    }
}

impl Row {
    const fn for_users(self, users: &'static str) -> Self {
        Self { users, ..self }
    }

    const fn no_std(self) -> Self {
        Self {
            is_no_std: true,
            ..self
        }
    }

    fn is_below_the_line(&self) -> bool {
        (Floor::Values..=Floor::FrontEnds).contains(&self.floor)
    }
}

/// The crates that have neither clock nor socket, path or runtime.
pub(super) fn below_the_line() -> impl Iterator<Item = &'static str> {
    TABLE
        .iter()
        .filter(|row| row.is_below_the_line())
        .map(|row| row.name)
}

/// Arrows point down, and each crate uses what the table grants it.
pub(super) fn floors(repository: &Repository) -> Vec<Finding> {
    check(repository, TABLE)
}

fn check(repository: &Repository, table: &[Row]) -> Vec<Finding> {
    let find = |name: &str| table.iter().find(|row| row.name == name);
    let mut findings = Vec::new();
    for member in repository.metadata.workspace_packages() {
        let manifest = repository.manifest(member);
        let mut report = |line, message| findings.push(Finding::new(manifest, line, message));
        let folder = manifest.trim_end_matches("/Cargo.toml");
        let is_beside = ["fuzz", "xtask"].contains(&folder);
        if !is_beside && folder != format!("crates/{}", member.name) {
            report(1, "the folder has not the package's name".to_owned());
        }
        let Some(row) = find(&member.name) else {
            let message = format!("`{}` is not in the table of floors", member.name);
            report(1, message);
            continue;
        };
        for dependency in &member.dependencies {
            if let Some(message) = breach(row, find(&dependency.name), dependency) {
                let line = line_of(repository.text(manifest), &dependency.name);
                report(line, message);
            }
        }
    }
    findings
}

/// What is wrong with an arrow, if anything; `ours` is the row of what it points to.
fn breach(row: &Row, ours: Option<&Row>, dependency: &Dependency) -> Option<String> {
    let (from, to) = (row.name, dependency.name.as_str());
    let is_test = dependency.kind == DependencyKind::Development;
    match ours {
        Some(ours) if ours.name == TEST_ONLY => {
            (!is_test).then(|| format!("`{to}` is for tests only: a dev-dependency"))
        }
        Some(ours) if ours.floor >= row.floor => {
            let (here, there) = (row.floor, ours.floor);
            Some(format!(
                "`{from}` ({here:?}) must not use `{to}` ({there:?})"
            ))
        }
        Some(ours) => {
            let is_granted = is_test || ours.users.is_empty() || lists(ours.users, from);
            (!is_granted).then(|| format!("`{to}` is for {}, not `{from}`", ours.users))
        }
        None => {
            let is_granted = is_test || !row.is_below_the_line() || lists(row.external, to);
            (!is_granted).then(|| format!("`{from}` may use {}, not `{to}`", row.external))
        }
    }
}

fn lists(names: &str, name: &str) -> bool {
    names.split(' ').any(|listed| listed == name)
}

/// Below the I/O line there is no runtime in the tree, clippy guards clock and files, and a wire
/// crate neither indexes nor casts; what is for `no_std` uses nothing that is built for `std`.
pub(super) fn io_line(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for row in TABLE {
        let Some(tree) = repository.trees.get(row.name) else {
            continue;
        };
        let lib = format!("crates/{}/src/lib.rs", row.name);
        let mut report = |message: String| findings.push(Finding::new(&lib, 1, message));
        for built in tree {
            let name = &built.name;
            if RUNTIMES.contains(&name.as_str()) {
                report(format!("`{name}` is in its tree, below the I/O line"));
            }
            if row.is_no_std && built.features.iter().any(|feature| feature == "std") {
                report(format!("`{name}` is built for it with feature `std`"));
            }
        }
        let mut needed = vec!["clippy::disallowed_methods"];
        if row.name.ends_with("-wire") {
            needed.extend(["clippy::indexing_slicing", "clippy::as_conversions"]);
        }
        let attributes = attributes(repository.text(&lib));
        let denies = |lint: &str| {
            attributes
                .iter()
                .any(|attribute| attribute.contains("deny(") && attribute.contains(lint))
        };
        for lint in needed.into_iter().filter(|lint| !denies(lint)) {
            report(format!("does not `#![deny({lint})]`"));
        }
    }
    findings
}

/// The attributes of a crate, without the space in them.
fn attributes(lib: &str) -> Vec<String> {
    let code = lib.lines().filter(|line| !line.starts_with("//"));
    let code: String = code.flat_map(str::split_whitespace).collect();
    code.split("#![")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(']')?.0.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::tidy::Built;
    use crate::tidy::faulty::package;

    const SMALL: &[Row] = &[
        row(Floor::Values, "low", "nom"),
        row(Floor::Data, "hidden", "").for_users("high"),
        row(Floor::Io, "high", ""),
        row(Floor::Io, "beside-high", ""),
        row(Floor::Programs, TEST_ONLY, ""),
    ];

    fn found(packages: &[Value]) -> Vec<String> {
        let repository = Repository::with_packages(&[], packages);
        let findings = check(&repository, SMALL).into_iter();
        findings.map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn arrows_down_are_in_order() {
        let dev = || json!("dev");
        let low = [
            ("nom", Value::Null),
            ("proptest", dev()),
            (TEST_ONLY, dev()),
        ];
        let high = ["low", "hidden", "tokio"].map(|name| (name, Value::Null));
        let packages = [
            package("low", &low, &[]),
            package("high", &high, &[]),
            package("beside-high", &[("hidden", dev())], &[]),
        ];
        assert_eq!(found(&packages), [""; 0]);
    }

    #[test]
    fn every_other_arrow_is_found() {
        for (from, to, kind, said) in [
            ("low", "high", json!("dev"), "`low` (Values) must not use"),
            ("high", "beside-high", Value::Null, "(Io) must not use"),
            ("low", "regex", json!("build"), "may use nom, not"),
            ("beside-high", "hidden", Value::Null, "is for high"),
            ("high", TEST_ONLY, Value::Null, "is for tests only"),
        ] {
            let found = found(&[package(from, &[(to, kind)], &[])]);
            assert_eq!(found.len(), 1, "{from} {to}: {found:?}");
            assert!(found[0].contains(said), "{found:?}");
        }
    }

    #[test]
    fn unknown_and_misplaced_crates_are_found() {
        let mut misplaced = package("high", &[], &[]);
        misplaced["manifest_path"] = json!("/repo/crates/other/Cargo.toml");
        let found = found(&[misplaced, package("new", &[], &[])]);
        assert_eq!(
            found,
            [
                "crates/other/Cargo.toml:1: the folder has not the package's name",
                "crates/new/Cargo.toml:1: `new` is not in the table of floors",
            ]
        );
    }

    #[test]
    fn what_does_not_belong_below_the_line_is_found() {
        let lib = "crates/opentracker-livesync-wire/src/lib.rs";
        let found = |text: &str, name: &str, feature: &str| {
            let mut repository = Repository::of(&[(lib, text)]);
            let built = Built {
                name: name.to_owned(),
                features: vec!["alloc".to_owned(), feature.to_owned()],
            };
            repository
                .trees
                .insert("opentracker-livesync-wire", vec![built]);
            io_line(&repository).len()
        };
        let all = "//! Words.\n#![deny(clippy::disallowed_methods)]\n#![cfg_attr(\n    \
                   not(test),\n    deny(clippy::indexing_slicing, clippy::as_conversions)\n)]\n";
        assert_eq!(found(all, "memchr", ""), 0);
        assert_eq!(found(all, "memchr", "std"), 1);
        assert_eq!(found(all, "mio", ""), 1);
        assert_eq!(
            found(&all.replace("deny(clippy::i", "warn(clippy::i"), "", ""),
            2
        );
        assert_eq!(
            found("//! #![deny(clippy::disallowed_methods)]\n", "", ""),
            3
        );
    }
}
