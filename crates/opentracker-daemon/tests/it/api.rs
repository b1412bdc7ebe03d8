//! Who may use the admin API of the running program, and what it says to others.
//!
//! | sentence | tests |
//! |---|---|
//! | over the control socket everything is allowed; its mode is 0660, and it is gone after the stop | `the_control_socket_may_do_everything` |
//! | without `admin.socket` it is `$RUNTIME_DIRECTORY/control.sock` | `the_service_manager_names_the_folder_of_the_socket` |
//! | who may what: the table of the contract | `who_may_what` |
//! | without a token nothing changes over TCP | `without_a_token_nothing_changes_over_tcp` |
//! | a token that cannot be read keeps what it had | `a_token_is_read_again_or_kept` |
//! | a page of another site changes nothing | `pages_of_other_sites_change_nothing` |
//! | every reply names its instance | `every_reply_names_its_instance` |
//! | a bad request gets problem details that name the field | `what_is_wrong_is_named` |
//! | pages of `http.cors_origins` may read statistics, scrapes and health | `configured_origins_may_read` |

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::operator::{Api, hex, setup, socket};
use crate::program::Setup;
use crate::request::{Connection, announce, get, get_with, head};

const TORRENT: [u8; 20] = [0xab; 20];

#[test]
fn the_control_socket_may_do_everything() {
    let mut tracker = setup().start();
    let path = socket(&tracker.setup);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let api = Api::control(&tracker);
    let status = api.get("status");
    assert_eq!(status["instance"]["pid"], tracker.process());
    assert_eq!(status["state"], "serving");
    assert!(status["uptime_secs"].as_u64().unwrap() < 60);
    let protocols: BTreeSet<_> = status["listeners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|listener| listener["protocol"].as_str().unwrap())
        .collect();
    assert_eq!(protocols, ["admin", "control", "http", "udp"].into());
    assert_eq!(api.get("config")["announce"]["interval"], "30m");
    assert_eq!(api.get("openapi.json")["openapi"], "3.1.0");
    assert_eq!(api.get("torrents")["torrents"], json!([]));
    assert_eq!(api.ask("GET", "cluster").problem().1, "not-found");
    tracker.stop("TERM");
    assert!(!path.exists());
}

#[test]
fn the_service_manager_names_the_folder_of_the_socket() {
    let mut setup = Setup::new();
    let folder = setup.path("run");
    fs::create_dir(&folder).unwrap();
    setup.variable(
        "RUNTIME_DIRECTORY",
        format!("{}:/nowhere", folder.display()),
    );
    let tracker = setup.start();
    let api = Api::at(&folder.join("control.sock"));
    assert_eq!(api.get("status")["instance"]["pid"], tracker.process());
    drop(tracker);
    let mut setup = Setup::new();
    setup.variable("RUNTIME_DIRECTORY", "/no/such/folder");
    let tracker = setup.start();
    let log = tracker.log().join("\n");
    assert!(log.contains("WARN no control socket: "), "{log}");
}

#[test]
fn who_may_what() {
    let mut setup = setup();
    setup
        .set("access.stats", ["127.0.0.3/32"])
        .set("access.admin", ["127.0.0.4/32"]);
    let tracker = setup.start();
    let (http, operator) = (tracker.http(), tracker.operator());
    let at = |ip: &str, target: &str, with_token: bool| {
        let mut fields = Vec::new();
        let token = format!("Bearer {}", crate::operator::TOKEN);
        if with_token {
            fields.push(("Authorization", &*token));
        }
        let mut connection = Connection::at(ip, http);
        let head = head("GET", target, &fields, &["Connection: close"]);
        connection.send(head.as_bytes());
        connection.response().status
    };
    let own = |target: &str, with_token: bool| {
        let api = Api::tcp(operator);
        let api = if with_token { api.with_token() } else { api };
        api.ask("GET", target.strip_prefix("/api/v1/").unwrap())
            .status
    };
    let control = |target: &str| {
        let target = target.strip_prefix("/api/v1/").unwrap();
        Api::control(&tracker).ask("GET", target).status
    };
    // Stranger, statistics, operator's listener, admin, token on either of these two, socket.
    for (target, expected) in [
        ("/api/v1/status", [403, 200, 200, 200, 200, 200, 200]),
        ("/api/v1/activity", [403, 200, 200, 200, 200, 200, 200]),
        ("/api/v1/clients", [403, 200, 200, 200, 200, 200, 200]),
        ("/api/v1/trends", [403, 200, 200, 200, 200, 200, 200]),
        ("/api/v1/top", [403, 200, 200, 200, 200, 200, 200]),
        ("/api/v1/config", [403, 403, 200, 200, 200, 200, 200]),
        ("/api/v1/torrents", [403, 403, 401, 401, 200, 200, 200]),
        ("/api/v1/limited", [403, 403, 401, 401, 200, 200, 200]),
        ("/api/v1/blocks", [403, 403, 401, 401, 200, 200, 200]),
        ("/api/v1/drain", [403, 403, 401, 401, 200, 200, 200]),
    ] {
        let found = [
            at("127.0.0.2", target, false),
            at("127.0.0.3", target, false),
            own(target, false),
            at("127.0.0.4", target, false),
            own(target, true),
            at("127.0.0.4", target, true),
            control(target),
        ];
        assert_eq!(found, expected, "{target}");
    }
    assert_eq!(
        at("127.0.0.2", "/api/v1/torrents", true),
        403,
        "a stranger's token"
    );
    let wrong = Api::tcp(operator).with("Authorization", "Bearer 0123456789abcdefghiX");
    assert_eq!(wrong.ask("GET", "status").problem().1, "wrong-token");
    // The token opens the lists of the statistics, too.
    assert_eq!(at("127.0.0.2", "/stats?mode=statedump", true), 403);
    let token = format!("Bearer {}", crate::operator::TOKEN);
    let fields = [("Authorization", &*token)];
    let dump = get_with(operator, "/stats?mode=statedump", &fields);
    assert_eq!(dump.status, 200);
    assert_eq!(get(operator, "/stats?mode=statedump").status, 403);
}

#[test]
fn without_a_token_nothing_changes_over_tcp() {
    let mut setup = setup();
    setup
        .unset("admin.token")
        .set("access.admin", ["127.0.0.0/8"]);
    let tracker = setup.start();
    let target = format!("blocks/{}", hex(TORRENT));
    for address in [tracker.operator(), tracker.http()] {
        let api = Api::tcp(address);
        assert_eq!(api.ask("PUT", &target).problem().1, "token-needed");
        let with_token = api.with_token();
        assert_eq!(with_token.ask("PUT", &target).problem().1, "wrong-token");
    }
    assert_eq!(Api::control(&tracker).get("blocks")["blocks"], json!([]));
}

#[test]
fn a_token_is_read_again_or_kept() {
    let mut setup = setup();
    let path = setup.write("token", "short\n");
    let said = setup.run().stderr;
    assert!(
        said.contains("admin.token: cannot read ") && said.contains("16 letters"),
        "{said}"
    );
    fs::write(&path, "first-token-of-two\n").unwrap();
    setup.set("admin.token", path.to_str().unwrap());
    let tracker = setup.start();
    let with = |token: &str| {
        let api = Api::tcp(tracker.operator());
        let api = api.with("Authorization", &format!("Bearer {token}"));
        api.ask("GET", "blocks").status
    };
    assert_eq!(with("first-token-of-two"), 200);
    fs::write(&path, "second-token-of-two\n").unwrap();
    tracker.hang_up();
    assert_eq!(
        (with("first-token-of-two"), with("second-token-of-two")),
        (401, 200)
    );
    fs::remove_file(&path).unwrap();
    let log = tracker.hang_up().join("\n");
    assert!(
        log.contains("ERROR the token stays as it was: admin.token: "),
        "{log}"
    );
    assert_eq!(with("second-token-of-two"), 200);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let mut setup = setup();
    setup.set("access.admin", ["127.0.0.0/8"]);
    let tracker = setup.start();
    let target = format!("blocks/{}", hex(TORRENT));
    for address in [tracker.operator(), tracker.http()] {
        for (name, value) in [
            ("Origin", "https://evil.example"),
            ("Sec-Fetch-Site", "cross-site"),
        ] {
            let api = Api::tcp(address).with_token().with(name, value);
            let (status, kind, _) = api.ask("PUT", &target).problem();
            assert_eq!((status, &*kind), (403, "foreign"), "{address} {name}");
        }
        // A form can post without asking first, and a link can only get.
        for method in ["GET", "POST"] {
            let api = Api::tcp(address);
            assert_ne!(api.ask(method, &target).status, 200, "{method}");
        }
    }
    let own = Api::tcp(tracker.operator());
    let own = own.with_token().with("Origin", "http://tracker.test");
    assert_eq!(own.ask("PUT", &target).status, 200);
}

#[test]
fn every_reply_names_its_instance() {
    let tracker = setup().start();
    let api = Api::control(&tracker);
    let status = api.get("status");
    let pid = tracker.process();
    let id = status["instance"]["tracker_id"].as_str().unwrap();
    let field = format!("opentracker-instance: pid={pid}; tracker_id={id}");
    for target in ["status", "blocks", "no/such/path", "torrents?limit=0"] {
        let answer = api.ask("GET", target);
        assert!(answer.has(&field), "{target}: {answer:?}");
    }
    assert!(
        Api::tcp(tracker.operator())
            .ask("GET", "blocks")
            .has(&field)
    );
}

#[test]
fn what_is_wrong_is_named() {
    let tracker = setup().start();
    let api = Api::control(&tracker);
    let hash = hex(TORRENT);
    for (method, target, field) in [
        ("GET", "torrents?limit=0", "limit"),
        ("GET", "torrents?limit=many", "limit"),
        ("GET", "torrents?limt=1", "limt"),
        ("GET", "torrents?limit=1&limit=2", "limit"),
        ("GET", "torrents?sort=size", "sort"),
        ("GET", "torrents?cursor=x", "cursor"),
        ("GET", "torrents/abc", "info_hash"),
        ("DELETE", "torrents/abc", "info_hash"),
        ("PUT", "blocks/abc", "info_hash"),
        ("GET", "blocks?cursor=abc", "cursor"),
        ("PUT", &format!("blocks/{hash}?note=a%0Ab"), "note"),
        ("GET", "trace?prefix=everywhere", "prefix"),
        ("GET", "trace?outcome=bad", "outcome"),
        ("GET", "trace?seconds=0", "seconds"),
    ] {
        let (status, kind, named) = api.ask(method, target).problem();
        assert_eq!((status, &*kind), (400, "bad-parameter"), "{target}");
        assert_eq!(named.as_deref(), Some(field), "{target}");
    }
    for (method, target, status, kind) in [
        ("GET", "nothing", 404, "not-found"),
        ("GET", "torrents/", 400, "bad-parameter"),
        ("DELETE", &format!("torrents/{hash}"), 404, "not-found"),
        ("POST", "snapshot", 409, "unavailable"),
        ("GET", "reload", 405, "method"),
        ("POST", "status", 405, "method"),
    ] {
        let (found, named, _) = api.ask(method, target).problem();
        assert_eq!((found, &*named), (status, kind), "{target}");
    }
    let answer = api.ask("PATCH", &format!("torrents/{hash}"));
    assert!(answer.has("allow: GET, HEAD, DELETE"), "{answer:?}");
    let with_body = api.with("Content-Length", "2").ask("POST", "reload");
    assert_eq!(with_body.problem().1, "bad-request");
}

#[test]
fn configured_origins_may_read() {
    let mut setup = setup();
    setup.set("http.cors_origins", ["https://site.example"]);
    let tracker = setup.start();
    let allowed = |target: &str, origin: &str| {
        let response = get_with(tracker.http(), target, &[("Origin", origin)]);
        let allowed = response
            .field("access-control-allow-origin")
            .map(str::to_owned);
        if allowed.is_some() {
            assert_eq!(response.field("vary"), Some("Origin"), "{target}");
        }
        allowed
    };
    let scrape = crate::request::scrape(&[TORRENT]);
    let site = Some("https://site.example".to_owned());
    for target in ["/stats", "/healthz", "/readyz", "/api/v1/status", &scrape] {
        assert_eq!(allowed(target, "https://site.example"), site, "{target}");
        assert_eq!(allowed(target, "https://evil.example"), None, "{target}");
    }
    assert_eq!(allowed("/metrics", "https://site.example"), None);
    let announce = announce(&TORRENT, 1001, "");
    assert_eq!(allowed(&announce, "https://site.example"), None);
}
