//! `cargo xtask dist`: what a release consists of, in `dist/`.
//!
//! One tree gives one set of files, octet for octet: times are those of the commit (or of
//! `SOURCE_DATE_EPOCH`), owners and names are in order, and the programs do not know the folders
//! they were built in. The archive comes first; its `deploy/install.sh` lays out what the packages
//! hold, and the image holds the same programs.

mod archive;
mod deb;
mod image;
mod rpm;
mod sbom;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Metadata;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::system;
use crate::workspace::Workspace;

/// Debian packages that make packages.
const PACKAGERS: [&str; 2] = ["dpkg", "rpm"];

/// The number of the package of one version.
const REVISION: &str = "1";

/// What is released, and where it is put together.
struct Release<'a> {
    sh: &'a Shell,
    metadata: Metadata,
    version: String,
    /// The platform, as rustc names it.
    target: String,
    /// The time that every file gets, in seconds since 1970.
    epoch: String,
    /// Where files are put together.
    stage: PathBuf,
    /// Where the results go.
    out: PathBuf,
}

impl Release<'_> {
    /// The processor, as rustc and RPM name it.
    fn processor(&self) -> &str {
        self.target.split('-').next().unwrap_or(&self.target)
    }

    /// The processor, as Debian and the Open Container Initiative name it.
    fn architecture(&self) -> Result<&'static str> {
        match self.processor() {
            "x86_64" => Ok("amd64"),
            "aarch64" => Ok("arm64"),
            other => bail!("no name for packages of {other}"),
        }
    }

    /// The version, as packages compare it: one that is to come sorts before it.
    fn package_version(&self) -> String {
        self.version.replacen('-', "~", 1)
    }

    /// Fills the places of a template, which are written `@NAME@`.
    fn fill(&self, template: &str, places: &[(&str, &str)]) -> Result<String> {
        let version = self.package_version();
        let own = [("VERSION", version.as_str()), ("REVISION", REVISION)];
        let filled = own
            .iter()
            .chain(places)
            .fold(self.sh.read_file(template)?, |text, (name, value)| {
                text.replace(&format!("@{name}@"), value)
            });
        ensure!(!filled.contains('@'), "{template}: a place is left");
        Ok(filled)
    }
}

/// Builds the programs as a release has them; returns the folder that holds them.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let flags = remapped_paths(workspace)?;
    let _environment = workspace.sh.push_env("CARGO_ENCODED_RUSTFLAGS", flags);
    workspace.build("dist")
}

/// Runs the task; returns the folder of the results.
pub(crate) fn run(workspace: &Workspace) -> Result<PathBuf> {
    let sh = &workspace.sh;
    let metadata = workspace.metadata()?;
    let members = metadata.workspace_packages();
    let version = members.first().map(|package| package.version.to_string());
    let version = version.context("the workspace has no member")?;
    let tags = cmd!(sh, "git tag --points-at HEAD").quiet().ignore_stderr();
    let changelog = sh.read_file("docs/changelog.md")?;
    agrees(&version, &tags.read().unwrap_or_default(), &changelog)?;
    system::ensure(sh, &PACKAGERS)?;
    let programs = build(workspace)?;
    let release = Release {
        sh,
        version,
        target: workspace.rustc("host")?,
        epoch: epoch(sh)?,
        stage: metadata.target_directory.join("dist-stage").into(),
        out: workspace.root.join("dist"),
        metadata,
    };
    sh.remove_path(&release.stage)?;
    sh.remove_path(&release.out)?;
    sh.create_dir(&release.out)?;
    let folder = archive::write(&release, &workspace.files()?, &programs)?;
    let tree = tree(&release, &folder)?;
    rpm::write(&release, &tree)?;
    deb::write(&release, &tree, &programs)?;
    let libraries = image::write(&release, &programs)?;
    sbom::write(&release, &libraries)?;
    println!("{}", sums(&release)?.trim_end());
    Ok(release.out)
}

/// A tag is the version, which then has its section in the changelog.
fn agrees(version: &str, tags: &str, changelog: &str) -> Result<()> {
    for tag in tags.lines().filter(|tag| tag.starts_with('v')) {
        ensure!(
            tag == format!("v{version}"),
            "the tag is {tag}, the manifest says {version}"
        );
        let is_heading = |line: &str| {
            let rest = line
                .strip_prefix("## ")
                .and_then(|rest| rest.strip_prefix(version));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        ensure!(
            changelog.lines().any(is_heading),
            "docs/changelog.md has no section {version}"
        );
    }
    Ok(())
}

/// Lays out what the packages hold, under `/usr`, as the archive's own script does it.
fn tree(release: &Release<'_>, folder: &Path) -> Result<PathBuf> {
    let (sh, epoch) = (release.sh, &release.epoch);
    let tree = release.stage.join("tree");
    cmd!(sh, "{folder}/deploy/install.sh")
        .env("PREFIX", "/usr")
        .env("DESTDIR", &tree)
        .quiet()
        .run()?;
    let pages = tree.join("usr/share/man");
    cmd!(sh, "gzip --recursive --no-name --best {pages}")
        .quiet()
        .run()?;
    let files = cmd!(sh, "find {tree}").quiet().read()?;
    cmd!(sh, "touch --date=@{epoch}")
        .args(files.lines())
        .quiet()
        .run()?;
    Ok(tree)
}

/// Writes the checksums of everything; returns them.
fn sums(release: &Release<'_>) -> Result<String> {
    let sh = release.sh;
    let _folder = sh.push_dir(&release.out);
    let mut names = Vec::new();
    for path in sh.read_dir(&release.out)? {
        let name = path.file_name().context("a file has a name")?;
        names.push(name.to_owned());
    }
    let sums = cmd!(sh, "sha256sum {names...}").quiet().read()? + "\n";
    sh.write_file("SHA256SUMS", &sums)?;
    Ok(sums)
}

/// The checksum of a file, in hexadecimal.
fn sha256(sh: &Shell, file: &Path) -> Result<String> {
    let said = cmd!(sh, "sha256sum --zero {file}").quiet().read()?;
    let sum = said.split(' ').next().context("a checksum")?;
    Ok(sum.to_owned())
}

/// Writes JSON as people read it.
fn write_json(sh: &Shell, file: &Path, value: &Value) -> Result<()> {
    Ok(sh.write_file(file, serde_json::to_string_pretty(value)? + "\n")?)
}

/// The time that every file gets, in seconds since 1970.
fn epoch(sh: &Shell) -> Result<String> {
    if let Ok(epoch) = sh.var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let commit = cmd!(sh, "git log -1 --format=%ct").quiet().read();
    commit.context("no commit to take the time from: set SOURCE_DATE_EPOCH")
}

/// Flags that replace the folders of this machine in the programs, as panics would show them.
fn remapped_paths(workspace: &Workspace) -> Result<String> {
    let sh = &workspace.sh;
    let cargo = match sh.var("CARGO_HOME") {
        Ok(cargo) => cargo,
        Err(_) => format!("{}/.cargo", sh.var("HOME")?),
    };
    // The folders of registries have names that tell where the crates came from.
    cmd!(sh, "cargo fetch --locked").quiet().run()?;
    let sources = Path::new(&cargo).join("registry/src");
    let mut pairs = vec![
        (cmd!(sh, "rustc --print sysroot").quiet().read()?, "rust"),
        (cargo, "cargo"),
        (workspace.root.to_string_lossy().into_owned(), "opentracker"),
    ];
    // Of several that fit, rustc takes the last. A vendored workspace has none of these.
    for registry in sh.read_dir(sources).unwrap_or_default() {
        pairs.push((registry.to_string_lossy().into_owned(), "crates"));
    }
    let flags = pairs
        .iter()
        .map(|(from, to)| format!("--remap-path-prefix={from}={to}"));
    // Cargo's separator: a path may hold a space.
    Ok(flags.collect::<Vec<_>>().join("\u{1f}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_manifest_and_changelog_agree() {
        let changelog = "# Changelog\n\n## Unreleased\n\n## 1.2.3 - 2026-01-01\n";
        assert!(agrees("1.2.4", "", changelog).is_ok(), "no tag, no release");
        assert!(agrees("1.2.3", "good\nv1.2.3", changelog).is_ok());
        for (version, tags) in [
            ("1.2.3", "v1.2.4"),
            ("1.2.3", "v1.2.3\nv2.0.0"),
            ("1.2", "v1.2"),
        ] {
            assert!(
                agrees(version, tags, changelog).is_err(),
                "{version} {tags}"
            );
        }
    }
}
