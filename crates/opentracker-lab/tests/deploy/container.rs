//! The container file and the compose file. No engine is needed: what an engine would do for the nodes of the
//! compose file, addresses, environment, health checks, is done in network namespaces.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use opentracker_lab::{Host, Lab, Process, program_under_test};
use serde_json::{Value, json};

use crate::client::get;
use crate::cluster::{keygen, nats_server, wait_until_each_hands_out_all, write};
use crate::tools::{compose, hadolint, succeed, yaml};
use crate::{PATIENCE, repository, text};

const CONTAINERFILE: &str = "deploy/container/Containerfile";
const COMPOSE: &str = "deploy/container/compose.yml";

#[test]
fn the_container_file_builds_the_workspace() {
    hadolint(CONTAINERFILE);
    let file = text(CONTAINERFILE);
    let manifest = text("Cargo.toml");
    let members = manifest.lines().find(|line| line.starts_with("members = "));
    let members = members.expect("a workspace has members").split('"');
    for member in members.skip(1).step_by(2) {
        let folder = member.split('/').next().expect("a split has a part");
        let copy = format!("\nCOPY {folder} {folder}\n");
        assert!(file.contains(&copy), "{member} is not in the image");
    }
}

/// Returns the services of the compose file, and those of them that are trackers.
fn services() -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let file = compose(COMPOSE);
    let services = file["services"].as_object().expect("there are services");
    let services: BTreeMap<_, _> = services.clone().into_iter().collect();
    let mut nodes = services.clone();
    nodes.retain(|_, service| service["build"].is_object());
    assert_eq!(nodes.len(), 3);
    (services, nodes)
}

#[test]
fn no_service_has_more_rights_than_it_needs() {
    let (services, nodes) = services();
    for (name, service) in &services {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(
            service["security_opt"][0], "no-new-privileges:true",
            "{name}"
        );
        assert!(service["mem_limit"].is_string(), "{name}");
        assert!(service["healthcheck"]["test"].is_array(), "{name}");
        let image = service["image"].as_str().expect("it has an image");
        let (_, tag) = image.split_once(':').expect("its image has a tag");
        assert_ne!(tag, "latest", "{name}");
    }
    let image = text(CONTAINERFILE);
    for node in nodes.values() {
        assert_eq!(
            node["image"],
            concat!("opentracker:", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(node["build"]["dockerfile"], CONTAINERFILE);
        assert_eq!(node["stop_grace_period"], "90s");
        // The folders that the image makes for its user.
        let run = node["tmpfs"][0]
            .as_str()
            .and_then(|run| run.split(':').next());
        let run = run.expect("the control socket has a place");
        assert!(
            image.contains(&format!("\nENV RUNTIME_DIRECTORY={run}\n")),
            "{run}"
        );
        let state = node["volumes"][0]
            .as_str()
            .and_then(|state| state.split(':').nth(1));
        let state = state.expect("the snapshot has a volume");
        assert!(image.contains(&format!(" {run} {state}\n")), "{state}");
    }
}

/// Puts the files that a service mounts in one folder of its container into a folder here.
fn mounted(service: &Value, inside: &str, folder: &Path) {
    let volumes = service["volumes"].as_array().expect("it has volumes");
    for volume in volumes.iter().filter_map(Value::as_str) {
        let parts: Vec<&str> = volume.split(':').collect();
        let target = Path::new(parts[1]);
        if target.parent() == Some(Path::new(inside)) {
            let source = repository("deploy/container").join(parts[0]);
            let name = target.file_name().expect("it is a file");
            fs::copy(source, folder.join(name)).expect("what is mounted is there");
        }
    }
}

#[test]
fn prometheus_and_grafana_find_each_node() {
    let (services, nodes) = services();
    let lab = Lab::new("deploy-prometheus");
    let folder = lab.logs();
    mounted(&services["prometheus"], "/etc/prometheus", folder);
    let config = folder.join("prometheus.yml").display().to_string();
    succeed(Path::new("promtool"), &["check", "config", &config], "");
    let config = yaml("deploy/container/prometheus.yml");
    let targets = &config["scrape_configs"][0]["static_configs"][0]["targets"];
    let expected: Vec<String> = nodes.keys().map(|node| format!("{node}:6970")).collect();
    assert_eq!(*targets, Value::from(expected));

    let source = yaml("deploy/container/grafana/datasources/prometheus.yml");
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    let provider = yaml("deploy/container/grafana/dashboards/opentracker.yml");
    let path = provider["providers"][0]["options"]["path"].as_str();
    mounted(&services["grafana"], path.expect("it has a path"), folder);
    assert!(folder.join("grafana.json").is_file());
}

/// A node of the compose file that runs on a host.
struct Node {
    name: String,
    host: Host,
    process: Process,
    health: Vec<String>,
}

impl Node {
    /// Starts a service as its engine would: with its environment and nothing else.
    fn start(host: &Host, name: &str, service: &Value, secret: &str) -> Self {
        assert!(service["command"].is_null(), "the environment is all");
        let mut command = host.command(program_under_test());
        let environment = service["environment"].as_object().expect("it has one");
        for (key, value) in environment {
            let value = value.as_str().expect("a variable is text");
            // The secret, and the volume.
            let value = value.replace("/run/secrets/cluster", secret);
            let folder = host.folder().display().to_string();
            command = command.env(key, value.replace("/var/lib/opentracker", &folder));
        }
        // A packet need not fill.
        command = command.env("OPENTRACKER_LIVESYNC__MAX_DELAY", "1s");
        // What the image sets.
        let process = command.env("RUNTIME_DIRECTORY", host.folder()).spawn();
        let health = service["healthcheck"]["test"].as_array().expect("a list");
        let health = health.iter().filter_map(Value::as_str);
        Self {
            name: name.to_owned(),
            process,
            health: health.map(str::to_owned).collect(),
            host: host.clone(),
        }
    }

    fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.host.ipv4().into(), port)
    }

    /// Runs the health check, which has to be content.
    fn is_healthy(&self) {
        let [kind, program, arguments @ ..] = &self.health[..] else {
            panic!("{:?}", self.health);
        };
        assert_eq!(kind, "CMD");
        let name = Path::new(program).file_name().expect("it is a program");
        let check = self.host.command(program_under_test().with_file_name(name));
        let check = check.env("RUNTIME_DIRECTORY", self.host.folder());
        check.args(arguments).run();
    }
}

/// Three nodes and a NATS server with what the compose file gives them.
#[test]
fn the_nodes_of_the_compose_file_are_a_cluster() {
    let (all, services) = services();
    let lab = Lab::new("deploy-compose");
    let client = lab.host("client");
    let nats = lab.host("nats");
    lab.name(nats.name(), &[&nats]);
    let arguments = all["nats"]["command"].as_array().expect("it has some");
    let arguments: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
    let _nats = nats_server(&lab, &nats, &arguments);
    let health = all["nats"]["healthcheck"]["test"].as_array();
    let url = health.and_then(|test| test.last()?.as_str());
    let url = url.and_then(|url| url.strip_prefix("http://127.0.0.1:"));
    let (port, path) = url.and_then(|url| url.split_once('/')).expect("it has one");
    let server = SocketAddr::new(nats.ipv4().into(), port.parse().expect("it is a port"));
    let health = get(&client, server, &format!("/{path}"), "Host: nats\r\n");
    assert_eq!(health.status, 200, "{}", health.lossy());

    let secret = write(&client, "cluster-secret", &keygen(&client));
    let hosts = Vec::from_iter(services.keys().map(|name| lab.host(name)));
    let nodes = services.iter().zip(&hosts);
    let nodes = nodes.map(|((name, service), host)| {
        assert_eq!(service["secrets"], json!(["cluster"]));
        Node::start(host, name, service, &secret)
    });
    let mut nodes = Vec::from_iter(nodes);
    for node in &mut nodes {
        let address = node.address(6969);
        lab.wait_until(PATIENCE, "each node listens", || {
            assert!(node.process.is_running(), "{}", node.process.log());
            client.enter(|| std::net::TcpStream::connect(address).is_ok())
        });
        node.is_healthy();
        let fields = format!("Host: {}:6970\r\n", node.name);
        let metrics = get(&client, node.address(6970), "/metrics", &fields);
        assert_eq!(metrics.status, 200, "Prometheus calls it by its name");
    }
    wait_until_each_hands_out_all(&lab, &hosts);
    for node in &nodes {
        let log = node.process.log();
        assert!(!log.contains("WARN"), "{log}");
    }
}
