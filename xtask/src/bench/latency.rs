//! How long announces wait while the tracker does something large.
//!
//! All threads of the tracker share processor 0, so whatever one of them does beside the announces
//! shows. The load is an open loop, and a request that could not be sent in time counts from when
//! it should have been.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::contestant::{Contestant, Protocol, Server};
use super::loadgen::{self, figure};
use super::{Bench, suites, table};

/// The task by which this program reads full scrapes, as a process of its own.
pub(super) const READER: &str = "read-full-scrapes";

const POPULATION: &[&str] = &[
    "--torrents",
    "3000000",
    "--peers",
    "10000000",
    "--zipf",
    "1",
];

/// A tenth of what one processor can do, each datagram for itself and as soon as it is there.
const LOAD: &[&str] = &[
    "--rate",
    "20000",
    "--pause",
    "0s",
    "--batch",
    "1",
    "--train",
    "1",
    "--warmup",
    "500ms",
    "--duration",
    "6s",
];

/// The tracker sweeps so often, first so long after its start.
const SWEEP_PERIOD: Duration = Duration::from_secs(60);

/// Each takes a good minute.
const MAX_ROUNDS: usize = 3;

/// How long before a sweep the load begins.
const LEAD: Duration = Duration::from_secs(3);

/// What the tracker does beside the announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    Sweep,
    FullScrapes,
}

impl Beside {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing else",
            Self::Sweep => "a sweep",
            Self::FullScrapes => "full scrapes, one after the other",
        }
    }
}

/// Percentiles of one condition, of all rounds.
#[derive(Debug)]
pub(super) struct Waits {
    pub(super) beside: Beside,
    /// 50, 99 and 99.9 %, in microseconds.
    pub(super) rounds: Vec<[f64; 3]>,
}

/// Announces beside nothing, beside a sweep and beside full scrapes, with ten million peers.
///
/// # Errors
///
/// The tracker or a run fails, or no full scrape was read.
pub(super) fn run(bench: &Bench) -> Result<()> {
    let server = Server::start(bench, Contestant::Ours, Protocol::Udp)?;
    eprintln!("filling with ten million peers");
    let fill = loadgen::run(bench, &server, "fill", POPULATION)?;
    let mut waits = [Beside::Nothing, Beside::Sweep, Beside::FullScrapes].map(|beside| Waits {
        beside,
        rounds: Vec::new(),
    });
    let mut reports = Vec::new();
    for round in 1..=bench.rounds.min(MAX_ROUNDS) {
        for waits in &mut waits {
            eprintln!("round {round}: beside {}", waits.beside.name());
            let reader = match waits.beside {
                Beside::Nothing => {
                    server.wait_for(since_sweep);
                    None
                }
                Beside::Sweep => {
                    server.wait_for(|age| until_sweep(age).saturating_sub(LEAD));
                    None
                }
                Beside::FullScrapes => Some(Reader::start(&server)?),
            };
            let report = loadgen::run(bench, &server, "udp", &[POPULATION, LOAD].concat())?;
            if let Some(reader) = reader {
                reader.stop()?;
            }
            let percentile = |name| figure(&report, &format!("/latency_micros/{name}"));
            waits
                .rounds
                .push([percentile("p50")?, percentile("p99")?, percentile("p99_9")?]);
            reports
                .push(json!({ "beside": waits.beside.name(), "round": round, "report": report }));
        }
    }
    println!(
        "{}",
        table::latency(figure(&fill, "/filled/peers")?, &waits)
    );
    println!("`opentracker-loadgen udp … {}`\n", LOAD.join(" "));
    suites::write(bench, "latency", &reports)
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
        let child = Command::new("taskset")
            .args(["--cpu-list", "0", "chrt", "--idle", "0"])
            .arg(std::env::current_exe()?)
            .args(["bench", READER, &server.address()])
            .spawn()
            .context("cannot start taskset and chrt")?;
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

/// Reads full scrapes until it is killed.
///
/// # Errors
///
/// The tracker does not answer, or refuses.
pub(super) fn read_full_scrapes(address: &str) -> Result<()> {
    const REQUEST: &[u8] = b"GET /scrape HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut buffer = vec![0; 1 << 20];
    loop {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(REQUEST)?;
        let mut octets = 0;
        loop {
            match stream.read(&mut buffer)? {
                0 => break,
                read if octets == 0 => {
                    let is_ok = buffer.starts_with(b"HTTP/1.1 200");
                    ensure!(
                        is_ok,
                        "no full scrape: {}",
                        String::from_utf8_lossy(&buffer[..read.min(200)])
                    );
                    octets += read;
                }
                read => octets += read,
            }
        }
        eprintln!(
            "a full scrape of {octets} octets in {:.1?}",
            begin.elapsed()
        );
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
