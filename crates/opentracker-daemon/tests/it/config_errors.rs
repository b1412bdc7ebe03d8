//! What is wrong with a configuration or a start, who is told, and the exit code.
//!
//! | sentence | tests |
//! |---|---|
//! | an unknown key: file, line, key, what would be right, exit 2 | `unknown_keys` |
//! | a wrong type | `wrong_types` |
//! | a network that does not parse | `wrong_networks` |
//! | a duration that does not parse | `wrong_durations` |
//! | an address that does not parse | `wrong_addresses` |
//! | values that parse and cannot be | `values_out_of_bounds` |
//! | text that is not TOML | `text_that_is_not_toml` |
//! | the same of the C program's format | `errors_in_a_file_of_the_c_program` |
//! | `livesync.listen` is the address of an interface | `an_interface_is_needed_to_join_the_cluster` |
//! | `--check` exits 2 | `check_and_start_agree` |
//! | a file that cannot be read is a bad configuration | `a_file_that_cannot_be_read` |
//! | a wrong command line is a bad configuration | `wrong_arguments` |
//! | 1 could not start: address in use | `an_address_in_use` |
//! | an address that is not ours | `an_address_of_another_host` |
//! | unreadable list | `a_list_that_cannot_be_read` |

use std::net::{TcpListener, UdpSocket};

use crate::program::{Ended, NOTHING, Setup};

/// Starts the program with a text as its configuration, which it must refuse.
fn refused(text: &str) -> String {
    let mut setup = Setup::new();
    let ended = setup.text(text).run();
    assert_eq!(ended.code, Some(2), "{text}: {ended:?}");
    assert_eq!(ended.stdout, "", "{text}");
    assert_eq!(ended.stderr.lines().count(), 1, "{text}: {ended:?}");
    ended.stderr
}

/// A text, the line and the key that are wrong with it, and words of what would be right.
type Case<'a> = (&'a str, usize, &'a str, &'a [&'a str]);

fn assert_refused(cases: &[Case<'_>]) {
    for (text, line, key, words) in cases {
        let said = refused(text);
        let place = format!("opentracker.toml:{line}: ");
        assert!(said.contains(&place), "{place}: {said}");
        for word in [&[*key], *words].concat() {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}

#[test]
fn unknown_keys() {
    assert_refused(&[
        ("[udp]\nworker = 1\n", 2, "udp.worker", &["`workers`"]),
        ("[udp]\nworkers = 1\n\n[upd]\n", 4, "upd", &["`udp`"]),
        (
            "[http]\n\n\nlisten_on = []\n",
            4,
            "http.listen_on",
            &["`listen`"],
        ),
        (
            "[announce]\nintervall = \"1h\"\n",
            2,
            "announce.intervall",
            &["`interval`"],
        ),
        (
            "[access]\nwhitelist = \"x\"\n",
            2,
            "access.whitelist",
            &["`access.allow`"],
        ),
        (
            "[process]\ngroup = \"x\"\n",
            2,
            "process.group",
            &["`user`"],
        ),
        ("[log]\ncolour = true\n", 2, "log.colour", &["`level`"]),
        ("udp.worker = 1\n", 1, "udp.worker", &["`workers`"]),
        (
            "interval = \"30m\"\n",
            1,
            "interval",
            &["`announce.interval`"],
        ),
        ("[udp.listen.deeper]\nx = 1\n", 1, "udp.listen", &[]),
    ]);
}

#[test]
fn wrong_types() {
    assert_refused(&[
        ("[udp]\nlisten = 6969\n", 2, "udp.listen", &["0.0.0.0:6969"]),
        ("[udp]\nlisten = [6969]\n", 2, "udp.listen", &[]),
        ("[udp]\nworkers = \"2\"\n", 2, "udp.workers", &["1024"]),
        ("[udp]\nworkers = 1.5\n", 2, "udp.workers", &["1024"]),
        (
            "[udp]\nmax_payload = true\n",
            2,
            "udp.max_payload",
            &["65507"],
        ),
        (
            "[udp]\nconnection_id_lifetime = 240\n",
            2,
            "udp.connection_id_lifetime",
            &["\"30m\""],
        ),
        (
            "[http]\nstats_path = 1\n",
            2,
            "http.stats_path",
            &["string"],
        ),
        (
            "[http]\nredirect_url = false\n",
            2,
            "http.redirect_url",
            &["string"],
        ),
        (
            "[http]\ntrusted_proxies = { network = \"10.0.0.0/8\" }\n",
            2,
            "http.trusted_proxies",
            &["192.0.2.0/24"],
        ),
        (
            "[http]\nidle_timeout = 30\n",
            2,
            "http.idle_timeout",
            &["\"30m\""],
        ),
        (
            "[announce]\ninterval = 1800\n",
            2,
            "announce.interval",
            &["\"30m\""],
        ),
        (
            "[announce]\nnumwant_default = \"50\"\n",
            2,
            "announce.numwant_default",
            &[],
        ),
        (
            "[announce]\nnumwant_max = -1\n",
            2,
            "announce.numwant_max",
            &[],
        ),
        ("[access]\nallow = []\n", 2, "access.allow", &[]),
        ("[access]\nstats = true\n", 2, "access.stats", &[]),
        ("[process]\nuser = 1000\n", 2, "process.user", &["string"]),
        ("[log]\nlevel = 3\n", 2, "log.level", &[]),
        ("udp = 1\n", 1, "udp", &[]),
    ]);
}

#[test]
fn wrong_networks() {
    for (section, key) in [
        ("http", "trusted_proxies"),
        ("access", "stats"),
        ("access", "admin"),
    ] {
        for network in [
            "10.0.0.0/33",
            "::/129",
            "localhost",
            "10.0.0",
            "10.0.0.0/x",
            "",
            "*",
        ] {
            let text = format!("[{section}]\n{key} = [\"127.0.0.1\", {network:?}]\n");
            let path = format!("{section}.{key}");
            assert_refused(&[(&text, 2, &path, &["192.0.2.0/24", &format!("{network:?}")])]);
        }
    }
}

#[test]
fn wrong_durations() {
    for (section, key) in [
        ("udp", "connection_id_lifetime"),
        ("http", "idle_timeout"),
        ("announce", "interval"),
        ("announce", "jitter"),
        ("announce", "min_interval"),
        ("announce", "peer_timeout"),
        ("announce", "torrent_timeout"),
        ("snapshot", "interval"),
        ("snapshot", "stop_timeout"),
    ] {
        for duration in [
            "",
            "30",
            "30x",
            "-5m",
            "5 m",
            "m",
            "1.5h",
            "99999999999999999999m",
        ] {
            let text = format!("[{section}]\n{key} = {duration:?}\n");
            let path = format!("{section}.{key}");
            assert_refused(&[(&text, 2, &path, &["\"30m\"", &format!("{duration:?}")])]);
        }
    }
}

#[test]
fn wrong_addresses() {
    for section in ["udp", "http"] {
        for address in [
            "6969",
            "0.0.0.0",
            "::",
            "localhost:6969",
            "[::]",
            "1.2.3.4:70000",
            "",
        ] {
            let text = format!("[{section}]\nlisten = [\n  \"0.0.0.0:1\",\n  {address:?},\n]\n");
            let said = refused(&text);
            for word in [
                &format!("{section}.listen"),
                "0.0.0.0:6969",
                &format!("{address:?}"),
            ] {
                assert!(said.contains(word), "{word}: {said}");
            }
        }
    }
}

#[test]
fn values_out_of_bounds() {
    assert_refused(&[
        ("[udp]\nmax_payload = 100\n", 2, "udp.max_payload", &["512"]),
        (
            "[udp]\nmax_payload = 65508\n",
            2,
            "udp.max_payload",
            &["65507"],
        ),
        ("[udp]\nworkers = 100000\n", 2, "udp.workers", &["1024"]),
        (
            "[udp]\nconnection_id_lifetime = \"1s\"\n",
            2,
            "udp.connection_id_lifetime",
            &["1m"],
        ),
        (
            "[http]\nidle_timeout = \"0s\"\n",
            2,
            "http.idle_timeout",
            &["1s"],
        ),
        (
            "[snapshot]\ninterval = \"0s\"\n",
            2,
            "snapshot.interval",
            &["1s", "1d"],
        ),
        ("[http]\nstats_path = \"\"\n", 2, "http.stats_path", &[]),
        ("[http]\nstats_path = \"a/b\"\n", 2, "http.stats_path", &[]),
        (
            "[http]\nstats_path = \"announce\"\n",
            2,
            "http.stats_path",
            &["`announce`"],
        ),
        (
            "[http]\nredirect_url = \"a\\r\\nb\"\n",
            2,
            "http.redirect_url",
            &[],
        ),
        (
            "[announce]\ninterval = \"0s\"\n",
            2,
            "announce.interval",
            &["1m"],
        ),
        (
            "[announce]\npeer_timeout = \"5h\"\n",
            2,
            "announce.peer_timeout",
            &["4h"],
        ),
        (
            "[announce]\nnumwant_max = 0\n",
            2,
            "announce.numwant_max",
            &[],
        ),
        (
            "[announce]\nnumwant_max = 100000\n",
            2,
            "announce.numwant_max",
            &["1000"],
        ),
        ("[log]\nlevel = \"loud\"\n", 2, "log.level", &["`warn`"]),
        ("[log]\nformat = \"xml\"\n", 2, "log.format", &["`json`"]),
    ]);
}

#[test]
fn text_that_is_not_toml() {
    for (text, line) in [
        ("[udp\n", 1),
        ("[udp]\nworkers = \n", 2),
        ("[udp]\nworkers = 1\nworkers = 2\n", 3),
        ("[udp]\n[http]\n[udp]\n", 3),
        ("[udp]\nlisten = [\"0.0.0.0:1\"\n", 2),
        ("x = \"\n", 1),
    ] {
        let said = refused(text);
        // Where a value has no end, its start and the end of the file are both right.
        let places = [line, line + 1].map(|line| format!("opentracker.toml:{line}: "));
        assert!(places.iter().any(|place| said.contains(place)), "{said}");
    }
}

#[test]
fn errors_in_a_file_of_the_c_program() {
    assert_refused(&[
        ("listen.udp nowhere\n", 1, "listen.udp", &["0.0.0.0:6969"]),
        (
            "access.whitelist x\nlisten.sctp 1\n",
            2,
            "listen.sctp",
            &["`listen.tcp`"],
        ),
        (
            "tracker.user nobody\n\naccess.proxy localhost\n",
            3,
            "access.proxy",
            &["192.0.2.0/24"],
        ),
        ("listen.udp.workers many\n", 1, "listen.udp.workers", &[]),
        (
            "listen.udp.workers 5000\n",
            1,
            "listen.udp.workers",
            &["1024"],
        ),
        ("access.blacklist\n", 1, "access.blacklist", &["value"]),
    ]);
}

#[test]
fn an_interface_is_needed_to_join_the_cluster() {
    for text in [
        "[livesync]\nlisten = \"0.0.0.0:9696\"\n",
        "livesync.cluster.node_ip 10.0.0.1\nlivesync.cluster.listen 0.0.0.0:9696\n",
    ] {
        let said = refused(text);
        assert!(said.contains(":2: livesync."), "{said}");
        assert!(
            said.contains("0.0.0.0 is the address of no interface"),
            "{said}"
        );
    }
}

#[test]
fn check_and_start_agree() {
    for text in [
        "[udp]\nworker = 1\n",
        "[announce]\ninterval = \"30\"\n",
        "[udp\n",
        "listen.x 1\n",
    ] {
        let mut setup = Setup::new();
        let start = setup.text(text).run();
        let check = setup.argument("--check").run();
        assert_eq!((check.code, &check.stderr), (Some(2), &start.stderr));
    }
}

#[test]
fn a_file_that_cannot_be_read() {
    let setup = Setup::new();
    let missing = setup.path("missing.toml");
    let binary = setup.path("binary.toml");
    std::fs::write(&binary, [0xff; 100]).unwrap();
    for path in [&missing, &binary, &setup.path("")] {
        let mut setup = Setup::new();
        let ended = setup.argument("--config").argument(path).run_bare();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(path.to_str().unwrap()), "{ended:?}");
    }
}

#[test]
fn wrong_arguments() {
    for arguments in [
        &["--chekc"][..],
        &["-x"],
        &["stray"],
        &["--config"],
        &["-f"],
        &["-p"],
        &["-p", "70000"],
        &["-P", "udp"],
        &["-i", "localhost"],
        &["-r"],
        &["-l"],
        &["--check=yes"],
    ] {
        let mut setup = Setup::new();
        for argument in arguments {
            setup.argument(argument);
        }
        let ended = setup.run_bare();
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("--help"), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

fn assert_no_start(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {ended:?}");
    }
    assert!(
        !ended.stderr.contains("listening on "),
        "nothing is served: {ended:?}"
    );
}

#[test]
fn an_address_in_use() {
    for any in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
        let socket = UdpSocket::bind(any).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let mut setup = Setup::udp();
        // Also where the first listener has its address.
        let ended = setup.set("udp.listen", ["127.0.0.1:0", &address]).run();
        assert_no_start(&ended, &[&address, "in use"]);

        let socket = TcpListener::bind(any).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        let mut setup = Setup::new();
        setup.set("udp.listen", NOTHING);
        let ended = setup.set("http.listen", ["127.0.0.1:0", &address]).run();
        assert_no_start(&ended, &[&address, "in use"]);
    }
    // A tracker that runs has its addresses for itself, whoever starts another.
    let first = Setup::new().start();
    for (key, address) in [("udp.listen", first.udp()), ("http.listen", first.http())] {
        let mut second = Setup::new();
        let ended = second.set(key, [address.to_string().as_str()]).run();
        assert_no_start(&ended, &[&address.to_string(), "in use"]);
    }
}

#[test]
fn an_address_of_another_host() {
    for key in ["udp.listen", "http.listen"] {
        for address in ["203.0.113.1:0", "[2001:db8::1]:0"] {
            let mut setup = Setup::new();
            assert_no_start(&setup.set(key, [address]).run(), &[address]);
        }
    }
}

#[test]
fn a_list_that_cannot_be_read() {
    for key in ["allow", "deny", "deny_clients", "deny_networks"] {
        let key = &format!("access.{key}");
        let mut setup = Setup::new();
        let missing = setup.path("missing").to_str().unwrap().to_owned();
        setup.set(key, missing.as_str());
        assert_no_start(&setup.run(), &[key, &missing, "No such file"]);
    }
    for key in ["access.deny_clients", "access.deny_networks"] {
        let mut setup = Setup::new();
        let folder = setup.path("").to_str().unwrap().to_owned();
        setup.set(key, folder.as_str());
        assert_no_start(&setup.run(), &[key, &folder]);
    }
}
