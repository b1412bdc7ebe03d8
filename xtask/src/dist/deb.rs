//! The package of Debian, by `dpkg-deb`.

use std::path::Path;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::{REVISION, Release};
use crate::workspace::PROGRAMS;

/// What dpkg runs.
const SCRIPTS: [&str; 3] = ["postinst", "postrm", "prerm"];

/// Writes the package of a tree, which becomes Debian's own.
pub(super) fn write(release: &Release<'_>, tree: &Path, programs: &Path) -> Result<()> {
    let (sh, version) = (release.sh, release.package_version());
    let share = tree.join("usr/share");
    // Where Debian's zsh looks.
    let completions = sh.create_dir(share.join("zsh/vendor-completions"))?;
    for file in sh.read_dir(share.join("zsh/site-functions"))? {
        sh.copy_file(file, &completions)?;
    }
    sh.remove_path(share.join("zsh/site-functions"))?;
    sh.copy_file("deploy/debian/copyright", share.join("doc/opentracker-rs"))?;

    let files = files(sh, tree)?;
    let control = sh.create_dir(tree.join("DEBIAN"))?;
    for script in SCRIPTS {
        sh.copy_file(Path::new("deploy/debian").join(script), &control)?;
    }
    let settings = files.iter().filter(|file| file.starts_with("etc/"));
    let conffiles: String = settings.map(|file| format!("/{file}\n")).collect();
    sh.write_file(control.join("conffiles"), conffiles)?;
    let sums = {
        let _folder = sh.push_dir(tree);
        cmd!(sh, "md5sum {files...}").quiet().read()?
    };
    sh.write_file(control.join("md5sums"), sums + "\n")?;
    let size = cmd!(
        sh,
        "du --apparent-size --block-size=1024 --summarize {tree}"
    )
    .quiet();
    let size = size.read()?;
    let architecture = release.architecture()?;
    let places = [
        ("ARCHITECTURE", architecture),
        ("DEPENDS", &dependencies(sh, programs)?),
        (
            "INSTALLED_SIZE",
            size.split_whitespace().next().context("a size")?,
        ),
    ];
    let text = release.fill("deploy/debian/control", &places)?;
    sh.write_file(control.join("control"), text)?;

    let name = format!("opentracker-rs_{version}-{REVISION}_{architecture}.deb");
    let file = release.out.join(name);
    // One thread, or the octets depend on how many there are.
    cmd!(
        sh,
        "dpkg-deb --root-owner-group -Zxz --threads-max=1 --build {tree} {file}"
    )
    .env("SOURCE_DATE_EPOCH", &release.epoch)
    .quiet()
    .ignore_stdout()
    .run()?;
    Ok(())
}

/// Lists the files of a tree, sorted, without `./`.
fn files(sh: &Shell, tree: &Path) -> Result<Vec<String>> {
    let found = cmd!(sh, "find {tree} -type f -printf %P\\n")
        .quiet()
        .read()?;
    let mut files: Vec<String> = found.lines().map(str::to_owned).collect();
    files.sort();
    Ok(files)
}

/// The libraries that the programs are linked with: glibc, of which they may need symbols of one
/// version only, and the unwinder of gcc.
fn dependencies(sh: &Shell, programs: &Path) -> Result<String> {
    let programs = PROGRAMS.iter().map(|(_, program)| programs.join(program));
    let said = cmd!(sh, "readelf --wide --version-info").args(programs);
    let said = said.quiet().read()?;
    Ok(format!("libc6 (>= {}), libgcc-s1", newest_glibc(&said)?))
}

/// The newest version of glibc that symbols of a program name, as `readelf` tells of them.
fn newest_glibc(said: &str) -> Result<String> {
    let named = said.split("Name: GLIBC_").skip(1);
    let version = |text: &str| -> Option<(u32, u32)> {
        let number = text.split_whitespace().next()?;
        let mut parts = number.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    let newest = named.filter_map(version).max();
    let (major, minor) = newest.context("the programs name no version of glibc")?;
    Ok(format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_glibc_is_found() {
        let said = "\
  0x0010:   Name: GCC_3.0  Flags: none  Version: 9
  0x0020:   Name: GLIBC_2.9  Flags: none  Version: 8
  0x0030:   Name: GLIBC_2.34  Flags: none  Version: 3
  0x0040:   Name: GLIBC_2.2.5  Flags: none  Version: 2
";
        assert_eq!(newest_glibc(said).unwrap(), "2.34");
        assert!(newest_glibc("no version information").is_err());
    }
}
