//! Load over HTTP: the command `http`.

mod connection;
mod engine;
mod requests;
mod response;

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::to_value;

use crate::args::{HttpArgs, TrackerArgs};
use crate::drive::drive;
use crate::guard;
use crate::mix::Mix;
use crate::pace::{Clock, Pace, nanos};
use crate::population::Population;
use crate::report::Report;
use crate::sources::Sources;
use crate::tls::Tls;
use engine::{Engine, Plan};
use requests::Writer;

/// How long the first connection may take.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);

/// Makes load as told, and reports what it found.
///
/// # Errors
///
/// The target is refused or does not answer, or the system lacks what the run needs.
pub(crate) fn run(args: &HttpArgs) -> Result<Report> {
    let TrackerArgs {
        target: name,
        run,
        load,
        population,
        sources,
    } = &args.tracker;
    let target = guard::resolve(name, run.allow_public_target)?;
    let sources = Sources::new(sources, target.ip(), 1)?;
    let seed = population.seed;
    let population = Population::new(population, sources.addresses(), sources.count())?;
    let peers_per_source = population.peers() / sources.count();
    let host = args.host.as_deref().unwrap_or(name);
    let plan = Plan {
        target,
        sources,
        peers_per_source,
        timeout: nanos(load.timeout),
        connections: args.connections,
        keeps: !args.close,
        // What a connection is not kept for cannot be sent ahead on it.
        depth: usize::try_from(if args.close { 1 } else { args.pipeline })?,
        mix: Mix::new(&args.mix, false)?,
        writer: Writer::new(args, host, population),
        tls: match args.tls {
            true => Some(Tls::new(host, args.resume)?),
            false => None,
        },
    };
    TcpStream::connect_timeout(&target, FIRST_CONNECTION)
        .with_context(|| format!("cannot connect to {target}"))?;
    let clock = Clock::start();
    let engine = |thread| {
        let pace = Pace::new(load, thread, run.threads);
        let random = SmallRng::seed_from_u64(seed ^ thread << 32);
        Engine::new(plan.clone(), thread, pace, clock, random)
    };
    let engines = (0..run.threads).map(engine).collect::<Result<Vec<_>>>()?;
    let measurement = drive(engines, clock, args.time, run)?;
    let target = target.to_string();
    Ok(Report::new("http", target, to_value(args)?, &measurement))
}
