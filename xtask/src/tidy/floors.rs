//! The floors of the house, against `cargo metadata`.

use std::collections::{BTreeMap, VecDeque};

use super::{Finding, Repository, code, line_of};
use crate::metadata::{Dependency, Kind, Metadata, Package};

/// The rule for one crate.
struct Row {
    name: &'static str,
    floor: u8,
    /// The crates of ours that it may depend on.
    internal: &'static [&'static str],
    /// Everybody else's crates that it may depend on; `None` from the I/O line upward.
    external: Option<&'static [&'static str]>,
}

/// The table of docs/architecture.md.
const TABLE: &[Row] = &[
    below("opentracker-types", 0, &[], &["serde", "thiserror"]),
    below(
        "opentracker-livesync-wire",
        1,
        &["opentracker-types"],
        &["nom", "thiserror"],
    ),
    below(
        "opentracker-udp-wire",
        1,
        &["opentracker-types"],
        &["nom", "thiserror"],
    ),
    below(
        "opentracker-http-wire",
        1,
        &["opentracker-types"],
        &["itoa", "thiserror"],
    ),
    below(
        "opentracker-store",
        1,
        &["opentracker-types"],
        &["dashmap", "rand"],
    ),
    below(
        "opentracker-core",
        2,
        &["opentracker-store", "opentracker-types"],
        &["arc-swap", "ipnet", "rand", "siphasher", "thiserror"],
    ),
    below("opentracker-peer-sync", 2, SYNC, &[]),
    below("opentracker-scrape-sync", 2, SYNC, &[]),
    above("opentracker-datagrams", 3, &[]),
    above("opentracker-multicast", 3, &[]),
    above(
        "opentracker-udp",
        3,
        &[
            "opentracker-core",
            "opentracker-udp-wire",
            "opentracker-types",
        ],
    ),
    above(
        "opentracker-http",
        3,
        &[
            "opentracker-core",
            "opentracker-http-wire",
            "opentracker-types",
        ],
    ),
    above(
        "opentracker",
        4,
        &[
            "opentracker-core",
            "opentracker-http",
            "opentracker-http-wire",
            "opentracker-livesync-wire",
            "opentracker-multicast",
            "opentracker-peer-sync",
            "opentracker-scrape-sync",
            "opentracker-store",
            "opentracker-types",
            "opentracker-udp",
            "opentracker-udp-wire",
        ],
    ),
    above("opentracker-daemon", 5, &["opentracker"]),
    above(
        "opentracker-ctl",
        5,
        &[
            "opentracker",
            "opentracker-http-wire",
            "opentracker-livesync-wire",
            "opentracker-types",
            "opentracker-udp-wire",
        ],
    ),
    above("opentracker-loadgen", 5, WIRE),
    above(TEST_ONLY, 5, WIRE),
    above("xtask", 5, &[]),
];

const SYNC: &[&str] = &["opentracker-livesync-wire", "opentracker-types"];

const WIRE: &[&str] = &[
    "opentracker-http-wire",
    "opentracker-livesync-wire",
    "opentracker-types",
    "opentracker-udp-wire",
];

/// The crate that others may use in tests, whatever their floor, and nowhere else.
const TEST_ONLY: &str = "opentracker-lab";

/// The floor of the sockets. Below it there is no clock, no socket, no path.
const IO_FLOOR: u8 = 3;

/// What no crate below the I/O line has in its tree.
const RUNTIMES: [&str; 3] = ["tokio", "mio", "socket2"];

const fn below(
    name: &'static str,
    floor: u8,
    internal: &'static [&'static str],
    external: &'static [&'static str],
) -> Row {
    Row {
        name,
        floor,
        internal,
        external: Some(external),
    }
}

const fn above(name: &'static str, floor: u8, internal: &'static [&'static str]) -> Row {
    Row {
        name,
        floor,
        internal,
        external: None,
    }
}

/// Arrows point down, and each crate uses what the table grants it.
pub(super) fn floors(repository: &Repository) -> Vec<Finding> {
    check_table(repository, TABLE)
}

/// Below the I/O line there is no runtime in the tree, and clippy guards clock and files.
pub(super) fn io_line(repository: &Repository) -> Vec<Finding> {
    let metadata = &repository.metadata;
    let mut findings = Vec::new();
    for row in TABLE.iter().filter(|row| row.floor < IO_FLOOR) {
        let Some(member) = metadata.members().find(|member| member.name == row.name) else {
            continue;
        };
        for chain in chains_to_runtimes(metadata, member) {
            let message = format!("a runtime below the I/O line: {}", chain.join(" → "));
            findings.push(Finding::new(metadata.manifest(member), 1, message));
        }
        let lib = format!("crates/{}/src/lib.rs", member.name);
        let code = code::only(repository.text(&lib));
        let mut needed = vec!["clippy::disallowed_methods"];
        if member.name.ends_with("-wire") {
            needed.extend(["clippy::indexing_slicing", "clippy::as_conversions"]);
        }
        // A crate that is still an empty page has nothing to deny.
        needed.retain(|lint| !code.trim().is_empty() && !denies(&code, lint));
        for lint in needed {
            findings.push(Finding::new(
                &lib,
                1,
                format!("does not `#![deny({lint})]`"),
            ));
        }
    }
    findings
}

/// One integration binary per crate, `it`; the others are namespace tests.
pub(super) fn test_targets(repository: &Repository) -> Vec<Finding> {
    let metadata = &repository.metadata;
    let mut findings = Vec::new();
    for member in metadata.members() {
        for target in member
            .targets
            .iter()
            .filter(|target| target.kind == ["test"])
        {
            if target.test && target.name != "it" {
                let message = format!(
                    "`{}`: integration tests are modules of tests/it/main.rs; one that needs root \
                     has `test = false`",
                    target.name
                );
                findings.push(Finding::new(metadata.manifest(member), 1, message));
            }
        }
    }
    findings
}

fn check_table(repository: &Repository, table: &[Row]) -> Vec<Finding> {
    let metadata = &repository.metadata;
    let rows: BTreeMap<&str, &Row> = table.iter().map(|row| (row.name, row)).collect();
    let mut findings = Vec::new();
    for member in metadata.members() {
        let manifest = metadata.manifest(member);
        if ![
            format!("crates/{}/Cargo.toml", member.name),
            "xtask/Cargo.toml".to_owned(),
        ]
        .contains(&manifest.to_owned())
        {
            findings.push(Finding::new(
                manifest,
                1,
                "the folder has not the package's name",
            ));
        }
        let Some(row) = rows.get(member.name.as_str()) else {
            let message = format!("`{}` is not in the table of floors", member.name);
            findings.push(Finding::new(manifest, 1, message));
            continue;
        };
        for dependency in &member.dependencies {
            if let Some(message) = breach(row, rows.get(dependency.name.as_str()), dependency) {
                let line = line_of(repository.text(manifest), &dependency.name);
                findings.push(Finding::new(manifest, line, message));
            }
        }
    }
    for row in table {
        if !metadata.members().any(|member| member.name == row.name) {
            let message = format!("`{}` is in the table of floors, but not there", row.name);
            findings.push(Finding::new("Cargo.toml", 1, message));
        }
    }
    findings
}

/// What is wrong with an arrow, if anything; `ours` is the row of what it points to.
fn breach(row: &Row, ours: Option<&&Row>, dependency: &Dependency) -> Option<String> {
    let (from, to) = (row.name, &dependency.name);
    match (ours, dependency.kind) {
        (Some(ours), Kind::Dev) if ours.name == TEST_ONLY => None,
        (Some(ours), _) if ours.name == TEST_ONLY => {
            Some(format!("`{to}` is for tests only: a dev-dependency"))
        }
        (Some(ours), _) if ours.floor >= row.floor => Some(format!(
            "`{from}` (floor {}) must not depend on `{to}` (floor {})",
            row.floor, ours.floor
        )),
        (Some(_), Kind::Dev) => None,
        (Some(_), _) if row.internal.contains(&to.as_str()) => None,
        (Some(_), _) => Some(format!(
            "the table of floors does not grant `{to}` to `{from}`"
        )),
        (None, Kind::Dev) => None,
        (None, _) => {
            let external = row.external?;
            let granted = external.contains(&to.as_str());
            (!granted).then(|| format!("`{from}` may use {external:?}, not `{to}`"))
        }
    }
}

/// The shortest chain of normal and build dependencies from a member to each runtime.
fn chains_to_runtimes<'a>(metadata: &'a Metadata, member: &'a Package) -> Vec<Vec<&'a str>> {
    let names: BTreeMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|package| (&*package.id, &*package.name))
        .collect();
    let edges: BTreeMap<&str, Vec<&str>> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| {
            let used = node.deps.iter().filter(|edge| {
                edge.dep_kinds
                    .iter()
                    .any(|dependency| dependency.kind != Kind::Dev)
            });
            (&*node.id, used.map(|edge| &*edge.pkg).collect())
        })
        .collect();

    let mut parents: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([&*member.id]);
    let mut chains = Vec::new();
    while let Some(id) = queue.pop_front() {
        if names.get(id).is_some_and(|name| RUNTIMES.contains(name)) {
            let mut chain = vec![id];
            while let Some(parent) = chain.last().and_then(|id| parents.get(id)) {
                chain.push(parent);
            }
            chains.push(
                chain
                    .iter()
                    .rev()
                    .filter_map(|id| names.get(id).copied())
                    .collect(),
            );
        }
        for next in edges.get(id).into_iter().flatten() {
            if *next != member.id && !parents.contains_key(next) {
                parents.insert(next, id);
                queue.push_back(next);
            }
        }
    }
    chains
}

fn denies(code: &str, lint: &str) -> bool {
    let squeezed: String = code.split_whitespace().collect();
    squeezed
        .split("#![")
        .skip(1)
        .map(|rest| rest.split(']').next().unwrap_or_default())
        .any(|attribute| attribute.contains("deny(") && attribute.contains(lint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Edge, EdgeKind, Node, Resolve, Target};
    use crate::tidy::places;

    const TWO: &[Row] = &[below("low", 0, &[], &["nom"]), above("high", 5, &["low"])];

    fn package(name: &str, dependencies: &[(&str, Kind)]) -> Package {
        let dependency = |(name, kind): &(&str, Kind)| Dependency {
            name: (*name).to_owned(),
            kind: *kind,
        };
        Package {
            id: name.to_owned(),
            name: name.to_owned(),
            manifest_path: format!("/repo/crates/{name}/Cargo.toml"),
            dependencies: dependencies.iter().map(dependency).collect(),
            ..Package::default()
        }
    }

    fn repository(packages: Vec<Package>) -> Repository {
        let metadata = Metadata {
            workspace_members: packages.iter().map(|package| package.id.clone()).collect(),
            workspace_root: "/repo".to_owned(),
            packages,
            ..Metadata::default()
        };
        Repository {
            metadata,
            ..Repository::default()
        }
    }

    fn messages(table: &[Row], packages: Vec<Package>) -> Vec<String> {
        check_table(&repository(packages), table)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_table_itself_points_down() {
        for row in TABLE {
            for name in row.internal {
                let below = TABLE.iter().find(|row| row.name == *name).unwrap();
                assert!(below.floor < row.floor, "{} → {name}", row.name);
            }
            assert_eq!(row.external.is_some(), row.floor < IO_FLOOR, "{}", row.name);
        }
    }

    #[test]
    fn a_house_in_order_has_no_findings() {
        let low = package("low", &[("nom", Kind::Normal), ("proptest", Kind::Dev)]);
        let high = package("high", &[("low", Kind::Normal), ("tokio", Kind::Normal)]);
        assert_eq!(messages(TWO, vec![low, high]), [""; 0]);
    }

    #[test]
    fn arrows_up_and_sideways_are_found() {
        let table = &[
            above("left", 3, &["right"]),
            above("right", 3, &[]),
            above("top", 4, &[]),
        ];
        let left = package("left", &[("right", Kind::Normal), ("top", Kind::Dev)]);
        let found = messages(
            table,
            vec![left, package("right", &[]), package("top", &[])],
        );
        assert_eq!(
            found,
            [
                "crates/left/Cargo.toml:1: `left` (floor 3) must not depend on `right` (floor 3)",
                "crates/left/Cargo.toml:1: `left` (floor 3) must not depend on `top` (floor 4)",
            ]
        );
    }

    #[test]
    fn what_the_table_does_not_grant_is_found() {
        let table = &[below("low", 0, &[], &["nom"]), above("high", 5, &[])];
        let low = package("low", &[("regex", Kind::Normal)]);
        let high = package("high", &[("low", Kind::Build)]);
        let found = messages(table, vec![low, high]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("not `regex`"), "{found:?}");
        assert!(
            found[1].contains("does not grant `low` to `high`"),
            "{found:?}"
        );
    }

    #[test]
    fn the_lab_is_for_tests_alone() {
        let table = &[above("high", 5, &[]), above(TEST_ONLY, 5, &[])];
        let lab = || package(TEST_ONLY, &[]);
        let using = |kind| package("high", &[(TEST_ONLY, kind)]);
        assert_eq!(messages(table, vec![using(Kind::Dev), lab()]), [""; 0]);
        assert_eq!(messages(table, vec![using(Kind::Normal), lab()]).len(), 1);
    }

    #[test]
    fn unknown_gone_and_misplaced_crates_are_found() {
        let mut misplaced = package("high", &[]);
        misplaced.manifest_path = "/repo/crates/other/Cargo.toml".to_owned();
        let found = messages(TWO, vec![misplaced, package("new", &[])]);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(
            found[0].starts_with("crates/other/Cargo.toml:1: the folder"),
            "{found:?}"
        );
        assert!(found[1].contains("`new` is not in the table"), "{found:?}");
        assert!(
            found[2].contains("`low` is in the table of floors, but not there"),
            "{found:?}"
        );
    }

    #[test]
    fn a_runtime_below_the_line_is_found_with_its_chain() {
        let node = |id: &str, deps: &[(&str, Kind)]| Node {
            id: id.to_owned(),
            deps: deps
                .iter()
                .map(|(pkg, kind)| Edge {
                    pkg: (*pkg).to_owned(),
                    dep_kinds: vec![EdgeKind { kind: *kind }],
                })
                .collect(),
        };
        let mut repository = repository(vec![package("opentracker-store", &[])]);
        repository
            .metadata
            .packages
            .extend([package("helper", &[]), package("mio", &[])]);
        repository.metadata.resolve = Resolve {
            nodes: vec![
                node(
                    "opentracker-store",
                    &[("helper", Kind::Normal), ("mio", Kind::Dev)],
                ),
                node("helper", &[("mio", Kind::Normal)]),
            ],
        };
        let found = io_line(&repository);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]
                .message
                .ends_with("opentracker-store → helper → mio"),
            "{found:?}"
        );
    }

    #[test]
    fn a_crate_that_does_not_deny_clocks_is_found() {
        let lib = "crates/opentracker-udp-wire/src/lib.rs";
        let mut repository = repository(vec![package("opentracker-udp-wire", &[])]);
        let mut found = |text: &str| {
            repository.files.insert(lib.to_owned(), text.to_owned());
            io_line(&repository).len()
        };
        assert_eq!(found("//! Empty.\n"), 0);
        assert_eq!(
            found("//! #![deny(clippy::disallowed_methods)]\nmod a;\n"),
            3
        );
        assert_eq!(found("#![deny(clippy::disallowed_methods)]\nmod a;\n"), 2);
        let all = "#![deny(clippy::disallowed_methods)]\n#![cfg_attr(\n    not(test),\n    \
                   deny(clippy::indexing_slicing, clippy::as_conversions)\n)]\nmod a;\n";
        assert_eq!(found(all), 0);
    }

    #[test]
    fn a_second_integration_binary_is_found() {
        let mut member = package("a", &[]);
        let target = |name: &str, test| Target {
            name: name.to_owned(),
            kind: vec!["test".to_owned()],
            test,
        };
        member.targets = vec![
            target("it", true),
            target("netns", false),
            target("more", true),
        ];
        let found = test_targets(&repository(vec![member]));
        assert_eq!(places(&found), [("crates/a/Cargo.toml", 1)]);
        assert!(found[0].message.starts_with("`more`"), "{found:?}");
    }
}
