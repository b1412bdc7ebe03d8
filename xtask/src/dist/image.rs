//! The container image, written without an engine: a tar file with the layout of the Open Container
//! Initiative, which engines load as they load what `docker save` writes.
//!
//! It holds the two programs, the loader and the libraries that they are linked with, licences, and
//! the folders that are written to. It says what `deploy/container/Containerfile` says.

use std::collections::BTreeSet;
use std::fs::hard_link;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use super::{Release, archive, sha256, write_json};
use crate::workspace::PROGRAMS;

/// Nobody: port 6969 needs no privilege.
const USER: &str = "65534";

/// Where the user may write, as the unit of systemd has it.
const WRITTEN: [&str; 2] = ["run/opentracker", "var/lib/opentracker"];

/// A library of the machine that builds, which the image holds.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Library {
    /// Debian's package of it, and its version.
    pub(super) package: String,
    pub(super) version: String,
}

/// Writes the image; returns the libraries in it.
pub(super) fn write(release: &Release<'_>, programs: &Path) -> Result<BTreeSet<Library>> {
    let Release { sh, version, .. } = release;
    let architecture = release.architecture()?;
    let root = sh.create_dir(release.stage.join("image"))?;
    let libraries = fill(sh, &root, programs)?;
    let layer = release.stage.join("layer.tar");
    let epoch = &release.epoch;
    archive::add(sh, &layer, &root, &["lib", "lib64", "usr"], "0", epoch)?;
    // A new volume that is mounted there gets its owner from the folder.
    archive::add(sh, &layer, &root, &WRITTEN, USER, epoch)?;
    let layer_sum = sha256(sh, &layer)?;

    let layout = Layout::new(sh, release.stage.join("layout"))?;
    cmd!(sh, "gzip --no-name --best {layer}").quiet().run()?;
    let layer = layout.take(&release.stage.join("layer.tar.gz"))?;
    let created = cmd!(sh, "date --utc --date=@{epoch} +%Y-%m-%dT%H:%M:%SZ")
        .quiet()
        .read()?;
    let config = layout.take_json(&json!({
        "architecture": architecture,
        "os": "linux",
        "created": created,
        "config": config(version),
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_sum}")] },
        "history": [{ "created": created, "created_by": "cargo xtask dist" }],
    }))?;
    let descriptor = |kind: &str, blob: &Blob| {
        json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": format!("sha256:{}", blob.sum),
            "size": blob.size,
        })
    };
    let manifest = layout.take_json(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config),
        "layers": [descriptor("layer.v1.tar+gzip", &layer)],
    }))?;
    let name = format!("opentracker:{version}");
    let mut entry = descriptor("manifest.v1+json", &manifest);
    entry["annotations"] = json!({
        "io.containerd.image.name": format!("docker.io/library/{name}"),
        "org.opencontainers.image.ref.name": version,
    });
    layout.write(
        "index.json",
        &json!({ "schemaVersion": 2, "manifests": [entry] }),
    )?;
    layout.write("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" }))?;
    // For engines that know only what `docker save` wrote before it had the layout.
    let saved = json!([{ "Config": config.path(), "RepoTags": [name], "Layers": [layer.path()] }]);
    layout.write("manifest.json", &saved)?;

    let names = ["blobs", "index.json", "manifest.json", "oci-layout"];
    let image = release
        .out
        .join(format!("opentracker-{version}-oci-{architecture}.tar"));
    archive::add(sh, &image, &layout.folder, &names, "0", epoch)?;
    Ok(libraries)
}

/// What an engine starts, and how.
fn config(version: &str) -> Value {
    let second = 1_000_000_000_u64;
    json!({
        "User": format!("{USER}:{USER}"),
        "Env": [
            "PATH=/usr/local/bin",
            // The control socket is there, for opentracker-ctl.
            "RUNTIME_DIRECTORY=/run/opentracker",
        ],
        "Entrypoint": ["/usr/local/bin/opentracker"],
        "ExposedPorts": { "6969/tcp": {}, "6969/udp": {} },
        "StopSignal": "SIGTERM",
        // Not of the Open Container Initiative, but of Docker, which heeds it here as well.
        "Healthcheck": {
            "Test": ["CMD", "/usr/local/bin/opentracker-ctl", "status"],
            "Interval": 30 * second,
            "Timeout": 10 * second,
            // A restore of a large snapshot comes before the first answer.
            "StartPeriod": 300 * second,
            "Retries": 3,
        },
        "Labels": {
            "org.opencontainers.image.title": "opentracker",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        },
    })
}

/// Fills the root folder of the image; returns the libraries in it.
fn fill(sh: &Shell, root: &Path, programs: &Path) -> Result<BTreeSet<Library>> {
    let bin = sh.create_dir(root.join("usr/local/bin"))?;
    let mut libraries = BTreeSet::new();
    for (_, program) in PROGRAMS {
        let program = programs.join(program);
        sh.copy_file(&program, &bin)?;
        let said = cmd!(sh, "ldd {program}").quiet().read()?;
        for library in loaded(&said) {
            let to = root.join(library.trim_start_matches('/'));
            sh.create_dir(to.parent().context("a library has a folder")?)?;
            sh.copy_file(library, to)?;
            libraries.insert(Library::of(sh, library)?);
        }
    }
    let licences = sh.create_dir(root.join("usr/local/share/doc/opentracker-rs"))?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        sh.copy_file(licence, &licences)?;
    }
    for Library { package, .. } in &libraries {
        let licence = format!("usr/share/doc/{package}/copyright");
        sh.create_dir(root.join(&licence).with_file_name(""))?;
        sh.copy_file(Path::new("/").join(&licence), root.join(licence))?;
    }
    for folder in WRITTEN {
        sh.create_dir(root.join(folder))?;
    }
    Ok(libraries)
}

/// The files that `ldd` says are loaded with a program.
fn loaded(said: &str) -> impl Iterator<Item = &str> {
    let words = said.lines().map(str::split_whitespace);
    words.filter_map(|mut words| words.find(|word| word.starts_with('/')))
}

impl Library {
    /// Asks dpkg for the package of a file, by whichever name it knows it since `/lib` is `/usr/lib`.
    fn of(sh: &Shell, file: &str) -> Result<Self> {
        let found = cmd!(sh, "dpkg-query --search *{file}").quiet().read()?;
        let package = found.split(": ").next().context("a file has a package")?;
        let format = "--showformat=${Package} ${Version}\\n";
        let shown = cmd!(sh, "dpkg-query --show {format} {package}")
            .quiet()
            .read()?;
        let (package, version) = shown.split_once(' ').context("a package has a version")?;
        Ok(Self {
            package: package.to_owned(),
            version: version.to_owned(),
        })
    }
}

/// The layout's folder, where a blob's name is its checksum.
struct Layout<'a> {
    sh: &'a Shell,
    folder: PathBuf,
}

/// A file of the layout.
struct Blob {
    sum: String,
    size: u64,
}

impl Blob {
    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.sum)
    }
}

impl<'a> Layout<'a> {
    fn new(sh: &'a Shell, folder: PathBuf) -> Result<Self> {
        sh.create_dir(folder.join("blobs/sha256"))?;
        Ok(Self { sh, folder })
    }

    /// Takes a file in.
    fn take(&self, file: &Path) -> Result<Blob> {
        let sum = sha256(self.sh, file)?;
        let blob = Blob {
            sum,
            size: file.metadata()?.len(),
        };
        hard_link(file, self.folder.join(blob.path()))?;
        Ok(blob)
    }

    fn take_json(&self, value: &Value) -> Result<Blob> {
        let file = self.folder.join("new");
        write_json(self.sh, &file, value)?;
        let blob = self.take(&file)?;
        self.sh.remove_path(file)?;
        Ok(blob)
    }

    fn write(&self, name: &str, value: &Value) -> Result<()> {
        write_json(self.sh, &self.folder.join(name), value)
    }
}
