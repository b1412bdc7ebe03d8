//! Announces over a link of Ethernet: both back ends of ours, aquatic on sockets, and a reflector below the
//! network stack.
//!
//! Each program has a network namespace of its own with a link (veth) to that of the load generator, which
//! sends and receives below the stack, too: then it is not the limit. Needs root. A veth copies each frame,
//! as a card does whose driver has no zero-copy.

use anyhow::{Result, ensure};
use xshell::{Shell, cmd};

use super::programs::{Place, Program, Protocol, Server};
use super::suites::turns;
use super::table::{self, Row};
use super::{Bench, install};
use crate::system;

/// As in the goals: all torrents alike.
const POPULATION: &str = "--torrents 1000000 --peers 3000000";

/// Where requests come from; half of the frames may be on their way.
const SOURCES: &str = "--source-net 10.1.0.0/16 --sources 256 --window 1024";

const LOAD: &str = "opentracker-bench-load";

/// The link-layer addresses at the ends of each link.
const SERVER_MAC: &str = "02:00:00:00:00:01";
const LOAD_MAC: &str = "02:00:00:00:00:02";

const PROGRAMS: [Program; 5] = [
    Program::OursBelow,
    Program::Ours,
    Program::AquaticUdp,
    Program::AquaticUdpIoUring,
    Program::ReflectorBelow,
];

/// What answers per second of processor time are to be, in times of the best other tracker.
const GOAL: f64 = 2.3;

/// What processor time is to be at the most, in times of the reflector's.
const MAX_REFLECTED: f64 = 1.2;

/// Gives each its turn.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let sh = &bench.workspace.sh;
    system::ensure(sh, &["iproute2"])?;
    install::for_udp(sh, &bench.others)?;
    let namespaces = Namespaces::new(sh)?;
    let mut servers = Vec::new();
    for (place, program) in PROGRAMS.into_iter().enumerate() {
        let link = Link::add(&namespaces, place)?;
        let server = Server::start_at(bench, program, Protocol::Udp, "", &link.place)?;
        if program.is_tracker() {
            eprintln!("filling {}", program.name());
            bench.load_by(&BY, &server, "fill", &link.options(POPULATION))?;
        }
        servers.push((server, link));
    }
    let [measured, before] = bench.turn;
    let options = format!("{POPULATION} --duration {measured} --warmup {before}");
    let mut rows: Vec<Row> = PROGRAMS.map(|program| Row::new(program.name())).into();
    turns(bench.rounds, &servers, &mut rows, |(server, link), row| {
        eprintln!("over a link: {}", row.name);
        row.reports
            .push(bench.load_by(&BY, server, "udp", &link.options(&options))?);
        Ok(())
    })?;
    println!(
        "{}",
        table::speed("UDP over a link (veth), announces", &rows)?
    );
    println!("`opentracker-loadgen udp … {options} {SOURCES} --xdp …`\n");
    let cpu = |row: usize| rows[row].median("/server/cpu_micros_per_answer");
    let best = cpu(2)?.min(cpu(3)?);
    let (ours, reflector) = (cpu(0)?, cpu(4)?);
    println!(
        "Answers per second of processor time: {:.2} × the best other tracker (goal: {GOAL} ×), at {:.2} × the \
         reflector's time (goal: {MAX_REFLECTED} ×).\n",
        best / ours,
        ours / reflector,
    );
    bench.keep("xdp", &[("xdp", rows)])
}

/// What runs the load generator.
const BY: [&str; 4] = ["ip", "netns", "exec", LOAD];

/// The namespaces, which end with this value.
struct Namespaces<'a> {
    sh: &'a Shell,
    names: Vec<String>,
}

impl<'a> Namespaces<'a> {
    fn new(sh: &'a Shell) -> Result<Self> {
        ensure!(system::is_root(sh)?, "network namespaces take root");
        let mut names = vec![LOAD.to_owned()];
        names.extend((0..PROGRAMS.len()).map(server_namespace));
        let namespaces = Self { sh, names };
        for name in &namespaces.names {
            cmd!(sh, "ip netns add {name}").quiet().run()?;
        }
        Ok(namespaces)
    }
}

impl Drop for Namespaces<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            // It may not have been made.
            let deleted = cmd!(self.sh, "ip netns del {name}");
            let _ = deleted.quiet().ignore_stderr().run();
        }
    }
}

fn server_namespace(place: usize) -> String {
    format!("opentracker-bench-{place}")
}

/// The link of a server.
struct Link {
    /// The interface of the load generator.
    interface: String,
    place: Place,
}

impl Link {
    fn add(namespaces: &Namespaces<'_>, place: usize) -> Result<Self> {
        let sh = namespaces.sh;
        let (interface, namespace) = (format!("load{place}"), server_namespace(place));
        let ip = |namespace: &str, line: &str| -> Result<()> {
            let words = line.split_whitespace();
            Ok(cmd!(sh, "ip -netns {namespace} {words...}").quiet().run()?)
        };
        ip(
            LOAD,
            &format!("link add {interface} type veth peer name eth0 netns {namespace}"),
        )?;
        ip(LOAD, &format!("link set {interface} address {LOAD_MAC} up"))?;
        for line in [
            "link set lo up",
            &format!("link set eth0 address {SERVER_MAC} up"),
            "addr add 10.0.0.1/30 dev eth0",
            &format!("neigh add 10.0.0.2 lladdr {LOAD_MAC} dev eth0"),
            "route add 10.1.0.0/16 via 10.0.0.2",
        ] {
            ip(&namespace, line)?;
        }
        Ok(Self {
            interface,
            place: Place {
                ip: [10, 0, 0, 1].into(),
                namespace: Some(namespace),
            },
        })
    }

    fn options(&self, options: &str) -> String {
        let interface = &self.interface;
        format!("{options} {SOURCES} --xdp {interface} --next-hop {SERVER_MAC}")
    }
}
