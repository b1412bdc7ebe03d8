//! A cluster of three nodes that is kept busy for long: `cargo xtask soak --minutes N` builds the
//! programs and runs this.
//!
//! About a million torrents are there at any time, and within `peer_timeout` all of them have been
//! replaced: each generation of peers announces once and is never heard of again. Beside that some
//! peers announce, stop and come back, over UDP and HTTP; lists change and are read again; snapshots
//! are written; whatever there is is scraped as a whole; and one node is stopped and started.
//!
//! It fails if memory grows after the warm-up, if a node's totals are not what a full scrape adds up
//! to, if nodes disagree, if a descriptor is lost, or if anybody has logged a warning.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use opentracker_lab::{
    Family, Host, HostCommand, Lab, Process, Scheme, Signal, Tracker, http, program_under_test,
};
use opentracker_types::InfoHash;
use serde_json::Value;

/// Torrents that are there at any time, at least.
const TORRENTS: u64 = 1_000_000;

/// Generations of peers that come within `peer_timeout`.
const GENERATIONS: u32 = 6;

/// Peers of a generation for each of its torrents: so many have one that hardly any is without.
const PEERS_PER_TORRENT: u64 = 2;

/// Torrents whose peers stay, and come and go by what they say.
const KEPT_TORRENTS: u64 = 20_000;

/// How much the median of resident memory may grow from the third to the last quarter of the time, in
/// percent.
const GROWTH: f64 = 3.0;

/// What one step may take.
const PATIENCE: Duration = Duration::from_secs(120);

const PORT: u16 = 6969;

fn main() {
    let minutes: u32 = env::args()
        .nth(1)
        .and_then(|minutes| minutes.parse().ok())
        .expect("an argument: how many minutes");
    let mut soak = Soak::start(minutes);
    soak.run();
    soak.settle();
    soak.recount();
    soak.compare();
    soak.judge_descriptors();
    soak.judge_logs();
    soak.judge_growth();
    println!("\nAll is well.");
}

struct Soak {
    lab: Lab,
    watcher: Host,
    nodes: Vec<Node>,
    loadgen: PathBuf,
    began: Instant,
    length: Duration,
    peer_timeout: Duration,
    /// What fills the nodes at present.
    fills: Vec<Process>,
    /// The number of the generation that comes next.
    generation: u32,
    /// When the figures were last printed.
    said: Duration,
}

/// A tracker, and the host from which its clients come.
struct Node {
    host: Host,
    clients: Host,
    /// The network of their addresses.
    network: String,
    tracker: Option<Tracker>,
    /// The process that it is.
    process: u32,
    /// What makes load as long as this runs.
    load: Vec<Process>,
    descriptors: usize,
    samples: Vec<Sample>,
    restarts: u32,
}

#[derive(Clone, Copy)]
struct Sample {
    at: Duration,
    resident_mb: f64,
    descriptors: usize,
    torrents: u64,
    peers: u64,
}

impl Soak {
    fn start(minutes: u32) -> Self {
        let lab = Lab::new("soak");
        let hosts = [0, 1, 2].map(|number| lab.host(&format!("node-{number}")));
        let clients = [0, 1, 2].map(|number| lab.host(&format!("clients-{number}")));
        let watcher = lab.host("watcher");
        let nodes = hosts.into_iter().zip(clients).zip(11..);
        let nodes = nodes.map(|((host, clients), octet)| Node {
            network: format!("10.{octet}.0.0/16"),
            host,
            clients,
            tracker: None,
            process: 0,
            load: Vec::new(),
            descriptors: 0,
            samples: Vec::new(),
            restarts: 0,
        });
        let length = Duration::from_secs(60) * minutes;
        let loadgen = program_under_test().with_file_name("opentracker-loadgen");
        let mut soak = Self {
            watcher,
            nodes: nodes.collect(),
            loadgen,
            began: Instant::now(),
            length,
            peer_timeout: Duration::from_secs(60) * (minutes * 3 / 20).clamp(2, 30),
            fills: Vec::new(),
            generation: 0,
            said: Duration::ZERO,
            lab,
        };
        for number in 0..soak.nodes.len() {
            soak.write_config(number, soak.peer_timeout);
            soak.write_list(number, 0);
            let node = &mut soak.nodes[number];
            node.route();
            node.start();
            node.descriptors = node.descriptors();
        }
        for node in &mut soak.nodes {
            node.load = ["udp", "http"]
                .map(|scheme| node.keep_busy(&soak.loadgen, scheme, length))
                .into();
        }
        soak
    }

    fn write_config(&self, number: usize, peer_timeout: Duration) {
        let node = &self.nodes[number];
        let seconds = peer_timeout.as_secs();
        let config = format!(
            "udp = {{ listen = [\"0.0.0.0:{PORT}\"], workers = 1 }}\n\
             http.listen = [\"0.0.0.0:{PORT}\"]\n\
             announce = {{ interval = \"{}s\", jitter = \"0s\", peer_timeout = \"{seconds}s\", torrent_timeout = \"1m\" }}\n\
             access = {{ admin = [\"10.0.0.0/24\"], deny = \"deny\" }}\n\
             livesync = {{ listen = \"{}:9696\", nodes = [\"10.0.0.0/24\"], max_delay = \"2s\", renew_boundary = \"1m\" }}\n\
             snapshot = {{ path = \"swarms\", interval = \"20s\" }}\n",
            seconds / 2,
            node.host.ipv4(),
        );
        fs::write(node.file("opentracker.toml"), config)
            .expect("a host's folder can be written to");
    }

    /// Denies some of the torrents that stay: others every time.
    fn write_list(&self, number: usize, round: u64) {
        let node = &self.nodes[number];
        let info_hashes = self.info_hashes(node.seed(), KEPT_TORRENTS);
        let denied = info_hashes
            .iter()
            .skip(usize::from(round % 2 == 1))
            .step_by(20);
        let text: String = denied.map(|info_hash| format!("{info_hash}\n")).collect();
        fs::write(node.file("deny"), text).expect("a host's folder can be written to");
    }

    /// The info hashes of what the load generator calls a population.
    fn info_hashes(&self, seed: u64, torrents: u64) -> Vec<InfoHash> {
        let command = self.watcher.command(&self.loadgen).arg("allow-list");
        let options = options(&[("--torrents", torrents), ("--seed", seed)]);
        let text = command.args(options).run();
        let info_hashes = text.lines().map(|line| line.parse().expect("40 digits"));
        info_hashes.collect()
    }

    /// Does all that is to be done until the time is over.
    fn run(&mut self) {
        let period = self.peer_timeout / GENERATIONS;
        let due: [Task; 5] = [
            (period, Self::fill),
            (Duration::from_secs(5), Self::sample),
            (Duration::from_secs(20), Self::reload),
            (Duration::from_secs(30), Self::scrape),
            (
                self.length.min(20 * Duration::from_secs(60)) / 5,
                Self::restart,
            ),
        ];
        let mut next = due.map(|(period, _)| period);
        self.fill();
        while self.began.elapsed() < self.length {
            for ((period, work), next) in due.iter().zip(&mut next) {
                if self.began.elapsed() >= *next {
                    *next += *period;
                    work(self);
                }
            }
            thread::sleep(Duration::from_millis(100));
        }
        self.finish_fills();
        for node in &mut self.nodes {
            for mut load in std::mem::take(&mut node.load) {
                let status = load.wait(PATIENCE);
                assert!(status.success(), "{status}:\n{}", load.log());
            }
        }
    }

    /// Lets another generation announce, once the one before has done it.
    fn fill(&mut self) {
        self.finish_fills();
        let torrents = TORRENTS / u64::from(GENERATIONS) / self.nodes.len() as u64;
        let period = self.peer_timeout.as_secs() / u64::from(GENERATIONS);
        let peers = torrents * PEERS_PER_TORRENT;
        // A little faster than it has to, so that it is done before the next.
        let rate = peers * 5 / 4 / period;
        for (number, node) in (0..).zip(&self.nodes) {
            let fill = node
                .load(&self.loadgen, "fill")
                .args(["--limit", "10m"])
                .args(options(&[
                    ("--torrents", torrents),
                    ("--peers", peers),
                    ("--seed", seed(self.generation, number)),
                    ("--sources", 64),
                    ("--rate", rate),
                ]));
            self.fills.push(fill.spawn());
        }
        self.generation += 1;
    }

    fn finish_fills(&mut self) {
        for (mut fill, node) in std::mem::take(&mut self.fills).into_iter().zip(&self.nodes) {
            let status = fill.wait(10 * PATIENCE);
            // A tracker that was started anew knows no connection id of the one before, and the load
            // generator counts that as refused.
            let is_excused = node.restarts > 0 && fill.log().contains("bad connection id");
            assert!(status.success() || is_excused, "{status}:\n{}", fill.log());
        }
    }

    fn sample(&mut self) {
        let at = self.began.elapsed();
        for node in &mut self.nodes {
            let [torrents, seeders, leechers] = node.totals(&self.watcher);
            let sample = Sample {
                at,
                resident_mb: node.resident_mb(),
                descriptors: node.descriptors(),
                torrents,
                peers: seeders + leechers,
            };
            node.samples.push(sample);
        }
        let latest = self.nodes.iter().filter_map(|node| node.samples.last());
        let columns: String = latest
            .map(|sample| {
                let Sample {
                    resident_mb,
                    descriptors,
                    torrents,
                    peers,
                    ..
                } = sample;
                format!(" | {torrents} / {peers} | {resident_mb:.0} MB | {descriptors}")
            })
            .collect();
        if at >= self.said + self.length / 20 {
            self.said = at;
            println!("| {:.1} min{columns} |", at.as_secs_f64() / 60.0);
        }
    }

    fn reload(&mut self) {
        let round = self.began.elapsed().as_secs() / 20;
        for number in 0..self.nodes.len() {
            self.write_list(number, round);
            self.nodes[number].signal(Signal::SIGHUP);
        }
    }

    fn scrape(&mut self) {
        for node in &self.nodes {
            let entries = node.full_scrape(&self.watcher);
            assert!(!entries.is_empty(), "{} has torrents", node.host.name());
        }
    }

    /// Stops the last node and starts it again, with what its snapshot has.
    fn restart(&mut self) {
        let node = self.nodes.last_mut().expect("there are three");
        let [before, ..] = node.totals(&self.watcher);
        node.stop();
        node.start();
        node.restarts += 1;
        let [after, ..] = node.totals(&self.watcher);
        println!(
            "{} is back with {after} torrents of {before}",
            node.host.name()
        );
    }

    /// Compares the last two quarters of the time, at the nodes that were never restarted. Before that
    /// the allocator still learns which sizes come and go.
    fn judge_growth(&self) {
        let [middle, last] = [2, 3].map(|quarter| self.length * quarter / 4);
        if middle < self.peer_timeout * 3 / 2 {
            println!("Too short to tell whether memory grows.");
            return;
        }
        for node in self.nodes.iter().filter(|node| node.restarts == 0) {
            let median = |from: Duration, until: Duration| {
                let samples = node.samples.iter();
                let samples = samples.filter(|sample| (from..until).contains(&sample.at));
                let mut resident: Vec<_> = samples.map(|sample| sample.resident_mb).collect();
                resident.sort_by(f64::total_cmp);
                resident[resident.len() / 2]
            };
            let (before, after) = (median(middle, last), median(last, self.length));
            let growth = (after / before - 1.0) * 100.0;
            let name = node.host.name();
            println!(
                "{name}: median of resident memory in the last two quarters {before:.1} MB, then \
                 {after:.1} MB ({growth:+.1} %)"
            );
            assert!(growth < GROWTH, "the memory of {name} grows");
        }
    }

    /// Lets nobody time out any more, and a last generation announce, until all nodes have heard it.
    fn settle(&mut self) {
        for number in 0..self.nodes.len() {
            self.write_config(number, Duration::from_secs(4 * 3600));
            self.nodes[number].signal(Signal::SIGHUP);
        }
        thread::sleep(Duration::from_secs(3));
        self.fill();
        self.finish_fills();
        let mut before = Vec::new();
        self.lab
            .wait_until(PATIENCE, "nothing changes any more", || {
                thread::sleep(Duration::from_secs(5));
                let totals: Vec<_> = self
                    .nodes
                    .iter()
                    .map(|node| node.totals(&self.watcher))
                    .collect();
                std::mem::replace(&mut before, totals) == before
            });
    }

    /// Holds the totals of each node against what a full scrape adds up to.
    fn recount(&self) {
        for node in &self.nodes {
            let name = node.host.name();
            // A sweep of torrents without peers may come between the two.
            self.lab.wait_until(PATIENCE, "totals and recount are one", || {
                let [torrents, seeders, leechers] = node.totals(&self.watcher);
                let entries = node.full_scrape(&self.watcher);
                let add = |figure: fn(&Counts) -> u64| entries.values().map(figure).sum::<u64>();
                let recount = [entries.len() as u64, add(|counts| counts[0]), add(|counts| counts[1])];
                println!("{name}: {torrents} torrents, {seeders} seeders, {leechers} leechers; recounted {recount:?}");
                recount == [torrents, seeders, leechers]
            });
        }
    }

    /// Holds that all nodes say the same of the last generation.
    fn compare(&self) {
        let torrents = TORRENTS / u64::from(GENERATIONS) / self.nodes.len() as u64;
        let scrapes: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.full_scrape(&self.watcher))
            .collect();
        for number in 0..self.nodes.len() as u64 {
            let seed = seed(self.generation - 1, number);
            let mut differ = 0;
            let mut peers = 0;
            for info_hash in self.info_hashes(seed, torrents) {
                let counts = scrapes.iter().map(|scrape| scrape.get(&info_hash));
                let counts: Vec<Counts> = counts
                    .map(|counts| counts.copied().unwrap_or_default())
                    .collect();
                differ += u64::from(counts.windows(2).any(|pair| pair[0] != pair[1]));
                peers += counts[0].iter().sum::<u64>();
            }
            println!(
                "of {torrents} torrents with {peers} peers that node-{number} was told of, nodes disagree on {differ}"
            );
            assert!(peers > torrents, "they are there");
            // Packets may be lost on a host that has no time for them.
            assert!(differ * 1000 <= torrents, "the nodes disagree");
        }
    }

    fn judge_descriptors(&self) {
        for node in &self.nodes {
            let what = format!("{} has as many descriptors as before", node.host.name());
            self.lab
                .wait_until(PATIENCE, &what, || node.descriptors() <= node.descriptors);
            println!(
                "{}: {} descriptors before, {} now",
                node.host.name(),
                node.descriptors,
                node.descriptors()
            );
        }
    }

    fn judge_logs(&self) {
        let logs = fs::read_dir(self.lab.logs()).expect("the lab has its logs");
        for log in logs.map(|entry| entry.expect("the lab has its logs").path()) {
            let Some(name) = log.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            if !name.starts_with("node-") || !name.ends_with(".log") {
                continue;
            }
            let text = fs::read_to_string(&log).expect("a log is text");
            let complaints = text.lines().filter(|line| {
                [" WARN ", " ERROR "]
                    .iter()
                    .any(|level| line.contains(level))
            });
            let complaints: Vec<_> = complaints.collect();
            assert!(complaints.is_empty(), "{name}: {complaints:#?}");
        }
    }
}

/// What is done, and how often.
type Task = (Duration, fn(&mut Soak));

/// Seeders and leechers of a torrent.
type Counts = [u64; 2];

impl Node {
    /// Lets the addresses of its clients be reached, and be used by them.
    fn route(&self) {
        self.clients
            .ip(&format!("route add local {} dev lo", self.network));
        let via = self.clients.ipv4();
        self.host
            .ip(&format!("route add {} via {via}", self.network));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.host.folder().join(name)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host.ipv4().into(), PORT)
    }

    /// What the torrents and peers that stay follow from.
    fn seed(&self) -> u64 {
        u64::from(self.host.ipv4().octets()[3])
    }

    fn start(&mut self) {
        let config = self.file("opentracker.toml");
        let config = config.to_str().expect("the target folder is UTF-8");
        let mut tracker = Tracker::spawn(&self.host, &[], &["--config", config]);
        let endpoint = Tracker::endpoint(&self.host, Scheme::Udp, Family::V4);
        // It reads its snapshot first, and names its URLs when all of its threads are there.
        let deadline = Instant::now() + PATIENCE;
        let probe = InfoHash::new([0; InfoHash::LEN]);
        let mut log = String::new();
        while !log.contains("announce URLs") || endpoint.scrape(&self.host, probe).is_err() {
            assert!(Instant::now() < deadline, "it does not serve:\n{log}");
            thread::sleep(Duration::from_millis(20));
            log = tracker.process().log();
        }
        self.process = tracker.process().id();
        self.tracker = Some(tracker);
    }

    fn stop(&mut self) {
        let mut tracker = self.tracker.take().expect("it runs");
        tracker.process().signal(Signal::SIGTERM);
        let status = tracker.process().wait(PATIENCE);
        assert!(status.success(), "{status}:\n{}", tracker.process().log());
    }

    fn signal(&mut self, signal: Signal) {
        let tracker = self.tracker.as_mut().expect("it runs");
        tracker.process().signal(signal);
    }

    /// The load generator at work on this node.
    fn load(&self, loadgen: &Path, command: &str) -> HostCommand {
        let target = self.address().to_string();
        self.clients.command(loadgen).args([
            command,
            &target,
            "--quiet",
            "--source-net",
            &self.network,
        ])
    }

    /// Lets peers announce, stop and come back for so long.
    fn keep_busy(&self, loadgen: &Path, command: &str, length: Duration) -> Process {
        let seconds = format!("{}s", length.as_secs());
        let load = self
            .load(loadgen, command)
            .args(["--stopped", "0.2", "--duration", &seconds])
            .args(options(&[
                ("--torrents", KEPT_TORRENTS),
                ("--peers", 3 * KEPT_TORRENTS),
                ("--seed", self.seed()),
                ("--rate", 500),
                ("--scrape", 10),
            ]));
        load.spawn()
    }

    fn get(&self, from: &Host, target: &str) -> Vec<u8> {
        from.enter(|| {
            let mut client = http::Client::connect(self.address());
            client.send(&format!("GET {target} HTTP/1.1\r\nHost: tracker\r\n\r\n"));
            let response = client.response();
            assert_eq!(response.status, 200, "{target}: {}", response.head);
            response.body
        })
    }

    /// Torrents, seeders and leechers, as the node counts them.
    fn totals(&self, from: &Host) -> [u64; 3] {
        let status = self.get(from, "/api/v1/status");
        let status: Value = serde_json::from_slice(&status).expect("the API says JSON");
        let swarms = &status["swarms"];
        let number = |value: &Value| value.as_u64().expect("a number");
        let peers = |key: &str| number(&swarms[key]["ipv4"]) + number(&swarms[key]["ipv6"]);
        [
            number(&swarms["torrents"]),
            peers("seeders"),
            peers("leechers"),
        ]
    }

    fn full_scrape(&self, from: &Host) -> HashMap<InfoHash, Counts> {
        read_scrape(&self.get(from, "/scrape")).expect("a full scrape is bencode")
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.process.to_string()).join(name)
    }

    fn resident_mb(&self) -> f64 {
        let status = fs::read_to_string(self.proc("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.parse().ok());
        let kib: f64 = kib.expect("a process has memory");
        kib * 1024.0 / 1e6
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("it runs").count()
    }
}

/// What the population of a generation at a node follows from.
fn seed(generation: u32, node: u64) -> u64 {
    1_000 + 3 * u64::from(generation) + node
}

fn options(options: &[(&str, u64)]) -> Vec<String> {
    let words = options
        .iter()
        .map(|(name, value)| [(*name).to_owned(), value.to_string()]);
    words.collect::<Vec<_>>().concat()
}

/// Reads `d5:filesd20:…d8:completei1e10:downloadedi2e10:incompletei3ee…ee`; `None` if it is none.
fn read_scrape(body: &[u8]) -> Option<HashMap<InfoHash, Counts>> {
    fn number(key: &[u8], rest: &mut &[u8]) -> Option<u64> {
        let digits = rest.strip_prefix(key)?;
        let end = digits.iter().position(|&octet| octet == b'e')?;
        *rest = &digits[end + 1..];
        str::from_utf8(&digits[..end]).ok()?.parse().ok()
    }
    let mut rest = body.strip_prefix(b"d5:filesd")?;
    let mut entries = HashMap::new();
    while let Some(entry) = rest.strip_prefix(b"20:") {
        let (info_hash, counts) = entry.split_first_chunk()?;
        rest = counts;
        let complete = number(b"d8:completei", &mut rest)?;
        number(b"10:downloadedi", &mut rest)?;
        let incomplete = number(b"10:incompletei", &mut rest)?;
        rest = rest.strip_prefix(b"e")?;
        entries.insert(InfoHash::new(*info_hash), [complete, incomplete]);
    }
    rest.starts_with(b"e").then_some(entries)
}
