//! Nodes that hand out each other's peers: the configurations of `deploy/config` for clusters, with Debian's NATS
//! server, and what the nodes of containers and pods share.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

use opentracker_lab::nats::{Certificates, Operator};
use opentracker_lab::{Family, Host, Lab, Process, Scheme, Tracker, program_under_test};
use opentracker_types::InfoHash;

use crate::client::announce;
use crate::{PATIENCE, text};

const TORRENT: InfoHash = InfoHash::new([9; 20]);

/// Where the configurations have the files that they name.
const FILES: &str = "/etc/opentracker/";

/// Those nodes do not wait for packets to fill.
const QUICK: &str = "[livesync]\nmax_delay = \"1s\"\n";

#[test]
fn two_nodes_of_one_network_are_a_cluster() {
    let lab = Lab::new("deploy-config-node");
    let hosts = ["first", "second"].map(|name| lab.host(name));
    let secret = keygen(&hosts[0]);
    let first = text("deploy/config/cluster-node.toml");
    let (one, two) = ("192.168.0.1", "192.168.0.2");
    let second = first.replace(one, "\0").replace(two, one);
    let second = second.replace('\0', two);
    let nodes = [(&hosts[0], one, first), (&hosts[1], two, second)];
    let nodes = nodes.map(|(host, address, config)| {
        host.ip(&format!("addr add {address}/24 dev eth0"));
        write(host, "cluster-secret", &secret);
        start(host, &config, QUICK)
    });
    assert_are_one(&lab, &hosts, nodes);
}

/// The C node is played by one of ours that seals nothing, as C nodes do.
#[test]
fn a_relay_joins_a_c_node_to_nodes_that_meet_at_nats() {
    let lab = Lab::new("deploy-config-relay");
    let hosts = ["c", "relay", "node"].map(|name| lab.host(name));
    let [c, relay, node] = &hosts;
    c.ip("addr add 192.168.0.2/24 dev eth0");
    relay.ip("addr add 192.168.0.1/24 dev eth0");
    let nats = lab.host("nats");
    let operator = Operator::new();
    let certificates = Certificates::make(nats.folder(), nats.ipv4());
    let config = certificates.server_config() + &operator.server_config();
    write(&nats, "server.conf", &config);
    let arguments = ["--config", "server.conf", "--addr", "0.0.0.0"];
    let _nats = nats_server(&lab, &nats, &arguments);

    let secret = keygen(node);
    let ca = fs::read_to_string(certificates.ca()).expect("it has been made");
    let c_v4 = format!("{QUICK}dialect = \"c-v4\"\n");
    let start = |host: &Host, file: &str| {
        write(host, "cluster-secret", &secret);
        write(host, "nats.creds", &operator.user());
        write(host, "nats-ca.pem", &ca);
        let config = text(&format!("deploy/config/{file}"));
        let address = nats.ipv4().to_string();
        start(host, &config.replace("nats.example", &address), &c_v4)
    };
    let listen = "listen = \"192.168.0.2:9696\"\nnodes = [\"192.168.0.1\"]\n";
    let nodes = [
        self::start(c, &format!("{c_v4}{listen}"), ""),
        start(relay, "cluster-relay.toml"),
        start(node, "cluster-nats.toml"),
    ];
    assert_are_one(&lab, &hosts, nodes);
}

/// Starts a NATS server and waits until it serves.
pub(crate) fn nats_server(lab: &Lab, host: &Host, arguments: &[&str]) -> Process {
    let mut process = host.command("nats-server").args(arguments).spawn();
    lab.wait_until(PATIENCE, "NATS serves", || {
        assert!(process.is_running(), "{}", process.log());
        process.log().contains("Server is ready")
    });
    process
}

/// Returns a new secret, as its program makes it.
pub(crate) fn keygen(host: &Host) -> String {
    let program = program_under_test().with_file_name("opentracker-ctl");
    host.command(program).args(["cluster", "keygen"]).run()
}

/// Writes a file that its owner alone may read, and returns its path.
pub(crate) fn write(host: &Host, name: &str, text: &str) -> String {
    let path = host.folder().join(name);
    fs::write(&path, text).expect("a host's folder can be written to");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("it is ours");
    path.display().to_string()
}

/// Writes a configuration that makes a node tell what is announced at once.
pub(crate) fn quick(host: &Host) -> String {
    write(host, "quick.toml", QUICK)
}

/// Starts the tracker with a configuration whose files are in the host's folder, and with another one behind it.
fn start(host: &Host, config: &str, further: &str) -> Tracker {
    let here = format!("{}/", host.folder().display());
    let config = write(host, "opentracker.toml", &config.replace(FILES, &here));
    let further = write(host, "further.toml", further);
    Tracker::spawn(host, &[], &["--config", &config, "--config", &further])
}

fn assert_are_one(lab: &Lab, hosts: &[Host], nodes: impl IntoIterator<Item = Tracker>) {
    let mut nodes = Vec::from_iter(nodes);
    for (node, host) in nodes.iter_mut().zip(hosts) {
        let udp = Tracker::endpoint(host, Scheme::Udp, Family::V4);
        node.wait_until_answering(&[udp]);
    }
    wait_until_each_hands_out_all(lab, hosts);
    for node in &mut nodes {
        let log = node.process().log();
        assert!(!log.contains(" WARN "), "{log}");
    }
}

/// Announces at each node from its own host, and waits until each hands out the peers of all. A new peer comes
/// every second, which is told whatever became of those before.
#[track_caller]
pub(crate) fn wait_until_each_hands_out_all(lab: &Lab, hosts: &[Host]) {
    let begin = Instant::now();
    lab.wait_until(PATIENCE, "each node hands out all peers", || {
        let seconds = u16::try_from(begin.elapsed().as_secs()).expect("it ends before");
        let hands_out_all = |host: &Host| {
            let server = (host.ipv4(), 6969).into();
            let peers = announce(host, server, TORRENT, 1001 + seconds, "");
            let known: BTreeSet<IpAddr> = peers.iter().map(SocketAddr::ip).collect();
            let mut others = hosts.iter().filter(|other| other.name() != host.name());
            others.all(|other| known.contains(&other.ipv4().into()))
        };
        // All of them announce, whatever the first ones know.
        let known = Vec::from_iter(hosts.iter().map(hands_out_all));
        known.into_iter().all(|all| all)
    });
}
