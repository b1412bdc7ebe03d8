//! The archive: a folder with the programs in `bin/` and the repository's files that an operator needs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::Release;
use crate::workspace::PROGRAMS;

/// The files and folders of the repository that an operator needs, at the same places, so that the
/// links between them hold.
const FILES: &[&str] = &[
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates/opentracker-admin/assets/uplot/LICENSE",
    "deploy/",
    "docs/",
];

/// Writes the archive; returns the folder that it holds.
pub(super) fn write(release: &Release<'_>, files: &[String], programs: &Path) -> Result<PathBuf> {
    let Release {
        sh,
        version,
        target,
        ..
    } = release;
    let folder = release
        .stage
        .join(format!("opentracker-{version}-{target}"));
    for file in content(files) {
        let to = folder_of(sh, &folder, file)?;
        sh.copy_file(file, to)?;
    }
    for (_, program) in PROGRAMS {
        let to = folder_of(sh, &folder, "bin/")?;
        sh.copy_file(programs.join(program), to)?;
    }
    pack(sh, &folder, &release.out, &release.epoch)?;
    Ok(folder)
}

/// The files of the repository that go into the archive.
fn content(files: &[String]) -> impl Iterator<Item = &String> {
    let belongs = |file: &&String| {
        let is_in =
            |entry: &&str| file.starts_with(entry) && (entry.ends_with('/') || file == entry);
        FILES.iter().any(is_in)
    };
    files.iter().filter(belongs)
}

/// Makes the folder that a file goes to; returns it.
fn folder_of(sh: &Shell, root: &Path, file: &str) -> Result<PathBuf> {
    let (folder, _) = file.rsplit_once('/').unwrap_or(("", file));
    Ok(sh.create_dir(root.join(folder))?)
}

/// Packs a folder into `<out>/<name>.tar.gz`; returns the archive.
fn pack(sh: &Shell, folder: &Path, out: &Path, epoch: &str) -> Result<PathBuf> {
    let name = folder
        .file_name()
        .and_then(OsStr::to_str)
        .context("a folder has a name")?;
    let parent = folder.parent().context("a folder has a parent")?;
    let tar = out.join(format!("{name}.tar"));
    add(sh, &tar, parent, &[name], "0", epoch)?;
    cmd!(sh, "gzip --force --no-name --best {tar}")
        .quiet()
        .run()?;
    Ok(out.join(format!("{name}.tar.gz")))
}

/// Adds files and folders of a folder to a tar file, all of them of one owner; makes the file if it
/// is not there.
pub(super) fn add(
    sh: &Shell,
    tar: &Path,
    folder: &Path,
    names: &[&str],
    owner: &str,
    epoch: &str,
) -> Result<()> {
    cmd!(
        sh,
        "tar --append --file {tar} --directory {folder} --format=ustar --sort=name
         --mtime=@{epoch} --owner={owner} --group={owner} --numeric-owner --mode=u=rwX,go=rX {names...}"
    )
    .quiet()
    .run()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{Repository, docs};
    use crate::workspace::Workspace;

    #[test]
    fn the_archive_holds_one_folder_and_two_runs_give_the_same_octets() {
        let sh = Shell::new().unwrap();
        let temporary = sh.create_temp_dir().unwrap();
        let pack_at = |place: &str, time: &str, mode: &str| {
            let folder = temporary.path().join(place).join("opentracker");
            sh.write_file(folder.join("README.md"), "Read.\n").unwrap();
            sh.write_file(folder.join("bin/a"), "#!/bin/sh\n").unwrap();
            let run = |command: xshell::Cmd<'_>| command.quiet().run().unwrap();
            run(cmd!(sh, "touch --date={time} {folder}/README.md"));
            run(cmd!(sh, "chmod {mode} {folder}/README.md"));
            run(cmd!(sh, "chmod 700 {folder}/bin/a"));
            let out = sh
                .create_dir(temporary.path().join(place).join("dist"))
                .unwrap();
            pack(&sh, &folder, &out, "86400").unwrap()
        };
        let first = pack_at("first", "2001-01-01", "600");
        let second = pack_at("second", "2002-02-02", "644");
        let octets = |archive| sh.read_binary_file(archive).unwrap();
        assert!(octets(&first) == octets(&second));

        let list = cmd!(sh, "tar --list --verbose --utc --file {first}").quiet();
        let list = list.read().unwrap();
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let list: Vec<String> = list.lines().map(squeezed).collect();
        assert_eq!(
            list,
            [
                "drwxr-xr-x 0/0 0 1970-01-02 00:00 opentracker/",
                "-rw-r--r-- 0/0 6 1970-01-02 00:00 opentracker/README.md",
                "drwxr-xr-x 0/0 0 1970-01-02 00:00 opentracker/bin/",
                "-rwxr-xr-x 0/0 10 1970-01-02 00:00 opentracker/bin/a",
            ]
        );
    }

    #[test]
    fn what_an_operator_needs_is_in_the_archive() {
        let workspace = Workspace::open().unwrap();
        let files = workspace.files().unwrap();
        let content: Vec<_> = content(&files).collect();
        for start in FILES {
            assert!(
                content.iter().any(|file| file.starts_with(start)),
                "{start} is missing"
            );
        }
        assert!(
            !content.iter().any(|file| file.ends_with(".rs")),
            "{content:?}"
        );

        let mut repository = Repository::read(&workspace).unwrap();
        repository.files.retain(|file, _| content.contains(&file));
        assert_eq!(
            docs::links(&repository),
            [],
            "a link leads out of the archive"
        );
    }
}
