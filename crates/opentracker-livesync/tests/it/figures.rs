//! The figures of `docs/scale.md`: what a cluster costs its nodes, and how long it takes to make good
//! what its network loses.

use std::fmt::Write as _;
use std::time::Duration;

use opentracker_livesync::{Kind, Kinds};

use crate::layout::Layout;
use crate::machine::Times;
use crate::network::{Conditions, Flow};
use crate::world::{World, archived};

const MINUTE: Duration = Duration::from_secs(60);

/// Nodes of the cluster that loses packets.
const LOSING: usize = 16;

/// Its clients. With fewer the last hundredth of them would be none.
const CLIENTS: usize = 800;

/// After a change of what live sync sends: `UPDATE_DOCS=1 cargo test -p opentracker-livesync
/// the_documentation`.
#[test]
fn the_documentation_has_the_figures_of_scale() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md");
    let text = std::fs::read_to_string(path).unwrap();
    let current = [load(), recovery(), newcomers()]
        .iter()
        .fold(text.clone(), |text, table| replace(&text, table));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, current).unwrap();
    } else {
        assert!(
            text == current,
            "the tables of docs/scale.md are old: UPDATE_DOCS=1 cargo test -p opentracker-livesync the_documentation writes it anew"
        );
    }
}

/// What a node sends and receives for each announce of a client of its own, when all have as many
/// and their packets are full.
fn load() -> String {
    const ANNOUNCES: u32 = 840;
    let head = "| nodes | packets out, octets out: group or NATS | list | packets in, octets in |";
    let mut table = format!("{head}\n|--:|--:|--:|--:|\n");
    for nodes in [2, 4, 8, 16, 32] {
        let mut world = world(nodes, &Kind::ALL);
        for number in 0..ANNOUNCES {
            for node in 0..nodes {
                world.arrive(node, archived(u16::try_from(number % 100).unwrap()));
            }
            world.run_for(Duration::from_millis(20));
        }
        world.run_for(world.reach());
        let per_announce = |flow: Flow| {
            let [packets, octets] =
                [flow.packets, flow.octets].map(|sum| real(sum) / f64::from(ANNOUNCES));
            format!("{packets:.3}, {octets:.0}")
        };
        let sent = |kind| per_announce(world.network.sent(0, kind));
        let (group, list) = (sent(Kind::Group), sent(Kind::Unicast));
        assert_eq!(group, sent(Kind::Nats));
        let received = per_announce(world.network.received(0, Kind::Group));
        writeln!(table, "| {nodes} | {group} | {list} | {received} |").unwrap();
    }
    table
}

/// How many peers are missing at a node when each has announced once, twice, thrice, while packets
/// go on being lost.
fn recovery() -> String {
    let head = "| lost | carriers | missing after 1 interval | after 2 | after 3 | after 4 |";
    let mut table = format!("{head}\n|--:|--|--:|--:|--:|--:|\n");
    for loss in [0.01, 0.05, 0.2] {
        for carriers in [&[Kind::Group][..], &[Kind::Group, Kind::Unicast]] {
            let mut world = world(LOSING, carriers);
            world.network.conditions.loss = loss;
            world.join(CLIENTS);
            let (interval, percent) = (interval(&world), 100.0 * loss);
            let number = carriers.len();
            write!(table, "| {percent:.0} % | {number} |").unwrap();
            for _ in 0..4 {
                world.run_for(interval);
                write!(table, " {:.2} % |", 100.0 * missing(&world, 0..LOSING)).unwrap();
            }
            table.push('\n');
        }
    }
    table
}

/// Which share of the peers nodes know that have started not long ago, and the others.
fn newcomers() -> String {
    const STARTED: std::ops::Range<usize> = 1..5;
    let head = "| lost | known 2 minutes after the start | 5 | 15 | 30 | 60 | by the others |";
    let mut table = format!("{head}\n|--:|--:|--:|--:|--:|--:|--:|\n");
    for loss in [0.0, 0.01, 0.05, 0.2] {
        let mut world = world(LOSING, &[Kind::Group]);
        world.join(CLIENTS);
        let settled = world.times.scrape_sync.first_beacon_delay + interval(&world);
        world.run_for(settled);
        world.network.conditions.loss = loss;
        STARTED.for_each(|node| world.restart(node));
        write!(table, "| {:.0} % |", 100.0 * loss).unwrap();
        let known = |world: &World, nodes| 100.0 * (1.0 - missing(world, nodes));
        for minutes in [2, 3, 10, 15, 30] {
            world.run_for(minutes * MINUTE);
            write!(table, " {:.0} % |", known(&world, STARTED)).unwrap();
        }
        writeln!(table, " {:.0} % |", known(&world, STARTED.end..LOSING)).unwrap();
    }
    table
}

/// A cluster on a quiet network, whose nodes all have the same carriers, with clients of IPv4.
fn world(nodes: usize, carriers: &[Kind]) -> World {
    let all = carriers
        .iter()
        .fold(Kinds::NONE, |all, &kind| all.with(kind));
    let mut world = World::empty(1, Layout::alike(nodes, all), Times::default());
    world.share_of_v6 = 0.0;
    world.network.conditions = Conditions {
        duplication: 0.0,
        ..Conditions::LAN
    };
    world
}

/// The time in which each client announces once, and the cluster hears of it.
fn interval(world: &World) -> Duration {
    let settings = &world.times.settings;
    settings.interval + settings.jitter + world.reach()
}

/// The share of the peers that some nodes do not know, of all that there are.
fn missing(world: &World, nodes: std::ops::Range<usize>) -> f64 {
    let (peers, count) = (world.peers(), nodes.len());
    let known: usize = nodes
        .map(|node| world.machine(node).peers(world.now).len())
        .sum();
    1.0 - real(known as u64) / real((peers.len() * count) as u64)
}

/// Puts a table in the place of the one that begins in the same way.
fn replace(text: &str, table: &str) -> String {
    let head = table.lines().next().unwrap();
    let (before, old) = text.split_once(head).expect("the page has the table");
    let (_, after) = old.split_once("\n\n").expect("a paragraph follows");
    format!("{before}{table}\n{after}")
}

fn real(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}
