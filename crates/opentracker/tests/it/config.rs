//! The sources of a configuration, and everything that can be wrong with them.

use std::io;
use std::time::Duration;

use opentracker::config::{Config, ConfigErrors, Finding, Layers};

fn read(text: impl AsRef<[u8]>) -> Result<(Config, Vec<Finding>), ConfigErrors> {
    let mut layers = Layers::default();
    layers.file("a".as_ref(), text.as_ref());
    layers.build()
}

fn config(text: impl AsRef<[u8]>) -> Config {
    read(text).unwrap().0
}

fn said(text: impl AsRef<[u8]>) -> String {
    read(text).unwrap_err().to_string()
}

fn warnings(layers: Layers) -> Vec<String> {
    let (_, warnings) = layers.build().unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_key_of_too_many_parts_names_its_line() {
    let key = vec!["a"; 100].join(".");
    for (text, line) in [
        (format!("[udp]\nworkers = 1\n{key} = 1\n[log]\n"), 3),
        (format!("[{key}]"), 1),
    ] {
        let said = said(&text);
        assert!(said.starts_with(&format!("a:{line}: ")), "{said}");
    }
}

#[test]
fn faults_name_file_line_key_and_what_would_be_right() {
    for (text, expected) in [
        (
            "[udp]\nworkers = 1\nworker = 2\n",
            "a:3: udp.worker: unknown key: did you mean `workers`?",
        ),
        (
            "[log]\ncolour = 2\n",
            "a:2: log.colour: unknown key: [log] has `level`, `format` and `addresses`",
        ),
        (
            "[process]\ngroup = \"x\"\n",
            "a:2: process.group: unknown key: [process] has `user` and `chroot`; there is \
             `livesync.group`",
        ),
        (
            "[livesync]\nunicast = true\n",
            "a:2: livesync.unicast: it is a section: write its keys below a line [livesync.unicast]",
        ),
        (
            "[livesync]\nunicats = true\n",
            "a:2: livesync.unicats: unknown key: did you mean `unicast`?",
        ),
        (
            "[livesync.nats]\nserver = \"tls://a\"\n",
            "a:2: livesync.nats.server: unknown key: did you mean `servers`?",
        ),
        (
            "[livesync.nats]\nservers = [\"tls://a\", \"http://a\"]\n",
            "a:2: livesync.nats.servers: \"http://a\" is not a NATS server: write its URL, like \
             \"tls://nats.example:4222\" or \"nats://192.0.2.1:4222\"",
        ),
        (
            "[access]\nwhitelist = \"x\"\n",
            "a:2: access.whitelist: unknown key: did you mean `access.allow`?",
        ),
        (
            "\n[upd]\n",
            "a:2: upd: unknown section: did you mean `udp`?",
        ),
        (
            "interval = 1\n",
            "a:1: interval: unknown key: did you mean `announce.interval`?",
        ),
        (
            "udp = 1\n",
            "a:1: udp: it is a section: write its keys below a line [udp]",
        ),
        (
            "[announce]\n\ninterval = \"30x\"\n",
            "a:3: announce.interval: \"30x\" is not a duration: write a number and a unit, `s`, \
             `m`, `h` or `d`, like \"30m\"",
        ),
        (
            "[announce]\ninterval = 30\n",
            "a:2: announce.interval: 30 is not a duration: write a number and a unit, `s`, `m`, \
             `h` or `d`, like \"30m\"",
        ),
        (
            "[access]\nadmin = [\n  \"127.0.0.1\",\n  \"10.0.0.0/40\",\n]\n",
            "a:4: access.admin: \"10.0.0.0/40\" is not a network: write an address and a prefix \
             length, like \"192.0.2.0/24\" or \"2001:db8::/32\"",
        ),
        (
            "[udp]\nlisten = [\"6969\"]\n",
            "a:2: udp.listen: \"6969\" is not an address to listen on: write an IP address and \
             a port, like \"0.0.0.0:6969\" or \"[::]:6969\"",
        ),
        (
            "[udp]\nlisten = [{ address = \"[::]:1\", v6only = true }]\n",
            "a:2: udp.listen: a listener has no `v6only`: did you mean `v6_only`?",
        ),
        (
            "[udp]\nworkers = 2000\n",
            "a:2: udp.workers: 2000 is out of bounds: write a whole number from 0 to 1024",
        ),
        (
            "[udp]\nworkers = -1\n",
            "a:2: udp.workers: -1 is out of bounds: write a whole number from 0 to 1024",
        ),
        (
            "[announce]\nnumwant_max = \"all\"\n",
            "a:2: announce.numwant_max: \"all\" is not a whole number: write one from 1 to 1000",
        ),
        (
            "[livesync]\ngroup = \"10.0.0.1\"\n",
            "a:2: livesync.group: \"10.0.0.1\" is out of bounds: write an IPv4 address from \
             224.0.0.0 to 239.255.255.255",
        ),
        (
            "[livesync]\ninquire_threshold = nan\n",
            "a:2: livesync.inquire_threshold: nan is out of bounds: write a number from 0.0 to 1.0",
        ),
        (
            "[announce]\npeer_timeout = \"5h\"\n",
            "a:2: announce.peer_timeout: \"5h\" is out of bounds: write a duration from 1m to 4h",
        ),
        (
            "[log]\nlevel = \"loud\"\n",
            "a:2: log.level: \"loud\" is not a level: write `error`, `warn`, `info`, `debug` or \
             `trace`",
        ),
        (
            "[process]\nuser = 1000\n",
            "a:2: process.user: 1000 is not a string: write it in quotes",
        ),
    ] {
        assert_eq!(said(text), expected);
    }
    assert!(said("[udp\n").starts_with("a:1: "), "{}", said("[udp\n"));
    assert_eq!(said(b"# ok\n# caf\xe9\n"), "a:2: the text is not UTF-8");
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut layers = Layers::default();
    layers.file("a".as_ref(), b"[udp]\nworkers = x\nlisten = [y]\n[udp]\n");
    let text = "[log]\nlevel = 1\n[udp]\nlisten = [\"x\", \"[::]:1\", \"y\"]\nworker = 1\n";
    layers.file("b".as_ref(), text.as_bytes());
    layers.unreadable("c".as_ref(), &io::Error::other("no"));
    layers.environment([("OPENTRACKER_UDP__WORKERS", "x")]);
    layers.set("-r", "http.redirect_url", "a b");
    layers.add("-A", "access.admin", "nowhere");
    let errors = layers.build().unwrap_err().to_string();
    let starts = [
        "a:2: ",
        "a:3: ",
        "a:4: ",
        "b:2: log.level: ",
        "b:4: udp.listen: \"x\"",
        "b:4: udp.listen: \"y\"",
        "b:5: udp.worker: ",
        "c: cannot read it: no",
        "OPENTRACKER_UDP__WORKERS: \"x\"",
        "-r: http.redirect_url: \"a b\"",
        "-A: access.admin: \"nowhere\"",
    ];
    assert_eq!(errors.lines().count(), starts.len(), "{errors}");
    for (line, start) in errors.lines().zip(starts) {
        assert!(line.starts_with(start), "{start}: {errors}");
    }
}

#[test]
fn later_sources_replace_earlier_ones_and_lists_as_a_whole() {
    let mut layers = Layers::default();
    layers.file(
        "a".as_ref(),
        b"udp.workers = 1\nudp.listen = [\"[::]:1\"]\nhttp.stats_path = \"a\"\n",
    );
    layers.file(
        "b".as_ref(),
        b"udp.workers = 2\naccess.admin = [\"10.0.0.1\", \"::1\"]\n",
    );
    layers.file(
        "c".as_ref(),
        b"listen.udp 127.0.0.1:2\nlisten.udp 127.0.0.1:3\n",
    );
    layers.environment([("OPENTRACKER_ACCESS__ADMIN", "10.0.0.2")]);
    layers.add("-A", "access.admin", "10.0.0.3");
    let (config, warnings) = layers.build().unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.udp.workers, 2);
    assert_eq!(config.http.stats_path, "a");
    let written = config.to_toml();
    assert!(
        written.contains("listen = [\"127.0.0.1:2\", \"127.0.0.1:3\"]"),
        "{written}"
    );
    assert!(
        written.contains("admin = [\"10.0.0.2/32\", \"10.0.0.3/32\"]"),
        "{written}"
    );
}

#[test]
fn what_is_written_reads_the_same() {
    let text = "[udp]\nworkers = 2\nlisten = { address = \"[::]:1\", v6_only = true }\n\
                [announce]\ninterval = \"600s\"\n[access]\nallow = '\"\'\n\
                [livesync]\ninquire_threshold = 1\n";
    let first = config(text);
    assert_eq!(first.announce.interval, Duration::from_secs(600));
    assert_eq!(
        first
            .to_toml()
            .lines()
            .filter(|line| line.contains(" = "))
            .count(),
        5
    );
    assert_eq!(config(first.to_toml()), first);
    assert_eq!(config(first.effective_toml()).to_toml(), first.to_toml());
}

#[test]
fn a_section_may_lie_within_another() {
    let text = "[livesync]\nttl = 2\nsecret = \"/etc/keys\"\n\n[livesync.unicast]\nlisten = \"[::]:9697\"\n\
                peers = [\"node.example:9697\", \"192.0.2.1:1\"]\n";
    let first = config(text);
    assert_eq!(first.livesync.ttl, 2);
    assert_eq!(first.unicast.peers[0].to_string(), "node.example:9697");
    assert_eq!(first.to_toml(), text);

    let mut layers = Layers::default();
    layers.environment([
        ("OPENTRACKER_LIVESYNC__SECRET", "/etc/keys"),
        ("OPENTRACKER_LIVESYNC__NATS__SERVERS", "tls://a,tls://b"),
        ("OPENTRACKER_LIVESYNC__UNICAST__LISTEN", "0.0.0.0:9697"),
    ]);
    let (second, _) = layers.build().unwrap();
    assert_eq!(second.nats.servers.len(), 2);
    assert_eq!(second.unicast.listen, Some("0.0.0.0:9697".parse().unwrap()));
}

#[test]
fn one_value_stands_for_a_list_of_one() {
    let config = config("udp.listen = \"[::]:1\"\naccess.stats = \"::1\"\nadmin.hosts = \"a.b\"\n");
    assert_eq!(config.udp.listen, ["[::]:1".parse().unwrap()]);
    assert_eq!(config.access.stats, ["::1/128".parse().unwrap()]);
    assert_eq!(config.admin.hosts, ["a.b"]);
}

#[test]
fn a_byte_order_mark_is_nothing() {
    assert_eq!(config("\u{feff}[udp]\nworkers = 2\n").udp.workers, 2);
    assert_eq!(config("\u{feff}listen.udp.workers 2\n").udp.workers, 2);
    assert_eq!(config("\u{feff}"), Config::default());
}

#[test]
fn the_environment_overrides_every_kind_of_value() {
    let mut layers = Layers::default();
    layers.environment([
        ("OPENTRACKER_ANNOUNCE__INTERVAL", "10m"),
        ("OPENTRACKER_udp__workers", "3"),
        ("OPENTRACKER_UDP__LISTEN", "[::]:1,127.0.0.1:2"),
        ("OPENTRACKER_HTTP__LISTEN", "[]"),
        ("OPENTRACKER_ACCESS__ADMIN", r#"["10.0.0.0/8"]"#),
        ("OPENTRACKER_PROCESS__USER", "1000"),
        ("OPENTRACKER_BIN", "not a key"),
        ("OPENTRACKER_PORT_6969_TCP_PROTO", "what Kubernetes sets"),
        ("PATH", "/bin"),
    ]);
    let (config, warnings) = layers.build().unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.announce.interval, Duration::from_secs(600));
    assert_eq!(config.udp.workers, 3);
    assert_eq!(config.udp.listen.len(), 2);
    assert!(config.http.listen.is_empty());
    assert_eq!(config.access.admin.len(), 1);
    assert_eq!(config.process.user, "1000");
}

#[test]
fn variables_that_name_no_key_are_faults_or_nearly_so_warnings() {
    for (name, said) in [
        (
            "OPENTRACKER_UDP__WORKER",
            "there is no key udp.worker: did you mean OPENTRACKER_UDP__WORKERS?",
        ),
        ("OPENTRACKER_A__B", "there is no key a.b"),
    ] {
        let mut layers = Layers::default();
        layers.environment([(name, "1")]);
        let errors = layers.build().unwrap_err();
        assert_eq!(errors.to_string(), format!("{name}: {said}"));
    }
    for (name, meant) in [
        (
            "OPENTRACKER_ANNOUNCE_INTERVAL",
            "OPENTRACKER_ANNOUNCE__INTERVAL",
        ),
        ("OPENTRACKER_ACCES_ALLOW", "OPENTRACKER_ACCESS__ALLOW"),
    ] {
        let mut layers = Layers::default();
        layers.environment([(name, "1")]);
        let expected = format!("{name}: it sets nothing: did you mean {meant}?");
        assert_eq!(warnings(layers), [expected]);
    }
}

#[test]
fn an_empty_variable_that_switches_something_off_is_a_warning() {
    let mut layers = Layers::default();
    layers.file("a".as_ref(), b"access.allow = \"a.txt\"\n");
    layers.environment([
        ("OPENTRACKER_ACCESS__ALLOW", ""),
        ("OPENTRACKER_ACCESS__DENY", ""),
    ]);
    assert_eq!(
        warnings(layers),
        [
            "OPENTRACKER_ACCESS__ALLOW: it is empty and so switches access.allow off, which would \
          be \"a.txt\""
        ]
    );
}

#[test]
fn a_whole_file_of_the_c_program() {
    let config = config(
        b"# caf\xe9 # \n\nlisten.tcp_udp 192.0.2.1:80   # both\nlisten.udp\t2001:db8::1\n\
          listen.udp.workers 4\naccess.whitelist /etc/allow = list\naccess.stats 192.0.2.0/24\n\
          access.stats 198.51.100.7\naccess.stats_path numbers\naccess.proxy 10.0.0.1\n\
          access.fifo_add /run/add\naccess.fifo_delete /run/delete\n\
          livesync.cluster.listen 192.0.2.1\nlivesync.cluster.node_ip 192.0.2.2\n\
          livesync.cluster.node_ip 192.0.2.3\r\n  tracker.rootdir /srv\ntracker.user nobody\n\
          tracker.redirect_url https://example.org/#/tracker\n",
    );
    let expected = "[udp]\nlisten = [\"192.0.2.1:80\", \"[2001:db8::1]:6969\"]\nworkers = 4\n\n\
        [http]\nlisten = [\"192.0.2.1:80\"]\nstats_path = \"numbers\"\n\
        redirect_url = \"https://example.org/#/tracker\"\ntrusted_proxies = [\"10.0.0.1/32\"]\n\n\
        [access]\nallow = \"/etc/allow = list\"\nstats = [\"192.0.2.0/24\", \"198.51.100.7/32\"]\n\
        fifo_add = \"/run/add\"\nfifo_delete = \"/run/delete\"\n\n\
        [livesync]\nlisten = \"192.0.2.1:9696\"\nnodes = [\"192.0.2.2/32\", \"192.0.2.3/32\"]\n\n\
        [process]\nuser = \"nobody\"\nchroot = \"/srv\"\n";
    assert_eq!(config.to_toml(), expected);
}

#[test]
fn faults_in_a_file_of_the_c_program() {
    let text = b"access.blacklist\nlisten.tcp_udp nowhere\nlisten.upd 1\ntracker.user \xff\n\
                 livesync.cluster.listen 0.0.0.0:9696\naccess.proxy localhost # not a network\n\
                 batchsync.cluster.admin_ip 10.1.1.1\nlisten.udp.workers 5000\n";
    let expected = "a:1: access.blacklist: a value is missing after the key\n\
        a:2: listen.tcp_udp: \"nowhere\" is not an address to listen on: write an IP address and \
        a port, like \"0.0.0.0:6969\" or \"[::]:6969\"\n\
        a:3: listen.upd: unknown key: did you mean `listen.udp`?\n\
        a:4: tracker.user: the value is not UTF-8\n\
        a:5: livesync.cluster.listen: 0.0.0.0 is the address of no interface: write that of the \
        interface that faces the cluster, like \"192.168.0.1:9696\"\n\
        a:6: access.proxy: \"localhost\" is not a network: write an address and a prefix length, \
        like \"192.0.2.0/24\" or \"2001:db8::/32\"\n\
        a:8: listen.udp.workers: 5000 is out of bounds: write a whole number from 0 to 1024";
    assert_eq!(said(text), expected);
}

#[test]
fn an_import_leaves_out_what_is_not_known() {
    let mut layers = Layers::default();
    let text = b"listen.sctp 1\nbatchsync.cluster.admin_ip 10.1.1.1\ntracker.user a\n";
    layers.import("a".as_ref(), text);
    assert_eq!(
        warnings(layers),
        [
            "a:1: listen.sctp: left out: unknown key: did you mean `listen.tcp`?",
            "a:2: batchsync.cluster.admin_ip: left out: trackers exchange nothing over HTTP: \
             see [livesync]",
        ]
    );
}
