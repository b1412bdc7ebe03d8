//! How long announces wait while the tracker does something large.
//!
//! All threads of the tracker share processor 0, so whatever one of them does beside the announces
//! shows. The load is an open loop, and a request that could not be sent in time counts from when
//! it should have been.

use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Bench;
use super::programs::{Program, Protocol, Server};
use super::table::{self, Row};
use crate::system;

const POPULATION: &str = "--torrents 3000000 --peers 10000000 --zipf 1";

/// A tenth of what one processor can do, each datagram for itself and as soon as it is there.
const LOAD: &str = "--rate 20000 --pause 0s --batch 1 --train 1 --warmup 500ms --duration 6s";

/// The tracker sweeps so often, first so long after its start.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);

/// Each takes a good minute.
const MAX_ROUNDS: usize = 3;

/// How long before a sweep the load begins.
const LEAD: Duration = Duration::from_secs(3);

/// Announces beside nothing, beside a sweep and beside full scrapes, with ten million peers.
pub(super) fn run(bench: &Bench) -> Result<()> {
    system::ensure(&bench.workspace.sh, &["curl"])?;
    let server = Server::start(bench, Program::Ours, Protocol::Udp)?;
    let mut fill = Row::new("filling with ten million peers");
    eprintln!("{}", fill.name);
    fill.reports.push(bench.load(&server, "fill", POPULATION)?);
    let mut rows = [
        "nothing else",
        "a sweep",
        "full scrapes, one after the other",
    ]
    .map(Row::new);
    let options = format!("{POPULATION} {LOAD}");
    for round in 1..=bench.rounds.min(MAX_ROUNDS) {
        for (index, row) in rows.iter_mut().enumerate() {
            eprintln!("round {round}: beside {}", row.name);
            let mut reader = None;
            match index {
                0 => server.wait_for(since_sweep),
                1 => server.wait_for(|age| until_sweep(age).saturating_sub(LEAD)),
                _ => reader = Some(Reader::start(&server)?),
            }
            row.reports.push(bench.load(&server, "udp", &options)?);
            if let Some(reader) = reader {
                reader.stop()?;
            }
        }
    }
    println!("{}", table::latency(fill.median("/filled/peers")?, &rows)?);
    println!("`opentracker-loadgen udp … {LOAD}`\n");
    bench.keep("latency", &[("latency", Vec::from(rows))])
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

/// A process that reads one full scrape after the other, when the tracker leaves it time.
struct Reader(Child);

impl Reader {
    fn start(server: &Server) -> Result<Self> {
        // curl leaves out what follows the `#`, but asks once for each number.
        let url = format!("http://{}/scrape#[1-1000000]", server.address());
        let figures = "%{stderr}a full scrape of %{size_download} octets in %{time_total} s\\n";
        let child = Command::new("taskset")
            .args(["--cpu-list", "0", "chrt", "--idle", "0"])
            .args(["curl", "--silent", "--show-error", "--fail", "--fail-early"])
            .args(["--output", "/dev/null", "--write-out", figures, &url])
            .spawn()
            .context("cannot start taskset")?;
        Ok(Self(child))
    }

    fn stop(mut self) -> Result<()> {
        let ended = self.0.try_wait()?;
        ensure!(ended.is_none(), "the reader of full scrapes has ended");
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
