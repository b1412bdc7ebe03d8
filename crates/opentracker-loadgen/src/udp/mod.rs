//! Load over UDP (BEP 15): the commands `udp` and `fill`.

mod engine;
mod outstanding;
mod requests;
mod transport;

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::to_value;

use crate::args::{DatagramArgs, FillArgs, TimeArgs, TrackerArgs, UdpArgs};
use crate::drive::{Measurement, drive};
use crate::guard;
use crate::mix::Mix;
use crate::pace::{Clock, Pace, nanos};
use crate::population::Population;
use crate::report::Report;
use crate::sources::Sources;
use engine::{Engine, Plan};
use requests::{Encoder, Fill, Mixed, Shape, Workload};
use transport::Below;

/// Requests in flight without a rate: enough to keep a tracker busy that answers a batch at a
/// time, and few enough for the receive buffer that the system gives it unasked.
const CLOSED_WINDOW: u32 = 256;

/// Requests in flight at a rate: a bound that a tracker in order does not come near.
const OPEN_WINDOW: u32 = 16_384;

/// Makes load as told, and reports what it found.
///
/// # Errors
///
/// The target is refused or does not answer, or the system lacks what the run needs.
pub(crate) fn run(args: &UdpArgs) -> Result<Report> {
    let run = Run::new(&args.tracker, &args.datagrams)?;
    let mix = Mix::new(&args.mix, true)?;
    let hashes = usize::try_from(args.mix.scrape_hashes)?;
    let measurement = run.measure(args.time, |_| {
        let mixed = Mixed::new(mix.clone(), run.shape(), args.datagrams.train);
        let encoder = Encoder::new(run.population.clone(), Some(args.mix.numwant), hashes);
        (Workload::Mixed(mixed), encoder)
    })?;
    let target = run.plan.target.to_string();
    Ok(Report::new("udp", target, to_value(args)?, &measurement))
}

/// Announces each peer of the population once, and reports what the tracker made of it.
///
/// # Errors
///
/// As for [`run`], and if not every peer was answered.
pub(crate) fn fill(args: &FillArgs) -> Result<Report> {
    let run = Run::new(&args.tracker, &args.datagrams)?;
    let time = TimeArgs {
        duration: args.limit,
        warmup: Duration::ZERO,
    };
    let measurement = run.measure(time, |numbers| {
        let fill = Fill::new(numbers, run.shape());
        let encoder = Encoder::new(run.population.clone(), args.numwant, 1);
        (Workload::Fill(fill), encoder)
    })?;
    let counts = &measurement.tally.counts;
    let (answered, peers) = (counts.answered.announce, run.population.peers());
    ensure!(
        answered == peers,
        "the tracker took {answered} peers of {peers}; it refused {:?}",
        counts.errors,
    );
    let target = run.plan.target.to_string();
    let report = Report::new("fill", target, to_value(args)?, &measurement);
    Ok(report.with_fill(peers, run.population.torrents_with_peers()))
}

/// What both commands set up.
struct Run<'a> {
    tracker: &'a TrackerArgs,
    /// Sockets of each thread.
    sockets: u64,
    population: Population,
    plan: Plan,
    below: Option<Below>,
}

impl<'a> Run<'a> {
    fn new(tracker: &'a TrackerArgs, datagrams: &DatagramArgs) -> Result<Self> {
        let target = guard::resolve(&tracker.target, tracker.run.allow_public_target)?;
        let below = Below::new(datagrams);
        ensure!(
            below.is_none() || tracker.run.threads == 1,
            "without sockets there is one thread, as there is one queue"
        );
        let sockets = tracker.run.threads * datagrams.sockets;
        let sources = Sources::new(&tracker.sources, target.ip(), sockets)?;
        let population =
            Population::new(&tracker.population, sources.addresses(), sources.count())?;
        let window = match tracker.load.rate {
            Some(_) => OPEN_WINDOW,
            None => CLOSED_WINDOW,
        };
        Ok(Self {
            tracker,
            sockets: datagrams.sockets,
            population,
            plan: Plan {
                target,
                sources,
                sockets,
                timeout: nanos(tracker.load.timeout),
                window: datagrams.window.unwrap_or(window),
                batch: datagrams.batch,
                train: datagrams.train,
            },
            below,
        })
    }

    fn shape(&self) -> Shape {
        let sources = self.plan.sources.count();
        Shape {
            sockets: self.plan.sockets,
            sources,
            peers_per_source: self.population.peers() / sources,
        }
    }

    /// Gets connection ids and makes load, with what `work` gives each thread for the numbers of its
    /// sockets.
    fn measure(
        &self,
        time: TimeArgs,
        work: impl Fn(std::ops::Range<u64>) -> (Workload, Encoder),
    ) -> Result<Measurement> {
        let TrackerArgs {
            run,
            load,
            population,
            ..
        } = self.tracker;
        let clock = Clock::start();
        let engine = |thread| {
            let numbers = thread * self.sockets..(thread + 1) * self.sockets;
            let pace = Pace::new(load, thread, run.threads);
            let random = SmallRng::seed_from_u64(population.seed ^ thread << 32);
            let work = work(numbers.clone());
            let mut engine = Engine::new(
                (self.plan, self.below.as_ref()),
                numbers,
                pace,
                clock,
                work,
                random,
            )?;
            engine.connect()?;
            Ok(engine)
        };
        let engines = (0..run.threads).map(engine).collect::<Result<Vec<_>>>()?;
        drive(engines, clock, time, run)
    }
}
