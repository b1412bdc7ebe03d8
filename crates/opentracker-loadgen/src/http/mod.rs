//! Load over HTTP: the command `http`.

mod connection;
mod engine;
mod requests;
mod response;

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::to_value;

use crate::args::HttpArgs;
use crate::drive::{Timing, drive};
use crate::guard;
use crate::pace::Clock;
use crate::population::Population;
use crate::random::{Random, mix};
use crate::report::Report;
use crate::sources::Sources;
use engine::{Engine, Manner, Route};
use requests::Writer;

/// How long the first connection may take.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);

/// Makes load as told, and reports what it found.
///
/// # Errors
///
/// The target is refused or does not answer, or the system lacks what the run needs.
pub(crate) fn run(args: &HttpArgs) -> Result<Report> {
    let target = guard::resolve(&args.target, args.run.allow_public_target)?;
    let sources = Sources::new(&args.sources, target.ip(), 1)?;
    let population = Population::new(&args.population, sources.addresses(), sources.count())?;
    ensure!(
        args.mix.announce + args.mix.scrape > 0,
        "announces and scrapes both in proportion 0"
    );
    TcpStream::connect_timeout(&target, FIRST_CONNECTION)
        .with_context(|| format!("cannot connect to {target}"))?;
    let host = args.host.as_deref().unwrap_or(&args.target);
    let writer = Writer::new(args, host, population.clone());
    let engines = (0..args.run.threads)
        .map(|thread| {
            let manner = Manner {
                connections: args.connections,
                keeps: !args.close,
                // What a connection is not kept for cannot be sent ahead on it.
                depth: usize::try_from(if args.close { 1 } else { args.pipeline })?,
                announce: args.mix.announce,
                scrape: args.mix.scrape,
                stopped: args.mix.stopped,
                timing: Timing::new(&args.load, thread, args.run.threads),
            };
            let route = Route {
                target,
                sources,
                peers_per_source: population.peers() / sources.count(),
            };
            let random = Random::new(mix(args.population.seed ^ mix(thread)));
            Engine::new(route, manner, writer.clone(), random)
        })
        .collect::<Result<Vec<Engine>>>()?;
    let measurement = drive(engines, Clock::start(), args.time, &args.run)?;
    let target = target.to_string();
    Ok(Report::new("http", target, to_value(args)?, &measurement))
}
