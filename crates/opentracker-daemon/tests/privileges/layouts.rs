//! Reloads after privileges were dropped, in the layouts that packages and images have.
//!
//! | sentence | tests |
//! |---|---|
//! | a configuration outside of the root folder, a list inside it: both are read again | `a_configuration_outside_of_the_root_folder_is_read_again` |
//! | a configuration that cannot be read again (it belongs to root, it is gone) stays in force, and the lists are read | `a_configuration_of_root_stays_in_force` |
//! | a list outside of the root folder is read at the start, at a reload and by the watch | `a_list_outside_of_the_root_folder_is_read_again`, `a_folder_outside_of_the_root_folder_is_read_again` |
//! | so is the cluster's secret, as the user | `a_secret_outside_of_the_root_folder_is_read_again` |
//! | what lies inside is not looked for outside | `a_list_that_vanishes_inside_is_not_taken_from_outside` |
//! | Debian's package: unit and configuration both name the user, a C-style configuration | `the_package_of_debian` |
//! | NixOS's module: flags only, lists in the store behind links | `the_module_of_nixos` |
//! | container images: no `/etc/passwd`, a number as user, a read-only root, a list on a ConfigMap | `an_image_of_containers` |
//! | without root, a folder that is entered does not move the configuration | `a_relative_configuration_is_found_again` |

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use crate::program::{Setup, Tracker, list};
use crate::{AS_NOBODY, NOBODY, OTHER, TORRENT, ids, serves, udp, wrapper};

/// Waits for a line that says this.
fn said(tracker: &Tracker, words: &str) {
    tracker.wait_for(words, |log| log.iter().any(|line| line.contains(words)));
}

/// A setup with an empty root folder, and the user to become.
fn confined(user: &str) -> Setup {
    let mut setup = udp();
    let root = setup.path("root");
    fs::create_dir(&root).unwrap();
    setup
        .set("process.chroot", root.to_str().unwrap())
        .set("process.user", user);
    setup
}

#[test]
fn a_configuration_outside_of_the_root_folder_is_read_again() {
    for user in ["", "nobody"] {
        let mut setup = confined(user);
        setup.write("root/l.txt", &list(&[TORRENT]));
        setup.set("access.allow", "l.txt");
        let mut tracker = setup.start();
        assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
        tracker.setup.write("root/l.txt", &list(&[TORRENT, OTHER]));
        tracker.setup.set("announce.interval", "20m");
        let said = tracker.reload().join("\n");
        let line = "reloaded: announce.interval; allow list 1 → 2";
        assert!(said.contains(line) && !said.contains("ERROR"), "{said}");
        assert!(serves(&tracker, OTHER));
        // Somebody replaces the file, as editors do.
        let path = tracker.setup.config_path();
        fs::rename(&path, tracker.setup.path("old.toml")).unwrap();
        tracker.setup.set("announce.interval", "25m");
        let said = tracker.reload().join("\n");
        assert!(said.contains("reloaded: announce.interval"), "{said}");
    }
}

#[test]
fn a_configuration_of_root_stays_in_force() {
    let mut setup = confined("nobody");
    setup.write("root/l.txt", &list(&[TORRENT]));
    setup.set("access.allow", "l.txt");
    let tracker = setup.start();
    let path = tracker.setup.config_path();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let assert_kept = |cause: &str, change: &str| {
        let said = tracker.hang_up();
        let kept: Vec<_> = said
            .iter()
            .filter(|line| line.contains("stays in force"))
            .collect();
        assert_eq!(kept.len(), 1, "{said:?}");
        assert!(kept[0].contains(cause), "{said:?}");
        assert!(said.join("\n").contains(change), "{said:?}");
    };
    tracker.setup.write("root/l.txt", &list(&[TORRENT, OTHER]));
    assert_kept("Permission denied", "allow list 1 → 2");
    assert!(serves(&tracker, OTHER));
    fs::remove_file(&path).unwrap();
    tracker.setup.write("root/l.txt", &list(&[TORRENT]));
    assert_kept("No such file", "allow list 2 → 1");
    assert!(!serves(&tracker, OTHER));
}

#[test]
fn a_list_outside_of_the_root_folder_is_read_again() {
    for user in ["", "nobody"] {
        let mut setup = confined(user);
        setup
            .list("access.allow", &[TORRENT])
            .list("access.deny", &[[1; 20]]);
        let mut tracker = setup.start();
        assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
        tracker
            .setup
            .write("access.allow", &list(&[TORRENT, OTHER]));
        let heard = tracker.hang_up().join("\n");
        assert!(heard.contains("allow list 1 → 2"), "{heard}");
        assert!(serves(&tracker, OTHER));
        // Replaced as a whole, and without a signal.
        let new = tracker.setup.write("new", &list(&[TORRENT]));
        fs::rename(new, tracker.setup.path("access.allow")).unwrap();
        said(&tracker, "access.allow has changed: allow list 2 → 1");
        assert!(!serves(&tracker, OTHER));
        // Another file of the same folder.
        let other = tracker.setup.write("other", &list(&[OTHER]));
        tracker.setup.set("access.allow", other.to_str().unwrap());
        let heard = tracker.reload().join("\n");
        assert!(!heard.contains("ERROR"), "{heard}");
        assert!(serves(&tracker, OTHER) && !serves(&tracker, TORRENT));
    }
}

#[test]
fn a_folder_outside_of_the_root_folder_is_read_again() {
    let mut setup = confined("nobody");
    let folder = setup.path("torrents");
    fs::create_dir(&folder).unwrap();
    setup.set("access.allow", folder.to_str().unwrap());
    let tracker = setup.start();
    let torrent = "d4:infod6:lengthi1e4:name1:a6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
    fs::write(folder.join("a.torrent"), torrent).unwrap();
    said(&tracker, "allow list 0 → 1");
}

#[test]
fn a_secret_outside_of_the_root_folder_is_read_again() {
    let key = |octet: &str| octet.repeat(32);
    let mut setup = confined("nobody");
    let path = setup.write("secret", &key("5e"));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    setup.set("livesync.secret", path.to_str().unwrap());
    setup.argument("--check");
    let ended = setup.run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    for words in ["livesync.secret: cannot read ", "Permission denied"] {
        assert!(ended.stderr.contains(words), "{ended:?}");
    }
    let mut setup = confined("nobody");
    let path = setup.write("secret", &key("5e"));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    chown(&path, Some(NOBODY.parse().unwrap()), None).unwrap();
    setup.set("livesync.secret", path.to_str().unwrap());
    let tracker = setup.start();
    let two = [key("5e"), key("ca")].join("\n");
    tracker.setup.write("secret", &two);
    said(&tracker, "accepted as well: ");
    tracker.setup.write("secret", "");
    let heard = tracker.hang_up().join("\n");
    assert!(
        heard.contains("ERROR the keys stay as they were"),
        "{heard}"
    );
    tracker.setup.write("secret", &key("ca"));
    let heard = tracker.hang_up().join("\n");
    assert!(heard.contains("livesync.secret: the key is "), "{heard}");
}

#[test]
fn a_list_that_vanishes_inside_is_not_taken_from_outside() {
    let mut setup = confined("nobody");
    setup.list("access.allow", &[TORRENT, OTHER]);
    let outside = setup.path("access.allow");
    let inside = setup.path("root").join(outside.strip_prefix("/").unwrap());
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    fs::write(&inside, list(&[TORRENT])).unwrap();
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    fs::remove_file(&inside).unwrap();
    let heard = tracker.hang_up().join("\n");
    assert!(heard.contains("the allow list stays as it was"), "{heard}");
    assert!(!serves(&tracker, OTHER));
}

#[test]
fn the_package_of_debian() {
    let mut setup = udp();
    setup.wrapper = wrapper(&[&AS_NOBODY]);
    let allow = setup.write("whitelist", &list(&[TORRENT]));
    let text = format!(
        "# opentracker.conf\nlisten.udp 127.0.0.1:0\nlisten.udp.workers 1\n\
         tracker.user nobody\naccess.whitelist {}\n",
        allow.display()
    );
    setup.text(&text).listeners(1);
    let tracker = setup.start();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    tracker.setup.write("whitelist", &list(&[TORRENT, OTHER]));
    let heard = tracker.hang_up().join("\n");
    assert!(heard.contains("allow list 1 → 2"), "{heard}");
    for word in ["ERROR", "restart"] {
        assert!(!heard.contains(word), "{heard}");
    }
    assert!(serves(&tracker, OTHER));
}

/// Makes a file in a store that nobody changes.
fn store(setup: &Setup, name: &str, text: &str) {
    let path = setup.path("store").join(name);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("whitelist"), text).unwrap();
    for path in [path.join("whitelist"), path] {
        let mode = if path.is_dir() { 0o555 } else { 0o444 };
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
}

/// Lets a link lead elsewhere, in one step.
fn relink(target: impl AsRef<Path>, link: &Path) {
    let new = link.parent().unwrap().join("next");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

#[test]
fn the_module_of_nixos() {
    let mut setup = udp();
    setup.wrapper = wrapper(&[&AS_NOBODY]);
    store(&setup, "one", &list(&[TORRENT]));
    store(&setup, "two", &list(&[TORRENT, OTHER]));
    store(&setup, "three", &list(&[OTHER]));
    // The system of now, which has the folder of the program's files, which has the list.
    let system = setup.path("system");
    for name in ["one", "two", "three"] {
        let generation = setup.path(&format!("generation-{name}"));
        fs::create_dir_all(generation.join("etc")).unwrap();
        let list = setup.path("store").join(name).join("whitelist");
        symlink(list, generation.join("etc/whitelist")).unwrap();
    }
    relink(setup.path("generation-one"), &system);
    let list = system.join("etc/whitelist");
    for argument in ["-i", "127.0.0.1", "-P", "0", "-w"] {
        setup.argument(argument);
    }
    setup.argument(list).listeners(1);
    let tracker = setup.start_bare();
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    relink(tracker.setup.path("generation-two"), &system);
    let heard = tracker.hang_up().join("\n");
    assert!(heard.contains("allow list 1 → 2"), "{heard}");
    assert!(serves(&tracker, OTHER));
    relink(tracker.setup.path("generation-three"), &system);
    said(&tracker, "has changed: allow list 2 → 1");
    assert!(!serves(&tracker, TORRENT));
}

#[test]
fn an_image_of_containers() {
    let mut setup = udp();
    let script = "mount --bind /dev/null /etc/passwd && mount --bind / /mnt \
                  && mount -o remount,ro,bind /mnt && exec chroot /mnt \"$@\"";
    let user = [
        "setpriv",
        "--reuid=4000000",
        "--regid=4000000",
        "--clear-groups",
    ];
    setup.wrapper = wrapper(&[&["unshare", "--mount", "sh", "-c", script, "sh"], &user]);
    let volume = setup.path("volume");
    let publish = |version: &str, text: String| {
        fs::create_dir_all(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("allow.txt"), text).unwrap();
        relink(version, &volume.join("..data"));
    };
    publish("..2026_01", list(&[TORRENT]));
    symlink("..data/allow.txt", volume.join("allow.txt")).unwrap();
    setup
        .set("process.user", "4000000")
        .set("access.allow", volume.join("allow.txt").to_str().unwrap());
    let mut tracker = setup.start();
    let status = fs::read_to_string(tracker.proc("status")).unwrap();
    assert_eq!(ids(&status, "Uid"), ["4000000"; 4]);
    assert!(serves(&tracker, TORRENT) && !serves(&tracker, OTHER));
    let log = tracker.log().join("\n");
    assert!(!log.contains("WARN"), "{log}");
    publish("..2026_02", list(&[OTHER]));
    said(&tracker, "has changed: allow list 1 → 1");
    assert!(serves(&tracker, OTHER) && !serves(&tracker, TORRENT));
    publish("..2026_03", list(&[TORRENT, OTHER]));
    tracker.setup.set("announce.interval", "20m");
    let heard = tracker.reload().join("\n");
    assert!(
        heard.contains("announce.interval; allow list 1 → 2"),
        "{heard}"
    );
}

#[test]
fn a_relative_configuration_is_found_again() {
    let mut setup = udp();
    let folder = setup.path("").to_str().unwrap().to_owned();
    let enter = format!("cd {folder} && exec \"$@\"");
    setup.wrapper = wrapper(&[&["sh", "-c", &enter, "sh"], &AS_NOBODY]);
    fs::create_dir(setup.path("other")).unwrap();
    setup.set("process.chroot", setup.path("other").to_str().unwrap());
    setup.write_config();
    setup
        .argument("--config")
        .argument("opentracker.toml")
        .listeners(2);
    let mut tracker = setup.start_bare();
    let status = fs::read_to_string(tracker.proc("status")).unwrap();
    assert_eq!(ids(&status, "Uid"), [NOBODY; 4]);
    tracker.setup.set("announce.interval", "20m");
    let heard = tracker.reload().join("\n");
    assert!(heard.contains("reloaded: announce.interval"), "{heard}");
    assert!(!heard.contains("ERROR"), "{heard}");
}
