//! The release does not depend on where it was built.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::{dist, programs, repository};

/// The folders of this machine that a build can see.
fn folders(sh: &Shell) -> Vec<String> {
    let home = sh.var("HOME").unwrap();
    let cargo = sh
        .var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{home}/.cargo"));
    let sysroot = cmd!(sh, "rustc --print sysroot").quiet().read().unwrap();
    let here = repository().canonicalize().unwrap();
    let target = env!("CARGO_TARGET_TMPDIR").to_owned();
    let here = here.to_str().unwrap().to_owned();
    // Whoever builds as root has these by another name.
    let usual = [concat!("/ro", "ot/"), concat!("/ho", "me/")].map(str::to_owned);
    let mut folders = vec![cargo, sysroot, here, target];
    folders.extend(usual);
    // `/` is in every program.
    folders.extend((home.len() > 1).then_some(home));
    folders
}

#[test]
fn no_folder_of_this_machine_is_in_a_program() {
    let sh = Shell::new().unwrap();
    for (program, text) in programs(&sh) {
        for folder in folders(&sh) {
            assert!(!text.contains(&folder), "{folder} is in {program}");
        }
        assert!(!text.contains(".symtab"), "{program} is not stripped");
    }
}

/// Lets cargo find here what it has there, under another name.
fn another_cargo_home(sh: &Shell, folder: &Path) {
    let home = sh.var("HOME").unwrap();
    let cargo = sh
        .var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{home}/.cargo"));
    sh.create_dir(folder).unwrap();
    for path in sh.read_dir(cargo).unwrap() {
        cmd!(sh, "ln --symbolic {path} {folder}/")
            .quiet()
            .run()
            .unwrap();
    }
}

#[test]
fn another_folder_without_a_network_gives_the_same_octets() {
    let sh = Shell::new().unwrap();
    sh.change_dir(repository());
    let temporary = sh.create_temp_dir().unwrap();
    let copy = temporary.path().join("another/place");
    let listed = cmd!(sh, "git ls-files --cached --others --exclude-standard")
        .quiet()
        .read()
        .unwrap();
    for file in listed
        .lines()
        .map(Path::new)
        .filter(|file| repository().join(file).is_file())
    {
        let to = sh.create_dir(copy.join(file.parent().unwrap())).unwrap();
        sh.copy_file(file, to).unwrap();
    }
    another_cargo_home(&sh, &temporary.path().join("cargo"));
    let time = cmd!(sh, "git log -1 --format=%ct").quiet().read().unwrap();
    // It works where its manifest is, and has no network: what a build needs is in Cargo.lock, and no
    // build script fetches anything. Other tests are not to wait for it.
    cmd!(sh, "nice --adjustment=19 unshare --net {XTASK} dist")
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_MANIFEST_DIR", copy.join("xtask"))
        .env("CARGO_HOME", temporary.path().join("cargo"))
        .env("CARGO_TARGET_DIR", temporary.path().join("target"))
        .env("SOURCE_DATE_EPOCH", time)
        .run()
        .unwrap();
    let first = sh.read_file(dist().join("SHA256SUMS")).unwrap();
    let second = sh.read_file(copy.join("dist/SHA256SUMS")).unwrap();
    assert_eq!(first, second);
}

const XTASK: &str = env!("CARGO_BIN_EXE_xtask");
