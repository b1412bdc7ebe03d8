//! What stands beside the programs: checksums, the SBOM, the profile of AppArmor.

use std::collections::BTreeSet;

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{dist, file, programs, repository};

#[test]
fn every_file_has_its_checksum() {
    let sh = Shell::new().unwrap();
    sh.change_dir(dist());
    cmd!(sh, "sha256sum --check --strict --quiet SHA256SUMS")
        .quiet()
        .run()
        .unwrap();
    let sums = sh.read_file("SHA256SUMS").unwrap();
    let named: BTreeSet<&str> = sums
        .lines()
        .filter_map(|line| line.split("  ").nth(1))
        .collect();
    let files = sh.read_dir(".").unwrap();
    let mut names: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.file_name()?.to_str())
        .collect();
    assert!(names.remove("SHA256SUMS"));
    assert_eq!(named, names);
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn the_sbom_is_valid_and_names_every_crate_that_the_programs_name() {
    const SCRIPT: &str = "\
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(error and repr(error))
";
    let sh = Shell::new().unwrap();
    let python = sh.var("OPENTRACKER_PYPI").unwrap() + "/bin/python3";
    let document = file(".cdx.json");
    cmd!(sh, "{python} -c {SCRIPT} {document}")
        .quiet()
        .run()
        .unwrap();

    let document: Value = serde_json::from_str(&sh.read_file(document).unwrap()).unwrap();
    let components = document["components"].as_array().unwrap();
    let word =
        |component: &Value, key: &str| component[key].as_str().unwrap_or_default().to_owned();
    let linked = components
        .iter()
        .filter(|component| word(component, "scope") == "required");
    let linked: BTreeSet<String> = linked
        .map(|component| format!("{}-{}", word(component, "name"), word(component, "version")))
        .collect();
    // Panics name the file of their crate.
    let mut named = BTreeSet::new();
    for (_, text) in programs(&sh) {
        let paths = text
            .split("crates/")
            .skip(1)
            .filter_map(|path| path.split_once("/src/"));
        let is_name = |name: &&str| {
            name.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
        };
        let crates = paths
            .map(|(name, _)| name)
            .filter(is_name)
            .map(str::to_owned);
        // Our own have no version in their path.
        named.extend(crates.filter(|name| !name.starts_with("opentracker")));
    }
    assert!(named.len() > 10, "{named:?}");
    assert!(named.is_subset(&linked), "{:?}", named.difference(&linked));
    let crates = components
        .iter()
        .filter(|component| component["scope"] != Value::Null);
    for component in crates {
        assert_ne!(component["licenses"], Value::Null, "{component}");
    }
}

#[test]
fn the_profile_of_apparmor_is_accepted() {
    let sh = Shell::new().unwrap();
    sh.change_dir(repository());
    cmd!(
        sh,
        "apparmor_parser --skip-kernel-load --skip-cache deploy/apparmor/opentracker"
    )
    .quiet()
    .run()
    .unwrap();
}
