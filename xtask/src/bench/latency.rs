//! How long announces wait while the tracker does something large, or others flood it.
//!
//! All threads of the tracker share processor 0, so whatever one of them does beside the announces
//! shows. The load is an open loop, and a request that could not be sent in time counts from when
//! it should have been. Whoever floods has what the tracker leaves of processor 0.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use xshell::cmd;

use super::programs::{self, Program, Protocol, Server};
use super::table::{self, Row};
use super::{Bench, Other};
use crate::system;

const POPULATION: &str = "--torrents 3000000 --peers 10000000 --zipf 1 --source-net 127.1.0.0/16";

/// A tenth of what one processor can do, each datagram for itself and as soon as it is there.
const LOAD: &str = "--rate 20000 --pause 0s --batch 1 --train 1 --warmup 500ms --duration 6s";

/// Whom the load comes from is not limited, and there is no room for a flood.
const LIMITS: &str =
    "limits = { rate = \"5/s\", rate_exempt = [\"127.1.0.0/16\"], memory = \"320MiB\" }\n";

/// New torrents, as fast as they can be sent, whether or not there are answers.
const FLOOD: &str =
    "--torrents 100000000 --seed 7 --rate 1000000 --timeout 10ms --duration 1h --quiet";

/// Peers of one address of a flood, which needs a port for each.
const FLOOD_PORTS: u32 = 1000;

/// What goes on beside the announces.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    Sweep,
    FullScrapes,
    /// One a second.
    Snapshots,
    /// Of a list of a million info hashes that are nobody's.
    Reloads,
    /// From this network, of so many addresses.
    Flood(&'static str, u32),
}

const ROWS: [(&str, Beside); 7] = [
    ("nothing else", Beside::Nothing),
    ("a sweep", Beside::Sweep),
    ("full scrapes, one after the other", Beside::FullScrapes),
    ("a snapshot every second", Beside::Snapshots),
    ("a list of a million, read every second", Beside::Reloads),
    ("a flood of one address", Beside::Flood("127.2.0.0/16", 1)),
    (
        "a flood of 1 000 addresses",
        Beside::Flood("127.8.0.0/13", 1000),
    ),
];

/// The tracker sweeps so often, first so long after its start.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);

/// Each takes a good minute.
const MAX_ROUNDS: usize = 3;

/// How long before a sweep the load begins.
const LEAD: Duration = Duration::from_secs(3);

/// Announces beside nothing and beside each of the others, with ten million peers.
pub(super) fn run(bench: &Bench) -> Result<()> {
    system::ensure(&bench.workspace.sh, &["curl"])?;
    let (program, list) = (bench.loadgen(), bench.folder.join("deny-list"));
    let other = ["--torrents", "1000000", "--seed", "99"];
    cmd!(
        bench.workspace.sh,
        "{program} allow-list {other...} --output {list}"
    )
    .run()?;
    let server = Server::start_with(bench, Program::Ours, Protocol::Udp, &more("1d"))?;
    let mut fill = Row::new("filling with ten million peers");
    eprintln!("{}", fill.name);
    fill.reports.push(bench.load(&server, "fill", POPULATION)?);
    let mut rows = ROWS.map(|(name, _)| Row::new(name));
    let options = format!("{POPULATION} {LOAD}");
    for round in 1..=bench.rounds.min(MAX_ROUNDS) {
        for ((_, beside), row) in ROWS.into_iter().zip(&mut rows) {
            eprintln!("round {round}: beside {}", row.name);
            if let Beside::Sweep = beside {
                server.wait_for(|age| until_sweep(age).saturating_sub(LEAD));
            } else {
                server.wait_for(since_sweep);
            }
            let other = beside.start(bench, &server)?;
            let before = handled(bench, &server)?;
            let mut report = bench.load(&server, "udp", &options)?;
            let bound = p99_9(&before, &handled(bench, &server)?);
            report["handler_micros"] = json!({ "p99_9": bound });
            row.reports.push(report);
            if let Some(other) = other {
                other.stop()?;
            }
            server.reload(&more("1d"))?;
        }
    }
    println!("{}", table::latency(fill.median("/filled/peers")?, &rows)?);
    println!("`opentracker-loadgen udp … {LOAD}`\n");
    println!("A flood: `opentracker-loadgen udp … {FLOOD}`\n");
    bench.keep("latency", &[("latency", Vec::from(rows))])
}

/// How many datagrams took the handler no longer than some microseconds, as the tracker counts
/// them: from when a batch was read until its replies were with the system. What other processes
/// add to a round trip is not in it, unless they hold up the handler itself.
fn handled(bench: &Bench, server: &Server) -> Result<Vec<(f64, u64)>> {
    let url = format!("http://{}/metrics", server.address());
    let metrics = cmd!(
        bench.workspace.sh,
        "curl --silent --show-error --fail {url}"
    )
    .read()?;
    Ok(counts(&metrics))
}

fn counts(metrics: &str) -> Vec<(f64, u64)> {
    let buckets = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("opentracker_request_duration_seconds_bucket{")?;
        let (labels, count) = rest.rsplit_once(' ')?;
        let bound = labels.split_once("le=\"")?.1.split('"').next()?;
        let is_udp = labels.contains("protocol=\"udp\"");
        is_udp.then_some((bound.parse::<f64>().ok()? * 1e6, count.parse().ok()?))
    });
    buckets.collect()
}

/// The bound below which 999 in 1000 stayed between two looks, or a second.
fn p99_9(before: &[(f64, u64)], after: &[(f64, u64)]) -> f64 {
    let counts = after.iter().zip(before);
    let mut counts = counts.map(|((bound, after), (_, before))| (*bound, after - before));
    let all = counts.clone().next_back().map_or(0, |(_, all)| all);
    let bound = counts.find(|(_, count)| count * 1000 >= all * 999);
    bound.map_or(0.0, |(bound, _)| bound.min(1e6))
}

/// What the configuration has besides.
fn more(interval: &str) -> String {
    format!("{LIMITS}snapshot = {{ path = \"snapshot\", interval = \"{interval}\" }}\n")
}

fn until_sweep(age: Duration) -> Duration {
    let period = SWEEP_PERIOD.as_millis();
    let rest = period - age.as_millis() % period;
    Duration::from_millis(u64::try_from(rest).expect("less than a period"))
}

/// How long to wait for a time well between two sweeps.
fn since_sweep(age: Duration) -> Duration {
    let quiet = LEAD..SWEEP_PERIOD / 2;
    let since = SWEEP_PERIOD.saturating_sub(until_sweep(age));
    if quiet.contains(&since) {
        Duration::ZERO
    } else {
        until_sweep(age) + LEAD
    }
}

impl Beside {
    /// Begins it; what takes a process of its own goes on until that is stopped.
    fn start(self, bench: &Bench, server: &Server) -> Result<Option<Other>> {
        let address = server.address();
        let other = match self {
            Self::Nothing | Self::Sweep => return Ok(None),
            Self::Snapshots => {
                server.reload(&more("1s"))?;
                return Ok(None);
            }
            Self::FullScrapes => {
                // curl leaves out what follows the `#`, but asks once for each number.
                let url = format!("http://{address}/scrape#[1-1000000]");
                let figures =
                    "%{stderr}a full scrape of %{size_download} octets in %{time_total} s\\n";
                let mut curl = Command::new("curl");
                curl.args(["--silent", "--show-error", "--fail", "--fail-early"])
                    .args(["--output", "/dev/null", "--write-out", figures, &url]);
                curl
            }
            Self::Reloads => {
                let list = bench.folder.join("deny-list");
                server.reload(&format!("{}access.deny = {list:?}\n", more("1d")))?;
                let script = "while kill -HUP \"$0\"; do sleep 1; done";
                let mut shell = Command::new("sh");
                shell.args(["-c", script, &server.id()]);
                shell
            }
            Self::Flood(network, sources) => {
                let mut flood = Command::new(bench.loadgen());
                flood
                    .args(["udp", &address, "--source-net", network])
                    .args(["--sources", &sources.to_string()])
                    .args(["--peers", &(sources * FLOOD_PORTS).to_string()])
                    .args(FLOOD.split_whitespace());
                flood
            }
        };
        let idle = [
            "taskset",
            "--cpu-list",
            programs::CORE,
            "chrt",
            "--idle",
            "0",
        ];
        Other::start(&other, &idle).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_all_but_one_in_a_thousand_is_found() {
        let metrics = |counts: [u64; 3]| {
            let [first, second, all] = counts;
            let name = "opentracker_request_duration_seconds_bucket";
            super::counts(&format!(
                "# TYPE {name} histogram\n{name}{{protocol=\"http\",le=\"1e-6\"}} 7\n\
                 {name}{{protocol=\"udp\",le=\"0.00002\"}} {first}\n\
                 {name}{{protocol=\"udp\",le=\"0.00005\"}} {second}\n\
                 {name}{{protocol=\"udp\",le=\"+Inf\"}} {all}\n",
            ))
        };
        let before = metrics([5, 6, 100]);
        let bound = |counts| p99_9(&before, &metrics(counts)).round();
        assert_eq!(bound([1005, 1006, 1100]), 20.0);
        assert_eq!(bound([1003, 1005, 1100]), 50.0);
        assert_eq!(bound([5, 6, 1100]), 1e6);
    }

    #[test]
    fn runs_beside_nothing_keep_away_from_sweeps() {
        for millis in 0..240_000 {
            let age = Duration::from_millis(millis);
            let begin = age + since_sweep(age);
            let since = SWEEP_PERIOD - until_sweep(begin);
            assert!(since >= LEAD && since + Duration::from_secs(7) < SWEEP_PERIOD);
        }
    }

    #[test]
    fn runs_beside_a_sweep_begin_shortly_before_it() {
        for millis in 0..240_000 {
            let age = Duration::from_millis(millis);
            let begin = age + until_sweep(age).saturating_sub(LEAD);
            assert!(until_sweep(begin) <= LEAD, "{age:?}");
        }
    }
}
