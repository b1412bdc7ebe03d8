//! The archive, and what its `deploy/install.sh` puts where.

use std::collections::BTreeMap;
use std::path::PathBuf;

use xshell::{Shell, TempDir, cmd};

use crate::{Tracker, file};

/// Unpacks the archive; returns its one folder.
fn unpack(sh: &Shell, to: &TempDir) -> PathBuf {
    let (archive, to) = (file(".tar.gz"), to.path());
    cmd!(sh, "tar --extract --file {archive} --directory {to}")
        .quiet()
        .run()
        .unwrap();
    let [folder] = &sh.read_dir(to).unwrap()[..] else {
        panic!("the archive holds one folder");
    };
    folder.clone()
}

#[test]
fn the_archive_is_installed_with_its_script_and_serves() {
    let sh = Shell::new().unwrap();
    let temporary = sh.create_temp_dir().unwrap();
    sh.change_dir(unpack(&sh, &temporary));
    let root = temporary.path().join("root");
    let install = || {
        let script = cmd!(sh, "deploy/install.sh").env("DESTDIR", &root);
        script.quiet().run().unwrap();
    };
    install();
    let settings = root.join("etc/opentracker/opentracker.toml");
    sh.write_file(&settings, "# ours\n").unwrap();
    install();
    assert_eq!(
        sh.read_file(&settings).unwrap(),
        "# ours\n",
        "a second time"
    );

    let unit = root.join("usr/local/lib/systemd/system/opentracker.service");
    assert_eq!(
        sh.read_file(unit).unwrap(),
        sh.read_file("deploy/systemd/opentracker.service").unwrap()
    );
    let installed = |name: &str| {
        root.join("usr/local")
            .join(name)
            .to_str()
            .unwrap()
            .to_owned()
    };
    let tracker = Tracker::start("true", &[&installed("bin/opentracker")], BTreeMap::new());
    tracker.assert_serves(&[&installed("bin/opentracker-ctl")]);
}

#[test]
fn manual_pages_are_rendered_and_shells_read_the_completions() {
    let sh = Shell::new().unwrap();
    let temporary = sh.create_temp_dir().unwrap();
    sh.change_dir(unpack(&sh, &temporary));
    for page in sh.read_dir("docs/man").unwrap() {
        cmd!(sh, "mandoc -T lint -W warning {page}")
            .quiet()
            .run()
            .unwrap();
        let shown = cmd!(sh, "mandoc -T utf8 {page}").quiet().read().unwrap();
        assert!(shown.lines().count() > 50, "{shown}");
    }
    for program in ["opentracker", "opentracker-ctl"] {
        let bash = format!("source docs/completions/{program}.bash && complete -p {program}");
        cmd!(sh, "bash -c {bash}").quiet().run().unwrap();
        cmd!(sh, "zsh -n docs/completions/_{program}")
            .quiet()
            .run()
            .unwrap();
        cmd!(sh, "fish --no-execute docs/completions/{program}.fish")
            .quiet()
            .run()
            .unwrap();
    }
}
