//! Section "Configuration" of the contract: files, the environment and flags, in their order.
//!
//! | sentence | tests |
//! |---|---|
//! | several files add up, the later replaces the earlier, lists as a whole | `files_add_up` |
//! | flags win over everything | `flags_win_over_the_environment` |
//! | `--check` prints what would be in force | `check_prints_what_would_be_in_force` |
//! | `-v` | `the_version_by_either_name` |
//! | a byte order mark is ignored everywhere | `a_byte_order_mark_is_ignored` |
//! | `#` begins a comment at the start of a line of a C-style file only, bytes in comments are any | `a_file_of_the_c_program_is_told_by_its_first_word` |
//! | a variable that nearly names a key, or that is empty and switches a list off, is a warning | `doubtful_variables_are_warned_of` |
//! | `trusted_proxies` that hold the whole Internet are a warning | `proxies_from_everywhere_are_warned_of` |
//! | `--config FILE` (`-f`) reads TOML | `a_file_is_read_by_either_name` |
//! | `-f` also accepts a C-style `opentracker.conf` | `a_file_of_the_c_program_is_read` |
//! | every key can also be given in the environment | `the_environment_wins_over_the_file`, `lists_in_the_environment`, `every_key_is_read_from_the_environment` |
//! | `listen` may be a string or a table | `one_value_stands_for_a_list_of_one` |
//! | errors in the environment name the variable | `errors_in_the_environment`, `variables_that_are_not_text` |
//! | a flag is checked as a key is | `flags_are_checked_as_keys_are` |
//! | all faults at once | `everything_that_is_wrong_is_said_at_once` |

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::Command;

use crate::config::{DEFAULTS, values};
use crate::datagram::{Announce, Client};
use crate::program::{Setup, Tracker};
use crate::request::get;

#[test]
fn check_prints_what_would_be_in_force() {
    let mut setup = Setup::new();
    setup
        .text("[udp]\nworkers = 3\n")
        .variable("OPENTRACKER_ANNOUNCE__INTERVAL", "10m")
        .argument("-i")
        .argument("127.0.0.9")
        .argument("--check");
    let ended = setup.run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let mut expected = values(DEFAULTS);
    for (key, value) in [
        ("udp.workers", "3"),
        ("announce.interval", "\"10m\""),
        ("udp.listen", "[\"127.0.0.9:6969\"]"),
        ("http.listen", "[\"127.0.0.9:6969\"]"),
    ] {
        expected.insert(key.to_owned(), value.to_owned());
    }
    assert_eq!(values(&ended.stdout), expected);
}
#[test]
fn the_version_by_either_name() {
    let [short, long] = ["-v", "--version"].map(|flag| Setup::new().argument(flag).run_bare());
    assert_eq!((short.code, short.stderr.as_str()), (Some(0), ""));
    assert!(short.stdout.starts_with("opentracker "), "{short:?}");
    assert_eq!(short.stdout, long.stdout);
}
/// What would be in force, by `--check`.
fn checked(setup: &mut Setup) -> BTreeMap<String, String> {
    let ended = setup.argument("--check").run_bare();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    values(&ended.stdout)
}
#[test]
fn files_add_up() {
    let mut setup = Setup::new();
    let first =
        "udp.workers = 1\naccess.admin = [\"10.0.0.1\", \"10.0.0.2\"]\nlog.level = \"warn\"\n";
    let files = [
        setup.write("one.toml", first),
        setup.write(
            "two.toml",
            "udp.workers = 2\naccess.admin = [\"10.0.0.3\"]\n",
        ),
        setup.write("three.conf", "tracker.user nobody\n"),
    ];
    for file in files {
        setup.argument("-f").argument(file);
    }
    let values = checked(&mut setup);
    assert_eq!(values["udp.workers"], "2");
    assert_eq!(values["access.admin"], "[\"10.0.0.3/32\"]");
    assert_eq!(values["log.level"], "\"warn\"");
    assert_eq!(values["process.user"], "\"nobody\"");
}
#[test]
fn flags_win_over_the_environment() {
    let mut setup = Setup::new();
    setup
        .variable("OPENTRACKER_HTTP__REDIRECT_URL", "https://a.example/")
        .variable("OPENTRACKER_ACCESS__ADMIN", "10.0.0.1");
    for argument in ["-r", "https://b.example/", "-A", "10.0.0.2", "-A", "::1"] {
        setup.argument(argument);
    }
    let values = checked(&mut setup);
    assert_eq!(values["http.redirect_url"], "\"https://b.example/\"");
    // This one adds to what is there.
    let admin = "[\"10.0.0.1/32\", \"10.0.0.2/32\", \"::1/128\"]";
    assert_eq!(values["access.admin"], admin);
}
#[test]
fn one_value_stands_for_a_list_of_one() {
    let mut setup = Setup::new();
    let text = "udp.listen = \"0.0.0.0:1\"\naccess.stats = \"::1\"\n\
                http.listen = { address = \"[::]:1\", v6_only = true }\n";
    let file = setup.write("a.toml", text);
    let values = checked(setup.argument("-f").argument(file));
    assert_eq!(values["udp.listen"], "[\"0.0.0.0:1\"]");
    assert_eq!(values["access.stats"], "[\"::1/128\"]");
    let table = "[{ address = \"[::]:1\", v6_only = true }]";
    assert_eq!(values["http.listen"], table);
}
#[test]
fn a_byte_order_mark_is_ignored() {
    for text in [
        "\u{feff}[udp]\nworkers = 7\n",
        "\u{feff}listen.udp.workers 7\n",
    ] {
        let mut setup = Setup::new();
        let file = setup.write("a", text);
        let values = checked(setup.argument("-f").argument(file));
        assert_eq!(values["udp.workers"], "7", "{text:?}");
    }
}
#[test]
fn a_file_of_the_c_program_is_told_by_its_first_word() {
    let mut setup = Setup::new();
    let [file, fifo] = ["a.conf", "fifo"].map(|name| setup.path(name));
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let fifo = fifo.to_str().unwrap();
    let mut text =
        b"# caf\xe9 = 1\n\ntracker.redirect_url https://site.example/?a=b#/tracker\n".to_vec();
    text.extend(format!("access.fifo_add {fifo}\naccess.fifo_delete {fifo}\n").as_bytes());
    std::fs::write(&file, text).unwrap();
    let values = checked(setup.argument("-f").argument(file));
    let url = "\"https://site.example/?a=b";
    assert!(values["http.redirect_url"].starts_with(url), "{values:?}");
    for key in ["access.fifo_add", "access.fifo_delete"] {
        assert_eq!(values[key], format!("{fifo:?}"), "{key}");
    }
}
#[test]
fn doubtful_variables_are_warned_of() {
    let mut setup = Setup::new();
    let file = setup.write("a.toml", "access.allow = \"allowed\"\n");
    setup
        .variable("OPENTRACKER_ANNOUNCE_INTERVAL", "10m")
        .variable("OPENTRACKER_ACCESS__ALLOW", "");
    let ended = setup
        .argument("-f")
        .argument(file)
        .argument("--check")
        .run_bare();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for said in [
        "warning: OPENTRACKER_ANNOUNCE_INTERVAL: it sets nothing: did you mean \
         OPENTRACKER_ANNOUNCE__INTERVAL?",
        "warning: OPENTRACKER_ACCESS__ALLOW: it is empty and so switches access.allow off",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
    // A start says the same.
    let mut setup = Setup::udp();
    setup.variable("OPENTRACKER_ANNOUNCE_INTERVAL", "10m");
    let log = setup.start().log().join("\n");
    assert!(
        log.contains("did you mean OPENTRACKER_ANNOUNCE__INTERVAL?"),
        "{log}"
    );
}
#[test]
fn proxies_from_everywhere_are_warned_of() {
    for networks in ["0.0.0.0/0", "::/0", "10.0.0.0/8,::/0"] {
        let mut setup = Setup::udp();
        setup.variable("OPENTRACKER_HTTP__TRUSTED_PROXIES", networks);
        let said = "http.trusted_proxies: it holds the whole Internet";
        let log = setup.start().log().join("\n");
        assert!(log.contains(said), "{networks}: {log}");
    }
}
#[test]
fn a_file_is_read_by_either_name() {
    for flag in ["-f", "--config"] {
        let mut setup = Setup::udp();
        setup
            .set("announce.interval", "10m")
            .set("announce.jitter", "0s");
        let config = setup.write_config();
        setup.argument(flag).argument(config);
        assert_eq!(interval(&setup.start_bare()), 600, "{flag}");
    }
}
fn interval(tracker: &Tracker) -> u32 {
    Client::of(tracker.udp())
        .announce(&Announce::new([1; 20], 1000))
        .interval
}
#[test]
fn a_file_of_the_c_program_is_read() {
    let allowed = [0xaa; 20];
    let mut setup = Setup::new();
    setup.list("allowed", &[allowed]);
    let text = format!(
        "# opentracker config file\n\n\
         listen.tcp_udp 127.0.0.1:0\n\
         listen.udp\t127.0.0.2:0   # another one\n\
         listen.udp.workers 1\n\
         access.whitelist {}\n\
         access.stats 192.0.2.0/24\n\
         access.stats_path numbers\n\
         access.proxy 10.0.0.0/8\n\
         tracker.redirect_url https://example.org/\n",
        setup.path("allowed").display()
    );
    setup.text(&text).listeners(3);
    let tracker = setup.start();
    let [one, two] = tracker.addresses("udp")[..] else {
        panic!("{:?}", tracker.log());
    };
    assert_eq!(
        (one.ip().to_string(), two.ip().to_string()),
        ("127.0.0.1".into(), "127.0.0.2".into())
    );
    let client = Client::at("127.0.0.1", two);
    client.announce(&Announce::new(allowed, 1000));
    client
        .try_announce(&Announce::new([1; 20], 1000))
        .unwrap_err();
    assert_eq!(
        get(tracker.http(), "/").field("location"),
        Some("https://example.org/")
    );
    assert_eq!(get(tracker.http(), "/numbers").status, 403);
}
#[test]
fn the_environment_wins_over_the_file() {
    let mut setup = Setup::udp();
    setup
        .set("announce.interval", "30m")
        .set("announce.jitter", "0s")
        .variable("OPENTRACKER_ANNOUNCE__INTERVAL", "10m");
    assert_eq!(interval(&setup.start()), 600);
    // Also where there is no file.
    let mut setup = Setup::udp();
    setup
        .variable("OPENTRACKER_ANNOUNCE__INTERVAL", "10m")
        .variable("OPENTRACKER_ANNOUNCE__JITTER", "0s")
        .variable("OPENTRACKER_UDP__LISTEN", "127.0.0.1:0")
        .variable("OPENTRACKER_HTTP__LISTEN", "[]");
    setup.listeners(1);
    assert_eq!(interval(&setup.start_bare()), 600);
}
#[test]
fn lists_in_the_environment() {
    for value in [
        r#"["127.0.0.1:0", "[::1]:0"]"#,
        "127.0.0.1:0, [::1]:0",
        "127.0.0.1:0,[::1]:0",
    ] {
        let mut setup = Setup::udp();
        setup
            .variable("OPENTRACKER_UDP__LISTEN", value)
            .listeners(2);
        let tracker = setup.start();
        let ips: Vec<_> = tracker
            .addresses("udp")
            .iter()
            .map(|udp| udp.ip().to_string())
            .collect();
        assert_eq!(ips, ["127.0.0.1", "::1"], "{value}");
    }
}
#[test]
fn every_key_is_read_from_the_environment() {
    // A value that cannot be, so that the program ends; and what it says about it.
    let mut wrong: BTreeMap<&str, (&str, i32, &str)> = [
        ("udp.xdp.interfaces", ("a b", 2, "a b")),
        ("http.stats_path", ("a/b", 2, "a/b")),
        ("http.redirect_url", ("a b", 2, "a b")),
        ("http.forwarded_header", ("a b", 2, "a b")),
        ("access.allow", ("no-such-file", 1, "no-such-file")),
        ("access.deny", ("no-such-file", 1, "no-such-file")),
        ("access.deny_clients", ("no-such-file", 1, "no-such-file")),
        ("access.deny_networks", ("no-such-file", 1, "no-such-file")),
        ("http.cors_origins", ("a b", 2, "a b")),
        ("webtorrent.origins", ("nowhere", 2, "is not an origin")),
        ("admin.socket", ("no-such-folder/x", 1, "no-such-folder")),
        ("admin.token", ("no-such-file", 1, "no-such-file")),
        ("livesync.secret", ("no-such-file", 1, "no-such-file")),
        ("livesync.nats.subject", ("a b", 2, "a b")),
        ("tls.certificate", ("no-such-file", 1, "no-such-file")),
        ("snapshot.path", ("no-such-folder/x", 1, "no-such-folder")),
        ("process.user", ("no-such-user", 1, "no-such-user")),
        ("process.chroot", ("no-such-folder", 1, "no-such-folder")),
    ]
    .into();
    for path in values(DEFAULTS).keys() {
        let is_used_later = [
            "access.fifo_",
            "livesync.nats.ca",
            "livesync.nats.credentials",
            "tls.key",
        ];
        if is_used_later.iter().any(|start| path.starts_with(start)) {
            // Any path is good; what it is shows when it is opened, if it is.
            continue;
        }
        let (value, code, said) = wrong.remove(&**path).unwrap_or(("@", 2, "@"));
        let variable = format!("OPENTRACKER_{}", path.to_uppercase().replace('.', "__"));
        let mut setup = Setup::udp();
        let ended = setup.variable(&variable, value).run();
        assert_eq!(ended.code, Some(code), "{variable}: {ended:?}");
        assert!(ended.stderr.contains(said), "{variable}: {ended:?}");
        if code == 2 {
            assert!(ended.stderr.contains(&variable), "{variable}: {ended:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
#[test]
fn errors_in_the_environment() {
    for (variable, value, words) in [
        (
            "OPENTRACKER_UDP__WORKER",
            "1",
            &["udp.worker", "OPENTRACKER_UDP__WORKERS?"][..],
        ),
        (
            "OPENTRACKER_UPD__WORKERS",
            "1",
            &["upd.workers", "OPENTRACKER_UDP__WORKERS?"],
        ),
        ("OPENTRACKER_UDP__WORKERS", "many", &["\"many\"", "number"]),
        (
            "OPENTRACKER_ANNOUNCE__INTERVAL",
            "10",
            &["\"10\"", "\"30m\""],
        ),
        (
            "OPENTRACKER_ACCESS__ADMIN",
            "localhost",
            &["\"localhost\"", "192.0.2.0/24"],
        ),
        ("OPENTRACKER_UDP__MAX_PAYLOAD", "1", &["512"]),
    ] {
        let mut setup = Setup::new();
        let ended = setup.variable(variable, value).run();
        assert_eq!(ended.code, Some(2), "{variable}: {ended:?}");
        for word in [&[variable], words].concat() {
            assert!(ended.stderr.contains(word), "{word}: {ended:?}");
        }
    }
}
#[test]
fn variables_that_are_not_text() {
    for variable in ["OPENTRACKER_ACCESS__DENY", "OPENTRACKER_LOG__LEVEL"] {
        let mut setup = Setup::new();
        let ended = setup
            .variable(variable, OsString::from_vec(b"\xff\xfe".to_vec()))
            .run();
        // A deny list that is not read must not pass for none.
        assert_eq!(ended.code, Some(2), "{variable}: {ended:?}");
        assert!(ended.stderr.contains(variable), "{ended:?}");
    }
    // What is not meant for the program is nothing to it.
    let mut setup = Setup::udp();
    setup
        .variable("OTHER__THING", OsString::from_vec(vec![0xff]))
        .variable("OPENTRACKER_BIN", "not a key");
    setup.start();
}
#[test]
fn flags_are_checked_as_keys_are() {
    for (arguments, words) in [
        (
            &["-i", "192.0.2.1", "-s", "0"][..],
            ["-s: ", "livesync.listen", "port"],
        ),
        (
            &["-i", "0.0.0.0", "-s", "9696"],
            ["-s: ", "livesync.listen", "interface"],
        ),
        (
            &["-r", "http://a b"],
            ["-r: ", "http.redirect_url", "spaces"],
        ),
        (&["-A", "nowhere"], ["-A: ", "access.admin", "192.0.2.0/24"]),
    ] {
        for check in [true, false] {
            let mut setup = Setup::new();
            for argument in arguments {
                setup.argument(argument);
            }
            if check {
                setup.argument("--check");
            }
            let ended = setup.run_bare();
            assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
            for word in words {
                assert!(ended.stderr.contains(word), "{word}: {ended:?}");
            }
        }
    }
}
#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut setup = Setup::new();
    let first = setup.write(
        "one.toml",
        "[udp]\nworker = 1\nmax_payload = 1\n[log]\nlevel = \"x\"\n",
    );
    let second = setup.write("two.conf", "listen.udp nowhere\nlisten.sctp 1\n");
    setup.variable("OPENTRACKER_UDP__WORKERS", "many");
    for file in [&first, &second, &setup.path("missing")] {
        setup.argument("-f").argument(file);
    }
    let ended = setup.argument("-r").argument("a b").run_bare();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    let places = [
        "one.toml:2: udp.worker: ",
        "one.toml:3: udp.max_payload: ",
        "one.toml:5: log.level: ",
        "two.conf:1: listen.udp: ",
        "two.conf:2: listen.sctp: ",
        "missing: cannot read it",
        "OPENTRACKER_UDP__WORKERS: ",
        "-r: http.redirect_url: ",
    ];
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), places.len(), "{ended:?}");
    for (line, place) in lines.iter().zip(places) {
        assert!(
            line.starts_with("opentracker: ") && line.contains(place),
            "{place}: {line}"
        );
    }
}
