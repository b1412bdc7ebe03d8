//! What the programs are made of, as a CycloneDX document.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, Package, PackageId};
use serde_json::{Value, json};
use toml::Table;
use xshell::cmd;

use super::Release;
use super::image::Library;
use super::write_json;
use crate::workspace::PROGRAMS;

/// Writes the document: the crates of the programs, those that only a build runs as `excluded`, and
/// the libraries of the image.
pub(super) fn write(release: &Release<'_>, libraries: &BTreeSet<Library>) -> Result<()> {
    let Release {
        sh,
        version,
        metadata,
        epoch,
        ..
    } = release;
    let linked = crates(release, "normal,no-proc-macro")?;
    let all = crates(release, "normal,build")?;
    let sums = checksums(&sh.read_file("Cargo.lock")?)?;
    let used: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| all.contains(&name_of(package)))
        .collect();
    let mut components: Vec<Value> = used
        .iter()
        .map(|package| component(package, linked.contains(&name_of(package)), &sums))
        .collect();
    components.extend(libraries.iter().map(|library| {
        let Library { package, version } = library;
        let purl = format!("pkg:deb/debian/{package}@{version}");
        json!({
            "type": "library", "bom-ref": purl, "name": package, "version": version, "purl": purl,
            "description": "Within the container image; elsewhere the system's own.",
        })
    }));
    let programs: Vec<&str> = PROGRAMS.iter().map(|(_, program)| *program).collect();
    let time = cmd!(sh, "date --utc --date=@{epoch} +%Y-%m-%dT%H:%M:%SZ")
        .quiet()
        .read()?;
    let document = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "tools": { "components": [{ "type": "application", "name": "cargo xtask dist" }] },
            "component": {
                "type": "application", "bom-ref": "opentracker-rs", "name": "opentracker-rs",
                "version": version, "licenses": [{ "expression": "MIT OR Apache-2.0" }],
                "description": format!("The programs {}", programs.join(" and ")),
            },
        },
        "components": components,
        "dependencies": dependencies(metadata, &used),
    });
    write_json(
        sh,
        &release.out.join(format!("opentracker-{version}.cdx.json")),
        &document,
    )
}

/// Asks cargo which crates the programs are built of, with the features that they alone ask for.
fn crates(release: &Release<'_>, edges: &str) -> Result<BTreeSet<(String, String)>> {
    let packages = PROGRAMS
        .iter()
        .flat_map(|(package, _)| ["--package", package]);
    let format = "{p}";
    let tree = cmd!(
        release.sh,
        "cargo tree --locked {packages...} --edges {edges} --prefix none --no-dedupe --format {format}"
    );
    let tree = tree.quiet().read()?;
    let crates = tree.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    });
    Ok(crates.collect())
}

fn name_of(package: &Package) -> (String, String) {
    (package.name.to_string(), package.version.to_string())
}

fn component(
    package: &Package,
    is_linked: bool,
    sums: &BTreeMap<(String, String), String>,
) -> Value {
    let (name, version) = name_of(package);
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": name,
        "version": version,
        "scope": if is_linked { "required" } else { "excluded" },
    });
    if let Some(licence) = &package.license {
        let expression = licence.replace('/', " OR ");
        component["licenses"] = json!([{ "expression": expression }]);
    }
    if let Some(sum) = sums.get(&(name, version)) {
        component["purl"] = reference(package).into();
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// The address of a package, which names it within the document as well.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

/// Who uses whom, in the order of the names.
fn dependencies(metadata: &Metadata, used: &[&Package]) -> Vec<Value> {
    let is_used = |id: &PackageId| used.iter().any(|package| package.id == *id);
    let nodes = metadata.resolve.iter().flat_map(|resolve| &resolve.nodes);
    let mut arrows = BTreeMap::new();
    for node in nodes.filter(|node| is_used(&node.id)) {
        let names: BTreeSet<String> = node
            .dependencies
            .iter()
            .filter(|id| is_used(id))
            .map(|id| reference(&metadata[id]))
            .collect();
        arrows.insert(reference(&metadata[&node.id]), names);
    }
    let programs = used
        .iter()
        .filter(|package| PROGRAMS.iter().any(|(name, _)| package.name == *name));
    arrows.insert(
        "opentracker-rs".to_owned(),
        programs.map(|package| reference(package)).collect(),
    );
    arrows
        .into_iter()
        .map(|(user, names)| json!({ "ref": user, "dependsOn": names }))
        .collect()
}

/// The checksums of the packages in `Cargo.lock`, by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let lock: Table = lock.parse()?;
    let packages = lock.get("package").and_then(|packages| packages.as_array());
    let packages = packages.context("no package in Cargo.lock")?;
    let sum = |package: &toml::Value| {
        let word = |key| Some(package.get(key)?.as_str()?.to_owned());
        Some(((word("name")?, word("version")?), word("checksum")?))
    };
    Ok(packages.iter().filter_map(sum).collect())
}
