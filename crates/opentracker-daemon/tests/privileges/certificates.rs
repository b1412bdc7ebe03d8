//! Certificates that are renewed when the process is another user, in another root folder.
//!
//! | sentence | tests |
//! |---|---|
//! | certificates and keys are read again, wherever they lie | `certificates_outside_of_the_root_folder_are_read_again` |
//! | behind links, as certbot makes them, too | `links_of_certbot_are_followed_out_of_the_root_folder` |
//! | a key for root alone is enough for the start, and the log says why no new one is taken | `a_key_of_root_is_enough_for_a_start` |

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use opentracker_lab::tls::{self, Pair, RENEWED, TRACKER};

use crate::program::{Setup, Tracker, eventually};
use crate::setup;

/// A setup that serves HTTPS as a user in an empty root folder.
fn confined(certificate: &str) -> Setup {
    let mut setup = setup();
    let [root, certificate] = ["root", certificate].map(|name| setup.path(name));
    fs::create_dir(&root).unwrap();
    setup
        .set("process.chroot", root.to_str().unwrap())
        .set("process.user", "nobody")
        .set("tls.certificate", certificate.to_str().unwrap())
        .set_toml("http.listen", "[{ address = \"127.0.0.1:0\", tls = true }]");
    setup
}

fn write_pair(setup: &Setup, names: [&str; 2], pair: Pair) {
    for (name, text) in names.into_iter().zip([pair.certificate, pair.key]) {
        setup.write(name, text);
    }
}

/// Whether a newcomer gets this certificate.
fn serves(tracker: &Tracker, pair: Pair) -> bool {
    let address = tracker.addresses("https")[0];
    let mut client = tls::connect(&tls::client_config(), "tracker.example", address);
    client.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 200);
    client.stream.conn.peer_certificates().unwrap()[0] == pair.der()
}

#[test]
fn certificates_outside_of_the_root_folder_are_read_again() {
    let names = ["tls/a.crt", "tls/a.key"];
    for certificate in ["tls", names[0]] {
        let mut setup = confined(certificate);
        fs::create_dir(setup.path("tls")).unwrap();
        if certificate == names[0] {
            let key = setup.path(names[1]);
            setup.set("tls.key", key.to_str().unwrap());
        }
        write_pair(&setup, names, TRACKER);
        let tracker = setup.start();
        assert!(serves(&tracker, TRACKER));
        write_pair(&tracker.setup, names, RENEWED);
        eventually("a new certificate without a signal", || {
            serves(&tracker, RENEWED)
        });
        write_pair(&tracker.setup, names, TRACKER);
        let heard = tracker.hang_up().join("\n");
        assert!(!heard.contains("ERROR"), "{heard}");
        assert!(serves(&tracker, TRACKER));
    }
}

#[test]
fn links_of_certbot_are_followed_out_of_the_root_folder() {
    let setup = confined("live");
    for folder in ["live/a", "archive/a"] {
        fs::create_dir_all(setup.path(folder)).unwrap();
    }
    let renew = |setup: &Setup, number: u32, pair| {
        let names = ["fullchain", "privkey"];
        let files = names.map(|name| format!("archive/a/{name}{number}.pem"));
        write_pair(setup, [&*files[0], &*files[1]], pair);
        for (name, file) in names.iter().zip(&files) {
            let link = setup.path(&format!("live/a/{name}.pem"));
            fs::remove_file(&link).ok();
            symlink(format!("../../{file}"), link).unwrap();
        }
    };
    renew(&setup, 1, TRACKER);
    let tracker = setup.start();
    assert!(serves(&tracker, TRACKER));
    renew(&tracker.setup, 2, RENEWED);
    eventually("a new certificate without a signal", || {
        serves(&tracker, RENEWED)
    });
}

#[test]
fn a_key_of_root_is_enough_for_a_start() {
    let names = ["tls.crt", "tls.key"];
    let set_mode = |setup: &Setup, mode| {
        fs::set_permissions(setup.path(names[1]), Permissions::from_mode(mode)).unwrap();
    };
    let [mut checked, started] = [(); 2].map(|()| {
        let mut setup = confined(names[0]);
        write_pair(&setup, names, TRACKER);
        let key = setup.path(names[1]);
        setup.set("tls.key", key.to_str().unwrap());
        set_mode(&setup, 0o600);
        setup
    });
    let ended = checked.argument("--check").run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let tracker = started.start();
    let is_said = |log: &[String]| {
        let words = ["the certificate stays as it was", "Permission denied"];
        log.iter()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    // Before it is needed.
    tracker.wait_for("what a renewal will meet", is_said);
    write_pair(&tracker.setup, names, RENEWED);
    assert!(is_said(&tracker.hang_up()));
    assert!(serves(&tracker, TRACKER));
    set_mode(&tracker.setup, 0o604);
    assert!(!is_said(&tracker.hang_up()));
    assert!(serves(&tracker, RENEWED));
}
