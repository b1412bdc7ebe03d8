//! The part of `cargo metadata` that the tasks read.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    pub(crate) workspace_root: String,
    pub(crate) target_directory: PathBuf,
    pub(crate) resolve: Resolve,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<String>")]
pub(crate) enum Kind {
    #[default]
    Normal,
    Build,
    Dev,
}

impl From<Option<String>> for Kind {
    fn from(kind: Option<String>) -> Self {
        match kind.as_deref() {
            Some("dev") => Self::Dev,
            Some("build") => Self::Build,
            _ => Self::Normal,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) test: bool,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Edge>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Edge {
    pub(crate) pkg: String,
    pub(crate) dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct EdgeKind {
    pub(crate) kind: Kind,
}

impl Metadata {
    /// The packages of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The path of a member's manifest from the root.
    pub(crate) fn manifest<'a>(&self, member: &'a Package) -> &'a str {
        let path = member.manifest_path.strip_prefix(&self.workspace_root);
        path.unwrap_or(&member.manifest_path)
            .trim_start_matches('/')
    }

    /// The tests that need root, network namespaces or client programs, as (package, target).
    ///
    /// Their mark is `test = false` on the `[[test]]` target: plain `cargo test` leaves them out,
    /// and `cargo xtask test` runs them by name.
    pub(crate) fn namespace_tests(&self) -> Vec<(&str, &str)> {
        self.members()
            .flat_map(|package| package.targets.iter().map(move |target| (package, target)))
            .filter(|(_, target)| target.kind == ["test"] && !target.test)
            .map(|(package, target)| (package.name.as_str(), target.name.as_str()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespace_tests_are_the_targets_that_plain_cargo_test_leaves_out() {
        let target = |name: &str, kind: &str, test| Target {
            name: name.to_owned(),
            kind: vec![kind.to_owned()],
            test,
        };
        let metadata = Metadata {
            packages: vec![Package {
                id: "a".to_owned(),
                name: "a".to_owned(),
                targets: vec![
                    target("it", "test", true),
                    target("netns", "test", false),
                    target("speed", "bench", false),
                ],
                ..Package::default()
            }],
            workspace_members: vec!["a".to_owned()],
            ..Metadata::default()
        };
        assert_eq!(metadata.namespace_tests(), [("a", "netns")]);
    }

    #[test]
    fn the_kind_of_a_dependency_is_read() {
        let kinds: Vec<Kind> = serde_json::from_str(r#"[null, "dev", "build"]"#).unwrap();
        assert_eq!(kinds, [Kind::Normal, Kind::Dev, Kind::Build]);
    }
}
