//! `cargo xtask dist`: the release archive.
//!
//! One tree gives one archive, octet for octet: times are those of the commit (or of
//! `SOURCE_DATE_EPOCH`), owners and names are in order, and the programs do not know the folder
//! they were built in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::workspace::{PROGRAMS, Workspace};

/// The files of the repository that an operator needs, at the same places, so that the links
/// between them hold: a file, or a folder with the ending of its files, if they have one.
const FILES: &[(&str, &str)] = &[
    ("LICENSE-APACHE", ""),
    ("LICENSE-MIT", ""),
    ("README.md", ""),
    ("crates/opentracker-admin/assets/uplot/LICENSE", ""),
    ("deploy/", ""),
    ("docs/", ".md"),
    ("docs/", ".png"),
    ("docs/", ".svg"),
    ("docs/completions/", ""),
    ("docs/man/", ""),
];

/// Runs the task.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let sh = &workspace.sh;
    let programs = {
        let _environment = sh.push_env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(workspace)?);
        workspace.build("dist")?
    };
    let metadata = workspace.metadata()?;
    let members = metadata.workspace_packages();
    let version = members.first().map(|package| package.version.to_string());
    let version = version.context("the workspace has no member")?;
    let name = format!("opentracker-{version}-{}", workspace.rustc("host")?);

    let folder = metadata.target_directory.join("dist-stage").join(&name);
    sh.remove_path(&folder)?;
    for file in content(&workspace.files()?) {
        let to = folder_of(sh, folder.as_ref(), &file)?;
        sh.copy_file(workspace.root.join(&file), to)?;
    }
    for (_, program) in PROGRAMS {
        let to = folder_of(sh, folder.as_ref(), "bin/")?;
        sh.copy_file(programs.join(program), to)?;
    }
    let out = workspace.root.join("dist");
    let archive = pack(sh, folder.as_ref(), &out, &epoch(sh)?)?;
    println!("{}", sh.read_file(checksum_of(&archive))?.trim_end());
    Ok(())
}

/// The files of the repository that go into the archive.
fn content(files: &[String]) -> Vec<String> {
    let belongs = |file: &String| {
        FILES.iter().any(|(start, ending)| match *ending {
            "" if !start.ends_with('/') => file == start,
            _ => file.starts_with(start) && file.ends_with(ending),
        })
    };
    files.iter().filter(|file| belongs(file)).cloned().collect()
}

/// Makes the folder that a file goes to; returns it.
fn folder_of(sh: &Shell, root: &Path, file: &str) -> Result<PathBuf> {
    let (folder, _) = file.rsplit_once('/').unwrap_or(("", file));
    Ok(sh.create_dir(root.join(folder))?)
}

/// Packs a folder into `<out>/<name>.tar.gz` with its checksum beside it; returns the archive.
fn pack(sh: &Shell, folder: &Path, out: &Path, epoch: &str) -> Result<PathBuf> {
    let name = folder
        .file_name()
        .and_then(OsStr::to_str)
        .context("a folder has a name")?;
    let parent = folder.parent().context("a folder has a parent")?;
    sh.create_dir(out)?;
    let tar = parent.join(format!("{name}.tar"));
    cmd!(
        sh,
        "tar --create --file {tar} --directory {parent} --format=ustar --sort=name
         --mtime=@{epoch} --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX {name}"
    )
    .quiet()
    .run()?;
    cmd!(sh, "gzip --force --no-name --best {tar}")
        .quiet()
        .run()?;
    let archive = out.join(format!("{name}.tar.gz"));
    sh.copy_file(parent.join(format!("{name}.tar.gz")), &archive)?;
    let checksum = {
        // `sha256sum -c` looks for the name as it is written.
        let _folder = sh.push_dir(out);
        cmd!(sh, "sha256sum {name}.tar.gz").quiet().read()?
    };
    sh.write_file(checksum_of(&archive), format!("{checksum}\n"))?;
    Ok(archive)
}

fn checksum_of(archive: &Path) -> PathBuf {
    let mut name = archive.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}

/// The time that every file in the archive gets, in seconds since 1970.
fn epoch(sh: &Shell) -> Result<String> {
    if let Ok(epoch) = sh.var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let commit = cmd!(sh, "git log -1 --format=%ct").quiet().read();
    commit.context("no commit to take the time from: set SOURCE_DATE_EPOCH")
}

/// Flags that replace the folders of this machine in the programs, as panics would show them.
fn remapped_paths(workspace: &Workspace) -> Result<String> {
    let cargo = match workspace.sh.var("CARGO_HOME") {
        Ok(cargo) => cargo,
        Err(_) => format!("{}/.cargo", workspace.sh.var("HOME")?),
    };
    let flag = |from: &str, to: &str| format!("--remap-path-prefix={from}={to}");
    let flags = [
        flag(&cargo, "cargo"),
        flag(&workspace.root.to_string_lossy(), "opentracker"),
    ];
    // Cargo's separator: a path may hold a space.
    Ok(flags.join("\u{1f}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{Repository, docs};

    #[test]
    fn the_archive_holds_one_folder_and_verifies_and_two_runs_give_the_same_octets() {
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
            let out = temporary.path().join(place).join("dist");
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
        sh.change_dir(first.parent().unwrap());
        let checksum = checksum_of(&first);
        let verified = cmd!(sh, "sha256sum --check --strict --quiet {checksum}");
        verified.quiet().run().unwrap();
    }

    #[test]
    fn what_an_operator_needs_is_in_the_archive() {
        let workspace = Workspace::open().unwrap();
        let content = content(&workspace.files().unwrap());
        for (start, _) in FILES {
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
        repository.files.retain(|file, _| content.contains(file));
        assert_eq!(
            docs::links(&repository),
            [],
            "a link leads out of the archive"
        );
    }
}
