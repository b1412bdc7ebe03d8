//! Load over UDP (BEP 15): the commands `udp` and `fill`.

mod engine;
mod outstanding;
mod requests;

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::to_value;

use crate::args::{
    DatagramArgs, FillArgs, LoadArgs, PopulationArgs, RunArgs, SourceArgs, TimeArgs, UdpArgs,
};
use crate::drive::{Timing, drive};
use crate::guard;
use crate::pace::Clock;
use crate::population::Population;
use crate::random::{Random, mix};
use crate::report::Report;
use crate::sources::Sources;
use engine::{Engine, Manner, Route};
use requests::{Encoder, Fill, Mixed, Shape, Workload};

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
    let route = route(&args.target, &args.run, &args.datagrams, &args.sources)?;
    let population = population(&args.population, route)?;
    let workload = Mixed::new(&args.mix, shape(route, &population), args.datagrams.train)?;
    let hashes = usize::try_from(args.mix.scrape_hashes)?;
    let plan = Plan {
        route,
        run: &args.run,
        load: &args.load,
        datagrams: &args.datagrams,
        seed: args.population.seed,
    };
    let clock = Clock::start();
    let engines = plan.engines(clock, |_| {
        let encoder = Encoder::new(population.clone(), Some(args.mix.numwant), hashes);
        (Workload::Mixed(workload.clone()), encoder)
    })?;
    let measurement = drive(engines, clock, args.time, &args.run)?;
    let target = route.target.to_string();
    Ok(Report::new("udp", target, to_value(args)?, &measurement))
}

/// Announces each peer of the population once, and reports what the tracker made of it.
///
/// # Errors
///
/// As for [`run`], and if not every peer was answered.
pub(crate) fn fill(args: &FillArgs) -> Result<Report> {
    let route = route(&args.target, &args.run, &args.datagrams, &args.sources)?;
    let population = population(&args.population, route)?;
    let plan = Plan {
        route,
        run: &args.run,
        load: &args.load,
        datagrams: &args.datagrams,
        seed: args.population.seed,
    };
    let clock = Clock::start();
    let engines = plan.engines(clock, |numbers| {
        let fill = Fill::new(numbers, shape(route, &population));
        let encoder = Encoder::new(population.clone(), args.numwant, 1);
        (Workload::Fill(fill), encoder)
    })?;
    let time = TimeArgs {
        duration: args.limit,
        warmup: Duration::ZERO,
    };
    let measurement = drive(engines, clock, time, &args.run)?;
    let answered = measurement.tally.answered.announce;
    ensure!(
        answered == population.peers(),
        "the tracker took {answered} peers of {}; it refused {:?}",
        population.peers(),
        measurement.tally.errors,
    );
    let target = route.target.to_string();
    let report = Report::new("fill", target, to_value(args)?, &measurement);
    Ok(report.with_fill(population.peers(), population.torrents_with_peers()))
}

fn route(
    target: &str,
    run: &RunArgs,
    datagrams: &DatagramArgs,
    sources: &SourceArgs,
) -> Result<Route> {
    let target = guard::resolve(target, run.allow_public_target)?;
    let sockets = run.threads * datagrams.sockets;
    Ok(Route {
        target,
        sources: Sources::new(sources, target.ip(), sockets)?,
        sockets,
    })
}

fn population(args: &PopulationArgs, route: Route) -> Result<Population> {
    Population::new(args, route.sources.addresses(), route.sources.count())
}

fn shape(route: Route, population: &Population) -> Shape {
    let sources = route.sources.count();
    Shape {
        sockets: route.sockets,
        sources,
        peers_per_source: population.peers() / sources,
    }
}

/// What the threads of a run have in common.
struct Plan<'a> {
    route: Route,
    run: &'a RunArgs,
    load: &'a LoadArgs,
    datagrams: &'a DatagramArgs,
    seed: u64,
}

impl Plan<'_> {
    /// Makes the threads' engines, with what `work` gives each for the numbers of its sockets, and
    /// gets their connection ids.
    fn engines(
        &self,
        clock: Clock,
        work: impl Fn(std::ops::Range<u64>) -> (Workload, Encoder),
    ) -> Result<Vec<Engine>> {
        let Self {
            route,
            run,
            load,
            datagrams,
            seed,
        } = self;
        let default_window = if load.rate.is_some() {
            OPEN_WINDOW
        } else {
            CLOSED_WINDOW
        };
        let mut engines = Vec::new();
        for thread in 0..run.threads {
            let numbers = thread * datagrams.sockets..(thread + 1) * datagrams.sockets;
            let manner = Manner {
                window: datagrams.window.unwrap_or(default_window),
                batch: datagrams.batch,
                train: datagrams.train,
                timing: Timing::new(load, thread, run.threads),
            };
            let (workload, encoder) = work(numbers.clone());
            let random = Random::new(mix(seed ^ mix(thread)));
            let mut engine = Engine::new(*route, numbers, manner, workload, encoder, random)?;
            engine.connect(clock)?;
            engines.push(engine);
        }
        Ok(engines)
    }
}
