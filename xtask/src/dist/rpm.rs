//! The package of RPM, by `rpmbuild`, which finds the libraries that it needs by itself.

use std::path::Path;

use anyhow::Result;
use xshell::cmd;

use super::{REVISION, Release};

/// What would make two runs differ, or is of the machine that builds.
const SETTINGS: &[&str] = &[
    "_build_id_links none",
    "_buildhost localhost",
    "_binary_payload w6.xzdio",
    "_source_payload w6.xzdio",
    "use_source_date_epoch_as_buildtime 1",
    "clamp_mtime_to_source_date_epoch 1",
    "debug_package %{nil}",
    "__os_install_post %{nil}",
];

/// Writes the package of a tree.
pub(super) fn write(release: &Release<'_>, tree: &Path) -> Result<()> {
    let sh = release.sh;
    let (version, processor) = (release.package_version(), release.processor());
    let top = sh.create_dir(release.stage.join("rpm"))?;
    let text = release.fill("deploy/rpm/opentracker-rs.spec", &[])?;
    let spec = top.join("opentracker-rs.spec");
    sh.write_file(&spec, text)?;
    let settings = SETTINGS.iter().flat_map(|setting| ["--define", setting]);
    let top_setting = format!("_topdir {}", top.display());
    let tree_setting = format!("tree {}", tree.display());
    cmd!(
        sh,
        "rpmbuild -bb --quiet --target {processor}-linux {settings...}
         --define {top_setting} --define {tree_setting} {spec}"
    )
    .env("SOURCE_DATE_EPOCH", &release.epoch)
    .quiet()
    .run()?;
    let name = format!("opentracker-rs-{version}-{REVISION}.{processor}.rpm");
    sh.copy_file(top.join("RPMS").join(processor).join(name), &release.out)?;
    Ok(())
}
