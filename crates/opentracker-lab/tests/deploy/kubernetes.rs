//! The kustomize base, its example and the Helm chart: read by kubectl and Helm, held against the schemas of
//! Kubernetes and against each other, and their pods run, alone and as a cluster.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use opentracker_lab::{Host, Lab, Tracker};
use opentracker_types::InfoHash;
use serde_json::{Value, json};

use crate::client::{get, takes_id_of, target};
use crate::cluster::{keygen, quick, wait_until_each_hands_out_all};
use crate::tools::{chart, kustomize, refused_by_chart, yaml};
use crate::{PATIENCE, text};

const BASE: &str = "deploy/kubernetes/base";
const EXAMPLE: &str = "deploy/kubernetes/overlays/example";
const CLUSTER: &str = "deploy/kubernetes/overlays/cluster";
const CHART: &str = "deploy/kubernetes/chart";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The objects of one way to install it.
#[derive(Clone)]
struct Objects(Vec<Value>);

impl Objects {
    /// The objects of a kind.
    fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    /// The ConfigMap that holds a file.
    fn with_file(&self, file: &str) -> &Value {
        let mut maps = self.of("ConfigMap");
        let map = maps.find(|map| map["data"][file].is_string());
        map.unwrap_or_else(|| panic!("no ConfigMap has {file}"))
    }

    fn stateful_set(&self) -> &Value {
        self.of("StatefulSet").next().expect("there is one")
    }

    fn pod(&self) -> &Value {
        &self.stateful_set()["spec"]["template"]["spec"]
    }

    fn container(&self) -> &Value {
        &self.pod()["containers"][0]
    }

    /// The same objects by kind and name, without what each tool adds of its own: namespace, labels of its
    /// release, and what makes a pod restart with its configuration.
    fn essence(&self) -> BTreeMap<String, Value> {
        let config = &self.with_file("opentracker.toml")["metadata"]["name"];
        let config = config.as_str().expect("it has a name");
        let mut essence = BTreeMap::new();
        for object in &self.0 {
            let plain = object.to_string().replace(config, "opentracker");
            let mut plain: Value = serde_json::from_str(&plain).expect("it was JSON");
            let metadata = plain["metadata"].as_object_mut().expect("it has metadata");
            metadata.remove("labels");
            metadata.remove("namespace");
            if let Some(template) = plain.pointer_mut("/spec/template/metadata") {
                let template = template.as_object_mut().expect("it is an object");
                template.remove("annotations");
            }
            let key = format!("{} {}", plain["kind"], plain["metadata"]["name"]);
            assert!(essence.insert(key, plain).is_none(), "each is there once");
        }
        essence
    }
}

#[test]
fn base_and_chart_say_the_same() {
    for (folder, values) in [(BASE, json!({})), (CLUSTER, cluster_values())] {
        let base = Objects(kustomize(folder)).essence();
        let chart = Objects(chart(CHART, &values)).essence();
        assert_eq!(
            base.keys().collect::<Vec<_>>(),
            chart.keys().collect::<Vec<_>>()
        );
        for (key, object) in &base {
            assert_eq!(object, &chart[key], "{folder}: {key}");
        }
    }
}

/// Values of the chart for what the overlay of a cluster makes.
fn cluster_values() -> Value {
    json!({
        "image": { "repository": "registry.example/opentracker" },
        "cluster": { "secret": "opentracker-cluster" },
    })
}

#[test]
fn component_and_chart_say_the_same() {
    let component = yaml("deploy/kubernetes/components/podmonitor/podmonitor.yaml");
    let chart = Objects(chart(CHART, &json!({ "podMonitor": { "enabled": true } })));
    let monitor = chart.of("PodMonitor").next().expect("it is enabled");
    assert_eq!(component["spec"], monitor["spec"]);
}

#[test]
fn the_version_is_that_of_the_programs() {
    let chart_file = yaml("deploy/kubernetes/chart/Chart.yaml");
    assert_eq!(chart_file["version"], VERSION);
    assert_eq!(chart_file["appVersion"], VERSION);
    let base = Objects(kustomize(BASE));
    assert_eq!(base.container()["image"], format!("opentracker:{VERSION}"));
}

#[test]
fn a_pod_has_no_right_that_it_does_not_need() {
    let base = Objects(kustomize(BASE));
    let pod = base.pod();
    assert_eq!(pod["automountServiceAccountToken"], false);
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
    let image = text("deploy/container/Containerfile");
    let user = format!(
        "\nUSER {}:{}\n",
        security["runAsUser"], security["runAsGroup"]
    );
    assert!(image.contains(&user), "it is the image's user");
    let security = &base.container()["securityContext"];
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert_eq!(security["capabilities"], json!({ "drop": ["ALL"] }));
    for kind in ["NetworkPolicy", "PodDisruptionBudget"] {
        let spec = &base.of(kind).next().expect("there is one")["spec"];
        let selector = match kind {
            "NetworkPolicy" => &spec["podSelector"],
            _ => &spec["selector"],
        };
        assert_eq!(selector, &base.stateful_set()["spec"]["selector"], "{kind}");
    }
}

#[test]
fn values_that_nobody_knows_are_refused() {
    for (values, reason) in [
        (json!({ "confg": "" }), "'confg' not allowed"),
        (
            json!({ "podDisruptionBudget": { "maxUnavailable": 2 } }),
            "maximum",
        ),
        (json!({ "memory": "1 GB" }), "pattern"),
        (json!({ "cluster": { "nodes": 1 } }), "minimum"),
        (
            json!({ "service": { "externalTrafficPolicy": "local" } }),
            "one of",
        ),
    ] {
        let said = refused_by_chart(CHART, &values);
        assert!(said.contains(reason), "{values}: {said}");
    }
}

#[test]
fn another_configuration_restarts_the_pod_and_another_list_does_not() {
    let render = |values: Value| {
        let objects = Objects(chart(CHART, &values));
        objects.stateful_set()["spec"]["template"].clone()
    };
    let pod = render(json!({}));
    assert_ne!(render(json!({ "config": "[udp]\nworkers = 1\n" })), pod);
    assert_ne!(
        render(json!({ "memory": "2GiB" }))["metadata"],
        pod["metadata"]
    );
    assert_eq!(render(json!({ "lists": { "deny.txt": "# none\n" } })), pod);
}

#[test]
fn the_pods_answer_their_probes() {
    let hash = InfoHash::new([0xd1; 20]);
    let values = json!({
        "config": "[access]\ndeny = \"/etc/opentracker-lists/denied\"\n\n[announce]\ninterval = \"45m\"\n",
        "lists": { "denied": format!("{hash} a note\n") },
        "memory": "1GiB",
    });
    let lab = Lab::new("deploy-pods");
    let kubelet = lab.host("kubelet");
    let example = "0123456789abcdef0123456789abcdef01234567";
    let example: InfoHash = example.parse().expect("it is an info hash");
    for (name, objects, denied) in [
        ("base", kustomize(BASE), None),
        ("example", kustomize(EXAMPLE), Some(example)),
        ("chart", chart(CHART, &values), Some(hash)),
    ] {
        let mut pod = Pod::start(&lab.host(name), Objects(objects), "");
        pod.is_ready(&lab, &kubelet);
        let other = InfoHash::new([3; 20]);
        assert!(!pod.refuses(&kubelet, other), "{name}");
        if let Some(denied) = denied {
            assert!(pod.refuses(&kubelet, denied), "{name}");
        }
    }
}

/// Pods of both ways to install it, behind the one name that is for all of them.
#[test]
fn the_pods_of_a_cluster_are_one_tracker() {
    let lab = Lab::new("deploy-pod-cluster");
    let hosts = ["pod0", "pod1", "pod2"].map(|name| lab.host(name));
    let base = Objects(kustomize(CLUSTER));
    let chart = Objects(chart(CHART, &cluster_values()));
    let all = [base.clone(), base, chart];
    let set = &all[0].stateful_set()["spec"];
    assert_eq!(set["replicas"], all.len());
    let name = &set["serviceName"];
    let is_theirs = |service: &&Value| service["metadata"]["name"] == *name;
    let service = all[0].of("Service").find(is_theirs);
    let service = &service.expect("the pods have names")["spec"];
    assert_eq!(service["clusterIP"], "None");
    assert_eq!(service["publishNotReadyAddresses"], true);
    let name = name.as_str().expect("it is text");
    lab.name(name, &hosts.each_ref());

    let kubelet = lab.host("kubelet");
    let secret = keygen(&kubelet);
    let start = |(objects, host)| Pod::start(host, objects, &secret);
    let mut pods = Vec::from_iter(all.into_iter().zip(&hosts).map(start));
    for pod in &mut pods {
        pod.is_ready(&lab, &kubelet);
    }
    wait_until_each_hands_out_all(&lab, &hosts);
    // The service of UDP may send a client's next datagram to another pod.
    let [one, two] = [0, 2].map(|pod: usize| pods[pod].port(&"udp".into()));
    assert!(takes_id_of(&kubelet, one, two) && takes_id_of(&kubelet, two, one));
    for pod in &mut pods {
        let log = pod.tracker.process().log();
        assert!(!log.contains("WARN"), "{log}");
    }
}

/// A pod that runs on a host.
struct Pod {
    objects: Objects,
    host: Host,
    tracker: Tracker,
}

impl Pod {
    /// Starts the container of a pod: with its arguments, and its volumes in folders of the host.
    fn start(host: &Host, objects: Objects, secret: &str) -> Self {
        let mounts = objects.container()["volumeMounts"].as_array();
        let mounts = mounts.expect("it has volumes").iter();
        let paths: Vec<&str> = mounts
            .filter_map(|mount| mount["mountPath"].as_str())
            .collect();
        let placed = |text: &str| {
            let place = |text: String, path: &&str| {
                let folder = host.folder().join(path.replace('/', "_"));
                text.replace(&format!("{path}/"), &format!("{}/", folder.display()))
            };
            paths.iter().fold(text.to_owned(), place)
        };
        for path in &paths {
            let folder = placed(&format!("{path}/"));
            fs::create_dir(folder).expect("the host's folder is there");
        }
        for volume in objects.pod()["volumes"].as_array().into_iter().flatten() {
            if let Some(mode) = volume["secret"]["defaultMode"].as_u64() {
                assert_eq!(volume["secret"]["secretName"], "opentracker-cluster");
                let path = placed(&(mount_of(&objects, volume) + "cluster-secret"));
                fs::write(&path, secret).expect("the folder is there");
                let mode = mode.try_into().expect("it is a mode");
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
            }
        }
        for map in objects.of("ConfigMap") {
            let name = &map["metadata"]["name"];
            let volumes = objects.pod()["volumes"].as_array();
            let mut volumes = volumes.expect("it has volumes").iter();
            let volume = volumes.find(|volume| volume["configMap"]["name"] == *name);
            let folder = mount_of(&objects, volume.expect("it is mounted"));
            let folder = Path::new(&placed(&folder)).to_owned();
            for (file, text) in map["data"].as_object().into_iter().flatten() {
                let text = placed(text.as_str().expect("a file is text"));
                fs::write(folder.join(file), text).expect("the folder is there");
            }
        }
        let arguments = objects.container()["args"].as_array().expect("it has some");
        let arguments = arguments.iter().filter_map(Value::as_str).map(placed);
        let arguments = arguments.chain(["--config".to_owned(), quick(host)]);
        let arguments: Vec<String> = arguments.collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let tracker = Tracker::spawn(host, &[], &arguments);
        Self {
            objects,
            host: host.clone(),
            tracker,
        }
    }

    /// Returns the address of a port of the container, by its name.
    fn port(&self, name: &Value) -> SocketAddr {
        let ports = self.objects.container()["ports"].as_array();
        let mut ports = ports.expect("it has ports").iter();
        let port = ports.find(|port| port["name"] == *name);
        let port = port.expect("the port has this name")["containerPort"].as_u64();
        let port = port.and_then(|port| port.try_into().ok());
        SocketAddr::new(self.host.ipv4().into(), port.expect("it is a port"))
    }

    /// Asks what the kubelet and Prometheus would.
    fn is_ready(&mut self, lab: &Lab, kubelet: &Host) {
        let http = self.port(&"http".into());
        let process = self.tracker.process();
        lab.wait_until(PATIENCE, "the pod listens", || {
            assert!(process.is_running(), "{}", process.log());
            kubelet.enter(|| TcpStream::connect(http).is_ok())
        });
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let probe = &self.objects.container()[probe]["httpGet"];
            let path = probe["path"].as_str().expect("it has a path");
            let address = self.port(&probe["port"]);
            let fields = format!("Host: {address}\r\n");
            assert_eq!(get(kubelet, address, path, &fields).status, 200, "{path}");
        }
        let metrics = self.port(&"metrics".into());
        let fields = format!("Host: {metrics}\r\n");
        assert_eq!(get(kubelet, metrics, "/metrics", &fields).status, 200);
    }

    /// Says whether the tracker refuses a torrent.
    fn refuses(&self, from: &Host, torrent: InfoHash) -> bool {
        let http = self.port(&"http".into());
        let reply = get(from, http, &target(torrent, 1001), "Host: a\r\n");
        reply.lossy().contains("failure reason")
    }
}

/// Returns the folder in which a volume is mounted, with a slash behind it.
fn mount_of(objects: &Objects, volume: &Value) -> String {
    let mounts = objects.container()["volumeMounts"].as_array();
    let mut mounts = mounts.expect("it has mounts").iter();
    let mount = mounts.find(|mount| mount["name"] == volume["name"]);
    let path = mount.expect("it is mounted")["mountPath"].as_str();
    format!("{}/", path.expect("it has a path"))
}
